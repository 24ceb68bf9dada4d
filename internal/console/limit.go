package console

import (
	"net/netip"
	"sync"
	"time"

	"redoubt.dev/redoubt/internal/fault"
)

// Bounds of logging in. An address gets burst attempts and one more every
// refill; when more addresses try than are kept, the one that has waited
// longest is forgotten.
const (
	loginBurst     = 10
	loginRefill    = 6 * time.Second
	loginAddresses = 4096
)

// limiter is a token bucket per address; an IPv6 caller is its /64.
type limiter struct {
	mu      sync.Mutex
	buckets map[string]bucket
}

type bucket struct {
	left float64
	at   time.Time
}

// take spends one attempt of the address, or says when the next one is free.
func (l *limiter) take(from string, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := network(from)
	b, known := l.buckets[key]
	if !known {
		if len(l.buckets) >= loginAddresses {
			l.forgetOldest()
		}
		b = bucket{loginBurst, now}
	}
	if gone := now.Sub(b.at); gone > 0 {
		b.left = min(loginBurst, b.left+gone.Seconds()/loginRefill.Seconds())
		b.at = now
	}
	if b.left < 1 {
		l.buckets[key] = b
		return fault.New(fault.Limited, "too many attempts to log in from %s; try again in %d seconds", from, int((1-b.left)*loginRefill.Seconds())+1)
	}
	b.left--
	l.buckets[key] = b
	return nil
}

func (l *limiter) forgetOldest() {
	var oldest string
	var at time.Time
	for k, b := range l.buckets {
		if oldest == "" || b.at.Before(at) {
			oldest, at = k, b.at
		}
	}
	delete(l.buckets, oldest)
}

func network(from string) string {
	a, err := netip.ParseAddr(from)
	if err != nil {
		return from
	}
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a.String()
	}
	p, _ := a.Prefix(64)
	return p.String()
}
