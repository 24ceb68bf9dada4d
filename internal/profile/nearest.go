package profile

import (
	"path"
	"strings"

	"redoubt.dev/redoubt/internal/redoubt"
)

// Difference is one compared field of an event and the entry nearest to it.
type Difference struct {
	Field string
	Want  string
	Got   string
	Same  bool
}

// Nearest returns the entry that comes closest to allowing ev and how the two
// compare, field by field, the most telling field first; nil if nothing in the
// profile has anything to do with ev.
func (m *Matcher) Nearest(ev *redoubt.Event) (*Entry, []Difference) {
	var best *Entry
	bestScore := 0
	args := observed{p: ev.Process}
	for e := range m.all {
		s := score(e, ev, &args)
		if s > bestScore || s == bestScore && best != nil && e.ID < best.ID {
			best, bestScore = e, s
		}
	}
	if best == nil {
		return nil, nil
	}
	return best.clonePtr(), differences(best, ev, &args)
}

func (e *Entry) clonePtr() *Entry {
	c := e.clone()
	return &c
}

// score weighs likeness: program and content say most, then who started it.
func score(e *Entry, ev *redoubt.Event, args *observed) int {
	n := 0
	give := func(weight int, on bool) {
		if on {
			n += weight
		}
	}
	switch {
	case e.Exec != nil && ev.Kind == redoubt.EventExec && ev.Process != nil:
		p := ev.Process
		give(16, e.Exec.Path == p.Path)
		give(16, contentAllowed(e.Exec, p.File))
		give(4, path.Base(e.Exec.Path) == path.Base(p.Path))
		give(2, parentAllowed(e.Exec.Parent, p))
		give(3, n >= 16 && args.has(e.Exec.Args))
	case e.Listen != nil && (ev.Kind == redoubt.EventListen || ev.Kind == redoubt.EventAccept) && ev.Network != nil:
		give(4, listenerAllowed(e.Listen, ev))
		give(4, e.Listen.Port == ev.Network.Local.Port())
		give(1, e.Listen.Proto == ev.Network.Proto)
	case e.Connect != nil && ev.Kind == redoubt.EventConnect && ev.Network != nil:
		give(4, peerAllowed(e.Connect.Peer, ev.Network))
		give(3, e.Connect.Path == pathOf(ev) || e.Connect.Path == "")
		give(3, e.Connect.Port == ev.Network.Remote.Port())
		give(1, e.Connect.Proto == ev.Network.Proto)
	}
	return n
}

// listenerAllowed compares programs; the kernel often accepts on behalf of
// nobody in particular.
func listenerAllowed(l *Listen, ev *redoubt.Event) bool {
	got := pathOf(ev)
	return l.Path == "" || l.Path == got || got == "" && ev.Kind == redoubt.EventAccept
}

func parentAllowed(want string, p *redoubt.Process) bool {
	got := parentOf(p)
	return want == got || want == "" && got != Outside
}

func peerAllowed(peer string, c *redoubt.Connection) bool {
	if peer == AnyPeer || peer == peerOf(c) {
		return true
	}
	prefix, kind := parsePeer(peer)
	return (kind == peerAddress || kind == peerPrefix) && prefix.Contains(c.Remote.Addr().Unmap())
}

func differences(e *Entry, ev *redoubt.Event, args *observed) []Difference {
	switch {
	case e.Exec != nil:
		return execDifferences(e.Exec, ev.Process, args)
	case e.Listen != nil:
		c := ev.Network
		return []Difference{
			{"program", programText(e.Listen.Path), programText(pathOf(ev)), listenerAllowed(e.Listen, ev)},
			{"protocol", string(e.Listen.Proto), string(c.Proto), e.Listen.Proto == c.Proto},
			{"port", listenPortText(e.Listen.Port), portText(c.Local.Port()), e.Listen.Port == c.Local.Port() || e.Listen.Port == 0 && c.Local.Port() >= Ephemeral},
		}
	default:
		c := ev.Network
		return []Difference{
			{"program", programText(e.Connect.Path), programText(pathOf(ev)), e.Connect.Path == "" || e.Connect.Path == pathOf(ev)},
			{"peer", e.Connect.Peer, peerOf(c), peerAllowed(e.Connect.Peer, c)},
			{"protocol", string(e.Connect.Proto), string(c.Proto), e.Connect.Proto == c.Proto},
			{"port", connectPortText(e.Connect.Port), portText(c.Remote.Port()), e.Connect.Port == 0 || e.Connect.Port == c.Remote.Port()},
		}
	}
}

func execDifferences(x *Exec, p *redoubt.Process, args *observed) []Difference {
	got := Shape(p.Path, p.Args, p.Truncated)
	return []Difference{
		{"program", x.Path, p.Path, x.Path == p.Path},
		{"content", contentText(x), fileText(p.File), contentAllowed(x, p.File)},
		{"parent", parentText(x.Parent), gotParentText(p), parentAllowed(x.Parent, p)},
		{"arguments", argsText(x.Args), argsText(got), args.has(x.Args)},
	}
}

func contentText(x *Exec) string {
	if len(x.Digests) == 0 {
		return "as the image shipped it"
	}
	short := make([]string, len(x.Digests))
	for i, d := range x.Digests {
		short[i] = d.Short()
	}
	return strings.Join(short, " or ")
}

func fileText(f *redoubt.File) string {
	switch {
	case f == nil:
		return "unknown"
	case f.Digest == "" && f.Error != "":
		return "unreadable: " + f.Error
	case f.Digest == "":
		return "unreadable"
	case f.Origin == redoubt.OriginImage:
		return f.Digest.Short()
	}
	return f.Digest.Short() + " (" + string(f.Origin) + ")"
}

func gotParentText(p *redoubt.Process) string {
	if got := parentOf(p); got != "" {
		return parentText(got)
	}
	return "none: it is the first process"
}

func programText(p string) string {
	if p == "" {
		return "any program"
	}
	return p
}

func listenPortText(p uint16) string {
	if p == 0 {
		return "any ephemeral port"
	}
	return portText(p)
}

func connectPortText(p uint16) string {
	if p == 0 {
		return "any port"
	}
	return portText(p)
}
