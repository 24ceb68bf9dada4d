package route

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/fault"
)

// hand is a clock that moves when told.
type hand struct{ now time.Time }

func (h *hand) clock() time.Time { return h.now }

func newHand() *hand { return &hand{time.Date(2026, 11, 30, 23, 59, 0, 0, time.UTC)} }

func TestS6_ACallerHasItsRateAndNobodyElses(t *testing.T) {
	h := newHand()
	l := NewLimiter(100, h.clock)
	limits := Limits{Rate: 2, Burst: 3}
	for i := range 3 {
		if _, ok := l.Take("r", "alice", limits); !ok {
			t.Fatalf("request %d was refused", i)
		}
	}
	wait, ok := l.Take("r", "alice", limits)
	if ok || wait != 500*time.Millisecond {
		t.Errorf("the fourth: %v, wait %v", ok, wait)
	}
	if _, ok := l.Take("r", "bob", limits); !ok {
		t.Error("bob pays for alice")
	}
	if _, ok := l.Take("other", "alice", limits); !ok {
		t.Error("another route pays")
	}
	h.now = h.now.Add(wait)
	if _, ok := l.Take("r", "alice", limits); !ok {
		t.Error("she waited as told and was refused")
	}
	h.now = h.now.Add(-time.Hour)
	if _, ok := l.Take("r", "alice", limits); ok {
		t.Error("a clock that went back brought tokens")
	}
	if _, ok := l.Take("r", "alice", Limits{}); !ok {
		t.Error("without limits she was refused")
	}
}

func TestS6_ARefusalOfTheRouteCostsTheCallerNothing(t *testing.T) {
	h := newHand()
	l := NewLimiter(100, h.clock)
	limits := Limits{Rate: 1, Burst: 1, RouteRate: 1, RouteBurst: 1}
	if _, ok := l.Take("r", "alice", limits); !ok {
		t.Fatal("refused")
	}
	if _, ok := l.Take("r", "bob", limits); ok {
		t.Fatal("the route's rate did not hold")
	}
	limits.RouteRate = 0
	limits.RouteBurst = 0
	if _, ok := l.Take("r", "bob", limits); !ok {
		t.Error("bob paid for a request that was refused")
	}
	if _, ok := l.Take("r", "", Limits{Rate: 1}); !ok {
		t.Error("who has no name shares the route's bucket")
	}
}

func TestS6_FloodingTheLimiterBuysNothing(t *testing.T) {
	h := newHand()
	l := NewLimiter(10, h.clock)
	limits := Limits{Rate: 1, Burst: 2}
	l.Take("r", "alice", limits)
	l.Take("r", "alice", limits)
	passed := 0
	for i := range 1000 {
		if _, ok := l.Take("r", fmt.Sprint("bot", i), limits); ok {
			passed++
		}
	}
	if passed > 9+2 {
		t.Errorf("%d of the flood passed, 9 places and the strangers' two were there", passed)
	}
	if _, ok := l.Take("r", "alice", limits); ok {
		t.Error("the flood made the limiter forget alice's debt")
	}
	if len(l.buckets) > 11 || l.recent.Len() != len(l.buckets) {
		t.Errorf("%d buckets, %d in the list", len(l.buckets), l.recent.Len())
	}
	h.now = h.now.Add(time.Minute)
	if _, ok := l.Take("r", "newcomer", limits); !ok || l.buckets[bucketKey{"r", "newcomer"}] == nil {
		t.Error("there was no room although all are idle")
	}
}

func TestS6_ConcurrencyIsCountedByCallerAndRoute(t *testing.T) {
	g := NewGate()
	limits := Limits{Concurrent: 1, RouteAtOnce: 2}
	leave, ok := g.Enter("r", "alice", limits)
	if !ok {
		t.Fatal("refused")
	}
	if _, ok := g.Enter("r", "alice", limits); ok {
		t.Error("alice has two under way")
	}
	bob, ok := g.Enter("r", "bob", limits)
	if !ok {
		t.Error("bob waits for alice")
	}
	if _, ok := g.Enter("r", "carol", limits); ok {
		t.Error("the route has three under way")
	}
	leave()
	leave()
	if _, ok := g.Enter("r", "carol", limits); !ok {
		t.Error("a place was not given back")
	}
	bob()
	if n := len(g.running); n != 2 {
		t.Errorf("%d counts are kept for one request", n)
	}
}

func TestLimitsHoldUnderLoad(t *testing.T) {
	h := newHand()
	l, g := NewLimiter(50, h.clock), NewGate()
	var wg sync.WaitGroup
	var mu sync.Mutex
	passed := 0
	for range 8 {
		wg.Go(func() {
			for range 200 {
				if leave, ok := g.Enter("r", "alice", Limits{Concurrent: 100}); ok {
					if _, ok := l.Take("r", "alice", Limits{Rate: 1, Burst: 5}); ok {
						mu.Lock()
						passed++
						mu.Unlock()
					}
					leave()
				}
			}
		})
	}
	wg.Wait()
	if passed != 5 || len(g.running) != 0 {
		t.Errorf("%d passed, want 5; %d counts left", passed, len(g.running))
	}
}

// memory is a CountStore that can break.
type memory struct {
	counts map[countKey]int64
	broken error
}

func (m *memory) Count(_ context.Context, subject, period string) (int64, error) {
	return m.counts[countKey{subject, period}], m.broken
}

func (m *memory) AddCounts(_ context.Context, counts []Count) error {
	if m.broken != nil {
		return m.broken
	}
	for _, c := range counts {
		m.counts[countKey{c.Subject, c.Period}] += c.N
	}
	return nil
}

func TestS6_QuotasLastOverDaysAndRestarts(t *testing.T) {
	ctx, h, store := context.Background(), newHand(), &memory{counts: map[countKey]int64{}}
	q := NewQuotas(store, 100, h.clock)
	quota := Quota{Day: 2, Month: 3}
	take := func() (time.Time, bool) {
		t.Helper()
		again, ok, err := q.Take(ctx, "r", "key/K1", quota)
		if err != nil {
			t.Fatal(err)
		}
		return again, ok
	}
	take()
	take()
	again, ok := take()
	if ok || !again.Equal(time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("the third of a day: %v, again at %v", ok, again)
	}
	if err := q.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	q = NewQuotas(store, 100, h.clock)
	if _, ok := take(); ok {
		t.Error("a restart gave the quota back")
	}
	h.now = h.now.Add(2 * time.Minute) // December
	for range 2 {
		if _, ok := take(); !ok {
			t.Error("a new day and month did not begin anew")
		}
	}
	h.now = h.now.Add(24 * time.Hour)
	take()
	if again, ok := take(); ok || !again.Equal(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("the fourth of a month: %v, again at %v", ok, again)
	}
	store.broken = errors.New("disk full")
	if _, _, err := q.Take(ctx, "r", "new", quota); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a broken store: %v", err)
	}
}

func TestS6_QuotasAreBoundedAndLoseNothing(t *testing.T) {
	ctx, h, store := context.Background(), newHand(), &memory{counts: map[countKey]int64{}}
	q := NewQuotas(store, 4, h.clock)
	for range 3 {
		for i := range 20 {
			if _, _, err := q.Take(ctx, "r", fmt.Sprint(i), Quota{Day: 2, Month: 100}); err != nil {
				t.Fatal(err)
			}
			if len(q.counts) > 5 {
				t.Fatalf("%d counts are kept", len(q.counts))
			}
		}
	}
	if err := q.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		if n := store.counts[countKey{fmt.Sprint("r ", i), "2026-11-30"}]; n != 2 {
			t.Errorf("caller %d has %d, want 2 of 3", i, n)
		}
	}
}

func BenchmarkTake(b *testing.B) {
	l := NewLimiter(100_000, time.Now)
	for b.Loop() {
		l.Take("r", "alice", Limits{Rate: 1e6})
	}
}
