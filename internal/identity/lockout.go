package identity

import (
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Guessing is slowed down per user name, known or not, and per source address:
// after some failures each further one doubles the wait. The tables live in
// memory and are bounded; when one is full the entry idle longest goes.
const (
	userFailures   = 5
	sourceFailures = 20 // an address may be many people's
	firstDelay     = 10 * time.Second
	longestDelay   = 15 * time.Minute
	forgetAfter    = time.Hour // without failures
	mostTracked    = 10_000
)

type attempts struct {
	failures int
	last     time.Time
	until    time.Time // no attempt is heard before
}

// lockout is one table. Safe for concurrent use.
type lockout struct {
	mu      sync.Mutex
	allowed int
	by      map[string]*attempts
}

func newLockout(allowed int) *lockout {
	return &lockout{allowed: allowed, by: make(map[string]*attempts)}
}

// try counts an attempt as failed before its outcome is known, so that many at
// once are not all let through. It returns how long to wait, 0 to go ahead.
func (l *lockout) try(key string, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.by[key]
	if a != nil && now.Sub(a.last) > forgetAfter && !now.Before(a.until) {
		delete(l.by, key)
		a = nil
	}
	if a == nil {
		if len(l.by) >= mostTracked {
			l.evict()
		}
		a = &attempts{}
		l.by[key] = a
	}
	// A clock set back must not lock for longer than the longest delay.
	if wait := a.until.Sub(now); wait > 0 && wait <= longestDelay {
		return wait
	}
	a.failures++
	a.last = now
	if over := a.failures - l.allowed; over >= 0 {
		a.until = now.Add(min(firstDelay<<min(over, 20), longestDelay))
	}
	return 0
}

// clear forgets key's failures after a success.
func (l *lockout) clear(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.by, key)
}

// undo takes one attempt back that was neither right nor wrong.
func (l *lockout) undo(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.by[key]; a != nil {
		a.failures--
		if a.failures < l.allowed {
			a.until = time.Time{}
		}
	}
}

// until says how long key is locked, the zero time if it is not.
func (l *lockout) until(key string, now time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.by[key]; a != nil && a.until.After(now) {
		return a.until
	}
	return time.Time{}
}

func (l *lockout) evict() {
	var oldest string
	var at time.Time
	for k, a := range l.by {
		if oldest == "" || a.last.Before(at) {
			oldest, at = k, a.last
		}
	}
	delete(l.by, oldest)
}

// source is the key of an address: without its port, an IPv6 one by its /64,
// which one host has to itself.
func source(from string) string {
	a, err := netip.ParseAddr(from)
	if err != nil {
		ap, err := netip.ParseAddrPort(from)
		if err != nil {
			return strings.ToLower(from[:min(len(from), 64)])
		}
		a = ap.Addr()
	}
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}
