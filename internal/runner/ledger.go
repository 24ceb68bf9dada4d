package runner

import (
	"cmp"
	"slices"
	"sync"

	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/redoubt"
)

const (
	maxUses     = 64  // that a result names
	maxCounted  = 512 // different ones counted in one invocation
	maxVerdicts = 64
)

// ledger notes what code touched during one invocation, or while it starts.
type ledger struct {
	invocation string
	trace      string

	mu       sync.Mutex
	uses     map[useKey]*function.Use
	verdicts []redoubt.Verdict
	tainted  bool // it tried to start what it may not
}

type useKey struct {
	kind    function.UseKind
	target  string
	refused bool
}

func newLedger(invocation, trace string) *ledger {
	return &ledger{invocation: invocation, trace: trace, uses: map[useKey]*function.Use{}}
}

// next is the ledger of the following invocation; with keep it takes over what
// stands in this one.
func (l *ledger) next(invocation, trace string, keep bool) *ledger {
	n := newLedger(invocation, trace)
	if keep {
		l.mu.Lock()
		defer l.mu.Unlock()
		n.uses, n.verdicts = l.uses, l.verdicts
		l.uses, l.verdicts = map[useKey]*function.Use{}, nil
	}
	return n
}

// use counts one thing touched.
func (l *ledger) use(u function.Use) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := useKey{u.Kind, u.Target, u.Refused}
	if known := l.uses[key]; known != nil {
		known.Count += u.Count
		known.Bytes += u.Bytes
	} else if len(l.uses) < maxCounted {
		l.uses[key] = &u
	}
}

// verdict keeps what is worth a person's eye, the same thing once.
func (l *ledger) verdict(v redoubt.Verdict) {
	if v.Effect != redoubt.EffectAlert && !stops(v) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.verdicts) < maxVerdicts && !slices.Contains(l.verdicts, v) {
		l.verdicts = append(l.verdicts, v)
	}
}

func (l *ledger) taint() {
	l.mu.Lock()
	l.tainted = true
	l.mu.Unlock()
}

// close returns what was noted: uses, the most used first.
func (l *ledger) close() (uses []function.Use, verdicts []redoubt.Verdict, tainted bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, u := range l.uses {
		uses = append(uses, *u)
	}
	slices.SortFunc(uses, func(a, b function.Use) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Target, b.Target))
	})
	return uses[:min(len(uses), maxUses)], slices.Clone(l.verdicts), l.tainted
}

// stops reports whether a verdict refuses what it is about.
func stops(v redoubt.Verdict) bool {
	switch v.Effect {
	case redoubt.EffectPrevent, redoubt.EffectBlock, redoubt.EffectIsolate:
		return true
	}
	return false
}
