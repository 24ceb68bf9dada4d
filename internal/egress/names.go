package egress

import (
	"container/list"
	"net/netip"
	"sync"
)

// names gives every name the function may look up an address of its own, of a
// range nobody lives in (RFC 2544; fd00::/8 for IPv6), so that a connection
// can be traced back to the name it is for. The real address is looked up on
// the host when something is dialled: a lookup leaves the machine only then.
type names struct {
	mu     sync.Mutex
	max    int
	next   uint32
	byName map[string]*list.Element
	byNum  map[uint32]*list.Element
	used   *list.List // of named, most recently used first
}

type named struct {
	name string
	num  uint32
}

// poolSize addresses are handed out in turn, so one that fell out of use is
// not soon another name's.
const poolSize = 1<<17 - 2

func newNames(size int) *names {
	return &names{max: size, byName: map[string]*list.Element{}, byNum: map[uint32]*list.Element{}, used: list.New()}
}

// addresses returns name's two addresses, new ones at its first time.
func (n *names) addresses(name string) (v4, v6 netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	e, ok := n.byName[name]
	if !ok {
		if n.used.Len() >= n.max {
			old := n.used.Remove(n.used.Back()).(named)
			delete(n.byName, old.name)
			delete(n.byNum, old.num)
		}
		// poolSize is far above max: a free number is found within max+1 steps.
		for taken := true; taken; _, taken = n.byNum[n.next] {
			n.next = n.next%poolSize + 1
		}
		e = n.used.PushFront(named{name, n.next})
		n.byName[name], n.byNum[n.next] = e, e
	}
	n.used.MoveToFront(e)
	return pooled(e.Value.(named).num)
}

// name returns whose address a is.
func (n *names) name(a netip.Addr) (string, bool) {
	num, ok := number(a.Unmap())
	if !ok {
		return "", false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	e, ok := n.byNum[num]
	if !ok {
		return "", false
	}
	n.used.MoveToFront(e)
	return e.Value.(named).name, true
}

var (
	pool4 = netip.MustParsePrefix("198.18.0.0/15")
	pool6 = netip.MustParsePrefix("fd72:6564:6f75:6274::/64")
)

func pooled(num uint32) (v4, v6 netip.Addr) {
	b := pool4.Addr().As4()
	b[1] += byte(num >> 16)
	b[2], b[3] = byte(num>>8), byte(num)
	c := pool6.Addr().As16()
	c[13], c[14], c[15] = byte(num>>16), byte(num>>8), byte(num)
	return netip.AddrFrom4(b), netip.AddrFrom16(c)
}

func number(a netip.Addr) (uint32, bool) {
	switch {
	case pool4.Contains(a):
		b := a.As4()
		return uint32(b[1]-18)<<16 | uint32(b[2])<<8 | uint32(b[3]), true
	case pool6.Contains(a):
		b := a.As16()
		num := uint32(b[13])<<16 | uint32(b[14])<<8 | uint32(b[15])
		_, same := pooled(num)
		return num, num <= poolSize && same == a
	}
	return 0, false
}
