package egress

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"runtime/pprof"
	"strings"
	"testing"
	"time"
)

// running says how many goroutines are in this package's own code, tests aside.
func running() int {
	var b bytes.Buffer
	pprof.Lookup("goroutine").WriteTo(&b, 2)
	n := 0
	for g := range strings.SplitSeq(b.String(), "\n\n") {
		if strings.Contains(g, "egress.(*Proxy)") || strings.Contains(g, "egress.(*session)") || strings.Contains(g, "egress.relay") {
			n++
		}
	}
	return n
}

func TestCloseLeavesNothing(t *testing.T) {
	w := newWorld(t, Config{}, "one.example:80", "127.0.0.1:7", "one.example:443")
	w.at("one.example:80", addrOf(upstream(t, "one")))
	w.at("127.0.0.1:7", raw(t, "hello"))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	w.at("silent.example:80", l.Addr().String())
	w.grants = append(w.grants, "silent.example:80")
	http, tcp, tls, dns := w.serve(80), w.serve(7), w.serve(443), w.serve(53)
	dial := func(addr, text string) *bufio.Reader {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(20 * time.Second))
		io.WriteString(c, text)
		return bufio.NewReader(c)
	}
	response(t, dial(http, "GET / HTTP/1.1\r\nHost: one.example\r\n\r\n"))             // idle, kept alive
	dial(http, "GET / HT")                                                             // in a head
	dial(http, "POST / HTTP/1.1\r\nHost: silent.example\r\nContent-Length: 9\r\n\r\n") // in a body
	dial(http, "GET / HTTP/1.1\r\nHost: silent.example\r\n\r\n")                       // waiting for a response
	dial(tls, "\x16\x03\x01")                                                          // in a ClientHello
	dial(dns, "\x00")
	tunnel := dial(tcp, "x")
	if _, err := tunnel.Peek(6); err != nil {
		t.Fatal(err)
	}
	wait(t, "all are under way", func() bool {
		w.proxy.mu.Lock()
		defer w.proxy.mu.Unlock()
		return w.proxy.conns == 7 && len(w.proxy.uses) == 3
	})
	w.proxy.Close()
	w.proxy.Close() // twice is as good
	wait(t, "all goroutines end", func() bool { return running() == 0 })
	if len(w.proxy.closer) != 0 || len(w.proxy.uses) != 0 || w.proxy.conns != 0 {
		t.Errorf("left: %d connections, %d uses", len(w.proxy.closer), len(w.proxy.uses))
	}
	if u := w.uses.find(KindTCP, "127.0.0.1:7", true); len(u) != 2 || u[1].First || u[1].In != 6 || u[1].Out != 1 {
		t.Errorf("what was open is not reported: %+v", u)
	}
	if l, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		if err := w.proxy.ServeTCP(l, 80); err != nil {
			t.Error(err)
		}
		if _, err := l.Accept(); err == nil {
			t.Error("a listener given to a closed Proxy is open")
		}
	}
}

func TestFlushTellsBytesSoFar(t *testing.T) {
	w := newWorld(t, Config{}, "127.0.0.1:7")
	w.at("127.0.0.1:7", raw(t, ""))
	c, err := net.Dial("tcp", w.serve(7))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	in := int64(0)
	for i := 1; i <= 3; i++ {
		fmt.Fprint(c, "12345")
		if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
			t.Fatal(err)
		}
		wait(t, "bytes are counted", func() bool {
			w.proxy.Flush()
			in = 0
			for _, u := range w.uses.find(KindTCP, "127.0.0.1:7", true) {
				in += u.In
			}
			return in == int64(5*i)
		})
	}
	firsts := 0
	for _, u := range w.uses.find(KindTCP, "127.0.0.1:7", true) {
		if u.First {
			firsts++
		}
	}
	if firsts != 1 {
		t.Errorf("%d uses are the first", firsts)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	w := newWorld(t, Config{}, "one.example:80")
	w.at("one.example:80", addrOf(upstream(t, "one")))
	addr := w.serve(80)
	var held []net.Conn
	defer func() {
		for _, c := range held {
			c.Close()
		}
	}()
	for range maxConns {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
	}
	wait(t, "all are in", func() bool { w.proxy.mu.Lock(); defer w.proxy.mu.Unlock(); return w.proxy.conns == maxConns })
	c, err := net.Dial("tcp", addr)
	if err == nil {
		defer c.Close()
		c.SetDeadline(time.Now().Add(20 * time.Second))
		if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Error("one too many is served")
		}
	}
	if u := w.uses.want(t, KindTCP, "127.0.0.1:80", false); u.Err != errCrowded.Error() {
		t.Errorf("%+v", u)
	}
	held[0].Close()
	wait(t, "there is room again", func() bool {
		return strings.Contains(say(t, addr, "GET / HTTP/1.1\r\nHost: one.example\r\nConnection: close\r\n\r\n"), "one: ")
	})
}
