package iam

import (
	"container/heap"
	"sync"
	"time"

	"redoubt.dev/redoubt/internal/fault"
)

// Once remembers what was used until it would have ended anyway. It holds a
// bounded number; where it is full it refuses, since it could not tell a
// second use. Safe for concurrent use.
type Once struct {
	most int
	now  func() time.Time

	mu   sync.Mutex
	seen map[string]struct{}
	ends endHeap
}

// NewOnce makes a Once of at most that many at a time.
func NewOnce(most int, now func() time.Time) *Once {
	return &Once{most: most, now: now, seen: map[string]struct{}{}}
}

// Use is nil the first time key is used; fault.Unauthenticated again until
// the time given, fault.Limited where nothing more can be remembered.
func (o *Once) Use(key string, until time.Time) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.now()
	for len(o.ends) > 0 && o.ends[0].at.Before(now) {
		delete(o.seen, heap.Pop(&o.ends).(end).key)
	}
	if _, again := o.seen[key]; again {
		return fault.New(fault.Unauthenticated, "this was used before and works once: make a new one")
	}
	if len(o.seen) >= o.most {
		return fault.New(fault.Limited, "%d one-time proofs are remembered, no more can be: try again in %s", o.most, o.ends[0].at.Sub(now).Round(time.Second)+time.Second)
	}
	o.seen[key] = struct{}{}
	heap.Push(&o.ends, end{key, until})
	return nil
}

type end struct {
	key string
	at  time.Time
}

// endHeap has what ends first at its top.
type endHeap []end

func (h endHeap) Len() int           { return len(h) }
func (h endHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h endHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *endHeap) Push(x any)        { *h = append(*h, x.(end)) }
func (h *endHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
