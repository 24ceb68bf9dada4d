package link

import (
	"sync"
	"time"
)

// limiter allows each address ten attempts to enrol and then one every six
// seconds. It knows at most 1024 addresses; while that many are busy, all
// further ones share one allowance.
type limiter struct {
	now func() time.Time

	mu      sync.Mutex
	buckets map[string]bucket
}

type bucket struct {
	left float64
	at   time.Time
}

const (
	burst      = 10
	perSecond  = 1.0 / 6
	maxBuckets = 1024
)

func newLimiter(now func() time.Time) *limiter {
	return &limiter{now: now, buckets: map[string]bucket{}}
}

func (l *limiter) allow(address string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	b, known := l.buckets[address]
	if !known && len(l.buckets) >= maxBuckets {
		l.forget(now)
		if len(l.buckets) >= maxBuckets {
			address = ""
			b, known = l.buckets[address]
		}
	}
	if !known {
		b = bucket{left: burst, at: now}
	}
	b.left = min(burst, b.left+max(0, now.Sub(b.at).Seconds())*perSecond)
	b.at = now
	ok := b.left >= 1
	if ok {
		b.left--
	}
	l.buckets[address] = b
	return ok
}

// forget drops the addresses whose allowance is whole again.
func (l *limiter) forget(now time.Time) {
	for a, b := range l.buckets {
		if b.left+now.Sub(b.at).Seconds()*perSecond >= burst {
			delete(l.buckets, a)
		}
	}
}
