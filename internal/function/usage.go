package function

import (
	"cmp"
	"slices"
	"time"
)

// Bill is what a call counts as: its start and its run, up to the next
// millisecond.
func Bill(init, duration time.Duration) time.Duration {
	d := max(init, 0) + max(duration, 0)
	return (d + time.Millisecond - 1).Truncate(time.Millisecond)
}

// GBSeconds is memory, in bytes, held for that long.
func GBSeconds(memory int64, billed time.Duration) float64 {
	return float64(memory) / (1 << 30) * billed.Seconds()
}

// Group says what Summarise tells apart besides functions.
type Group struct{ Versions, Callers bool }

// Add counts one call.
func (u *Usage) Add(inv *Invocation) {
	u.Calls++
	switch inv.Outcome {
	case Failed, TimedOut, Crashed:
		u.Errors++
	case Denied, Refused, Throttled, Gone:
		u.Refused++
	}
	if inv.Start == Cold {
		u.Cold++
	}
	u.Duration += inv.Duration
	u.Billed += inv.Billed
	u.GBSeconds += GBSeconds(inv.Limit, inv.Billed)
	u.In += inv.In
	u.Out += inv.Out
	if inv.Time.After(u.Last) {
		u.Last = inv.Time
	}
}

// Summarise sums calls up by function and, if asked, version and caller: the
// most called first.
func Summarise(invocations []Invocation, by Group) []Usage {
	type key struct {
		function, caller string
		version          int
	}
	sums := map[key]*Usage{}
	for i := range invocations {
		inv := &invocations[i]
		k := key{function: inv.Function}
		if by.Versions {
			k.version = inv.Version
		}
		if by.Callers {
			k.caller = inv.Caller
		}
		u := sums[k]
		if u == nil {
			u = &Usage{Function: k.function, Version: k.version, Caller: k.caller}
			sums[k] = u
		}
		u.Add(inv)
	}
	out := make([]Usage, 0, len(sums))
	for _, u := range sums {
		out = append(out, *u)
	}
	slices.SortFunc(out, func(a, b Usage) int {
		return cmp.Or(cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Function, b.Function),
			cmp.Compare(b.Version, a.Version), cmp.Compare(a.Caller, b.Caller))
	})
	return out
}
