package runner

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"redoubt.dev/redoubt/internal/bundle"
	"redoubt.dev/redoubt/internal/egress"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/lambda"
	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/sandbox"
)

const (
	maxEnvironments = 256  // on one node, whatever functions allow together
	maxWaiting      = 1000 // calls in line for one pool
	freezeAfter     = 50 * time.Millisecond
	sweepEvery      = 2 * time.Second
	initLimit       = 10 * time.Second // as on Lambda
	region          = "local"
)

// Config is what a runner is made of. Host, Bundles and Dir are needed.
type Config struct {
	Host    *sandbox.Host
	Bundles *bundle.Store
	Dir     string // for what is mounted into sandboxes: runtime clients, secrets
	Stems   int    // pre-started runtimes of each kind that is in use; 0 starts none

	// Live names the functions and versions that callers are sent to: those are
	// kept as warm as they say without a first call, and others no longer are.
	// Run asks again and again. Nil keeps warm whatever was called.
	Live func(ctx context.Context) iter.Seq2[string, *function.Version]
	// Judge is asked about everything code does, granted or not, and may
	// refuse what the role grants; it cannot grant. Nil judges nothing.
	Judge func(Deed) redoubt.Verdict
	// Secret returns the value of a secret. Nil knows none.
	Secret func(ctx context.Context, name string) ([]byte, error)
	// Internal answers what code asks of Redoubt itself: other functions,
	// buckets, queues. The caller is who it is by where it asks, so signatures
	// are not looked at. Nil offers nothing.
	Internal  func(Caller) http.Handler
	Authority *egress.CA            // for AWS names; nil refuses them
	Lines     func([]function.Line) // what code printed; nil drops it
	Log       *slog.Logger
	Clock     func() time.Time
}

// Deed is one thing code did or tried to do.
type Deed struct {
	Function   string
	Version    int
	Invocation string // empty outside of one
	Use        function.Use
	Args       []string // of a program
	Granted    bool     // by the role
}

// Caller is code that asks something of Redoubt itself.
type Caller struct {
	Function string
	Version  int
	Role     function.Role
	// Call is the invocation that asks and its trace; both empty outside one.
	Call func() (invocation, trace string)
	// Note adds to what the invocation touched and is judged like all else;
	// false means refused.
	Note func(function.Use) bool
}

// Runner is safe for concurrent use.
type Runner struct {
	cfg      Config
	log      *slog.Logger
	runtimes string // directory of runtime clients
	vault    string // directory of secrets, in memory
	ipv6     bool
	stems    *nursery
	total    atomic.Int64
	seq      atomic.Uint64

	merging sync.Mutex
	layers  map[string]bool // directories of merged layers that are there

	mu     sync.Mutex
	pools  map[poolKey]*pool
	closed bool
	none   *sync.Cond // total has come to nothing
}

// New makes a runner. Run keeps it in order; Close ends every environment.
func New(cfg Config) (*Runner, error) {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	r := &Runner{cfg: cfg, log: cfg.Log, pools: map[poolKey]*pool{}, runtimes: filepath.Join(cfg.Dir, "runtime"), layers: map[string]bool{}}
	r.none = sync.NewCond(&r.mu)
	if err := os.RemoveAll(r.runtimes); err != nil {
		return nil, fmt.Errorf("renew runtime clients: %w", err)
	}
	if err := os.MkdirAll(cfg.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("make directory of functions: %w", err)
	}
	if err := os.CopyFS(r.runtimes, lambda.Bootstrap()); err != nil {
		return nil, fmt.Errorf("write runtime clients: %w", err)
	}
	if err := r.writeAuthority(); err != nil {
		return nil, err
	}
	if err := r.openSecrets(); err != nil {
		return nil, err
	}
	_, err := os.Stat("/proc/net/if_inet6")
	r.ipv6 = err == nil
	r.stems = newNursery(r, cfg.Stems)
	return r, nil
}

// Gaps says in plain words what this node cannot enforce on functions.
func (r *Runner) Gaps() []string { return r.cfg.Host.Gaps() }

// Run freezes, ends and pre-starts environments until ctx ends.
func (r *Runner) Run(ctx context.Context) error {
	defer r.Close()
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		r.sweep(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (r *Runner) sweep(ctx context.Context) {
	r.follow(ctx)
	now := r.cfg.Clock()
	for _, p := range r.all() {
		if p.sweep(now) {
			r.forget(p)
		}
	}
	r.stems.fill()
}

// follow has pools for the versions that are to be warm, and lets those go
// cold that callers are no longer sent to.
func (r *Runner) follow(ctx context.Context) {
	if r.cfg.Live == nil {
		return
	}
	live := map[poolKey]bool{}
	for name, v := range r.cfg.Live(ctx) {
		if v.Spec.Concurrency.Warm == 0 || v.Spec.PerTenant {
			continue
		}
		p, err := r.pool(&Call{Ref: function.Ref{Name: name}, Version: v})
		if err != nil {
			return
		}
		live[p.key] = true
	}
	for _, p := range r.all() {
		p.follow(live[p.key])
	}
}

func (r *Runner) all() []*pool {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]*pool, 0, len(r.pools))
	for _, p := range r.pools {
		out = append(out, p)
	}
	return out
}

// forget drops an empty pool; a call that has just found it fails to get in
// and looks again.
func (r *Runner) forget(p *pool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.retire() {
		delete(r.pools, p.key)
	}
}

// Close ends every environment and returns when none is left. It may be called
// once more.
func (r *Runner) Close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	var wg sync.WaitGroup
	for _, p := range r.all() {
		wg.Go(p.stop)
	}
	wg.Wait()
	r.stems.close()
	r.mu.Lock()
	for r.total.Load() != 0 { // those that were being ended already
		r.none.Wait()
	}
	r.mu.Unlock()
	return r.closeSecrets()
}

// leave gives an environment's place on this node back.
func (r *Runner) leave() {
	if r.total.Add(-1) == 0 {
		r.mu.Lock()
		r.none.Broadcast()
		r.mu.Unlock()
	}
}

// Stop ends every environment of a function; calls in them end as crashed.
func (r *Runner) Stop(name string) {
	for _, p := range r.all() {
		if p.key.function == name {
			p.stop()
			r.forget(p)
		}
	}
}

// pool returns the pool of a version and tenant.
func (r *Runner) pool(c *Call) (*pool, error) {
	key := poolKey{function: c.Ref.Name, version: c.Version.Number}
	if c.Version.Spec.PerTenant {
		key.tenant = c.Tenant
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, fault.New(fault.Unavailable, "functions are being stopped; try again")
	}
	p, ok := r.pools[key]
	if !ok {
		p = newPool(r, key, c.Version)
		r.pools[key] = p
	}
	return p, nil
}

// room makes place for one more environment on this node, at the cost of one
// that has been idle elsewhere.
func (r *Runner) room() error {
	for {
		n := r.total.Load()
		if n < maxEnvironments {
			if r.total.CompareAndSwap(n, n+1) {
				return nil
			}
			continue
		}
		pools := r.all()
		slices.SortFunc(pools, func(a, b *pool) int { return a.idleSince().Compare(b.idleSince()) })
		if !slices.ContainsFunc(pools, (*pool).evict) {
			return fault.New(fault.Limited, "this node already runs %d environments and none is idle; try again", maxEnvironments)
		}
	}
}

// Environment is one environment as people see it.
type Environment struct {
	Function string    `json:"function"`
	Version  int       `json:"version"`
	Tenant   string    `json:"tenant,omitempty"`
	State    string    `json:"state"` // busy, idle, frozen or ended
	PID      int       `json:"pid"`
	Since    time.Time `json:"since"`
	Calls    int       `json:"calls"`
	Memory   int64     `json:"memory"`          // bytes
	Group    uint64    `json:"group,omitempty"` // the kernel's number of its control group, by which sensors know it
}

// Status lists the environments of a function, or of all where name is empty.
func (r *Runner) Status(name string) []Environment {
	var out []Environment
	for _, p := range r.all() {
		if name == "" || p.key.function == name {
			out = append(out, p.status()...)
		}
	}
	return out
}

var errRetired = errors.New("pool retired")
