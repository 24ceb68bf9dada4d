package gateway

import (
	"context"
	"strconv"
	"time"

	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/lambda/event"
)

// poll hands what waits in queues to the functions that have a trigger for
// them, until ctx ends.
func (g *Gateway) poll(ctx context.Context) error {
	tick := time.NewTicker(idlePoll)
	defer tick.Stop()
	for {
		for _, w := range g.wired.Load().queues {
			if err := g.batches(ctx, w); err != nil && ctx.Err() == nil {
				g.log.Warn("queue not read", "queue", w.trigger.Queue, "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-g.heard.c:
		case <-tick.C:
		}
	}
}

const batchesAtOnce = 5 // of one trigger

// batches takes as many batches up as may run at once.
func (g *Gateway) batches(ctx context.Context, w wire[function.QueueTrigger]) error {
	key := "~batch/" + w.function + "/" + w.trigger.Queue
	for g.busy.of(key) < batchesAtOnce {
		size := w.trigger.Batch
		if size <= 0 {
			size = maxBatch
		}
		all, err := g.cfg.Queues.Receive(ctx, w.trigger.Queue, size, g.cfg.Clock(), asyncLease)
		if err != nil || len(all) == 0 {
			return err
		}
		g.busy.add(key, func() {
			g.batch(g.work, w, all)
			g.heard.ring()
		})
	}
	return nil
}

// batch runs a function over messages and settles each: gone where it was
// done, back where it was not, to the function's dead letters where it was
// tried often enough.
func (g *Gateway) batch(ctx context.Context, w wire[function.QueueTrigger], all []function.Message) {
	c := g.event("queue", "service/queue/"+w.trigger.Queue, w.function, w.name)
	for _, m := range all {
		c.rec.Attempt = max(c.rec.Attempt, m.Attempts)
		if depth, _ := strconv.Atoi(m.Attributes["depth"]); depth > c.trace.depth {
			c.trace.depth = depth
			c.rec.Parent = m.Attributes["parent"]
		}
	}
	c.payload = queueEvent(w.trigger.Queue, all)
	err := g.admit(ctx, c)
	if err == nil {
		err = g.invoke(ctx, c)
	}
	failed := map[string]bool{}
	var body []byte
	if err == nil {
		body, err = c.whole()
	}
	if err == nil && c.result.Outcome == function.Succeeded {
		failed = partial(body, all)
	} else {
		for _, m := range all {
			failed[m.ID] = true
		}
	}
	for i := range all {
		if m := &all[i]; failed[m.ID] {
			g.unsettled(ctx, c, m)
		} else if _, err := g.cfg.Queues.Delete(ctx, m.Queue, m.ID); err != nil {
			g.log.Warn("message not removed", "queue", m.Queue, "id", m.ID, "error", err)
		}
	}
	g.finish(c, 0, err)
}

// partial reads which messages a function could not do.
func partial(answer []byte, all []function.Message) map[string]bool {
	batch := make([]string, len(all))
	for i, m := range all {
		batch[i] = m.ID
	}
	ids, every := event.Failures(answer, batch)
	if every {
		ids = batch
	}
	failed := map[string]bool{}
	for _, id := range ids {
		failed[id] = true
	}
	return failed
}

// unsettled puts a message back, or gives it up.
func (g *Gateway) unsettled(ctx context.Context, c *call, m *function.Message) {
	now := g.cfg.Clock()
	reached := c.result != nil && !g.closing.Load()
	if c.version != nil && reached && c.version.Spec.Async.DeadLetter != "" && m.Attempts > max(0, c.version.Spec.Async.Retries) ||
		!m.Expires.IsZero() && now.After(m.Expires) {
		g.metrics.dead.Inc()
		if err := g.deadLetter(ctx, c, m); err != nil {
			g.log.Warn("dead letter not delivered", "queue", m.Queue, "id", m.ID, "error", err)
		} else if _, err := g.cfg.Queues.Delete(ctx, m.Queue, m.ID); err == nil {
			return
		}
	}
	m.Due = now.Add(g.backoff(min(m.Attempts, 6)))
	if !reached {
		m.Attempts--
		m.Due = now.Add(time.Second)
	}
	if err := g.cfg.Queues.Keep(ctx, m); err != nil {
		g.log.Warn("message not put back; its lease brings it back", "queue", m.Queue, "id", m.ID, "error", err)
	}
}
