package model

import (
	"slices"
	"strings"

	"redoubt.dev/redoubt/internal/profile"
)

// Merge adds up what two gateways know of a function: what both saw is in the
// outcome, counts add up, and a is first where it comes to state and revision.
// The order does not matter otherwise, up to the point where the model is full.
// Neither is changed.
func Merge(a, b *Model) *Model {
	l := NewLearner(a)
	l.Add(b)
	return l.Model()
}

// Add takes in what another gateway learned since it last said so. Where the
// model is not learning any more, only what is known grows.
func (l *Learner) Add(grown *Model) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add(grown)
}

func (l *Learner) add(grown *Model) {
	m := &l.head
	m.Calls += grown.Calls
	m.Units += grown.Units
	m.Lost += grown.Lost
	m.Hours |= grown.Hours
	if !grown.First.IsZero() && (m.First.IsZero() || grown.First.Before(m.First)) {
		m.First = grown.First
	}
	m.Last = maxTime(m.Last, grown.Last)
	m.Resources.merge(&grown.Resources)
	for _, v := range grown.Versions {
		m.addVersion(v)
	}
	learning := m.State == profile.Learning
	for i := range grown.Entries {
		e := grown.Entries[i].clone()
		e.ID = e.identify()
		if learning || e.Source == profile.Manual {
			l.entries.add(&e)
		} else if old := l.entries.same(&e); old != nil {
			old.merge(&e)
		}
	}
	for i := range grown.Routes {
		r := &grown.Routes[i]
		if t := l.routes[r.Name]; t != nil {
			t.grow(r, learning)
		} else if learning {
			if t = l.table(r.Name); t != nil {
				t.merge(r)
			} else {
				m.Lost++
			}
		}
	}
}

// grow merges r; where nothing new is admitted, fields keep what they may hold.
func (t *table) grow(r *Route, learning bool) {
	if learning {
		t.merge(r)
		return
	}
	t.route.Seen.merge(&r.Seen)
	t.route.Out.merge(&r.Out)
	for i := range r.Fields {
		if f := t.fields[r.Fields[i].Name]; f != nil {
			f.Seen.merge(&r.Fields[i].Seen)
		}
	}
}

// Take returns what was learned since the last Take, or since the learner was
// made, for Add on another; false if nothing was.
func (l *Learner) Take() (*Model, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.snapshot()
	if now.Calls == l.taken.Calls && now.Lost == l.taken.Lost && len(now.Versions) == len(l.taken.Versions) {
		return nil, false
	}
	grown := *now
	grown.less(l.taken)
	l.taken = l.snapshot()
	return &grown, true
}

// less takes away the counts that base already had.
func (m *Model) less(base *Model) {
	m.Calls -= base.Calls
	m.Units -= base.Units
	m.Lost -= base.Lost
	m.Resources.Duration.less(&base.Resources.Duration)
	m.Resources.Memory.less(&base.Resources.Memory)
	m.Resources.Out.less(&base.Resources.Out)
	entries := make(map[string]*Entry, len(base.Entries))
	for i := range base.Entries {
		entries[base.Entries[i].ID] = &base.Entries[i]
	}
	for i := range m.Entries {
		e := &m.Entries[i]
		if b := entries[e.ID]; b != nil {
			e.Refused = max(e.Refused-b.Refused, 0)
			e.Bytes.less(&b.Bytes)
			e.Seen.less(&b.Seen)
		}
	}
	m.Entries = slices.DeleteFunc(m.Entries, func(e Entry) bool { return e.Count == 0 && e.Refused == 0 })
	routes := make(map[string]*Route, len(base.Routes))
	for i := range base.Routes {
		routes[base.Routes[i].Name] = &base.Routes[i]
	}
	for i := range m.Routes {
		if b := routes[m.Routes[i].Name]; b != nil {
			m.Routes[i].less(b)
		}
	}
	m.Routes = slices.DeleteFunc(m.Routes, func(r Route) bool { return r.Count == 0 })
}

func (r *Route) less(base *Route) {
	r.Seen.less(&base.Seen)
	r.Out.less(&base.Out)
	fields := make(map[string]*Field, len(base.Fields))
	for i := range base.Fields {
		fields[base.Fields[i].Name] = &base.Fields[i]
	}
	for i := range r.Fields {
		if b := fields[r.Fields[i].Name]; b != nil {
			r.Fields[i].Seen.less(&b.Seen)
		}
	}
	r.Fields = slices.DeleteFunc(r.Fields, func(f Field) bool { return f.Count == 0 })
}

func (s *Seen) less(base *Seen) {
	s.Count = max(s.Count-base.Count, 0)
	s.Units = max(s.Units-base.Units, 0)
	if base.Units > 0 && s.Units > 0 {
		// Which of the named units are new is told by what base did not name.
		s.Unit = namesLess(s.Unit, base.Unit)
	}
}

func namesLess(names, gone string) string {
	old := strings.Split(gone, "+")
	left := slices.DeleteFunc(strings.Split(names, "+"), func(n string) bool { return slices.Contains(old, n) })
	return strings.Join(left, "+")
}
