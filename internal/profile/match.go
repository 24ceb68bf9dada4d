package profile

import (
	"fmt"
	"iter"
	"slices"

	"redoubt.dev/redoubt/internal/redoubt"
)

// Matcher compares events with a profile. One that Compile made never changes
// and is safe for concurrent use.
type Matcher struct {
	x   *index
	all iter.Seq[*Entry]
}

// Compile builds a Matcher. It copies what it keeps.
func Compile(p *Profile) *Matcher {
	entries := make([]Entry, len(p.Entries))
	m := &Matcher{x: newIndex(), all: func(yield func(*Entry) bool) {
		for i := range entries {
			if !yield(&entries[i]) {
				return
			}
		}
	}}
	for i := range p.Entries {
		entries[i] = p.Entries[i].clone()
		m.x.add(&entries[i])
	}
	return m
}

// Matcher returns the learner's own view, which grows as it learns: nothing has
// to be compiled again. Like the learner it is not safe for concurrent use.
func (l *Learner) Matcher() *Matcher {
	return &Matcher{x: l.x, all: func(yield func(*Entry) bool) {
		for _, e := range l.byID {
			if !yield(e) {
				return
			}
		}
	}}
}

// Judges reports whether profiles speak of this kind of event at all.
func Judges(k redoubt.EventKind) bool {
	switch k {
	case redoubt.EventExec, redoubt.EventListen, redoubt.EventAccept, redoubt.EventConnect:
		return true
	}
	return false
}

// Match returns the entry that allows ev, or false. Accepted connections are
// allowed by the entry of the socket that took them. Kinds that Judges denies
// match nothing. The entry is shared: do not change it.
func (m *Matcher) Match(ev *redoubt.Event) (*Entry, bool) {
	e := m.x.match(ev)
	return e, e != nil
}

// Program returns an entry for the program that p runs, with its content,
// whoever started it and with whichever arguments.
func (m *Matcher) Program(p *redoubt.Process) (*Entry, bool) {
	if p == nil || p.File == nil || p.File.Digest == "" {
		return nil, false
	}
	for e := range m.all {
		if x := e.Exec; x != nil && x.Path == p.Path && (len(x.Digests) == 0 || slices.Contains(x.Digests, p.File.Digest)) {
			return e, true
		}
	}
	return nil, false
}

// Why says in one sentence why Match found nothing.
func (m *Matcher) Why(ev *redoubt.Event) string {
	if !Judges(ev.Kind) {
		return fmt.Sprintf("a profile says nothing about %s events", ev.Kind)
	}
	if ev.Kind == redoubt.EventExec {
		if p := ev.Process; p == nil || p.File == nil || p.File.Digest == "" {
			return unreadable(p)
		}
	} else if ev.Network == nil {
		return "the event does not say which connection it is about"
	}
	near, compared := m.Nearest(ev)
	if near == nil {
		return fmt.Sprintf("no %s like this is in the profile", ev.Kind)
	}
	i := slices.IndexFunc(compared, func(d Difference) bool { return !d.Same })
	if i < 0 {
		return fmt.Sprintf("no %s like this is in the profile", ev.Kind)
	}
	if compared[0].Field == "program" && compared[0].Same && compared[i].Field == "content" {
		return fmt.Sprintf("%s is allowed, but with other content: %s, not %s", compared[0].Got, compared[i].Want, compared[i].Got)
	}
	return fmt.Sprintf("the nearest entry allows %s; other %s: %s, not %s", near, compared[i].Field, compared[i].Got, compared[i].Want)
}

func unreadable(p *redoubt.Process) string {
	why := "the sensor does not say why"
	if p != nil && p.File != nil && p.File.Error != "" {
		why = p.File.Error
	}
	return "the program's content could not be read, so nothing can vouch for it: " + why
}
