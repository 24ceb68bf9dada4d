package profile

import (
	"net/netip"
	"slices"

	"redoubt.dev/redoubt/internal/redoubt"
)

// index finds the entry that allows an event.
type index struct {
	exec    map[execAt][]*Entry // literal shapes before general ones
	listen  map[redoubt.Port][]*Entry
	exact   map[peerAt][]*Entry // peers that are one name: workload, address, loopback, any
	nets    map[redoubt.Port][]network
	entries int
}

type execAt struct{ path, parent string }

type peerAt struct {
	at   redoubt.Port
	peer string // workload id, address in canonical text, loopback or any
}

type network struct {
	prefix netip.Prefix
	entry  *Entry
}

func newIndex() *index {
	return &index{
		exec:   make(map[execAt][]*Entry),
		listen: make(map[redoubt.Port][]*Entry),
		exact:  make(map[peerAt][]*Entry),
		nets:   make(map[redoubt.Port][]network),
	}
}

// add takes an entry in; e must not move or change what it allows afterwards,
// save for more digests.
func (x *index) add(e *Entry) {
	x.entries++
	switch {
	case e.Exec != nil:
		k := execAt{e.Exec.Path, e.Exec.Parent}
		list := append(x.exec[k], e)
		slices.SortStableFunc(list, func(a, b *Entry) int { return looseness(a.Exec.Args) - looseness(b.Exec.Args) })
		x.exec[k] = list
	case e.Listen != nil:
		k := redoubt.Port{Proto: e.Listen.Proto, Port: e.Listen.Port}
		x.listen[k] = append(x.listen[k], e)
	case e.Connect != nil:
		at := redoubt.Port{Proto: e.Connect.Proto, Port: e.Connect.Port}
		prefix, kind := parsePeer(e.Connect.Peer)
		switch kind {
		case peerPrefix:
			x.nets[at] = append(x.nets[at], network{prefix, e})
		case peerAddress:
			k := peerAt{at, prefix.Addr().String()}
			x.exact[k] = append(x.exact[k], e)
		case peerWorkload, peerLoopback, peerAny:
			k := peerAt{at, e.Connect.Peer}
			x.exact[k] = append(x.exact[k], e)
		}
	}
}

// looseness orders shapes from exact to anything.
func looseness(args []string) int {
	if args == nil {
		return 1 << 20
	}
	n := 0
	for _, a := range args {
		switch a {
		case anyArg:
			n++
		case rest:
			n += maxArgs
		}
	}
	return n
}

// match returns the entry that allows ev, nil if none does.
func (x *index) match(ev *redoubt.Event) *Entry {
	switch ev.Kind {
	case redoubt.EventExec:
		return x.matchExec(ev.Process)
	case redoubt.EventListen, redoubt.EventAccept:
		return x.matchListen(ev)
	case redoubt.EventConnect:
		return x.matchConnect(ev)
	}
	return nil
}

func (x *index) matchExec(p *redoubt.Process) *Entry {
	if p == nil || p.File == nil || p.File.Digest == "" {
		return nil
	}
	args := observed{p: p}
	parent := parentOf(p)
	if e := firstExec(x.exec[execAt{p.Path, parent}], &args); e != nil || parent == Outside || parent == "" {
		return e
	}
	return firstExec(x.exec[execAt{p.Path, ""}], &args)
}

func firstExec(list []*Entry, args *observed) *Entry {
	for _, e := range list {
		if contentAllowed(e.Exec, args.p.File) && args.has(e.Exec.Args) {
			return e
		}
	}
	return nil
}

// contentAllowed compares contents, never names. An entry without digests
// stands for whatever the image shipped.
func contentAllowed(x *Exec, f *redoubt.File) bool {
	if f == nil || f.Digest == "" {
		return false
	}
	if len(x.Digests) == 0 {
		return f.Origin == redoubt.OriginImage
	}
	return slices.Contains(x.Digests, f.Digest)
}

// parentOf names the program that started p: a path, Outside, or empty for the
// workload's first process.
func parentOf(p *redoubt.Process) string {
	switch {
	case p.Entered:
		return Outside
	case p.Parent == nil:
		return ""
	}
	return p.Parent.Path
}

// observed folds a process's arguments when first asked.
type observed struct {
	p      *redoubt.Process
	folded []string
	raw    []string
}

func (o *observed) has(shape []string) bool {
	if shape == nil {
		return true
	}
	if o.folded == nil {
		o.folded = Shape(o.p.Path, o.p.Args, o.p.Truncated)
		o.raw = make([]string, min(len(o.p.Args), maxArgs))
		for i := range o.raw {
			o.raw[i] = escape(o.p.Args[i])
		}
	}
	return shapeMatch(shape, o.folded, o.raw)
}

func pathOf(ev *redoubt.Event) string {
	if ev.Process == nil {
		return ""
	}
	return ev.Process.Path
}

func (x *index) matchListen(ev *redoubt.Event) *Entry {
	if ev.Network == nil {
		return nil
	}
	at := redoubt.Port{Proto: ev.Network.Proto, Port: ev.Network.Local.Port()}
	fits := func(e *Entry) bool { return listenerAllowed(e.Listen, ev) }
	if i := slices.IndexFunc(x.listen[at], fits); i >= 0 {
		return x.listen[at][i]
	}
	if at.Port >= Ephemeral {
		at.Port = 0
		if i := slices.IndexFunc(x.listen[at], fits); i >= 0 {
			return x.listen[at][i]
		}
	}
	return nil
}

func (x *index) matchConnect(ev *redoubt.Event) *Entry {
	if ev.Network == nil {
		return nil
	}
	fits := func(e *Entry) bool { return e.Connect.Path == "" || e.Connect.Path == pathOf(ev) }
	addr := ev.Network.Remote.Addr().Unmap()
	for _, port := range [2]uint16{ev.Network.Remote.Port(), 0} {
		at := redoubt.Port{Proto: ev.Network.Proto, Port: port}
		for _, peer := range [3]string{peerOf(ev.Network), addr.String(), AnyPeer} {
			list := x.exact[peerAt{at, peer}]
			if i := slices.IndexFunc(list, fits); i >= 0 {
				return list[i]
			}
		}
		for _, n := range x.nets[at] {
			if n.prefix.Contains(addr) && fits(n.entry) {
				return n.entry
			}
		}
	}
	return nil
}

// peerOf names the other end as narrowly as is useful: the workload, loopback
// or the address.
func peerOf(c *redoubt.Connection) string {
	addr := c.Remote.Addr().Unmap()
	switch {
	case c.Peer != "":
		return string(c.Peer)
	case addr.IsLoopback() || addr.IsValid() && addr.IsUnspecified():
		return Loopback // connecting to 0.0.0.0 reaches this host
	}
	return addr.WithZone("").String()
}
