package kernel

import (
	"net/netip"

	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/sensor"
)

// region is a part of the space of remote ends: addresses that share leading
// bits, a port or any, a protocol or any. Version 4 addresses are mapped into
// version 6 ones.
type region struct {
	addr  [16]byte
	bits  int
	port  uint16
	proto redoubt.Proto
}

func prefixRegion(p netip.Prefix) region {
	r := region{addr: p.Masked().Addr().As16(), bits: p.Bits()}
	if p.Addr().Is4() {
		r.bits += 96
	}
	return r
}

func addrRegion(a netip.Addr) region {
	return region{addr: a.Unmap().As16(), bits: 128}
}

// covers says whether o's addresses all lie in r's.
func (r region) coversAddr(o region) bool {
	if r.bits > o.bits {
		return false
	}
	whole := r.bits / 8
	for i := range whole {
		if r.addr[i] != o.addr[i] {
			return false
		}
	}
	rest := r.bits % 8
	return rest == 0 || (r.addr[whole]^o.addr[whole])>>(8-rest) == 0
}

func (r region) covers(o region) bool {
	return r.coversAddr(o) && (r.port == 0 || r.port == o.port) && (r.proto == "" || r.proto == o.proto)
}

// meet returns what two regions share; ok is false if that is nothing.
func (r region) meet(o region) (both region, ok bool) {
	switch {
	case r.coversAddr(o):
		both.addr, both.bits = o.addr, o.bits
	case o.coversAddr(r):
		both.addr, both.bits = r.addr, r.bits
	default:
		return region{}, false
	}
	if r.port != 0 && o.port != 0 && r.port != o.port || r.proto != "" && o.proto != "" && r.proto != o.proto {
		return region{}, false
	}
	both.port, both.proto = max(r.port, o.port), max(r.proto, o.proto)
	return both, true
}

// key is the region as the kernel takes it. All addresses have no bits.
func (r region) key() sensor.ConnectKey {
	return sensor.ConnectKey{Proto: r.proto, Addr: r.addr, Bits: uint8(r.bits), Port: r.port}
}

func regions(prefixes ...string) []region {
	out := make([]region, len(prefixes))
	for i, p := range prefixes {
		out[i] = prefixRegion(netip.MustParsePrefix(p))
	}
	return out
}

// The named parts of the address space. What is not public is all that is
// loopback, private or no single host's address.
var (
	loopbackRegions  = regions("127.0.0.0/8", "::1/128")
	privateRegions   = regions("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10", "fc00::/7", "fe80::/10")
	nowhereRegions   = regions("0.0.0.0/32", "255.255.255.255/32", "224.0.0.0/4", "::/128", "ff00::/8")
	everywhereRegion = region{}
)
