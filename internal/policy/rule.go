package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"redoubt.dev/redoubt/internal/redoubt"
)

// Facts is what a rule needs to know of an event beyond the event.
type Facts struct {
	Novel bool     // the profile does not hold it
	Names []string // other paths at which the workload's image holds the content that ran
}

// Match says whether the rule matches an event and, in plain words, why or why
// not. Only exec, listen and connect events are ever matched.
func (r *Rule) Match(ev *redoubt.Event, f Facts) (ok bool, why string) {
	c := compileRule(r)
	return c.match(ev, f, answer{explain: true})
}

// rule is a compiled Rule. It answers with reasons only where asked to: most
// answers are thrown away.
type rule struct {
	source               *Rule
	kind                 redoubt.EventKind // empty for novel
	paths, parents, args []Glob
	to                   []destination
}

type destination struct {
	text   string
	prefix netip.Prefix
	peer   Glob
	place  func(netip.Addr) bool
}

func compileRule(r *Rule) rule {
	c := rule{source: r}
	switch {
	case r.Exec != nil:
		c.kind = redoubt.EventExec
		c.paths, c.parents, c.args = globs(r.Exec.Paths), globs(r.Exec.Parents), globs(r.Exec.Args)
	case r.Listen != nil:
		c.kind, c.paths = redoubt.EventListen, globs(r.Listen.Paths)
	case r.Connect != nil:
		c.kind, c.paths = redoubt.EventConnect, globs(r.Connect.Paths)
		for _, to := range r.Connect.To {
			c.to = append(c.to, compileDestination(to))
		}
	}
	return c
}

func compileDestination(to string) destination {
	d := destination{text: to}
	if p, err := netip.ParsePrefix(to); err == nil {
		d.prefix = p.Masked()
	} else if a, err := netip.ParseAddr(to); err == nil {
		d.prefix = netip.PrefixFrom(a, a.BitLen())
	} else if place := Place(to); place != nil {
		d.place = place
	} else {
		d.peer = NewGlob(to)
	}
	return d
}

// Place returns the test for a named part of the address space: loopback,
// private (any that is not routed on the internet) or public; nil for another
// name.
func Place(name string) func(netip.Addr) bool {
	switch name {
	case "loopback":
		return netip.Addr.IsLoopback
	case "private":
		return isPrivate
	case "public":
		return func(a netip.Addr) bool { return a.IsGlobalUnicast() && !isPrivate(a) }
	}
	return nil
}

var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

func isPrivate(a netip.Addr) bool {
	return a.IsPrivate() || a.IsLinkLocalUnicast() || sharedSpace.Contains(a)
}

func (d *destination) match(c *redoubt.Connection) bool {
	addr := c.Remote.Addr().Unmap()
	switch {
	case d.place != nil:
		return addr.IsValid() && d.place(addr)
	case d.prefix.IsValid():
		return d.prefix.Contains(addr)
	}
	return c.Peer != "" && d.peer.Match(string(c.Peer))
}

func (c *rule) match(ev *redoubt.Event, f Facts, a answer) (bool, string) {
	switch {
	case !slices.Contains(judged, ev.Kind):
		a.no("no rule is about %s events", ev.Kind)
	case c.source.Novel != nil:
		c.novel(ev, f, &a)
	case c.kind != ev.Kind:
		a.no("the rule is about %s, the event is %s", c.kind, ev.Kind)
	case c.kind == redoubt.EventExec:
		c.exec(ev.Process, f, &a)
	case c.kind == redoubt.EventListen:
		c.listen(ev, &a)
	default:
		c.connect(ev, &a)
	}
	return !a.refused, strings.Join(a.words, ", ")
}

// answer collects why a rule matches, or the one reason it does not.
type answer struct {
	explain bool
	skip    Skip
	refused bool
	words   []string
}

func (a *answer) yes(format string, args ...any) {
	if a.explain {
		a.words = append(a.words, fmt.Sprintf(format, args...))
	}
}

func (a *answer) no(format string, args ...any) {
	a.refused, a.words = true, nil
	a.yes(format, args...)
}

// notOneOf refuses without wording the list where nobody asks for reasons.
func (a *answer) notOneOf(what, got string, of []string) bool {
	if a.refused = true; a.explain {
		a.no("its %s %s is not one of %s", what, got, list(of))
	}
	return false
}

func (c *rule) novel(ev *redoubt.Event, f Facts, a *answer) {
	switch kinds := c.source.Novel.Kinds; {
	case len(kinds) > 0 && !slices.Contains(kinds, ev.Kind):
		a.no("the rule is about novel %s, the event is %s", list(names(kinds)), ev.Kind)
	case !f.Novel:
		a.no("the profile holds it")
	default:
		a.yes("the profile does not hold it")
	}
}

func (c *rule) exec(p *redoubt.Process, f Facts, a *answer) {
	if p == nil {
		a.no("the event names no program")
		return
	}
	e := c.source.Exec
	if len(c.paths) > 0 && a.skip&SkipPaths == 0 && !c.path(p, f, a) {
		return
	}
	if len(e.Digests) > 0 {
		if p.File == nil || !slices.Contains(e.Digests, p.File.Digest) {
			a.no("its content is not one of the %d named", len(e.Digests))
			return
		}
		a.yes("its content is %s", p.File.Digest.Short())
	}
	if len(c.parents) > 0 && a.skip&SkipParents == 0 {
		pattern, name, ok := firstMatch(c.parents, Programs(p.Parent)...)
		if !ok {
			a.notOneOf("parent", pathOf(p.Parent), e.Parents)
			return
		}
		a.yes("its parent %s fits %s", name, pattern)
	}
	if a.skip&SkipArgs == 0 && !c.manner(p, a) {
		return
	}
	if len(e.Origins) > 0 {
		if p.File == nil || !slices.Contains(e.Origins, p.File.Origin) {
			a.no("its file did not come from %s", list(names(e.Origins)))
			return
		}
		a.yes("its file is from %s", p.File.Origin)
	}
	if len(a.words) == 0 {
		a.yes("the rule is about every program")
	}
}

// manner compares how the program was started: arguments, and whether from
// outside.
func (c *rule) manner(p *redoubt.Process, a *answer) bool {
	for _, g := range c.args {
		if !slices.ContainsFunc(p.Args, g.Match) {
			a.no("no argument fits %s", g)
			return false
		}
		a.yes("an argument fits %s", g)
	}
	if want := c.source.Exec.Entered; want != nil {
		if *want != p.Entered {
			a.no("%s", entered(p.Entered))
			return false
		}
		a.yes("%s", entered(p.Entered))
	}
	return true
}

// path compares the program's names. A rule that denies also knows it by its
// content, so that a copy or a new name does not slip past; a rule that
// ignores does not, so that a copy does not inherit a permission by name.
func (c *rule) path(p *redoubt.Process, f Facts, a *answer) bool {
	if c.source.Effect == redoubt.EffectIgnore {
		if pattern, name, ok := firstMatch(c.paths, p.Path); ok {
			a.yes("its path %s fits %s", name, pattern)
			return true
		}
		return a.notOneOf("path", p.Path, c.source.Exec.Paths)
	}
	if pattern, name, ok := firstMatch(c.paths, Programs(p)...); ok {
		a.yes("its path %s fits %s", name, pattern)
		return true
	}
	if pattern, name, ok := firstMatch(c.paths, f.Names...); ok {
		a.yes("its content is that of %s, which fits %s", name, pattern)
		return true
	}
	return a.notOneOf("path", p.Path, c.source.Exec.Paths)
}

func entered(yes bool) string {
	if yes {
		return "it came in from outside"
	}
	return "the workload started it itself"
}

func (c *rule) listen(ev *redoubt.Event, a *answer) {
	l := c.source.Listen
	if ev.Network == nil {
		a.no("the event names no socket")
		return
	}
	c.socket(ev, l.Proto, l.Ports, ev.Network.Local.Port(), a)
}

func (c *rule) connect(ev *redoubt.Event, a *answer) {
	if ev.Network == nil {
		a.no("the event names no connection")
		return
	}
	if len(c.to) > 0 {
		i := slices.IndexFunc(c.to, func(d destination) bool { return d.match(ev.Network) })
		if i < 0 {
			a.no("%s is not in %s", ev.Network.Remote.Addr().Unmap(), list(c.source.Connect.To))
			return
		}
		a.yes("%s is in %s", ev.Network.Remote.Addr().Unmap(), c.to[i].text)
	}
	c.socket(ev, c.source.Connect.Proto, c.source.Connect.Ports, ev.Network.Remote.Port(), a)
}

// socket compares what listening and connecting have in common.
func (c *rule) socket(ev *redoubt.Event, proto redoubt.Proto, ports []uint16, port uint16, a *answer) {
	if proto != "" && proto != ev.Network.Proto {
		a.no("its protocol is %s, not %s", ev.Network.Proto, proto)
		return
	}
	if len(ports) > 0 {
		if !slices.Contains(ports, port) {
			a.no("its port is %d", port)
			return
		}
		a.yes("its port is %d", port)
	}
	if len(c.paths) > 0 {
		pattern, name, ok := firstMatch(c.paths, Programs(ev.Process)...)
		if !ok {
			a.no("its program %s is not one of the named", pathOf(ev.Process))
			return
		}
		a.yes("its program %s fits %s", name, pattern)
	}
	if !a.refused && len(a.words) == 0 {
		a.yes("the rule is about every %s", c.kind)
	}
}

func pathOf(p *redoubt.Process) string {
	if p == nil {
		return "(unknown)"
	}
	return p.Path
}
