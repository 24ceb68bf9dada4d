package gateway

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"redoubt.dev/redoubt/internal/function"
)

const (
	flowBatch  = 256
	flowPause  = 50 * time.Millisecond // records of this long are stored together
	flowRetry  = time.Second
	maxPending = 20000 // records held while the store does not take them
)

// flow brings records to the store in batches. Each is in the journal until it
// is stored.
type flow struct {
	store   Records
	journal *journal
	metrics *metrics
	log     *slog.Logger
	bell    chan struct{}

	mu      sync.Mutex
	pending []function.Invocation
	waiting []chan struct{} // closed when all of pending is stored
	busy    int             // of pending, being stored
}

func newFlow(s Records, j *journal, m *metrics, log *slog.Logger) *flow {
	return &flow{store: s, journal: j, metrics: m, log: log, bell: make(chan struct{}, 1)}
}

// put takes a final record.
func (f *flow) put(inv function.Invocation) {
	if err := f.journal.note(&inv); err != nil {
		f.log.Warn("journal failed", "error", err)
	}
	f.mu.Lock()
	if len(f.pending) >= maxPending {
		lost := f.pending[f.busy]
		f.pending = append(f.pending[:f.busy], f.pending[f.busy+1:]...)
		f.metrics.lost.Inc()
		f.log.Error("record dropped", "id", lost.ID, "function", lost.Function)
	}
	f.pending = append(f.pending, inv)
	f.mu.Unlock()
	f.ring()
}

// keep takes a final record and returns once it is stored, or ctx ended.
func (f *flow) keep(ctx context.Context, inv function.Invocation) error {
	f.put(inv)
	done := make(chan struct{})
	f.mu.Lock()
	f.waiting = append(f.waiting, done)
	f.mu.Unlock()
	f.ring()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *flow) ring() {
	select {
	case f.bell <- struct{}{}:
	default:
	}
}

// run stores until ctx ends, then what is left.
func (f *flow) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			for f.batch(last) {
			}
			return
		case <-f.bell:
		}
		for f.batch(ctx) {
		}
		select {
		case <-ctx.Done():
		case <-time.After(flowPause):
		}
	}
}

// batch stores one batch and reports whether there may be more.
func (f *flow) batch(ctx context.Context) bool {
	f.mu.Lock()
	f.busy = min(len(f.pending), flowBatch)
	all := f.pending[:f.busy:f.busy]
	waiting := f.waiting
	if f.busy == len(f.pending) {
		f.waiting = nil
	} else {
		waiting = nil
	}
	f.mu.Unlock()
	if len(all) > 0 {
		if err := f.store.AddInvocations(ctx, all); err != nil {
			f.log.Warn("records not stored", "count", len(all), "error", err)
			f.mu.Lock()
			f.busy = 0
			f.waiting = append(waiting, f.waiting...)
			f.mu.Unlock()
			select {
			case <-ctx.Done():
			case <-time.After(flowRetry):
				f.ring()
			}
			return false
		}
		if err := f.journal.stored(all); err != nil {
			f.log.Warn("journal failed", "error", err)
		}
		f.mu.Lock()
		f.pending = append([]function.Invocation(nil), f.pending[len(all):]...)
		f.busy = 0
		f.mu.Unlock()
	}
	for _, w := range waiting {
		close(w)
	}
	return len(all) == flowBatch
}
