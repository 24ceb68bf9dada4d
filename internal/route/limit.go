package route

import (
	"container/list"
	"math"
	"sync"
	"time"
)

// Limiter holds the token buckets of routes and their callers. Its memory is
// bounded: when it is full, a bucket that is full again is forgotten, which
// changes nothing. Where none is, so that forgetting would hand out fresh
// tokens, newcomers of a route share one bucket of a single caller's rate:
// flooding the table with names buys nothing, and those it knows keep theirs.
// It is safe for concurrent use.
type Limiter struct {
	clock func() time.Time
	most  int

	mu      sync.Mutex
	buckets map[bucketKey]*list.Element
	recent  *list.List // of *bucket, last used first
}

type bucketKey struct{ route, caller string }

// Callers that no principal is called: newcomers when the table is full, and
// all callers of a route together.
const strangers, everyone = "\x00", "\x01"

type bucket struct {
	key    bucketKey
	tokens float64
	rate   float64
	burst  float64
	last   time.Time
}

// NewLimiter makes one that keeps up to most buckets, beside one for each
// route and its strangers.
func NewLimiter(most int, clock func() time.Time) *Limiter {
	return &Limiter{clock: clock, most: most, buckets: map[bucketKey]*list.Element{}, recent: list.New()}
}

// Take lets a request in or says after which time to come again. A request is
// taken off the caller's bucket and the route's, or off neither.
func (l *Limiter) Take(route, caller string, limits Limits) (wait time.Duration, ok bool) {
	if limits.Rate == 0 && limits.RouteRate == 0 {
		return 0, true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock()
	var mine, all *bucket
	if limits.Rate > 0 {
		if mine = l.find(bucketKey{route, caller}, limits.Rate, limits.Burst, now); mine.tokens < 1 {
			return mine.wait(), false
		}
	}
	if limits.RouteRate > 0 {
		if all = l.find(bucketKey{route, everyone}, limits.RouteRate, limits.RouteBurst, now); all.tokens < 1 {
			return all.wait(), false
		}
		all.tokens--
	}
	if mine != nil {
		mine.tokens--
	}
	return 0, true
}

// find returns a bucket, filled up to now, at today's rate.
func (l *Limiter) find(key bucketKey, rate float64, burst int, now time.Time) *bucket {
	size := float64(burst)
	if burst <= 0 {
		size = math.Max(1, math.Ceil(rate))
	}
	if e, known := l.buckets[key]; known {
		l.recent.MoveToFront(e)
		b := e.Value.(*bucket)
		b.fill(now)
		b.rate, b.burst = rate, size
		b.tokens = math.Min(b.tokens, size)
		return b
	}
	if shared := key.caller == everyone || key.caller == strangers; !shared && len(l.buckets) >= l.most && !l.forget(now) {
		return l.find(bucketKey{key.route, strangers}, rate, burst, now)
	}
	b := &bucket{key: key, tokens: size, rate: rate, burst: size, last: now}
	l.buckets[key] = l.recent.PushFront(b)
	return b
}

// forget makes room among the buckets that were not used for longest.
func (l *Limiter) forget(now time.Time) bool {
	const looks = 8
	for e, n := l.recent.Back(), 0; e != nil && n < looks; e, n = e.Prev(), n+1 {
		b := e.Value.(*bucket)
		if b.fill(now); b.tokens >= b.burst {
			l.recent.Remove(e)
			delete(l.buckets, b.key)
			return true
		}
	}
	return false
}

// fill adds what time brought. A clock that goes back brings nothing.
func (b *bucket) fill(now time.Time) {
	if d := now.Sub(b.last); d > 0 {
		b.tokens = math.Min(b.burst, b.tokens+d.Seconds()*b.rate)
	}
	b.last = now
}

// wait is the time until there is a token again.
func (b *bucket) wait() time.Duration {
	return time.Duration(math.Ceil((1 - b.tokens) / b.rate * float64(time.Second)))
}

// Gate counts requests under way. What it keeps is bounded by what runs.
type Gate struct {
	mu      sync.Mutex
	running map[bucketKey]int
}

// NewGate makes an empty one.
func NewGate() *Gate { return &Gate{running: map[bucketKey]int{}} }

// Enter lets a request in if route and caller have fewer under way than their
// limits. leave must be called when it has ended; calling it again does nothing.
func (g *Gate) Enter(route, caller string, limits Limits) (leave func(), ok bool) {
	mine, all := bucketKey{route, caller}, bucketKey{route, everyone}
	g.mu.Lock()
	defer g.mu.Unlock()
	if limits.Concurrent > 0 && g.running[mine] >= limits.Concurrent || limits.RouteAtOnce > 0 && g.running[all] >= limits.RouteAtOnce {
		return nil, false
	}
	keys := [...]bucketKey{mine, all}
	for _, k := range keys {
		g.running[k]++
	}
	return sync.OnceFunc(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		for _, k := range keys {
			if g.running[k]--; g.running[k] == 0 {
				delete(g.running, k)
			}
		}
	}), true
}
