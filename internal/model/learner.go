package model

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

// Learner is a live model of one function. It is safe for concurrent use.
type Learner struct {
	mu      sync.RWMutex
	head    Model // all but entries and routes
	entries *entries
	routes  map[string]*table
	units   units
	started map[string][]program // by invocations that have not ended
	taken   *Model               // as Take last left it
}

// program is a program an invocation started.
type program struct {
	path string
	args []string // folded
}

const (
	maxStarted  = 1024 // invocations whose programs are remembered
	maxPrograms = 16   // of each
)

// New begins to learn a function.
func New(name string, now time.Time) *Model {
	return &Model{Function: name, State: profile.Learning, Since: now, Entries: []Entry{}, Routes: []Route{}}
}

// NewLearner continues m, which it copies.
func NewLearner(m *Model) *Learner {
	l := &Learner{head: *m, started: map[string][]program{}}
	l.load(m)
	l.taken = l.snapshot()
	return l
}

func (l *Learner) load(m *Model) {
	l.head = *m
	l.head.Entries, l.head.Routes = nil, nil
	l.head.Versions = slices.Clone(m.Versions)
	l.head.Resources = m.Resources.clone()
	l.entries, l.routes = newEntries(), map[string]*table{}
	for i := range m.Entries {
		e := m.Entries[i].clone()
		e.ID = e.identify()
		l.entries.add(&e)
	}
	for i := range m.Routes {
		if t := l.table(m.Routes[i].Name); t != nil {
			t.merge(&m.Routes[i])
		}
	}
}

func (r *Resources) clone() Resources {
	return Resources{r.Duration.clone(), r.Memory.clone(), r.Out.clone()}
}

func (r *Resources) merge(o *Resources) {
	r.Duration.merge(&o.Duration)
	r.Memory.merge(&o.Memory)
	r.Out.merge(&o.Out)
}

// table returns the shape of a route, made where there is room.
func (l *Learner) table(name string) *table {
	t := l.routes[name]
	if t == nil && len(l.routes) < MaxRoutes {
		t = newTable(name)
		l.routes[name] = t
	}
	return t
}

// Model returns a copy of what is known, measured.
func (l *Learner) Model() *Model {
	l.mu.RLock()
	defer l.mu.RUnlock()
	m := l.snapshot()
	m.Measure(m.Last)
	return m
}

func (l *Learner) snapshot() *Model {
	m := l.head
	m.Versions = slices.Clone(l.head.Versions)
	m.Resources = l.head.Resources.clone()
	m.Lost += l.entries.lost
	m.Entries, m.Routes = make([]Entry, 0, l.entries.n), make([]Route, 0, len(l.routes))
	for _, e := range l.entries.all() {
		c := e.clone()
		c.Weak = c.Source == profile.Learned && c.weak()
		m.Entries = append(m.Entries, c)
	}
	for _, t := range l.routes {
		m.Routes = append(m.Routes, t.document())
		m.Lost += t.lost
	}
	slices.SortFunc(m.Routes, func(a, b Route) int { return strings.Compare(a.Name, b.Name) })
	return &m
}

// AddVersion takes a new version in. It starts with everything the function
// has learned; changed says that its code is not that of the version before.
func (l *Learner) AddVersion(number int, code redoubt.Digest, since time.Time) (changed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head.addVersion(Version{Number: number, Digest: code, Since: since})
}

func (m *Model) addVersion(v Version) (changed bool) {
	i, known := slices.BinarySearchFunc(m.Versions, v.Number, func(w Version, n int) int { return w.Number - n })
	if known {
		w := &m.Versions[i]
		w.Digest = cmp.Or(w.Digest, v.Digest)
		if !v.Since.IsZero() && v.Since.Before(w.Since) {
			w.Since = v.Since
		}
		return false
	}
	if i > 0 && m.Versions[i-1].Digest != "" && v.Digest != "" {
		v.Changed = v.Changed || m.Versions[i-1].Digest != v.Digest
	}
	m.Versions = slices.Insert(m.Versions, i, v)
	if n := len(m.Versions) - maxVersions; n > 0 {
		m.Versions = slices.Delete(m.Versions, 0, n)
	}
	return v.Changed
}

// Learn adds what an invocation that ended has shown. While learning, what is
// new is admitted; in other states only what is known grows. Nothing is learned
// from calls that never reached the code or that a verdict speaks against, and
// no request shape from calls that did not succeed: that is where probing
// shows. r may be nil.
func (l *Learner) Learn(inv *function.Invocation, r *Request) {
	var parts *reading
	if r != nil && inv.Outcome == function.Succeeded && inv.Status < 400 {
		parts = r.read()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	programs := l.started[inv.ID]
	delete(l.started, inv.ID)
	if !ran(inv.Outcome) || suspected(inv) {
		return
	}
	class := r.unitClass(inv, parts)
	u, fresh := l.units.at(inv.Time, class)
	m := &l.head
	m.Calls++
	m.Units += one(fresh)
	m.Hours |= 1 << inv.Time.UTC().Hour()
	if m.First.IsZero() || inv.Time.Before(m.First) {
		m.First = inv.Time
	}
	if inv.Time.After(m.Last) {
		m.Last = inv.Time
	}
	if inv.Version != 0 {
		m.addVersion(Version{Number: inv.Version, Since: inv.Time})
	}
	m.Resources.Duration.add(inv.Duration.Microseconds())
	m.Resources.Memory.add(inv.Memory)
	m.Resources.Out.add(inv.Out)
	o := sight{time: inv.Time, caller: inv.Caller, version: inv.Version}
	l.learnUses(inv, programs, u, o)
	if parts != nil {
		l.learnShape(inv, r, parts, u, o)
	}
}

// ran reports whether the code was reached.
func ran(o function.Outcome) bool {
	switch o {
	case function.Succeeded, function.Failed, function.TimedOut, function.Crashed:
		return true
	}
	return false
}

func suspected(inv *function.Invocation) bool {
	return slices.ContainsFunc(inv.Verdicts, func(v redoubt.Verdict) bool {
		return v.Effect != "" && v.Effect != redoubt.EffectIgnore && v.Severity >= redoubt.Medium
	})
}

func (r *Request) unitClass(inv *function.Invocation, parts *reading) uint64 {
	if r == nil {
		r = &Request{Source: inv.Source, Route: inv.Route, Caller: inv.Caller}
	}
	if parts == nil {
		return r.class(nil)
	}
	return r.class(parts.values)
}

func (l *Learner) learnUses(inv *function.Invocation, programs []program, u *unit, o sight) {
	for i := range inv.Uses {
		use := &inv.Uses[i]
		if use.Kind == function.UseExec && slices.ContainsFunc(programs, func(p program) bool { return p.path == use.Target }) {
			continue // with their arguments, below
		}
		e := l.entry(use.Kind, fold(use.Kind, use.Target), nil)
		if e == nil {
			continue
		}
		if use.Refused {
			e.Refused++
			e.Last = maxTime(e.Last, inv.Time)
			continue
		}
		u.sees(&e.Seen, &o)
		if use.Bytes > 0 {
			e.Bytes.add(use.Bytes)
		}
	}
	for _, p := range programs {
		if e := l.entry(function.UseExec, p.path, p.args); e != nil {
			u.sees(&e.Seen, &o)
		}
	}
}

// entry finds the entry of something used; only learning makes new ones.
func (l *Learner) entry(kind function.UseKind, target string, args []string) *Entry {
	if l.head.State == profile.Learning {
		return l.entries.admit(kind, target, args)
	}
	return l.entries.match(kind, target, args)
}

func (l *Learner) learnShape(inv *function.Invocation, r *Request, parts *reading, u *unit, o sight) {
	name := routeName(r.Source, r.Route)
	t := l.routes[name]
	if t == nil {
		if l.head.State != profile.Learning {
			return
		}
		if t = l.table(name); t == nil {
			l.head.Lost++
			return
		}
	}
	u.sees(&t.route.Seen, &o)
	t.route.Out.add(inv.Out)
	for i := range parts.values {
		v := &parts.values[i]
		var f *Field
		if l.head.State == profile.Learning {
			f = t.admit(v.name)
		} else {
			f = t.find(v.name)
		}
		if f == nil {
			continue
		}
		if l.head.State == profile.Learning {
			f.add(v)
		} else {
			f.drift(v)
		}
		if f.call != l.head.Calls { // the members of a list are one look at their field
			f.call = l.head.Calls
			u.sees(&f.Seen, &o)
		}
	}
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Started remembers the arguments of a program that an invocation starts, for
// Learn, whose record has no arguments.
func (l *Learner) Started(invocation, path string, args []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := l.started[invocation]
	if invocation == "" || len(list) >= maxPrograms {
		return
	}
	if len(l.started) >= maxStarted {
		clear(l.started) // of calls whose end was never told
	}
	l.started[invocation] = append(list, program{clip(path), profile.Shape(path, args, false)})
}

// units says which looks at a function are independent: calls of one class of
// request within one hour are one.
type units struct {
	hour int64
	open map[uint64]*unit
}

type unit struct {
	id   string
	seen map[*Seen]struct{}
}

// maxUnits is how many classes of an hour are told apart; the rest are one.
const maxUnits = 128

func (u *units) at(t time.Time, class uint64) (un *unit, fresh bool) {
	if hour := t.Unix() / 3600; hour > u.hour || u.open == nil {
		u.hour, u.open = hour, map[uint64]*unit{}
	}
	if un = u.open[class]; un != nil {
		return un, false
	}
	if len(u.open) >= maxUnits {
		class = 0
		if un = u.open[class]; un != nil {
			return un, false
		}
	}
	un = &unit{id: strconv.FormatInt(u.hour, 36) + "." + strconv.FormatUint(class, 36), seen: map[*Seen]struct{}{}}
	u.open[class] = un
	return un, true
}

// sees adds a look at something, independent if it is this unit's first.
func (u *unit) sees(s *Seen, o *sight) {
	if _, again := u.seen[s]; again {
		o.unit = ""
	} else {
		u.seen[s] = struct{}{}
		o.unit = u.id
	}
	s.add(o)
}
