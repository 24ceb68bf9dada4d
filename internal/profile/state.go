package profile

import (
	"slices"
	"time"

	"redoubt.dev/redoubt/internal/fault"
)

// moves says which states may follow which.
var moves = map[State][]State{
	Learning:  {Observing, Archived},
	Observing: {Learning, Enforcing, Archived},
	Enforcing: {Observing, Learning, Archived},
	Archived:  {Learning, Observing},
}

// SetState moves p to another state and notes the time. Going back to learning
// keeps every entry and adds to them. An unknown state is fault.Invalid, a
// move that is not allowed fault.Conflict; both name what is possible. Moving
// to where it already is changes nothing.
func SetState(p *Profile, to State, now time.Time) error {
	if _, ok := moves[to]; !ok {
		return fault.New(fault.Invalid, "state %q: use learning, observing, enforcing or archived", to)
	}
	if p.State == to {
		return nil
	}
	if !slices.Contains(moves[p.State], to) {
		switch {
		case p.State == Learning && to == Enforcing:
			return fault.New(fault.Conflict, "%s is still learning; move it to observing first, see what would have been prevented, then enforce", p.Workload)
		case p.State == Archived:
			return fault.New(fault.Conflict, "%s is archived; move it to observing first", p.Workload)
		}
		return fault.New(fault.Conflict, "%s cannot go from %s to %s", p.Workload, p.State, to)
	}
	if to == Enforcing && !slices.ContainsFunc(p.Entries, func(e Entry) bool { return e.Exec != nil }) {
		return fault.New(fault.Conflict, "%s has no program in its profile; enforcing it would let nothing run; move it to learning first", p.Workload)
	}
	p.State, p.Since = to, now
	return nil
}

// Edit adds and removes entries by hand, all or nothing. Added ones become
// Manual; adding what is there already adds its contents. Errors are
// fault.Invalid with the number of the bad entry, fault.NotFound for an id to
// remove that is not there, and fault.Limited where there is no room.
func Edit(p *Profile, add []Entry, remove []string, now time.Time) error {
	entries := slices.Clone(p.Entries)
	for _, id := range remove {
		i := slices.IndexFunc(entries, func(e Entry) bool { return e.ID == id })
		if i < 0 {
			return fault.New(fault.NotFound, "no entry %q in the profile of %s", id, p.Workload)
		}
		entries = slices.Delete(entries, i, i+1)
	}
	for i := range add {
		e := add[i].clone()
		e.Source = Manual
		e.Count, e.Units, e.Unit, e.Expect = 0, 0, "", ""
		if err := e.Check(); err != nil {
			return fault.New(fault.Invalid, "entry %d: %w", i+1, err)
		}
		e.ID = e.Identify()
		if e.First.IsZero() {
			e.First = now
		}
		if k := slices.IndexFunc(entries, func(o Entry) bool { return o.ID == e.ID }); k >= 0 {
			old := entries[k].clone()
			if anyContent := e.Exec != nil && (len(e.Exec.Digests) == 0 || len(old.Exec.Digests) == 0); anyContent {
				e.Exec.Digests, old.Exec.Digests = nil, nil
			}
			old.merge(&e)
			entries[k] = old
			continue
		}
		entries = append(entries, e)
	}
	if len(entries) > MaxEntries {
		return fault.New(fault.Limited, "%d entries; a profile holds at most %d: remove some, or allow more with each by shorter argument shapes", len(entries), MaxEntries)
	}
	sortEntries(entries)
	p.Entries = entries
	p.Measure(now)
	return nil
}
