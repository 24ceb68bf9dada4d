package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"

	"redoubt.dev/redoubt/internal/fault"
)

// dialer is the default Dial. The check is made on the very address of each
// connect, after resolution, so that no second answer of a name can get past.
type dialer struct {
	local    func(string, uint16, netip.Addr) bool
	resolver *net.Resolver
}

func (d dialer) dial(ctx context.Context, host string, port uint16) (net.Conn, error) {
	nd := net.Dialer{Timeout: dialTimeout, Resolver: d.resolver, ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		return d.check(host, port, ap.Addr().WithZone("").Unmap())
	}}
	nd.SetMultipathTCP(false)
	c, err := nd.DialContext(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(int(port))))
	if denied := (*fault.Error)(nil); errors.As(err, &denied) {
		return nil, denied
	}
	return c, err
}

func (d dialer) check(host string, port uint16, addr netip.Addr) error {
	why := ""
	switch {
	case !addr.IsValid() || addr.IsUnspecified() || addr.IsMulticast():
		return fault.New(fault.Denied, "%s is at %s, which nothing can be reached at", host, addr)
	case !public(addr):
		why = "is not a public address"
	case own(addr):
		why = "is this machine itself"
	default:
		return nil
	}
	if d.local != nil && d.local(host, port, addr) {
		return nil
	}
	if host == addr.String() {
		return fault.New(fault.Denied, "%s %s; grant %q if that is meant", addr, why, net.JoinHostPort(host, fmt.Sprint(port)))
	}
	return fault.New(fault.Denied, "%s is at %s, which %s; grant %q if that is meant", host, addr, why,
		fmt.Sprintf("%s:%d %s", host, port, netip.PrefixFrom(addr, addr.BitLen())))
}

// own says whether addr is one of this machine's. Where its addresses cannot
// be read it says yes.
func own(addr netip.Addr) bool {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return true
	}
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().WithZone("").Unmap() == addr {
			return true
		}
	}
	return false
}

// special are the blocks of the IANA special-purpose registries (RFC 6890 and
// its updates) that are not on the public internet.
var special = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
	"192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
	"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"2001::/23", "2001:db8::/32", "3fff::/20")

// link are those that mean "on this wire" or serve a machine its credentials.
var link = prefixes("169.254.0.0/16", "fe80::/10", "fd00:ec2::/32", "fd20:ce::/32", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32")

var (
	nat64  = netip.MustParsePrefix("64:ff9b::/96")
	sixTo4 = netip.MustParsePrefix("2002::/16")
	global = netip.MustParsePrefix("2000::/3")
)

func prefixes(all ...string) []netip.Prefix {
	ps := make([]netip.Prefix, len(all))
	for i, s := range all {
		ps[i] = netip.MustParsePrefix(s)
	}
	return ps
}

func in(addr netip.Addr, all []netip.Prefix) bool {
	for _, p := range all {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// inner returns the IPv4 address an IPv6 one leads to (NAT64, 6to4), else addr.
func inner(addr netip.Addr) netip.Addr {
	addr = addr.Unmap()
	b := addr.As16()
	switch {
	case nat64.Contains(addr):
		return netip.AddrFrom4([4]byte(b[12:16]))
	case sixTo4.Contains(addr):
		return netip.AddrFrom4([4]byte(b[2:6]))
	}
	return addr
}

// public says whether addr is on the public internet.
func public(addr netip.Addr) bool {
	addr = inner(addr)
	if addr.Is6() && !global.Contains(addr) {
		return false
	}
	return !in(addr, special) && !in(addr, link)
}

// reserved addresses are never reached by a name alone.
func reserved(addr netip.Addr) bool { return in(inner(addr), link) }
