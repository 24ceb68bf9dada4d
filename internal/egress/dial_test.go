package egress

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"redoubt.dev/redoubt/internal/fault"
)

// zone is a DNS server on this machine's loopback that answers as it is told.
func zone(t *testing.T, answer func(name string, n int64) []netip.Addr) *net.Resolver {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	var asked atomic.Int64
	go func() {
		buf := make([]byte, 2048)
		for {
			n, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
			if q.Type == dnsmessage.TypeA {
				for _, a := range answer(q.Name.String(), asked.Add(1)) {
					m.Answers = append(m.Answers, dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, Type: q.Type}, Body: &dnsmessage.AResource{A: a.As4()}})
				}
			}
			if out, err := m.Pack(); err == nil {
				c.WriteTo(out, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", c.LocalAddr().String())
	}}
}

// A name that is granted and turns out to lead inside is refused, unless the
// grant says that it may.
func TestS10_RebindingIsAnswered(t *testing.T) {
	addr := raw(t, "inside")
	port := netip.MustParseAddrPort(addr).Port()
	loop := netip.MustParseAddr("127.0.0.1")
	res := zone(t, func(name string, n int64) []netip.Addr {
		switch name {
		case "flip.example.com.": // public at first, then not
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}
		case "meta.example.com.", "meta.internal.":
			return []netip.Addr{netip.MustParseAddr("169.254.169.254")}
		}
		return []netip.Addr{loop}
	})
	for _, c := range []struct {
		name, host string
		grants     []string
		ok         bool
	}{
		{"public name at loopback", "rebind.example.com", []string{"rebind.example.com:%d"}, false},
		{"with its network", "rebind.example.com", []string{"rebind.example.com:%d 127.0.0.0/8"}, true},
		{"with another network", "rebind.example.com", []string{"rebind.example.com:%d 10.0.0.0/8"}, false},
		{"wildcard at loopback", "a.example.com", []string{"*.example.com:%d"}, false},
		{"wildcard with its network", "a.example.com", []string{"*.example.com:%d 127.0.0.1/32"}, true},
		{"name of local resolvers", "db.internal", []string{"db.internal:%d"}, true},
		{"metadata by a local name", "meta.internal", []string{"meta.internal:%d"}, false},
		{"metadata with a wide network", "meta.example.com", []string{"meta.example.com:%d 0.0.0.0/0"}, false},
		{"granted address", "127.0.0.1", []string{"127.0.0.1:%d"}, true},
		{"granted network", "127.0.0.1", []string{"127.0.0.0/8:%d"}, true},
		{"address that is not granted", "127.0.0.1", []string{"127.0.0.2:%d"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var grants []string
			for _, g := range c.grants {
				grants = append(grants, fmt.Sprintf(g, port))
			}
			w := newWorld(t, Config{Resolver: res, Local: func(h string, p uint16, a netip.Addr) bool { return Local(grants, h, p, a) }}, grants...)
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			conn, err := w.proxy.cfg.Dial(ctx, c.host, port)
			if err == nil {
				conn.Close()
			}
			if c.ok != (err == nil) || !c.ok && !fault.Is(err, fault.Denied) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// The whole way: a program inside reaches a host's loopback by name where the
// role says so, and is cut off where only the name is granted.
func TestS10_RebindingFromInside(t *testing.T) {
	r := newRoom(t)
	addr := raw(t, "inside")
	port := netip.MustParseAddrPort(addr).Port()
	res := zone(t, func(string, int64) []netip.Addr { return []netip.Addr{netip.MustParseAddr("127.0.0.1")} })
	grants := []string{fmt.Sprintf("rebind.example.com:%d", port), fmt.Sprintf("meant.example.com:%d 127.0.0.1/32", port)}
	w := newWorld(t, Config{Resolver: res, Local: func(h string, p uint16, a netip.Addr) bool { return Local(grants, h, p, a) }}, grants...)
	w.fill(r, port)
	get := func(host string) string {
		c, err := r.dial(context.Background(), "tcp", fmt.Sprintf("%s:%d", host, port))
		if err != nil { // the reset may come before connect is seen to be done
			return ""
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(20 * time.Second))
		buf := make([]byte, 6)
		n, _ := io.ReadFull(c, buf)
		return string(buf[:n])
	}
	if got := get("meant.example.com"); got != "inside" {
		t.Errorf("granted with its network: %q", got)
	}
	if got := get("rebind.example.com"); got != "" {
		t.Errorf("granted by name alone: %q", got)
	}
	w.uses.want(t, KindTCP, fmt.Sprintf("rebind.example.com:%d", port), false)
	w.uses.want(t, KindTCP, fmt.Sprintf("meant.example.com:%d", port), true)
}

func TestPublicAddresses(t *testing.T) {
	for text, want := range map[string]bool{
		"8.8.8.8": true, "2606:4700::1111": true, "64:ff9b::808:808": true,
		"10.0.0.1": false, "172.31.0.1": false, "192.168.1.1": false, "127.0.0.1": false, "169.254.169.254": false,
		"100.64.0.1": false, "100.100.100.200": false, "168.63.129.16": false, "0.1.2.3": false, "224.0.0.1": false,
		"255.255.255.255": false, "198.18.0.1": false, "192.0.2.1": false, "::1": false, "fe80::1": false, "fd00:ec2::254": false,
		"fd20:ce::254": false, "fc00::1": false, "2001:db8::1": false, "64:ff9b::a00:1": false, "64:ff9b:1::1": false, "2002:a00:1::1": false,
		"::ffff:10.0.0.1": false, "::ffff:8.8.8.8": true, "2001::1": false, "::": false,
	} {
		if got := public(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s public: %v", text, got)
		}
	}
	for text, want := range map[string]bool{"169.254.169.254": true, "64:ff9b::a9fe:a9fe": true, "2002:a9fe:a9fe::1": true, "::ffff:169.254.169.254": true, "10.0.0.1": false} {
		if got := reserved(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s reserved: %v", text, got)
		}
	}
	if all, err := net.InterfaceAddrs(); err == nil {
		for _, a := range all {
			if p, err := netip.ParsePrefix(a.String()); err == nil && !own(p.Addr().WithZone("").Unmap()) {
				t.Errorf("%s is this machine's", p)
			}
		}
	}
}
