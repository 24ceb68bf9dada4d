package profile

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"redoubt.dev/redoubt/internal/redoubt"
)

// Learner grows a profile from the events of one workload on one node. It
// keeps its own copy of the profile, so that what it has just learned is known
// at once, and collects the growth for the console. It is not safe for
// concurrent use.
type Learner struct {
	p       Profile // without entries: those are in byID
	byID    map[string]*Entry
	x       *index
	groups  groups
	units   *units
	pending Delta
	grown   map[string]*Entry // pending entries
	touched *touched
	last    map[string]time.Time // per entry, when a connection last was a unit
	openers map[string]bool      // exec entries that begin units
	news    []*news              // image versions the console does not show yet
}

// Outcome is what became of one event.
type Outcome struct {
	Entry   string // id of the entry that allows it now; empty if none does
	New     bool   // the profile grew: compile it again
	Refused string // why it was not learned although it should have been
}

// NewLearner starts from p, which it copies.
func NewLearner(p *Profile) *Learner {
	l := &Learner{units: newUnits(), touched: newTouched(), last: make(map[string]time.Time), openers: make(map[string]bool)}
	l.pending.Workload = p.Workload
	l.grown = make(map[string]*Entry)
	l.Rebase(p)
	return l
}

// Rebase takes over a new revision from the console and adds to it what has
// not been taken yet.
func (l *Learner) Rebase(p *Profile) {
	l.p = *p
	l.p.Entries = nil
	l.p.Versions = slices.Clone(p.Versions)
	l.byID = make(map[string]*Entry, len(p.Entries))
	l.x, l.groups = newIndex(), make(groups)
	for i := range p.Entries {
		e := p.Entries[i].clone()
		l.insert(&e)
	}
	for id, g := range l.grown {
		if e, ok := l.byID[id]; ok {
			e.merge(g)
			continue
		}
		if p.State == Learning && len(l.byID) < MaxEntries {
			e := g.clone()
			l.insert(&e)
		}
	}
	gone := func(id string) bool { return l.byID[id] == nil }
	maps.DeleteFunc(l.last, func(id string, _ time.Time) bool { return gone(id) })
	maps.DeleteFunc(l.openers, func(id string, _ bool) bool { return gone(id) })
	l.p.Units += l.pending.Units
	l.p.Starts += l.pending.Starts
	l.p.Hours |= l.pending.Hours
	if l.pending.Version != nil {
		l.p.addVersion(*l.pending.Version)
	}
	l.news = slices.DeleteFunc(l.news, func(n *news) bool { return p.looked(n.version.Digest) })
	for _, n := range l.news {
		l.take(n)
	}
}

func (l *Learner) insert(e *Entry) {
	l.byID[e.ID] = e
	l.x.add(e)
	l.groups.add(e)
}

// State is the state of the revision it works from.
func (l *Learner) State() State { return l.p.State }

// Observe takes every event of the workload in order, also those it does not
// learn from, to know which belong together. What the profile knows is
// counted; what it does not know is learned if admit says so. Programs whose
// content could not be read, and programs whose allowed content was changed
// inside the container, are never learned.
func (l *Learner) Observe(ev *redoubt.Event, admit bool) Outcome {
	u := l.units.assign(ev)
	if !Judges(ev.Kind) {
		return Outcome{}
	}
	l.see(ev.Time)
	if ev.Workload.Digest != "" {
		l.version(ev)
	}
	e := l.x.match(ev)
	isNew := false
	if e == nil {
		if !admit {
			return Outcome{}
		}
		var refused string
		if e, refused = l.admit(ev, u); e == nil {
			return Outcome{Refused: refused}
		}
		isNew = true
	}
	l.count(e, ev, u)
	return Outcome{Entry: e.ID, New: isNew}
}

func (l *Learner) see(t time.Time) {
	l.p.Hours |= hourOf(t)
	l.pending.Hours |= hourOf(t)
}

func (l *Learner) version(ev *redoubt.Event) {
	if slices.ContainsFunc(l.p.Versions, func(v Version) bool { return v.Digest == ev.Workload.Digest }) {
		return
	}
	v := Version{Digest: ev.Workload.Digest, Image: ev.Workload.Image, Since: ev.Time}
	l.p.addVersion(v)
	l.pending.Version = &v
}

func (l *Learner) admit(ev *redoubt.Event, u unit) (*Entry, string) {
	e, err := EntryFor(ev)
	if err != nil {
		return nil, err.Error()
	}
	if e.Exec != nil && ev.Process.File.Origin != redoubt.OriginImage && l.otherContent(&e) {
		return nil, fmt.Sprintf("%s is allowed, but this is other content, put there after the start", e.Exec.Path)
	}
	if old := l.byID[e.ID]; old != nil { // same program, another content
		old.Exec.Digests = unite(old.Exec.Digests, e.Exec.Digests)
		return old, ""
	}
	e, seen, refused := l.groups.generalise(e)
	if refused != "" {
		return nil, refused
	}
	if old := l.byID[e.ID]; old != nil {
		old.merge(&e)
		l.grow(old).merge(&e)
		return old, ""
	}
	if len(l.byID) >= MaxEntries {
		return nil, fmt.Sprintf("the profile is full with %d entries", MaxEntries)
	}
	// A general entry stands for what the special ones have shown.
	for _, s := range seen {
		e.Count += s.Count
		e.Units += s.Units
		if e.First.IsZero() || s.First.Before(e.First) {
			e.First = s.First
		}
	}
	l.insert(&e)
	g := l.grow(&e)
	g.Count, g.Units, g.First = e.Count, e.Units, e.First
	return &e, ""
}

func (l *Learner) otherContent(e *Entry) bool {
	for id := range l.byID {
		x := l.byID[id].Exec
		if x != nil && x.Path == e.Exec.Path && !slices.Contains(x.Digests, e.Exec.Digests[0]) {
			return true
		}
	}
	return false
}

// grow returns the pending increments of e.
func (l *Learner) grow(e *Entry) *Entry {
	g := l.grown[e.ID]
	if g == nil {
		c := e.clone()
		c.Count, c.Units, c.Unit, c.First, c.Last = 0, 0, "", time.Time{}, time.Time{}
		g = &c
		l.grown[e.ID] = g
	}
	return g
}

func (l *Learner) count(e *Entry, ev *redoubt.Event, u unit) {
	inc := Entry{Source: Learned, First: ev.Time, Last: ev.Time, Count: int64(max(ev.Count, 1))}
	if u.alone {
		if last, ok := l.last[e.ID]; !ok || ev.Time.Sub(last) >= unitGap || ev.Time.Before(last) {
			l.last[e.ID] = ev.Time
			inc.Units, inc.Unit = 1, fmt.Sprintf("%s/%d", e.ID, ev.Time.UnixMilli())
			l.addUnit(false)
		}
	} else if u.id != "" {
		if l.touched.unit(u.id) {
			l.addUnit(u.start)
		}
		if l.touched.entry(u.id, e.ID) {
			inc.Units, inc.Unit = 1, u.id
		}
		if u.opens && e.Exec != nil && !u.start {
			l.openers[e.ID] = true
		}
	}
	l.add(e, &inc)
}

// add puts an increment both on the entry and on what is pending. The source
// of an entry never changes by being seen.
func (l *Learner) add(e, inc *Entry) {
	if e.Exec != nil && len(e.Exec.Digests) > 0 {
		inc.Exec = &Exec{Digests: e.Exec.Digests}
	}
	g := l.grow(e)
	e.merge(inc)
	g.merge(inc)
}

func (l *Learner) addUnit(start bool) {
	l.p.Units++
	l.pending.Units++
	if start {
		l.p.Starts++
		l.pending.Starts++
	}
}

// Tally adds what the kernel has counted for an entry without sending events.
// units are sightings at least a second apart. A program's sightings are
// observations of the workload only if it is one that begins them.
func (l *Learner) Tally(id string, count, units int64, now time.Time) {
	e := l.byID[id]
	if e == nil || count <= 0 {
		return
	}
	units = min(max(units, 0), count)
	l.see(now)
	l.add(e, &Entry{Source: Learned, Last: now, Count: count, Units: units})
	if e.Exec == nil || l.openers[id] {
		l.p.Units += units
		l.pending.Units += units
	}
}

// Take returns what has been learned since it was last asked, false if that is
// nothing. The caller owns the delta and must deliver it once.
func (l *Learner) Take() (Delta, bool) {
	d := l.pending
	for _, g := range l.grown {
		d.Entries = append(d.Entries, g.clone())
	}
	sortEntries(d.Entries)
	for _, n := range l.news {
		if !n.sent {
			n.sent = true
			d.News = append(d.News, News{Version: n.version, Seeds: n.seeds, Changed: n.changed})
		}
	}
	l.pending = Delta{Workload: l.p.Workload}
	clear(l.grown)
	return d, len(d.Entries) > 0 || d.Units > 0 || d.Version != nil || len(d.News) > 0
}

// Profile returns a copy of the profile as the learner has it, measured.
func (l *Learner) Profile(now time.Time) Profile {
	p := l.p
	p.Versions = slices.Clone(l.p.Versions)
	p.Entries = make([]Entry, 0, len(l.byID))
	for _, e := range l.byID {
		p.Entries = append(p.Entries, e.clone())
	}
	sortEntries(p.Entries)
	p.Measure(now)
	return p
}
