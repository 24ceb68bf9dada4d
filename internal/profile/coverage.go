package profile

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// Enough is the lower bound of coverage at which learning ends.
const Enough = 0.95

// patience is how long learning waits for a scheduled job that the image
// promises: a week and a day. What is due less often is only named.
const patience = 8 * 24 * time.Hour

// Measure brings Novel and Coverage up to date with the entries.
func (p *Profile) Measure(now time.Time) {
	once, twice := p.rare()
	p.Novel = int64(len(once))
	p.Coverage = Estimate(p.Units, p.Novel, int64(len(twice)))
	p.Coverage.Missing = p.missing(now)
}

// Ready reports whether learning can end: enough is covered, and no scheduled
// job that the image promises is still to be seen. Call Measure first.
func (p *Profile) Ready(now time.Time) bool {
	return p.State == Learning && p.Coverage.Lower >= Enough && (len(p.due()) == 0 || now.Sub(p.Since) >= patience)
}

// rare returns the observations that alone showed some entry, and the pairs of
// them that did. What was foretold, or is part of a more general entry, is no
// news to anybody.
func (p *Profile) rare() (once, twice map[string]bool) {
	once, twice = map[string]bool{}, map[string]bool{}
	general := generalised(p.Entries)
	for i := range p.Entries {
		e := &p.Entries[i]
		if e.Source != Learned || e.Units < 1 || e.Units > 2 || covered(e, general) {
			continue
		}
		unit := e.Unit
		if unit == "" {
			unit = e.ID // counted in the kernel, by nobody's name
		}
		if e.Units == 1 {
			once[unit] = true
		} else {
			twice[unit] = true
		}
	}
	return once, twice
}

// generalised collects the exec entries that stand for several shapes, and the
// network entries that stand for several ports or peers.
func generalised(entries []Entry) map[execAt][]*Entry {
	out := map[execAt][]*Entry{}
	for i := range entries {
		e := &entries[i]
		switch {
		case e.Exec != nil && looseness(e.Exec.Args) > 0:
			k := execAt{e.Exec.Path, e.Exec.Parent}
			out[k] = append(out[k], e)
		case e.Listen != nil && e.Listen.Port == 0:
			k := execAt{e.Listen.Path, "listen"}
			out[k] = append(out[k], e)
		case e.Connect != nil && broad(e.Connect):
			k := execAt{e.Connect.Path, "connect"}
			out[k] = append(out[k], e)
		}
	}
	return out
}

func broad(c *Connect) bool {
	_, kind := parsePeer(c.Peer)
	return c.Port == 0 || kind == peerPrefix || kind == peerAny
}

func covered(e *Entry, general map[execAt][]*Entry) bool {
	switch {
	case e.Exec != nil:
		return slices.ContainsFunc(general[execAt{e.Exec.Path, e.Exec.Parent}], func(g *Entry) bool {
			return g.ID != e.ID && e.Exec.Args != nil && shapeMatch(g.Exec.Args, e.Exec.Args, nil)
		})
	case e.Listen != nil:
		return slices.ContainsFunc(general[execAt{e.Listen.Path, "listen"}], func(g *Entry) bool {
			return g.ID != e.ID && g.Listen.Proto == e.Listen.Proto && e.Listen.Port >= Ephemeral
		})
	case e.Connect != nil:
		return slices.ContainsFunc(general[execAt{e.Connect.Path, "connect"}], func(g *Entry) bool {
			return g.ID != e.ID && connectWithin(e.Connect, g.Connect)
		})
	}
	return false
}

func connectWithin(c, g *Connect) bool {
	if c.Proto != g.Proto || g.Port != 0 && g.Port != c.Port {
		return false
	}
	if g.Peer == AnyPeer || g.Peer == c.Peer {
		return true
	}
	net, kind := parsePeer(g.Peer)
	addr, its := parsePeer(c.Peer)
	return kind == peerPrefix && (its == peerAddress || its == peerPrefix) && net.Bits() <= addr.Bits() && net.Contains(addr.Addr())
}

// schedulers are the programs that read job tables.
var schedulers = []string{"cron", "crond", "anacron", "supercronic", "fcron"}

// Schedulers returns the names of the programs that read job tables.
func Schedulers() []string { return slices.Clone(schedulers) }

// due lists the jobs that the image's tables promise and nobody has seen, if
// something in the profile reads such tables.
func (p *Profile) due() []*Entry {
	var jobs []*Entry
	reads := false
	for i := range p.Entries {
		e := &p.Entries[i]
		if e.Exec == nil {
			continue
		}
		name := path.Base(e.Exec.Path)
		reads = reads || slices.Contains(schedulers, name) || name == "busybox" && len(e.Exec.Args) > 0 && path.Base(e.Exec.Args[0]) == "crond"
		if e.Expect != "" && e.Units == 0 {
			jobs = append(jobs, e)
		}
	}
	if !reads {
		return nil
	}
	return jobs
}

const named = 5 // examples in one line of Missing

func (p *Profile) missing(now time.Time) []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if p.Units == 0 {
		return []string{"nothing has been observed yet"}
	}
	switch p.Starts {
	case 0:
		say("no start was seen: what happens at start is a guess")
	case 1:
		say("only one start was seen: what happens at a restart is a guess")
	}
	if jobs := p.due(); len(jobs) > 0 {
		names := make([]string, len(jobs))
		for i, e := range jobs {
			names[i] = e.Expect
		}
		say("scheduled jobs not seen yet: %s; learning waits for them, for eight days at most", list(names))
	}
	if t := p.watchedFor(now); t > 0 && t < 24*time.Hour {
		say("watched for %s only: jobs that run once a day may be unseen", hoursText(t))
	} else if gap := p.Hours.missing(); gap != "" {
		say("never watched at %s: jobs that run then are unseen", gap)
	}
	out = append(out, p.unseen()...)
	out = append(out, p.single()...)
	if len(p.Entries) >= MaxEntries {
		say("the profile is full with %d entries: what came later was not learned", MaxEntries)
	}
	return out
}

func (p *Profile) watchedFor(now time.Time) time.Duration {
	first := now
	for i := range p.Entries {
		if t := p.Entries[i].First; !t.IsZero() && t.Before(first) {
			first = t
		}
	}
	return now.Sub(first)
}

func hoursText(t time.Duration) string {
	if t < 2*time.Hour {
		return fmt.Sprintf("%d minutes", int(t.Minutes()))
	}
	return fmt.Sprintf("%d hours", int(t.Hours()))
}

// unseen names what the image promises and nobody has seen.
func (p *Profile) unseen() []string {
	var ports, programs []string
	health := false
	for i := range p.Entries {
		e := &p.Entries[i]
		if e.Source != Seeded || e.Units > 0 || e.Expect != "" {
			continue
		}
		switch {
		case e.Listen != nil:
			ports = append(ports, fmt.Sprintf("%d/%s", e.Listen.Port, e.Listen.Proto))
		case e.Exec != nil && e.Exec.Parent == Outside:
			health = true
		case e.Exec != nil:
			programs = append(programs, path.Base(e.Exec.Path))
		}
	}
	var out []string
	if health {
		out = append(out, "the health check has not run yet")
	}
	if len(ports) > 0 {
		out = append(out, "announced ports on which nobody listened: "+list(ports))
	}
	if names := distinct(programs); len(names) > 0 {
		out = append(out, "programs its start scripts name that never ran: "+list(names))
	}
	return out
}

// single names what was seen in one observation only.
func (p *Profile) single() []string {
	var programs, peers []string
	general := generalised(p.Entries)
	for i := range p.Entries {
		e := &p.Entries[i]
		if e.Source != Learned || e.Units != 1 || covered(e, general) {
			continue
		}
		switch {
		case e.Exec != nil:
			programs = append(programs, path.Base(e.Exec.Path))
		case e.Connect != nil:
			peers = append(peers, fmt.Sprintf("%s:%d", e.Connect.Peer, e.Connect.Port))
		}
	}
	var out []string
	if names := distinct(programs); len(names) > 0 {
		out = append(out, count(len(names), "program")+" seen once: "+list(names))
	}
	if names := distinct(peers); len(names) > 0 {
		out = append(out, count(len(names), "connection")+" seen once: "+list(names))
	}
	return out
}

func distinct(s []string) []string {
	slices.Sort(s)
	return slices.Compact(s)
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func list(names []string) string {
	if len(names) > named {
		return strings.Join(names[:named], ", ") + fmt.Sprintf(" and %d more", len(names)-named)
	}
	return strings.Join(names, ", ")
}
