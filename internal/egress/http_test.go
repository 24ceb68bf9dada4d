package egress

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// Each attack has the honest request it imitates beside it.
func TestS10_HTTPGoesByHostOrNotAtAll(t *testing.T) {
	w := newWorld(t, Config{}, "api.example.com:80", "*.wild.example:80", "10.9.8.7:80")
	for _, h := range []string{"api.example.com:80", "a.wild.example:80", "10.9.8.7:80", "evil.example:80"} {
		w.at(h, addrOf(upstream(t, h)))
	}
	addr := w.serve(80)
	long := strings.Repeat("x", maxHead)
	for _, c := range []struct {
		name, request string
		code          string
	}{
		{"honest get", "GET /a?b=c HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n", "200"},
		{"honest host with port, dot and capitals", "GET / HTTP/1.1\r\nHost: API.Example.com.:80\r\nConnection: close\r\n\r\n", "200"},
		{"honest post", "POST / HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc", "abc"},
		{"honest chunks", "POST / HTTP/1.1\r\nHost: api.example.com\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n1;x=y\r\nd\r\n0\r\nTrail: er\r\n\r\n", "abcd"},
		{"honest 1.0", "GET / HTTP/1.0\r\nHost: api.example.com\r\n\r\n", "200"},
		{"honest wildcard", "GET / HTTP/1.1\r\nHost: a.wild.example\r\nConnection: close\r\n\r\n", "200"},
		{"honest address", "GET / HTTP/1.1\r\nHost: 10.9.8.7\r\nConnection: close\r\n\r\n", "200"},
		{"honest options", "OPTIONS * HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n", "200"},
		{"honest offer of h2c", "GET / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nHost: api.example.com\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\nUpgrade: h2c\r\n\r\nGET / HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n", "200"},
		{"other host", "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", "403"},
		{"parent of a wildcard", "GET / HTTP/1.1\r\nHost: wild.example\r\n\r\n", "403"},
		{"two labels for a wildcard", "GET / HTTP/1.1\r\nHost: a.b.wild.example\r\n\r\n", "403"},
		{"metadata address", "GET /latest/meta-data HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n", "403"},
		{"address as a number", "GET / HTTP/1.1\r\nHost: 2852039166\r\n\r\n", "400"},
		{"address in octal", "GET / HTTP/1.1\r\nHost: 0251.0376.0251.0376\r\n\r\n", "400"},
		{"no host", "GET / HTTP/1.1\r\n\r\n", "400"},
		{"two hosts", "GET / HTTP/1.1\r\nHost: api.example.com\r\nHost: evil.example\r\n\r\n", "400"},
		{"host and user", "GET / HTTP/1.1\r\nHost: api.example.com@evil.example\r\n\r\n", "400"},
		{"other port", "GET / HTTP/1.1\r\nHost: api.example.com:81\r\n\r\n", "400"},
		{"absolute form", "GET http://evil.example/ HTTP/1.1\r\nHost: api.example.com\r\n\r\n", "400"},
		{"connect", "CONNECT evil.example:443 HTTP/1.1\r\nHost: api.example.com\r\n\r\n", "405"},
		{"length and chunks", "POST / HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
		{"two lengths", "POST / HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n", "400"},
		{"signed length", "POST / HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: +4\r\n\r\n", "400"},
		{"chunked twice", "POST / HTTP/1.1\r\nHost: api.example.com\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", "400"},
		{"chunked spelled with a tab", "POST / HTTP/1.1\r\nHost: api.example.com\r\nTransfer-Encoding:\x0bchunked\r\n\r\n", "400"},
		{"chunks in 1.0", "POST / HTTP/1.0\r\nHost: api.example.com\r\nTransfer-Encoding: chunked\r\n\r\n", "400"},
		{"folded field", "GET / HTTP/1.1\r\nHost: api.example.com\r\n evil.example\r\n\r\n", "400"},
		{"space before the colon", "GET / HTTP/1.1\r\nHost : api.example.com\r\n\r\n", "400"},
		{"lone line feed", "GET / HTTP/1.1\r\nX: y\nHost: evil.example\r\nHost: api.example.com\r\n\r\n", "400"},
		{"lone carriage return", "GET / HTTP/1.1\r\nX: y\rHost: evil.example\r\nHost: api.example.com\r\n\r\n", "400"},
		{"null in a field", "GET / HTTP/1.1\r\nHost: api.example.com\x00evil\r\n\r\n", "400"},
		{"connection drops host", "GET / HTTP/1.1\r\nHost: api.example.com\r\nConnection: close, host\r\n\r\n", "400"},
		{"http2 without asking", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400"},
		{"upgrade to something", "GET / HTTP/1.1\r\nHost: api.example.com\r\nConnection: upgrade\r\nUpgrade: tunnel\r\n\r\n", "400"},
		{"http 0.9", "GET /\r\n\r\n", "400"},
		{"head without end", "GET /" + long + " HTTP/1.1\r\n", "431"},
		{"tls on port 80", "\x16\x03\x01\x00\x05hello\r\n\r\n", "400"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := len(w.reached())
			got := say(t, addr, c.request)
			if !strings.Contains(got, c.code) {
				t.Errorf("got %.300q, want %s in it", got, c.code)
			}
			honest := strings.HasPrefix(c.name, "honest")
			if n := len(w.reached()) - before; honest != (n > 0) {
				t.Errorf("dialled %d times", n)
			}
			if strings.Contains(got, "evil.example: ") {
				t.Error("reached the evil host")
			}
		})
	}
	for _, h := range w.reached() {
		if strings.HasPrefix(h, "evil") {
			t.Errorf("dialled %s", h)
		}
	}
}

func TestS10_EveryRequestOfAConnectionIsDecided(t *testing.T) {
	w := newWorld(t, Config{}, "one.example:80", "two.example:80")
	for _, h := range []string{"one.example", "two.example", "evil.example"} {
		w.at(h+":80", addrOf(upstream(t, h)))
	}
	c, err := net.Dial("tcp", w.serve(80))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	br := bufio.NewReader(c)
	for i, h := range []string{"one.example", "one.example", "two.example", "one.example"} {
		fmt.Fprintf(c, "POST /%d HTTP/1.1\r\nHost: %s\r\nContent-Length: 2\r\n\r\nhi", i, h)
		want := fmt.Sprintf("%s: POST %s /%d hi", h, h, i)
		if code, got := response(t, br); code != 200 || got != want {
			t.Fatalf("request %d: %d %q, want %q", i, code, got, want)
		}
	}
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n")
	if code, _ := response(t, br); code != 403 {
		t.Errorf("evil host on a good connection: %d", code)
	}
	if got, want := fmt.Sprint(w.reached()), "[one.example:80 two.example:80 one.example:80]"; got != want {
		t.Errorf("dialled %s, want %s", got, want)
	}
	w.uses.want(t, KindHTTP, "evil.example:80", false)
}

func TestPipelinedRequestsStayApart(t *testing.T) {
	w := newWorld(t, Config{}, "one.example:80")
	w.at("one.example:80", addrOf(upstream(t, "one")))
	got := say(t, w.serve(80), "POST /1 HTTP/1.1\r\nHost: one.example\r\nContent-Length: 44\r\n\r\nGET /x HTTP/1.1\r\nHost: smuggled.example\r\n\r\n.."+
		"GET /2 HTTP/1.1\r\nHost: one.example\r\n\r\nGET /3 HTTP/1.1\r\nHost: evil.example\r\n\r\n")
	if strings.Count(got, "one: ") != 2 || !strings.Contains(got, "403") || strings.Contains(got, "smuggled.example /x") {
		t.Errorf("got %q", got)
	}
}

func TestS10_ServersCannotSmuggleEither(t *testing.T) {
	for _, c := range []struct{ name, response, want string }{
		{"honest", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok"},
		{"honest chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "ok"},
		{"honest until close", "HTTP/1.0 200 OK\r\n\r\nok", "ok"},
		{"honest interim", "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok"},
		{"length and chunks", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "502"},
		{"upgrade nobody asked for", "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\nraw", "502"},
		{"not HTTP", "SSH-2.0-OpenSSH\r\n\r\n", "502"},
		{"nothing", "", "502"},
		{"endless interim", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 20), "502"},
		{"endless head", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", maxHead), "502"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				up, err := l.Accept()
				if err != nil {
					return
				}
				defer up.Close()
				buf := make([]byte, 4096)
				up.Read(buf)
				io.WriteString(up, c.response)
				up.(*net.TCPConn).CloseWrite()
				io.Copy(io.Discard, up)
			}()
			w := newWorld(t, Config{}, "one.example:80")
			w.at("one.example:80", l.Addr().String())
			got := say(t, w.serve(80), "GET / HTTP/1.1\r\nHost: one.example\r\nConnection: close\r\n\r\n")
			if !strings.Contains(got, c.want) {
				t.Errorf("got %.200q, want %s", got, c.want)
			}
		})
	}
}

func TestWebSocketPassesThrough(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		up, err := l.Accept()
		if err != nil {
			return
		}
		defer up.Close()
		br := bufio.NewReader(up)
		for line := ""; line != "\r\n"; {
			if line, err = br.ReadString('\n'); err != nil {
				return
			}
		}
		io.WriteString(up, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
		io.Copy(up, br)
	}()
	w := newWorld(t, Config{}, "ws.example:80")
	w.at("ws.example:80", l.Addr().String())
	c, err := net.Dial("tcp", w.serve(80))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	io.WriteString(c, "GET /chat HTTP/1.1\r\nHost: ws.example\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n")
	br := bufio.NewReader(c)
	for line := ""; line != "\r\n"; {
		if line, err = br.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		io.WriteString(c, "frame")
		buf := make([]byte, 5)
		if _, err := io.ReadFull(br, buf); err != nil || string(buf) != "frame" {
			t.Fatalf("%q %v", buf, err)
		}
	}
	w.proxy.Flush()
	if u := w.uses.want(t, KindHTTP, "ws.example:80", true); u.In < 15 || u.Out < 15 {
		t.Errorf("bytes of an open WebSocket after Flush: %+v", u)
	}
}

// A client that gives up must not leave its request behind.
func TestRequestEndsWithItsClient(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ended := make(chan struct{})
	got := make(chan struct{})
	go func() {
		defer close(ended)
		up, err := l.Accept()
		if err != nil {
			return
		}
		defer up.Close()
		buf := make([]byte, 4096)
		up.Read(buf)
		close(got)
		io.Copy(io.Discard, up) // never answers
	}()
	w := newWorld(t, Config{}, "slow.example:80")
	w.at("slow.example:80", l.Addr().String())
	c, err := net.Dial("tcp", w.serve(80))
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: slow.example\r\n\r\n")
	<-got
	c.Close()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Fatal("the request outlived its client")
	}
	if u := w.uses.want(t, KindHTTP, "slow.example:80", true); u.Err != errGone.Error() {
		t.Errorf("%+v", u)
	}
}

func TestEarlyAnswerDoesNotHang(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			up, err := l.Accept()
			if err != nil {
				return
			}
			buf := make([]byte, 1024)
			up.Read(buf)
			io.WriteString(up, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			up.Close()
		}
	}()
	w := newWorld(t, Config{}, "one.example:80")
	w.at("one.example:80", l.Addr().String())
	c, err := net.Dial("tcp", w.serve(80))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "POST / HTTP/1.1\r\nHost: one.example\r\nContent-Length: 1000000000\r\n\r\nbegin")
	if code, _ := response(t, bufio.NewReader(c)); code != 413 {
		t.Errorf("got %d", code)
	}
}

// What is told and reported holds no path, query, header or body.
func TestReportsHoldNoSecrets(t *testing.T) {
	w := newWorld(t, Config{}, "one.example:80")
	w.at("one.example:80", addrOf(upstream(t, "one")))
	addr := w.serve(80)
	say(t, addr, "POST /s3cret?s3cret HTTP/1.1\r\nHost: one.example\r\nAuthorization: s3cret\r\nContent-Length: 6\r\nConnection: close\r\n\r\ns3cret")
	say(t, addr, "GET /s3cret?s3cret HTTP/1.1\r\nHost: other.example\r\nAuthorization: s3cret\r\n\r\n")
	say(t, addr, "GET /s3cret?s3cret HTTP/1.1\r\nHost: one.example\r\nAuthorization s3cret\r\n\r\n")
	u := w.uses.want(t, KindHTTP, "one.example:80", true)
	if u.In == 0 || u.Out == 0 {
		t.Errorf("no bytes: %+v", u)
	}
	w.uses.want(t, KindHTTP, "other.example:80", false)
	if strings.Contains(w.uses.String(), "s3cret") {
		t.Errorf("reported a secret:\n%s", w.uses)
	}
}
