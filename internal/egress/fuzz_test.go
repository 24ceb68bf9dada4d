package egress

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"net"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// helloBytes is what Go's own client says first.
func helloBytes(t testing.TB, cfg *tls.Config) []byte {
	t.Helper()
	a, b := net.Pipe()
	go func() {
		tls.Client(a, cfg).Handshake()
		a.Close()
	}()
	buf := make([]byte, maxHello)
	n, err := b.Read(buf)
	b.Close()
	if err != nil {
		t.Fatal(err)
	}
	return buf[:n]
}

func readHelloBytes(b []byte) (hello, error) {
	return readHello(bufio.NewReaderSize(bytes.NewReader(b), maxHello))
}

func TestHelloInPieces(t *testing.T) {
	whole := helloBytes(t, &tls.Config{ServerName: "api.example.com"})
	if h, err := readHelloBytes(whole); err != nil || h.name != "api.example.com" || h.ech {
		t.Fatalf("%+v %v", h, err)
	}
	var pieces []byte // one record for each ten bytes of the message
	for msg := whole[5:]; len(msg) > 0; {
		n := min(10, len(msg))
		pieces = append(append(pieces, 22, 3, 1, 0, byte(n)), msg[:n]...)
		msg = msg[n:]
	}
	if h, err := readHelloBytes(pieces); err != nil || h.name != "api.example.com" {
		t.Errorf("in records of ten bytes: %+v %v", h, err)
	}
	if _, err := readHelloBytes(whole[:len(whole)-1]); err != errHello {
		t.Errorf("cut short: %v", err)
	}
	twice := bytes.Replace(whole, []byte("api.example.com"), []byte("api.example..om"), 1)
	if _, err := readHelloBytes(twice); err != errHello {
		t.Errorf("name that is none: %v", err)
	}
	if _, err := readHelloBytes(append([]byte{22, 3, 1, 0x40, 0}, make([]byte, 1<<14)...)); err == nil {
		t.Error("too long a ClientHello")
	}
}

func FuzzHello(f *testing.F) {
	f.Add(helloBytes(f, &tls.Config{ServerName: "api.example.com"}))
	f.Add(helloBytes(f, &tls.Config{InsecureSkipVerify: true}))
	f.Add([]byte{22, 3, 1, 0, 4, 1, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := readHelloBytes(b)
		if err == nil && h.name != "" {
			if clean, err := cleanName(h.name); err != nil || clean != h.name {
				t.Errorf("name %q", h.name)
			}
		}
	})
}

func FuzzHead(f *testing.F) {
	f.Add([]byte("GET /a?b HTTP/1.1\r\nHost: api.example.com\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"))
	f.Add([]byte("POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc"))
	f.Fuzz(func(t *testing.T, b []byte) {
		raw, err := peekHead(bufio.NewReaderSize(bytes.NewReader(b), maxHead))
		if err != nil {
			return
		}
		if r, err := parseResponse(raw); err == nil && r.chunked && r.sized {
			t.Error("two lengths")
		}
		h, err := parseRequest(raw)
		if err != nil {
			return
		}
		s := &session{to: Attempt{Port: 80}}
		host, why := s.hostOf(h)
		if why != nil {
			return
		}
		if clean, err := cleanHost(host); err != nil || clean != host {
			t.Errorf("host %q", host)
		}
		h.raw = bytes.Clone(raw)
		h.without("connection", "upgrade", "http2-settings")
		if again, err := parseRequest(h.raw); err != nil || again.target != h.target || again.length != h.length || again.chunked != h.chunked {
			t.Errorf("without changed %q to %q: %v", raw, h.raw, err)
		}
	})
}

func FuzzBody(f *testing.F) {
	f.Add([]byte("3\r\nabc\r\n0\r\nA: b\r\n\r\nrest"))
	f.Add([]byte("3;x=y\r\nabc\r\n0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var out bytes.Buffer
		var u use
		br := bufio.NewReaderSize(bytes.NewReader(b), maxHead)
		if newBody(&head{chunked: true}, br).send(&out, nil, &u.in, func() {}) != nil {
			return
		}
		// What was passed on means the same to who reads it next.
		var again bytes.Buffer
		var v use
		rest := bufio.NewReaderSize(&out, maxHead)
		if err := newBody(&head{chunked: true}, rest).send(&again, nil, &v.in, func() {}); err != nil || u.in.Load() != v.in.Load() || rest.Buffered() != 0 {
			t.Errorf("%q became %q: %v", b, again.Bytes(), err)
		}
	})
}

func FuzzDNS(f *testing.F) {
	for _, typ := range []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA, dnsmessage.TypePTR, 65, 255} {
		m := dnsmessage.Message{Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName("api.example.com."), Type: typ, Class: dnsmessage.ClassINET}}}
		b, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	var reported Use
	p := New(Config{Decide: func(a Attempt) bool { _, ok := Match([]string{"api.example.com:443"}, a); return ok }, Report: func(u Use) { reported = u }})
	f.Fuzz(func(t *testing.T, b []byte) {
		reported = Use{}
		out, err := p.answerDNS(b, netip.AddrPort{})
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if err := m.Unpack(out); err != nil || !m.Response || len(out) > 1232 {
			t.Errorf("answer %x: %v", out, err)
		}
		for _, a := range m.Answers {
			if name := strings.ToLower(a.Header.Name.String()); name != "api.example.com." && !strings.HasSuffix(name, ".arpa.") {
				t.Errorf("answered for %s", name)
			}
		}
		for i := range len(reported.Host) {
			if c := reported.Host[i]; c < ' ' || c >= 0x7f {
				t.Errorf("reported %q", reported.Host)
			}
		}
	})
}

func FuzzNaming(f *testing.F) {
	for _, s := range []string{
		target("dynamodb", "DynamoDB_20120810.PutItem", `{"TableName":"orders"}`),
		form("iam.amazonaws.com", "Action=AttachUserPolicy&UserName=bob&PolicyArn=arn:aws:iam::aws:policy/X"),
		onPhotos("PUT", "/a%20b?acl", "x-amz-copy-source: /b/k"),
		"POST /2015-03-31/functions/f/invocations HTTP/1.1\nHost: lambda.eu-west-1.amazonaws.com\n\n{}",
		"GET /x/y HTTP/1.1\nHost: abc.execute-api.eu-west-1.amazonaws.com\n\n",
		"POST /x HTTP/1.1\nHost: search-x.eu-west-1.es.amazonaws.com\n\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		names, err := nameOf(t, s)
		if err != nil {
			return
		}
		if len(names) == 0 || len(names) > maxCalls {
			t.Errorf("%d names", len(names))
		}
		for _, n := range names {
			for i := range len(n) {
				if n[i] < ' ' || n[i] >= 0x7f {
					t.Errorf("name %q", n)
				}
			}
			action, resource, ok := strings.Cut(n, " ")
			// A grant written from what was seen covers that, and is well formed.
			a := Attempt{Kind: KindAWS, Action: action, Resource: resource}
			if _, covered := Match([]string{n}, a); !ok || !covered {
				t.Errorf("%q does not cover itself: %v", n, Validate(nil, []string{n}))
			}
		}
	})
}

func FuzzGrant(f *testing.F) {
	for _, s := range []string{"api.example.com:443", "*.example.com:443", "10.0.0.0/8:1", "[fd00::/8]:443", "db.example.com:5432 10.0.0.0/8", "s3:GetObject b/*", "iam:X user/b PolicyArn=a*"} {
		f.Add(s, "api.example.com")
	}
	f.Fuzz(func(t *testing.T, s, host string) {
		g, err := parseGrant(s)
		if err != nil {
			if _, ok := Match([]string{s}, Attempt{Kind: KindTCP, Host: host, Port: 443}); ok {
				t.Errorf("malformed %q covers %q", s, host)
			}
			return
		}
		if g.action == "" && g.port == 0 {
			t.Errorf("%q has no port", s)
		}
		Local([]string{s}, host, g.port, netip.MustParseAddr("10.0.0.1"))
	})
}
