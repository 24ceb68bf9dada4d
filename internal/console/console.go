package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"redoubt.dev/redoubt/internal/audit"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/identity"
	"redoubt.dev/redoubt/internal/link"
	"redoubt.dev/redoubt/internal/redoubt"
)

var _ link.Console = (*Console)(nil)

// system is the actor of what the console does by itself.
const system = identity.System

var errStopped = fault.New(fault.Unavailable, "the console is stopping")

// Config is what a console is made of. Store, Identity, Audit and UI are
// needed; the rest has the defaults given.
type Config struct {
	Store    Store
	Identity *identity.Identity
	Audit    *audit.Trail
	UI       fs.FS                // built web UI with index.html at its top
	Logger   *slog.Logger         // nil discards
	Clock    func() time.Time     // nil is time.Now
	Registry *prometheus.Registry // nil is a new one
	Version  string

	// Join makes of a one-time secret the token that a new node needs, with
	// an id of its own and what pins this console, and the command to paste
	// there. Without it there are no join tokens.
	Join func(secret string) (token, command string)
	// Forgotten hears of a node that was deleted, to end its connection.
	Forgotten func(redoubt.NodeID)

	// Serverless is what functions are made of; nil where there are none.
	Serverless *Serverless

	Keep      time.Duration // how long events stay; 0 is 30 days
	MaxEvents int64         // and how many at most; 0 is 5,000,000
}

// Console is the role. Its methods are safe for concurrent use.
//
//	defenders ──Push──► change ──► Store (one transaction)
//	              ▲        │
//	people ──HTTP─┘        ├─► model ──Watch──► defenders
//	                       └─► hub ──SSE──► people
type Console struct {
	store    Store
	identity *identity.Identity
	audit    *audit.Trail
	log      *slog.Logger
	clock    func() time.Time
	version  string

	joinText  func(secret string) (token, command string)
	forgotten func(redoubt.NodeID)
	keep      time.Duration
	maxEvents int64

	writing  sync.Mutex // held from the start of a change to its end
	model    *model
	watchers watchers
	hub      hub
	logins   limiter
	audited  auditCache
	previews chan struct{} // a place for each that may run at once

	serverless *Serverless
	lastCalls  lastCalls
	uploads    chan struct{} // as previews

	metrics    *metrics
	exposition http.Handler
	handler    http.Handler
	stopped    chan struct{}
	stop       sync.Once
}

// New reads the record and makes a console of it. It does not close what is
// in cfg.
func New(cfg Config) (*Console, error) {
	if cfg.Store == nil || cfg.Identity == nil || cfg.Audit == nil || cfg.UI == nil {
		return nil, errors.New("make console: store, identity, audit and UI are needed")
	}
	c := &Console{
		store: cfg.Store, identity: cfg.Identity, audit: cfg.Audit, log: cfg.Logger, clock: cfg.Clock, version: cfg.Version,
		joinText: cfg.Join, forgotten: cfg.Forgotten, keep: cfg.Keep, maxEvents: cfg.MaxEvents,
		watchers: watchers{all: map[*watcher]redoubt.NodeID{}},
		hub:      hub{readers: map[*reader]struct{}{}},
		logins:   limiter{buckets: map[string]bucket{}},
		previews: make(chan struct{}, 2),

		serverless: cfg.Serverless,
		uploads:    make(chan struct{}, 4),

		stopped: make(chan struct{}),
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.clock == nil {
		c.clock = time.Now
	}
	if c.keep <= 0 {
		c.keep = 30 * 24 * time.Hour
	}
	if c.maxEvents <= 0 {
		c.maxEvents = 5_000_000
	}
	if cfg.Registry == nil {
		cfg.Registry = prometheus.NewRegistry()
	}
	ctx := context.Background()
	var err error
	if c.model, err = load(ctx, c.store, c.clock()); err != nil {
		return nil, err
	}
	for id, n := range c.model.nodes {
		a, err := c.silenceAlert(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("read alerts of node %s: %w", id, err)
		}
		n.quiet = a != nil
	}
	c.metrics = newMetrics(cfg.Registry)
	cfg.Registry.MustRegister(newCensus(c))
	c.exposition = exposition(cfg.Registry)
	if c.handler, err = c.serve(cfg.UI); err != nil {
		return nil, err
	}
	return c, nil
}

// Handler answers the API, the metrics and the web UI. It is meant for HTTPS
// and nothing else: the session cookie travels over nothing else.
func (c *Console) Handler() http.Handler { return c.handler }

func (c *Console) serve(ui fs.FS) (http.Handler, error) {
	all, err := readPages(ui)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	api := newAPI(mux, c.version)
	api.UseMiddleware(c.authenticate(api))
	c.routes(api)
	document, err := json.Marshal(api.OpenAPI())
	if err != nil {
		return nil, fmt.Errorf("write API document: %w", err)
	}
	mux.HandleFunc("GET /api/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Write(document)
	})
	mux.Handle("/", all)
	return c.tracked(guarded(compressed(mux))), nil
}

// Run does what is due by the clock until ctx ends: it looks for silent nodes,
// ends learning that is done and prunes the record. What fails is logged and
// tried again.
func (c *Console) Run(ctx context.Context) error {
	defer c.stop.Do(func() { close(c.stopped) })
	nodes, learning, pruning := time.NewTicker(patrol), time.NewTicker(30*time.Second), time.NewTicker(10*time.Minute)
	defer nodes.Stop()
	defer learning.Stop()
	defer pruning.Stop()
	c.try(ctx, "prune record", c.prune)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-nodes.C:
			c.try(ctx, "look for silent nodes", c.patrolNodes)
		case <-learning.C:
			c.try(ctx, "end learning", c.promote)
		case <-pruning.C:
			c.try(ctx, "prune record", c.prune)
			c.try(ctx, "prune calls", c.pruneCalls)
			c.try(ctx, "sweep unused code", c.sweepBundles)
		}
	}
}

func (c *Console) try(ctx context.Context, what string, do func(context.Context) error) {
	if err := do(ctx); err != nil && ctx.Err() == nil {
		c.log.Error("console task failed", "task", what, "error", err)
	}
}

// prune bounds the record and the model.
func (c *Console) prune(ctx context.Context) error {
	before := c.clock().Add(-c.keep)
	if err := c.identity.Tidy(ctx); err != nil {
		return err
	}
	gone, err := c.store.Prune(ctx, before, c.maxEvents)
	c.metrics.pruned.Add(float64(gone))
	if err != nil {
		return err
	}
	c.writing.Lock()
	c.model.forget(before)
	c.writing.Unlock()
	size, err := c.store.Size(ctx)
	if err == nil {
		c.metrics.size.Store(size)
	}
	return err
}
