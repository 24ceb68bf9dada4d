package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oklog/run"
	"github.com/prometheus/client_golang/prometheus"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/gateway/bucket"
	"redoubt.dev/redoubt/internal/iam"
	"redoubt.dev/redoubt/internal/route"
	"redoubt.dev/redoubt/internal/waf"
)

// The limits of what comes in. Those of AWS where it has one.
const (
	maxBody      = 6 << 20 // of a call that is waited for
	maxAsyncBody = 1 << 20 // of one that is not
	maxAnswer    = 6 << 20
	maxDepth     = 16 // calls that led to a call
	bodyTime     = 30 * time.Second
	queueTime    = 10 * time.Second // for an environment to be had
)

// Config is what a gateway is made of. Functions to
// Queues and Dir are needed.
type Config struct {
	Functions   Functions
	Invoker     Invoker
	IAM         *iam.Service
	Access      Authorizer
	Records     Records
	Queues      Queues
	Routes      Routes     // nil has those of functions alone
	Stage       string     // of the routes served; route.Live
	Firewall    waf.Engine // nil lets everything pass
	Model       Model      // nil finds everything normal
	Dir         string     // journal and buckets
	SignOnce    bool       // an AWS signature works once; SDKs that do not sign anew at a retry then fail
	Limits      Limits
	Counts      route.CountStore // for quotas; nil keeps none
	BucketQuota int64            // bytes of one bucket; 20 GiB
	Backoff     time.Duration    // before the first retry of an asynchronous call; 10 s
	Metrics     prometheus.Registerer
	AccessLog   *slog.Logger // a line for each request; nil writes none
	Log         *slog.Logger
	Clock       func() time.Time
}

// Gateway is safe for concurrent use.
type Gateway struct {
	cfg       Config
	log       *slog.Logger
	metrics   *metrics
	limits    *limiter
	room      *room
	journal   *journal
	flow      *flow
	under     sync.Map // invocation ID → *call, while it runs
	active    atomic.Int64
	drained   chan struct{} // closed once draining and nothing runs
	closing   atomic.Bool
	once      sync.Once
	work      context.Context // of what outlives the sources' own; ends after draining
	stop      context.CancelFunc
	busy      occupancy     // asynchronous calls
	fresh     chan struct{} // asks the triggers to be read again
	wake      *bell         // rung when an asynchronous call was accepted
	heard     *bell         // rung when something was sent to a queue
	transport *http.Transport
	wired     atomic.Pointer[wiring]
	routes    route.Router
	buckets   *bucket.Store
}

// New makes a gateway and records what a predecessor that was killed left
// unfinished. Run works the queues and triggers; ServeHTTP is the front.
func New(ctx context.Context, cfg Config) (*Gateway, error) {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.AccessLog == nil {
		cfg.AccessLog = slog.New(slog.DiscardHandler)
	}
	if cfg.Backoff <= 0 {
		cfg.Backoff = 10 * time.Second
	}
	g := &Gateway{cfg: cfg, log: cfg.Log, drained: make(chan struct{}), fresh: make(chan struct{}, 1), wake: newBell(), heard: newBell(), transport: newTransport()}
	g.metrics = newMetrics(cfg.Metrics, g)
	g.limits = newLimiter(cfg.Limits, cfg.Counts, cfg.Clock)
	g.room = &room{most: mostHeld}
	j, left, err := openJournal(filepath.Join(cfg.Dir, "journal"))
	if err != nil {
		return nil, err
	}
	g.journal = j
	g.flow = newFlow(cfg.Records, j, g.metrics, g.log)
	for _, inv := range left {
		if inv.Outcome == "" {
			inv.Outcome, inv.Error = function.Abandoned, "the gateway ended while the call was under way"
		}
		g.flow.put(inv)
	}
	if err := cfg.Queues.Release(ctx, asyncPrefix); err != nil {
		return nil, err
	}
	if g.buckets, err = bucket.Open(filepath.Join(cfg.Dir, "buckets"), cfg.BucketQuota); err != nil {
		return nil, err
	}
	g.wired.Store(&wiring{})
	g.work, g.stop = context.WithCancel(context.Background())
	return g, g.rewire(ctx)
}

// Run works queues, schedules and other triggers until ctx ends, then drains:
// calls under way get drainTime to end. It returns when every record is stored.
func (g *Gateway) Run(ctx context.Context) error {
	stored, end := context.WithCancel(context.Background())
	defer end()
	var flow sync.WaitGroup
	flow.Go(func() { g.flow.run(stored) })

	var group run.Group
	for _, part := range []func(context.Context) error{g.watch, g.dispatch, g.poll, g.count} {
		inner, cancel := context.WithCancel(ctx)
		group.Add(func() error { return part(inner) }, func(error) { cancel() })
	}
	err := group.Run()
	g.Drain(drainTime)
	g.stop()
	g.busy.wait()
	end()
	flow.Wait()
	return errors.Join(err, g.journal.close())
}

const drainTime = 30 * time.Second

// Drain refuses new calls and waits for those under way, at most for limit.
func (g *Gateway) Drain(limit time.Duration) {
	g.closing.Store(true)
	g.settle()
	select {
	case <-g.drained:
	case <-time.After(limit):
		g.under.Range(func(_, c any) bool {
			c.(*call).cancel()
			return true
		})
		select {
		case <-g.drained:
		case <-time.After(time.Second):
		}
	}
}

// settle closes drained when the last call of a closing gateway has ended.
func (g *Gateway) settle() {
	if g.closing.Load() && g.active.Load() == 0 {
		g.once.Do(func() { close(g.drained) })
	}
}

// Refresh has the triggers read again, after functions changed.
func (g *Gateway) Refresh() {
	select {
	case g.fresh <- struct{}{}:
	default:
	}
}

var errClosing = fault.New(fault.Unavailable, "the gateway is stopping; try again")

var _ http.Handler = (*Gateway)(nil)
