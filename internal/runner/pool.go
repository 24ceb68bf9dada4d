package runner

import (
	"context"
	"slices"
	"sync"
	"time"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
)

type poolKey struct {
	function string
	version  int
	tenant   string
}

// pool holds the environments of one version for one tenant. An environment is
// lent to one call at a time; the one used last is lent first, so that the
// others grow idle. Calls that find none idle stand in line, and for each of
// them one is started as long as more may be: whichever is there first, new or
// given back, goes to whoever waits longest.
type pool struct {
	r       *Runner
	key     poolKey
	version *function.Version

	mu       sync.Mutex
	idle     []*environment // the one used last is last
	all      map[*environment]struct{}
	starting int
	line     []chan handed // calls that wait, first come first
	retired  bool
	warm     int       // how many to keep ready
	failed   time.Time // when one that nobody waited for could not be started last
}

// handed is what a call in line gets: an environment, or why there is none.
type handed struct {
	e   *environment
	err error
}

func newPool(r *Runner, key poolKey, v *function.Version) *pool {
	p := &pool{r: r, key: key, version: v, all: map[*environment]struct{}{}}
	p.follow(r.cfg.Live == nil)
	return p
}

// follow says whether callers are sent to this version, so that it is to be
// kept warm.
func (p *pool) follow(live bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.warm = 0
	if live {
		p.warm = min(p.version.Spec.Concurrency.Warm, p.most())
	}
}

// take lends an environment, waiting in line where none is free.
func (p *pool) take(ctx context.Context) (*environment, error) {
	p.mu.Lock()
	for !p.retired && len(p.idle) > 0 {
		e := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		p.mu.Unlock()
		if e.wake() == nil {
			return e, nil
		}
		p.drop(e)
		p.mu.Lock()
	}
	switch {
	case p.retired:
		p.mu.Unlock()
		return nil, errRetired
	case len(p.line) >= maxWaiting:
		p.mu.Unlock()
		return nil, fault.New(fault.Limited, "%d calls already wait for %s; its concurrency is %d", maxWaiting, p.key.function, p.most())
	}
	turn := make(chan handed, 1)
	p.line = append(p.line, turn)
	p.grow()
	p.mu.Unlock()
	select {
	case h := <-turn:
		return h.e, h.err
	case <-ctx.Done():
		p.leave(turn)
		return nil, fault.New(fault.Limited, "no environment of %s was free in time; its concurrency is %d: %w", p.key.function, p.most(), context.Cause(ctx))
	}
}

func (p *pool) most() int { return max(1, p.version.Spec.Concurrency.Max) }

// leave gives up a turn in line, passing on what had already been handed over.
func (p *pool) leave(turn chan handed) {
	p.mu.Lock()
	i := slices.Index(p.line, turn)
	if i >= 0 {
		p.line = slices.Delete(p.line, i, i+1)
	}
	p.mu.Unlock()
	if i >= 0 {
		return
	}
	if h := <-turn; h.e != nil {
		p.give(h.e)
	}
}

// grow starts environments for calls in line; the caller holds the lock.
func (p *pool) grow() {
	for !p.retired && p.starting < len(p.line) && len(p.all)+p.starting < p.most() {
		p.starting++
		go p.start()
	}
}

// start brings one environment up. It outlives the call it was started for.
func (p *pool) start() {
	e, err := p.r.open(p)
	p.mu.Lock()
	p.starting--
	switch {
	case err == nil && p.retired:
		p.mu.Unlock()
		e.end()
		return
	case err != nil:
		if len(p.line) > 0 {
			p.line[0] <- handed{err: err}
			p.line = slices.Delete(p.line, 0, 1)
		} else {
			p.failed = p.r.cfg.Clock()
			p.r.log.Warn("environment not kept warm", "function", p.key.function, "version", p.key.version, "error", err)
		}
		p.grow()
		p.mu.Unlock()
		return
	}
	p.all[e] = struct{}{}
	p.mu.Unlock()
	go func() {
		<-e.gone()
		p.drop(e)
	}()
	if !p.next(e) {
		e.rest()
	}
}

// give takes an environment back that may serve again.
func (p *pool) give(e *environment) {
	if !p.next(e) {
		e.rest()
	}
}

// next hands e to the first in line, or puts it with the idle ones.
func (p *pool) next(e *environment) (handedOver bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, here := p.all[e]; !here {
		return true
	}
	if len(p.line) > 0 {
		p.line[0] <- handed{e: e}
		p.line = slices.Delete(p.line, 0, 1)
		return true
	}
	e.idleSince = p.r.cfg.Clock()
	p.idle = append(p.idle, e)
	return false
}

// drop ends an environment and makes room for the next.
func (p *pool) drop(e *environment) {
	p.mu.Lock()
	_, here := p.all[e]
	delete(p.all, e)
	if i := slices.Index(p.idle, e); i >= 0 {
		p.idle = slices.Delete(p.idle, i, i+1)
	}
	if here {
		p.grow()
	}
	p.mu.Unlock()
	if here {
		e.end()
	}
}

// restAfter is how long code that does not start is left alone where no call
// wants it.
const restAfter = time.Minute

// sweep ends what has been idle too long, starts what is to be kept warm, and
// reports whether the pool can go.
func (p *pool) sweep(now time.Time) (empty bool) {
	limit := time.Duration(p.version.Spec.Concurrency.Idle) * time.Second
	var old []*environment
	p.mu.Lock()
	spare := len(p.all) - p.warm
	for _, e := range p.idle {
		if spare > 0 && now.Sub(e.idleSince) >= limit {
			old = append(old, e)
			spare--
		}
	}
	for !p.retired && len(p.all)+p.starting < p.warm && now.Sub(p.failed) > restAfter {
		p.starting++
		go p.start()
	}
	empty = len(p.all) == 0 && p.starting == 0 && len(p.line) == 0 && p.warm == 0
	p.mu.Unlock()
	for _, e := range old {
		p.drop(e)
	}
	return empty
}

func (p *pool) idleSince() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == 0 {
		return p.r.cfg.Clock()
	}
	return p.idle[0].idleSince
}

// evict ends the environment that has been idle longest, if there is one.
func (p *pool) evict() bool {
	p.mu.Lock()
	var e *environment
	if len(p.idle) > 0 {
		e = p.idle[0]
	}
	p.mu.Unlock()
	if e == nil {
		return false
	}
	p.drop(e)
	return true
}

// retire closes a pool that is empty.
func (p *pool) retire() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.retired = p.retired || len(p.all) == 0 && p.starting == 0 && len(p.line) == 0
	return p.retired
}

// stop ends every environment, busy ones too.
func (p *pool) stop() {
	p.mu.Lock()
	p.retired = true
	var all []*environment
	for e := range p.all {
		all = append(all, e)
	}
	for _, turn := range p.line {
		turn <- handed{err: fault.New(fault.Unavailable, "%s is being stopped; try again", p.key.function)}
	}
	p.line = nil
	p.mu.Unlock()
	for _, e := range all {
		p.drop(e)
	}
}

func (p *pool) status() []Environment {
	p.mu.Lock()
	all := make([]*environment, 0, len(p.all))
	for e := range p.all {
		all = append(all, e)
	}
	p.mu.Unlock()
	out := make([]Environment, 0, len(all))
	for _, e := range all {
		s := e.status()
		s.Function, s.Version, s.Tenant = p.key.function, p.key.version, p.key.tenant
		out = append(out, s)
	}
	return out
}
