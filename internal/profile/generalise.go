package profile

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"redoubt.dev/redoubt/internal/redoubt"
)

// When learning has seen enough variants of one behaviour it admits their
// common form.
const (
	varied       = 4  // values at one position of the arguments, then any value
	maxShapes    = 16 // shapes of one program under one parent, then what they have in common
	maxCodes     = 64 // scripts or texts of one interpreter under one parent; more are not learned
	variedPorts  = 3  // ephemeral ports of one program, then any of them; also ports of one peer
	variedHosts  = 4  // addresses in one network, then the network
	variedPeers  = 16 // peers on one port, then any peer
	networkBits4 = 24
	networkBits6 = 48
)

// groups holds the entries that may turn out to be variants of each other.
type groups map[group]*variants

type group struct {
	kind   redoubt.EventKind
	path   string
	parent string
	code   string // for interpreters: what they run
	proto  redoubt.Proto
}

type variants struct {
	entries []*Entry
	codes   map[string]bool // on the group without code: the codes there are
}

func groupOf(e *Entry) group {
	switch {
	case e.Exec != nil:
		g := group{kind: e.Kind, path: e.Exec.Path, parent: e.Exec.Parent}
		if n := min(rolesOf(e.Exec.Path, e.Exec.Args).fixed, len(e.Exec.Args)); n > 0 {
			g.code = strings.Join(e.Exec.Args[:n], "\x00")
		}
		return g
	case e.Listen != nil:
		return group{kind: e.Kind, path: e.Listen.Path, proto: e.Listen.Proto}
	default:
		return group{kind: e.Kind, path: e.Connect.Path, proto: e.Connect.Proto}
	}
}

func (g groups) at(k group) *variants {
	v := g[k]
	if v == nil {
		v = &variants{codes: make(map[string]bool)}
		g[k] = v
	}
	return v
}

func (g groups) add(e *Entry) {
	k := groupOf(e)
	v := g.at(k)
	v.entries = append(v.entries, e)
	if k.code != "" {
		all := k
		all.code = ""
		g.at(all).codes[k.code] = true
	}
}

// generalise returns e, or the more general entry that should be admitted in
// its place and the entries it stands for; or why nothing may be admitted.
func (g groups) generalise(e Entry) (Entry, []*Entry, string) {
	k := groupOf(&e)
	v := g.at(k)
	switch {
	case e.Exec != nil:
		if k.code != "" {
			all := k
			all.code = ""
			if codes := g.at(all).codes; !codes[k.code] && len(codes) >= maxCodes {
				return e, nil, fmt.Sprintf("%s under %s runs more than %d different scripts or texts; the rest must be allowed by hand", e.Exec.Path, parentText(e.Exec.Parent), maxCodes)
			}
		}
		fixed := rolesOf(e.Exec.Path, e.Exec.Args).fixed
		args := generalShape(v.entries, e.Exec.Args, max(fixed, 1))
		if slices.Equal(args, e.Exec.Args) || !shapeMatch(args, e.Exec.Args, nil) {
			if len(v.entries) >= maxCodes {
				return e, nil, fmt.Sprintf("%s under %s has more than %d shapes of arguments with nothing in common; the rest must be allowed by hand", e.Exec.Path, parentText(e.Exec.Parent), maxCodes)
			}
			return e, nil, ""
		}
		e.Exec.Args = args
	case e.Listen != nil:
		if e.Listen.Port < Ephemeral || countEntries(v.entries, func(o *Entry) bool { return o.Listen.Port >= Ephemeral }) < variedPorts-1 {
			return e, nil, ""
		}
		e.Listen.Port = 0
	default:
		c := generalConnect(v.entries, *e.Connect)
		if c == *e.Connect {
			return e, nil, ""
		}
		e.Connect = &c
	}
	e.ID = e.Identify()
	var stands []*Entry
	for _, o := range v.entries {
		if o.ID != e.ID && covered(o, generalised([]Entry{e})) {
			stands = append(stands, o)
		}
	}
	return e, stands, ""
}

// generalShape widens shape by what the others show. Positions before fixed
// decide what the program does and never widen.
func generalShape(others []*Entry, shape []string, fixed int) []string {
	shape = slices.Clone(shape)
	for i := fixed; i < len(shape); i++ {
		if shape[i] == anyArg || shape[i] == cut || shape[i] == none {
			continue
		}
		values := map[string]bool{shape[i]: true}
		for _, o := range others {
			if a := o.Exec.Args; len(a) == len(shape) && differsOnlyAt(a, shape, i) {
				values[a[i]] = true
			}
		}
		if len(values) >= varied || values[anyArg] {
			shape[i] = anyArg
		}
	}
	if len(others)+1 < maxShapes {
		return shape
	}
	for _, o := range others {
		shape = common(shape, o.Exec.Args, fixed)
	}
	return shape
}

func differsOnlyAt(a, b []string, i int) bool {
	for k := range a {
		if k != i && a[k] != b[k] {
			return false
		}
	}
	return true
}

// common is the narrowest shape that allows both, from position fixed on.
func common(a, b []string, fixed int) []string {
	if b == nil {
		return a // the entry that allows anything was made by hand
	}
	var out []string
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) || a[i] == rest || b[i] == rest || i >= fixed && (a[i] == cut) != (b[i] == cut) {
			return append(out, rest)
		}
		if a[i] == b[i] {
			out = append(out, a[i])
			continue
		}
		out = append(out, anyArg)
	}
	return out
}

func countEntries(list []*Entry, is func(*Entry) bool) int {
	n := 0
	for _, e := range list {
		if is(e) {
			n++
		}
	}
	return n
}

// generalConnect widens a connection: ports of one peer, then addresses of one
// network, then peers of one port.
func generalConnect(others []*Entry, c Connect) Connect {
	ports := countEntries(others, func(o *Entry) bool { return o.Connect.Peer == c.Peer && o.Connect.Port >= Ephemeral })
	if c.Port >= Ephemeral && ports >= variedPorts-1 {
		c.Port = 0
	}
	same := func(o *Entry) bool { return o.Connect.Port == c.Port }
	net, kind := parsePeer(c.Peer)
	if kind != peerAddress {
		return c
	}
	bits := networkBits4
	if net.Addr().Is6() {
		bits = networkBits6
	}
	wide := netip.PrefixFrom(net.Addr(), bits).Masked()
	peers := countEntries(others, func(o *Entry) bool {
		_, k := parsePeer(o.Connect.Peer)
		return same(o) && (k == peerAddress || k == peerPrefix)
	})
	near := countEntries(others, func(o *Entry) bool {
		p, k := parsePeer(o.Connect.Peer)
		return same(o) && k == peerAddress && wide.Contains(p.Addr())
	})
	switch {
	case peers >= variedPeers-1:
		c.Peer = AnyPeer
	case near >= variedHosts-1:
		c.Peer = wide.String()
	}
	return c
}
