package defender

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/oklog/run"

	"redoubt.dev/redoubt/internal/fileid"
	"redoubt.dev/redoubt/internal/link"
	"redoubt.dev/redoubt/internal/link/spool"
	"redoubt.dev/redoubt/internal/policy"
	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/sensor"
	"redoubt.dev/redoubt/internal/workload"
)

// maxQueue bounds the sightings between the kernel's ring and the judge. When
// it is full the ring fills behind it, and what that cannot hold is counted as
// lost by the sensor.
const maxQueue = 1 << 15

// Stopper stops a container, for effect block.
type Stopper interface {
	Stop(ctx context.Context, instance string, grace time.Duration) error
}

// Config is what a Defender stands on. Everything in it outlives the Defender
// and is closed by whoever made it.
type Config struct {
	Node    redoubt.NodeID
	State   string // directory for the last desired state
	Version string
	Console link.Console
	Spool   *spool.Spool
	Sensor  *sensor.Sensor
	Gate    Gate // nil where this kernel has none
	Sources []workload.Source
	Stopper Stopper // nil where no engine can stop anything

	// FailClosed refuses a program whose content could not be read, where the
	// file gate is closed; otherwise its path alone decides.
	FailClosed bool

	Cgroups workload.Hierarchy
	Log     *slog.Logger
}

// Defender protects one node.
type Defender struct {
	cfg      Config
	log      *slog.Logger
	started  time.Time
	registry *workload.Registry
	outbox   *link.Outbox
	digests  *fileid.Digests
	queue    chan item
	status   statusMeter
	stopping sync.Map // containers the engine is stopping

	// Of the judging goroutine alone.
	processes *processes
	strangers map[uint64]bool
	parked    parking

	mu       sync.Mutex
	tenants  map[redoubt.WorkloadID][]*tenant
	homes    map[string]*tenant // by instance
	slots    sensor.Slot        // given out so far
	policies *policy.Set
	inForce  time.Time // since when policies and states are what they are
	desired  *link.Desired
	orders   map[string]link.Order // by instance
}

// item is one thing for the judge; exactly one field is set.
type item struct {
	sighting *sensor.Sighting
	change   *workload.Change
	refusal  *refusal
	settled  *settled
}

// New makes a Defender; Run starts it.
func New(cfg Config) *Defender {
	d := &Defender{
		cfg: cfg, log: cfg.Log, started: time.Now(),
		registry:  workload.NewRegistry(cfg.Cgroups.Path),
		digests:   fileid.NewDigests(),
		queue:     make(chan item, maxQueue),
		processes: newProcesses(),
		strangers: map[uint64]bool{},
		parked:    parking{waiting: map[uint64][]*sensor.Sighting{}},
		tenants:   map[redoubt.WorkloadID][]*tenant{},
		homes:     map[string]*tenant{},
		orders:    map[string]link.Order{},
	}
	d.outbox = link.NewOutbox(link.OutboxConfig{Spool: cfg.Spool, Console: cfg.Console, Node: cfg.Node, Log: cfg.Log})
	return d
}

// Run protects the node until ctx ends. The kernel's rules go with the Sensor,
// which its maker closes afterwards.
func (d *Defender) Run(ctx context.Context) error {
	if last, err := loadDesired(d.cfg.State); err != nil {
		d.log.Error("last desired state unreadable", "err", err)
	} else if last != nil {
		d.adopt(last)
	}
	if n := d.cfg.Spool.Stats().Damaged; n > 0 {
		d.log.Warn("event spool damaged, the rest of it is delivered", "bytes", n)
	}
	var g run.Group
	actor := func(name string, work func(ctx context.Context) error) {
		ctx, cancel := context.WithCancel(ctx)
		g.Add(func() error {
			err := work(ctx)
			if err != nil && !errors.Is(err, context.Canceled) {
				d.log.Error("part ended", "part", name, "err", err)
			}
			return err
		}, func(error) { cancel() })
	}
	actor("judge", d.judge)
	actor("sensor", func(ctx context.Context) error {
		return d.cfg.Sensor.Run(ctx, func(s *sensor.Sighting) {
			select {
			case d.queue <- item{sighting: s}:
			case <-ctx.Done():
			}
		})
	})
	for _, s := range d.cfg.Sources {
		actor("source "+s.Name(), func(ctx context.Context) error {
			return s.Run(ctx, func(c workload.Change) { d.changed(ctx, c) })
		})
	}
	actor("outbox", d.outbox.Run)
	actor("desired state", d.watch)
	actor("report", d.report)
	if d.cfg.Gate != nil {
		actor("file gate", d.runGate)
	}
	err := g.Run()
	d.outbox.Flush()
	return err
}

// changed takes in what a source says. The registry knows at once, so that the
// first sighting finds its owner; the judge follows in its own order.
func (d *Defender) changed(ctx context.Context, c workload.Change) {
	d.registry.Apply(c)
	if !c.Gone {
		d.welcome(&c.Workload)
		d.mu.Lock()
		d.prepare(&c.Workload)
		d.mu.Unlock()
	}
	select {
	case d.queue <- item{change: &c}:
	case <-ctx.Done():
	}
}
