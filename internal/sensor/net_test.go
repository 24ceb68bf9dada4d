package sensor

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/redoubt"
)

// server is a program that listens inside a cgroup.
type server struct {
	addr netip.AddrPort
	pid  int
}

func (g *group) serve(network, address string) server {
	g.t.Helper()
	cmd := g.command(self(g.t), "act", "listen", network, address)
	in, err := cmd.StdinPipe()
	if err != nil {
		g.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		g.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		g.t.Fatalf("server says nothing: %v", err)
	}
	addr, err := netip.ParseAddrPort(strings.TrimSpace(line))
	if err != nil {
		g.t.Fatalf("server says %q", line)
	}
	return server{addr, cmd.Process.Pid}
}

// listener is a server outside every group.
func listener(t *testing.T, network string) netip.AddrPort {
	t.Helper()
	host := "127.0.0.1:0"
	if strings.HasSuffix(network, "6") {
		host = "[::1]:0"
	}
	if strings.HasPrefix(network, "udp") {
		c, err := net.ListenPacket(network, host)
		if err != nil {
			t.Skipf("listen %s: %v", network, err)
		}
		t.Cleanup(func() { c.Close() })
		return netip.MustParseAddrPort(c.LocalAddr().String())
	}
	l, err := net.Listen(network, host)
	if err != nil {
		t.Skipf("listen %s: %v", network, err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.Copy(io.Discard, c)
			c.Close()
		}
	}()
	return netip.MustParseAddrPort(l.Addr().String())
}

func connectKey(p redoubt.Proto, a netip.AddrPort) ConnectKey {
	return ConnectKey{Proto: p, Addr: a.Addr().As16(), Port: a.Port()}
}

func (g *group) act(args ...string) string {
	g.t.Helper()
	out, _ := g.run(self(g.t), append([]string{"act"}, args...)...)
	return strings.TrimSpace(string(out))
}

func TestR34_ConnectIsSeenAndRefusedFromInside(t *testing.T) {
	w := open(t, Config{})
	for i, c := range []struct {
		network, how string
		proto        redoubt.Proto
	}{
		{"tcp4", "connect", redoubt.TCP}, {"tcp6", "connect", redoubt.TCP},
		{"udp4", "connect", redoubt.UDP}, {"udp6", "connect", redoubt.UDP},
		{"udp4", "sendto", redoubt.UDP}, {"udp6", "sendto", redoubt.UDP},
	} {
		t.Run(c.how+" "+c.network, func(t *testing.T) {
			slot := Slot(70 + i)
			g, other := newGroup(t, w, slot), newGroup(t, w, 51)
			if err := w.SetMode(slot, Mode{Exec: Allow}); err != nil {
				t.Fatal(err)
			}
			to, next := listener(t, c.network), listener(t, c.network)
			act := func(g *group, to netip.AddrPort) string {
				if c.how == "sendto" {
					return g.act("sendto", to.String())
				}
				return g.act("connect", c.network, to.String())
			}
			if got := act(g, to); got != "done" {
				t.Fatalf("before any rule: %s", got)
			}
			s := w.wait(1, g.here(redoubt.EventConnect))[0]
			if s.Network.Proto != c.proto || s.Network.Remote != to || s.Denied != "" || s.PID == 0 || s.Path != self(t) || s.Key.File != statKey(t, self(t)) {
				t.Errorf("sighting %+v of %+v", s, s.Network)
			}
			if err := w.SetConnect(slot, connectKey(c.proto, to), Deny); err != nil {
				t.Fatal(err)
			}
			if got := act(g, to); got != "EPERM" {
				t.Errorf("denied: from inside %q", got)
			}
			if got := act(g, next); got != "done" {
				t.Errorf("another port of that address: %q", got)
			}
			if got := act(other, to); got != "done" {
				t.Errorf("another workload: %q", got)
			}
			denied := w.wait(1, func(s *Sighting) bool { return g.here(redoubt.EventConnect)(s) && s.Denied != "" })[0]
			if denied.Denied != redoubt.BackendConnect || denied.Network.Remote != to {
				t.Errorf("denied sighting %+v of %+v", denied, denied.Network)
			}
			if n := count(w.Tallies(slot), func(k Tally) bool { return k.Connect != nil }); n != 1 {
				t.Errorf("the rule counted %d, want 1", n)
			}
		})
	}
}

func TestConnectRulesByPrefixAndDefaultDeny(t *testing.T) {
	w := open(t, Config{})
	g := newGroup(t, w, 52)
	a, b := listener(t, "tcp4"), listener(t, "tcp4")
	loopback := netip.MustParseAddr("127.0.0.0").As16()
	for _, c := range []struct {
		name  string
		mode  Mode
		rules []Rule
		a, b  string
	}{
		{"default deny", Mode{Connect: Deny}, nil, "EPERM", "EPERM"},
		{"prefix allows", Mode{Connect: Deny}, []Rule{{Connect: &ConnectKey{Addr: loopback, Bits: 96 + 8}, Action: Allow}}, "done", "done"},
		{"longer prefix first", Mode{}, []Rule{
			{Connect: &ConnectKey{Addr: loopback, Bits: 96 + 8}, Action: Deny},
			{Connect: &ConnectKey{Addr: a.Addr().As16(), Port: a.Port(), Proto: redoubt.TCP}, Action: Allow},
		}, "done", "EPERM"},
		{"any address, one port", Mode{}, []Rule{{Connect: &ConnectKey{Port: b.Port()}, Action: Deny}}, "done", "EPERM"},
		{"other protocol", Mode{}, []Rule{{Connect: &ConnectKey{Proto: redoubt.UDP}, Action: Deny}}, "done", "done"},
		{"everything", Mode{}, []Rule{{Connect: &ConnectKey{}, Action: Deny}}, "EPERM", "EPERM"},
	} {
		if err := w.Replace(52, c.mode, c.rules); err != nil {
			t.Fatal(err)
		}
		if got := g.act("connect", "tcp4", a.String()); got != c.a {
			t.Errorf("%s: first %q, want %q", c.name, got, c.a)
		}
		if got := g.act("connect", "tcp4", b.String()); got != c.b {
			t.Errorf("%s: second %q, want %q", c.name, got, c.b)
		}
	}
}

func TestR5_ListenAndAcceptNameTheProcess(t *testing.T) {
	w := open(t, Config{})
	for i, network := range []string{"tcp4", "tcp6"} {
		t.Run(network, func(t *testing.T) {
			slot := Slot(80 + i)
			g := newGroup(t, w, slot)
			host := map[string]string{"tcp4": "127.0.0.1:0", "tcp6": "[::1]:0"}[network]
			srv := g.serve(network, host)
			s := w.wait(1, g.here(redoubt.EventListen))[0]
			if s.Network.Local != srv.addr || s.PID != srv.pid || s.Network.Proto != redoubt.TCP || s.Path != self(t) {
				t.Errorf("listen %+v of %+v, server %+v", s, s.Network, srv)
			}
			c, err := net.Dial(network, srv.addr.String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			in := w.wait(1, g.here(redoubt.EventAccept))[0]
			if in.Network.Local != srv.addr || in.Network.Remote != netip.MustParseAddrPort(c.LocalAddr().String()) || in.PID != srv.pid {
				t.Errorf("accept %+v of %+v", in, in.Network)
			}

			// Known: counted by port, silent.
			port := redoubt.Port{Proto: redoubt.TCP, Port: srv.addr.Port()}
			if err := w.SetListen(slot, port, Allow); err != nil {
				t.Fatal(err)
			}
			for range 20 {
				c, err := net.Dial(network, srv.addr.String())
				if err != nil {
					t.Fatal(err)
				}
				io.Copy(io.Discard, c) // the handshake is over at both ends
				c.Close()
			}
			if n := w.count(g.here(redoubt.EventAccept)); n != 2 {
				t.Errorf("%d accepts were told, want the unknown one and the first known", n)
			}
			if n := count(w.Tallies(slot), func(k Tally) bool { return k.Listen != nil && *k.Listen == port }); n != 20 {
				t.Errorf("the rule counted %d of 20", n)
			}
		})
	}
}

func TestUDPServiceIsToldWhenItBinds(t *testing.T) {
	w := open(t, Config{})
	g := newGroup(t, w, 54)
	free := listener(t, "udp4")
	at := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), free.Port())
	srv := g.serve("udp4", at.String())
	s := w.wait(1, g.here(redoubt.EventListen))[0]
	if s.Network.Proto != redoubt.UDP || s.Network.Local != srv.addr || s.PID != srv.pid {
		t.Errorf("bind %+v of %+v", s, s.Network)
	}
}

func TestListenRefusedFromInside(t *testing.T) {
	w := open(t, Config{})
	g := newGroup(t, w, 55)
	port := listener(t, "tcp4").Port()
	at := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.3"), port).String()
	if err := w.SetListen(55, redoubt.Port{Proto: redoubt.TCP, Port: port}, Deny); err != nil {
		t.Fatal(err)
	}
	if got := g.act("listen", "tcp4", at); got != "EPERM" {
		t.Errorf("denied port: %q", got)
	}
	if got := g.act("listen", "udp4", at); !strings.HasSuffix(got, "done") {
		t.Errorf("same port over UDP: %q", got)
	}
	s := w.wait(1, func(s *Sighting) bool { return g.here(redoubt.EventListen)(s) && s.Denied != "" })[0]
	if s.Denied != redoubt.BackendConnect || s.Network.Local.Port() != port {
		t.Errorf("denied sighting %+v of %+v", s, s.Network)
	}
}

func TestConnectIsSeenWithoutItsHook(t *testing.T) {
	w := open(t, Config{Without: func(h string) bool { return strings.HasPrefix(h, "cgroup/") }})
	g := newGroup(t, w, 56)
	to := listener(t, "tcp4")
	if got := g.act("connect", "tcp4", to.String()); got != "done" {
		t.Fatal(got)
	}
	if s := w.wait(1, g.here(redoubt.EventConnect))[0]; s.Network.Remote != to || s.PID == 0 {
		t.Errorf("sighting %+v of %+v", s, s.Network)
	}
}

func TestIsolateCutsOneCgroupOnly(t *testing.T) {
	w := open(t, Config{})
	g, other := newGroup(t, w, 57), newGroup(t, w, 58)
	srv, fine := g.serve("tcp4", "127.0.0.1:0"), other.serve("tcp4", "127.0.0.1:0")
	to := listener(t, "tcp4")
	reach := func(a netip.AddrPort) error {
		c, err := net.DialTimeout("tcp4", a.String(), 300*time.Millisecond)
		if err == nil {
			c.Close()
		}
		return err
	}
	if err := reach(srv.addr); err != nil {
		t.Fatal(err)
	}
	if err := w.Isolate(g.path); err != nil {
		t.Fatal(err)
	}
	if err := w.Isolate(g.path); err != nil {
		t.Errorf("twice: %v", err)
	}
	if err := reach(srv.addr); err == nil {
		t.Error("isolated, yet reached from outside")
	}
	if got := g.act("connect", "tcp4", to.String()); got == "done" {
		t.Error("isolated, yet it reached out")
	}
	if err := reach(fine.addr); err != nil {
		t.Errorf("its neighbour is cut too: %v", err)
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", srv.pid)); err != nil {
		t.Errorf("the isolated process is gone: %v", err)
	}
	if err := w.Unisolate(g.path); err != nil {
		t.Fatal(err)
	}
	if err := reach(srv.addr); err != nil {
		t.Errorf("after Unisolate: %v", err)
	}
	if err := w.Isolate("/rdt-sensor-nowhere"); err == nil {
		t.Error("a cgroup that is not there is isolated")
	}
}
