package route

import (
	"context"
	"fmt"
	"sync"
	"time"

	"redoubt.dev/redoubt/internal/fault"
)

// Count is how many requests a subject made in a period.
type Count struct {
	Subject string // "ROUTE CALLER"
	Period  string // 2026-11-25 or 2026-11, UTC
	N       int64
}

// CountStore keeps counts over restarts.
type CountStore interface {
	// Count returns a stored count, 0 where there is none.
	Count(ctx context.Context, subject, period string) (int64, error)
	// AddCounts adds each N to what is stored, all or none.
	AddCounts(ctx context.Context, counts []Count) error
}

// Quotas counts requests by day and month in memory, and stores what was added
// when Flush is called: a crash loses what came since. It keeps up to most
// counts; when they are more, it stores and forgets them. It is safe for
// concurrent use.
type Quotas struct {
	store CountStore
	clock func() time.Time
	most  int

	mu     sync.Mutex
	counts map[countKey]*tally
}

type countKey struct{ subject, period string }

type tally struct {
	total int64 // stored and added
	added int64 // not stored yet
}

// NewQuotas makes quotas over a store.
func NewQuotas(store CountStore, most int, clock func() time.Time) *Quotas {
	return &Quotas{store: store, clock: clock, most: most, counts: map[countKey]*tally{}}
}

// Take counts a request, or says when the quota it would break begins anew. An
// error is of the store: nothing was counted, and the caller decides.
func (q *Quotas) Take(ctx context.Context, route, caller string, quota Quota) (again time.Time, ok bool, err error) {
	if quota == (Quota{}) {
		return time.Time{}, true, nil
	}
	now := q.clock().UTC()
	q.mu.Lock()
	defer q.mu.Unlock()
	subject := route + " " + caller
	wants := []struct {
		period string
		most   int64
		again  time.Time
	}{
		{now.Format("2006-01"), quota.Month, time.Date(now.Year(), now.Month()+1, 1, 0, 0, 0, 0, time.UTC)},
		{now.Format(time.DateOnly), quota.Day, time.Date(now.Year(), now.Month(), now.Day()+1, 0, 0, 0, 0, time.UTC)},
	}
	var taken []*tally
	for _, w := range wants {
		if w.most == 0 {
			continue
		}
		t, err := q.find(ctx, countKey{subject, w.period})
		if err != nil {
			return time.Time{}, false, err
		}
		if t.total >= w.most {
			return w.again, false, nil
		}
		taken = append(taken, t)
	}
	for _, t := range taken {
		t.total++
		t.added++
	}
	return time.Time{}, true, nil
}

// find returns a count, read from the store the first time. Making room comes
// first, and drops no count that the same request found: they were read just
// before and are stored with the rest.
func (q *Quotas) find(ctx context.Context, key countKey) (*tally, error) {
	if t, known := q.counts[key]; known {
		return t, nil
	}
	n, err := q.store.Count(ctx, key.subject, key.period)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "read quota of %s: %w", key.subject, err)
	}
	if len(q.counts) >= q.most {
		if err := q.flush(ctx); err != nil {
			return nil, err
		}
		for k := range q.counts {
			if k.subject != key.subject {
				delete(q.counts, k)
			}
		}
	}
	t := &tally{total: n}
	q.counts[key] = t
	return t, nil
}

// Flush stores what was counted since the last time, and forgets periods that
// are over.
func (q *Quotas) Flush(ctx context.Context) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.flush(ctx); err != nil {
		return err
	}
	now := q.clock().UTC()
	day, month := now.Format(time.DateOnly), now.Format("2006-01")
	for k := range q.counts {
		if k.period != day && k.period != month {
			delete(q.counts, k)
		}
	}
	return nil
}

func (q *Quotas) flush(ctx context.Context) error {
	var out []Count
	for k, t := range q.counts {
		if t.added > 0 {
			out = append(out, Count{k.subject, k.period, t.added})
		}
	}
	if len(out) == 0 {
		return nil
	}
	if err := q.store.AddCounts(ctx, out); err != nil {
		return fmt.Errorf("store quotas: %w", err)
	}
	for _, c := range out {
		q.counts[countKey{c.Subject, c.Period}].added = 0
	}
	return nil
}
