package model

import (
	"slices"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/profile"
)

// SetState moves the model to another state. Going back to learning keeps what
// is known and adds to it. An unknown state is fault.Invalid; enforcing what
// was never observed, or what knows nothing, is fault.Conflict.
func (l *Learner) SetState(to profile.State, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := &l.head
	switch to {
	case profile.Learning, profile.Observing, profile.Enforcing:
	default:
		return fault.New(fault.Invalid, "state %q: use learning, observing or enforcing", to)
	}
	if m.State == to {
		return nil
	}
	if to == profile.Enforcing && m.State == profile.Learning {
		return fault.New(fault.Conflict, "%s is still being learned; move it to observing first, see what would have been refused, then enforce", m.Function)
	}
	if to != profile.Learning && m.Calls == 0 && l.entries.n == 0 {
		return fault.New(fault.Conflict, "nothing is known of %s yet; call it while its model learns, or import a model", m.Function)
	}
	m.State, m.Since = to, now
	m.Revision++
	return nil
}

// Advance ends learning where enough is covered, and reports whether it did.
func (l *Learner) Advance(now time.Time) bool {
	if m := l.Model(); !m.Ready() {
		return false
	}
	return l.SetState(profile.Observing, now) == nil
}

// Relearn forgets everything but what a person added, and learns anew.
func (l *Learner) Relearn(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fresh := New(l.head.Function, now)
	fresh.Revision, fresh.Versions = l.head.Revision+1, l.head.Versions
	for _, e := range l.entries.all() {
		if e.Source == profile.Manual {
			fresh.Entries = append(fresh.Entries, Entry{Kind: e.Kind, Target: e.Target, Args: e.Args, Source: profile.Manual, Note: e.Note, Seen: Seen{First: e.First}})
		}
	}
	for _, t := range l.routes {
		r := t.document()
		r.Seen, r.Out = Seen{}, Sketch{}
		r.Fields = slices.DeleteFunc(r.Fields, func(f Field) bool { return !f.Manual })
		if len(r.Fields) > 0 {
			fresh.Routes = append(fresh.Routes, r)
		}
	}
	l.units, l.started = units{}, map[string][]program{}
	l.load(fresh)
	l.taken = l.snapshot()
}

// Change is what a person adds to and takes from a model.
type Change struct {
	Add    []Entry  `json:"add,omitempty"`
	Remove []string `json:"remove,omitempty"` // ids of entries
	Fields []Allow  `json:"fields,omitempty"`
}

// Allow says that a field of requests may hold anything from now on, or, with
// Forget, that what is known of it is forgotten.
type Allow struct {
	Route  string `json:"route"`
	Field  string `json:"field"`
	Forget bool   `json:"forget,omitempty"`
}

// Edit changes the model by hand, all or nothing. Errors are fault.Invalid
// with the number of a bad entry, fault.NotFound for what is not there and
// fault.Limited where there is no room.
func (l *Learner) Edit(c Change, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	byID := map[string]*Entry{}
	for _, e := range l.entries.all() {
		byID[e.ID] = e
	}
	var drop []*Entry
	for _, id := range c.Remove {
		e := byID[id]
		if e == nil {
			return fault.New(fault.NotFound, "no entry %q in the model of %s", id, l.head.Function)
		}
		drop = append(drop, e)
	}
	add := make([]*Entry, len(c.Add))
	for i := range c.Add {
		e := Entry{Kind: c.Add[i].Kind, Target: c.Add[i].Target, Args: slices.Clone(c.Add[i].Args), Note: c.Add[i].Note, Source: profile.Manual, Seen: Seen{First: now}}
		if err := e.check(); err != nil {
			return fault.New(fault.Invalid, "entry %d: %w", i+1, err)
		}
		if !general(e.Kind, e.Target) && !strings.ContainsAny(e.Target, `\<`) {
			e.Target = fold(e.Kind, e.Target)
		}
		e.ID = e.identify()
		add[i] = &e
	}
	if l.entries.n-len(drop)+len(add) > MaxEntries {
		return fault.New(fault.Limited, "a model holds %d entries; remove some first, or allow more with each", MaxEntries)
	}
	for i, a := range c.Fields {
		t := l.routes[a.Route]
		if t == nil {
			return fault.New(fault.NotFound, "field %d: no requests of %q are known", i+1, a.Route)
		}
		if a.Forget && t.fields[a.Field] == nil {
			return fault.New(fault.NotFound, "field %d: requests of %q have no field %q", i+1, a.Route, a.Field)
		}
	}
	for _, e := range drop {
		l.entries.drop(e)
	}
	for _, e := range add {
		l.entries.add(e)
	}
	for _, a := range c.Fields {
		t := l.routes[a.Route]
		if a.Forget {
			delete(t.fields, a.Field)
		} else if f := t.admit(clip(a.Field)); f != nil {
			f.Manual = true
		}
	}
	l.head.Revision++
	return nil
}

// check says what is wrong with an entry that came from outside.
func (e *Entry) check() error {
	switch {
	case !slices.Contains(kinds, e.Kind):
		return fault.New(fault.Invalid, "kind %q: use one of %v", e.Kind, kinds)
	case e.Target == "" || len(e.Target) > 2*maxText:
		return fault.New(fault.Invalid, "a target of 1 to %d bytes is needed", 2*maxText)
	case len(e.Args) > 128:
		return fault.New(fault.Invalid, "%d arguments; at most 128 are compared", len(e.Args))
	case len(e.Args) > 0 && e.Kind != function.UseExec:
		return fault.New(fault.Invalid, "only programs have arguments")
	case e.Source != profile.Learned && e.Source != profile.Manual:
		return fault.New(fault.Invalid, "source %q: use learned or manual", e.Source)
	case e.Refused < 0 || len(e.Note) > 2000:
		return fault.New(fault.Invalid, "refused is not negative and a note has at most 2000 bytes")
	}
	if err := e.Bytes.check(); err != nil {
		return err
	}
	return e.Seen.check()
}

func (s *Seen) check() error {
	if s.Count < 0 || s.Units < 0 || s.Units > s.Count || len(s.Unit) > 200 || len(s.Callers) > keptCallers || len(s.Versions) > keptVersions || s.Last.Before(s.First) && !s.Last.IsZero() {
		return fault.New(fault.Invalid, "counts are not negative, units not above count, callers at most %d, versions at most %d, last not before first", keptCallers, keptVersions)
	}
	for _, c := range s.Callers {
		if len(c) > 2*maxText {
			return fault.New(fault.Invalid, "a caller has at most %d bytes", 2*maxText)
		}
	}
	return nil
}
