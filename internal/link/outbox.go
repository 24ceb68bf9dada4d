package link

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/link/spool"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

// OutboxConfig is what an Outbox needs.
type OutboxConfig struct {
	Spool   *spool.Spool
	Console Console
	Node    redoubt.NodeID
	Log     *slog.Logger
	Delay   time.Duration // how long an event may wait for company; 0 is 100 ms
}

// Outbox carries what a defender has to say to its console:
//
//	Add ─► pending (memory, ≤ Delay) ─► spool (disk) ─► Console.Push ─► spool.Ack
//
// What reached the spool outlives this process; a kill takes at most the last
// Delay of events. A record leaves the spool only when Push succeeded, or when
// the spool is full or the console calls the batch malformed, which is counted,
// logged and told to the console as an event of kind loss. Status and workloads
// are not spooled: of them only the newest matters. Safe for concurrent use.
type Outbox struct {
	cfg     OutboxConfig
	written chan struct{} // something is in the spool, or newest has news

	mu      sync.Mutex
	pending Batch
	bytes   int         // of pending events, about
	timer   *time.Timer // flushes pending
	lost    int         // events lost and not yet told
	newest  Batch       // workloads and status to send with the next record

	refused uint64 // events in batches the console called malformed
}

// OutboxStats says what waits and what was lost since the start.
type OutboxStats struct {
	Waiting int    // events
	Dropped uint64 // events
	Damaged uint64 // bytes of the spool that could not be read back
	Bytes   int64  // on disk
	Error   string // why the disk refuses writes, empty when it does not
}

// NewOutbox makes an Outbox; Run delivers.
func NewOutbox(cfg OutboxConfig) *Outbox {
	if cfg.Delay == 0 {
		cfg.Delay = 100 * time.Millisecond
	}
	o := &Outbox{cfg: cfg, written: make(chan struct{}, 1)}
	o.timer = time.AfterFunc(time.Hour, o.flushLogged)
	o.timer.Stop()
	return o
}

// Add takes an event. It does not wait for the console, at most for one write
// to disk. An event larger than the link takes loses its arguments.
func (o *Outbox) Add(e redoubt.Event) {
	size := sizeOf(&e)
	if size > maxEvent/4 {
		e = clip(e)
		size = sizeOf(&e)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pending.Events = append(o.pending.Events, e)
	o.bytes += size
	o.added(len(o.pending.Events) == 1)
}

// AddDeltas takes profile growth.
func (o *Outbox) AddDeltas(d ...profile.Delta) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pending.Deltas = append(o.pending.Deltas, d...)
	o.added(true)
}

// added writes a full batch at once and arms the timer for a begun one.
func (o *Outbox) added(first bool) {
	switch {
	case len(o.pending.Events) >= maxEvents/4 || o.bytes >= fullBatch/4 || len(o.pending.Deltas) >= 256:
		o.flush()
	case first:
		o.timer.Reset(o.cfg.Delay)
	}
}

// SetWorkloads announces all instances as they are now.
func (o *Outbox) SetWorkloads(w []redoubt.Workload) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.newest.Workloads = w
	o.wake()
}

// SetStatus reports the node's state of now.
func (o *Outbox) SetStatus(s redoubt.NodeStatus) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.newest.Status = &s
	o.wake()
}

func (o *Outbox) wake() {
	select {
	case o.written <- struct{}{}:
	default:
	}
}

// Flush moves what is pending to the spool, as before the process ends.
func (o *Outbox) Flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.flush()
}

func (o *Outbox) flushLogged() { o.Flush() }

func (o *Outbox) flush() {
	o.lost += o.cfg.Spool.TakeDropped()
	if o.lost > 0 {
		o.pending.Events = append(o.pending.Events, o.lossEvent())
	}
	if len(o.pending.Events)+len(o.pending.Deltas) == 0 {
		return
	}
	err := o.store(&o.pending)
	if err != nil {
		o.cfg.Log.Warn("spool write failed", "events", len(o.pending.Events), "error", err)
	} else {
		o.lost = 0
	}
	o.pending, o.bytes = Batch{}, 0
	o.wake()
}

func (o *Outbox) lossEvent() redoubt.Event {
	return redoubt.Event{
		Time: time.Now(), Node: o.cfg.Node, Kind: redoubt.EventLoss, Count: o.lost,
		Workload: redoubt.WorkloadRef{ID: redoubt.WorkloadID("host/" + string(o.cfg.Node)), Kind: redoubt.KindHost, Name: string(o.cfg.Node)},
		Note:     fmt.Sprintf("%d events were dropped: the node's spool was full or its disk refused writes", o.lost),
	}
}

// store puts b into the spool as one record, or as several where it is large.
func (o *Outbox) store(b *Batch) error {
	raw, err := encodeBytes(b)
	if err != nil {
		return err
	}
	if len(raw) <= fullBatch && len(b.Events) <= maxEvents {
		_, err := o.cfg.Spool.Append(seen(b), raw)
		return err
	}
	e, d := len(b.Events), len(b.Deltas)
	switch {
	case e > 0 && d > 0:
		return errors.Join(o.store(&Batch{Events: b.Events}), o.store(&Batch{Deltas: b.Deltas}))
	case e > 1:
		return errors.Join(o.store(&Batch{Events: b.Events[:e/2]}), o.store(&Batch{Events: b.Events[e/2:]}))
	case d > 1:
		return errors.Join(o.store(&Batch{Deltas: b.Deltas[:d/2]}), o.store(&Batch{Deltas: b.Deltas[d/2:]}))
	}
	o.lost += e
	return fmt.Errorf("one record has %d bytes, at most %d fit", len(raw), fullBatch)
}

// seen counts b's events without those that only tell of a loss.
func seen(b *Batch) (n int) {
	for i := range b.Events {
		if b.Events[i].Kind != redoubt.EventLoss {
			n++
		}
	}
	return n
}

// Stats returns the state of now.
func (o *Outbox) Stats() OutboxStats {
	s := o.cfg.Spool.Stats()
	o.mu.Lock()
	defer o.mu.Unlock()
	return OutboxStats{
		Waiting: s.Events + len(o.pending.Events), Dropped: s.Dropped + o.refused, Damaged: s.Damaged, Bytes: s.Bytes, Error: s.Error,
	}
}

// Run delivers, oldest first, until ctx ends. A console that cannot be reached
// is tried again with growing pauses, for ever; its going and coming back are
// logged once each.
func (o *Outbox) Run(ctx context.Context) error {
	defer o.Flush()
	var pause backoff
	var since time.Time // delivery has failed
	for {
		b, ok := o.next()
		if !ok {
			select {
			case <-o.written:
				continue
			case <-ctx.Done():
				return nil
			}
		}
		for {
			err := o.cfg.Console.Push(ctx, b)
			if ctx.Err() != nil {
				return nil
			}
			if fault.Is(err, fault.Invalid) {
				o.refuse(b, err)
				break
			}
			if err == nil {
				break
			}
			if since.IsZero() {
				since = time.Now()
				o.cfg.Log.Warn("delivery to console failed, spooling", "error", err)
			}
			if !pause.wait(ctx) {
				return nil
			}
		}
		if !since.IsZero() {
			o.cfg.Log.Info("delivery to console resumed", "away", time.Since(since).Round(time.Second), "waiting", o.Stats().Waiting)
			since = time.Time{}
		}
		pause.reset()
		if err := o.cfg.Spool.Ack(b.Seq); err != nil {
			o.cfg.Log.Warn("spool write failed", "error", err) // the console recognises what comes twice
		}
	}
}

// next returns the oldest batch, with the newest workloads and status if it is
// a record of this process: the console may have taken an older one already
// and would pass over what comes with it. Where only these are to be told, an
// empty record gives them a number.
func (o *Outbox) next() (*Batch, bool) {
	for {
		r, ok := o.cfg.Spool.Head()
		o.mu.Lock()
		news := o.newest.Workloads != nil || o.newest.Status != nil
		o.mu.Unlock()
		if !ok && !news {
			return nil, false
		}
		if !ok {
			if _, err := o.cfg.Spool.Append(0, nil); err != nil {
				return nil, false
			}
			continue
		}
		b, err := decodeBytes(r.Payload)
		if err != nil {
			o.refuse(&Batch{Seq: r.Seq, Events: make([]redoubt.Event, r.Count)}, err)
			if err := o.cfg.Spool.Ack(r.Seq); err != nil {
				o.cfg.Log.Warn("spool write failed", "error", err)
			}
			continue
		}
		b.Node, b.Seq = o.cfg.Node, r.Seq
		if r.Seq >= o.cfg.Spool.First() {
			o.mu.Lock()
			b.Workloads, b.Status = o.newest.Workloads, o.newest.Status
			o.newest = Batch{}
			o.mu.Unlock()
		}
		return b, true
	}
}

// refuse counts a batch that will never be taken.
func (o *Outbox) refuse(b *Batch, err error) {
	o.cfg.Log.Error("batch dropped", "seq", b.Seq, "events", len(b.Events), "error", err)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.refused += uint64(seen(b))
	for i := range b.Events {
		if b.Events[i].Kind == redoubt.EventLoss {
			o.lost += b.Events[i].Count // still untold
		} else {
			o.lost++
		}
	}
}

// sizeOf is about what e expands to.
func sizeOf(e *redoubt.Event) int {
	n := 200 + len(e.Note)
	for p, depth := e.Process, 0; p != nil && depth < maxDepth; p, depth = p.Parent, depth+1 {
		n += len(p.Path) + len(p.Cwd) + 16*len(p.Args)
		for _, a := range p.Args {
			n += len(a)
		}
	}
	return n
}

// clip returns e without the arguments of its processes and with a short note.
func clip(e redoubt.Event) redoubt.Event {
	e.Note = e.Note[:min(len(e.Note), 4<<10)]
	for at, depth := &e.Process, 0; *at != nil && depth < maxDepth; at, depth = &(*at).Parent, depth+1 {
		p := **at
		p.Args, p.Truncated = nil, true
		p.Path, p.Cwd = p.Path[:min(len(p.Path), 4<<10)], p.Cwd[:min(len(p.Cwd), 4<<10)]
		*at = &p
	}
	return e
}
