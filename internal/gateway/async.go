package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/iam"
	"redoubt.dev/redoubt/internal/lambda/event"
	"redoubt.dev/redoubt/internal/model"
)

const (
	asyncPrefix = "~async/" // queues of calls; no person can name one so
	asyncLease  = 20 * time.Minute
	asyncAtOnce = 32 // calls of one function taken up at once
	maxBackoff  = 5 * time.Minute
	idlePoll    = time.Second
)

// enqueue accepts an admitted call whose caller does not wait. From here on it
// ends in exactly one record, whatever happens to this process.
func (g *Gateway) enqueue(ctx context.Context, c *call) error {
	if len(c.payload) > maxAsyncBody {
		return refuse(function.Refused, 413, "RequestTooLargeException", "the event is larger than %d bytes", maxAsyncBody)
	}
	c.rec.Async = true
	m := &function.Message{ID: c.rec.ID, Queue: asyncPrefix + c.rec.Function, Body: c.payload, Sent: c.rec.Time, Due: g.cfg.Clock(), Attributes: c.pack()}
	if age := c.version.Spec.Async.MaxAge; age > 0 {
		m.Expires = c.rec.Time.Add(time.Duration(age) * time.Second)
	}
	if err := g.cfg.Queues.Send(ctx, m); err != nil {
		return err
	}
	c.queued = true
	g.wake.ring()
	return nil
}

// pack writes what is needed to take c up again into a message's attributes.
func (c *call) pack() map[string]string {
	rec := c.rec
	rec.Uses = nil
	head, _ := json.Marshal(&rec)
	return map[string]string{"record": string(head), "qualifier": c.qualifier, "depth": strconv.Itoa(c.trace.depth), "context": c.context}
}

// unpack makes the call that stands in a message.
func (g *Gateway) unpack(m *function.Message) (*call, error) {
	c := g.begin("", "")
	if err := json.Unmarshal([]byte(m.Attributes["record"]), &c.rec); err != nil {
		return nil, fmt.Errorf("read asynchronous call %s: %w", m.ID, err)
	}
	c.rec.ID, c.rec.Async, c.rec.Attempt = m.ID, true, m.Attempts
	c.who = iam.Caller{Principal: c.rec.Caller, Tenant: c.rec.Tenant}
	c.qualifier, c.context, c.payload = m.Attributes["qualifier"], m.Attributes["context"], m.Body
	c.trace.root = c.rec.Trace
	c.trace.depth, _ = strconv.Atoi(m.Attributes["depth"])
	c.shape = model.Request{Time: c.rec.Time, Caller: c.rec.Caller, Version: c.rec.Version, Source: c.rec.Source, Route: c.rec.Route, Body: m.Body}
	return c, nil
}

// dispatch takes up asynchronous calls as they fall due, until ctx ends.
func (g *Gateway) dispatch(ctx context.Context) error {
	tick := time.NewTicker(idlePoll)
	defer tick.Stop()
	for {
		if err := g.takeUp(ctx); err != nil && ctx.Err() == nil {
			g.log.Warn("asynchronous calls not read", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-g.wake.c:
		case <-tick.C:
		}
	}
}

// takeUp starts what is due, as much of each function as may run at once.
func (g *Gateway) takeUp(ctx context.Context) error {
	states, err := g.cfg.Queues.States(ctx, asyncPrefix)
	if err != nil {
		return err
	}
	for _, s := range states {
		name := strings.TrimPrefix(s.Name, asyncPrefix)
		limit := asyncAtOnce
		if _, v, err := g.cfg.Functions.Resolve(ctx, function.Ref{Name: name}, 0); err == nil {
			limit = min(limit, max(1, v.Spec.Concurrency.Max))
		}
		room := limit - g.busy.of(name)
		if room <= 0 || s.Waiting == 0 {
			continue
		}
		due, err := g.cfg.Queues.Receive(ctx, s.Name, room, g.cfg.Clock(), asyncLease)
		if err != nil {
			return err
		}
		for i := range due {
			g.busy.add(name, func() {
				g.attempt(g.work, &due[i])
				g.wake.ring()
			})
		}
	}
	return nil
}

// attempt runs one asynchronous call and settles what becomes of it.
func (g *Gateway) attempt(ctx context.Context, m *function.Message) {
	c, err := g.unpack(m)
	if err != nil {
		g.log.Error("asynchronous call unreadable", "error", err)
		g.drop(ctx, m)
		return
	}
	defer func() { c.ended() }()
	if !m.Expires.IsZero() && g.cfg.Clock().After(m.Expires) {
		c.rec.Attempt--
		g.give(ctx, c, m, refuse(function.Abandoned, 0, "EventAgeExceeded", "it waited longer than %d seconds", c.maxAge(m)))
		return
	}
	why := g.again(ctx, c)
	retries := 2
	if c.version != nil {
		retries = max(0, c.version.Spec.Async.Retries)
	}
	switch o := g.outcome(c, why); {
	case o == function.Succeeded, o == function.Gone, o == function.Refused:
		g.give(ctx, c, m, why)
	case g.closing.Load() && o != function.Failed:
		g.later(ctx, c, m, 0, c.result == nil)
	case c.result == nil:
		g.later(ctx, c, m, g.backoff(1+m.Attempts/4), true)
	case m.Attempts > retries:
		g.give(ctx, c, m, why)
	default:
		g.metrics.retries.Inc()
		g.later(ctx, c, m, g.backoff(m.Attempts), false)
	}
}

// again takes a call that was admitted when it was accepted to its function.
func (g *Gateway) again(ctx context.Context, c *call) error {
	if err := g.resolve(ctx, c); err != nil {
		return err
	}
	if !g.lives(c.rec.Caller) {
		return refuse(function.Refused, 403, "AccessDeniedException", "%s, who made the call, is disabled or gone", c.rec.Caller)
	}
	if err := g.invoke(ctx, c); err != nil {
		return err
	}
	if s := c.result.Stream; s != nil {
		defer s.Close()
		return discard(s)
	}
	return nil
}

// lives says whether who made a call is still somebody. Event sources that
// code set off have no record of their own.
func (g *Gateway) lives(caller string) bool {
	if caller == iam.Anonymous {
		return true
	}
	p, err := g.cfg.IAM.Principal(caller)
	if err != nil {
		return strings.HasPrefix(caller, "service/")
	}
	return !p.Disabled
}

func (g *Gateway) outcome(c *call, why error) function.Outcome {
	if why != nil {
		return refused(why).outcome
	}
	return c.result.Outcome
}

func (c *call) maxAge(m *function.Message) int { return int(m.Expires.Sub(m.Sent).Seconds()) }

// later puts a call back. free attempts, which never reached the code, are not
// counted.
func (g *Gateway) later(ctx context.Context, c *call, m *function.Message, wait time.Duration, free bool) {
	if c.result != nil {
		c.rec.Billed += billed(c.result)
	}
	if free {
		m.Attempts--
	}
	c.rec.Verdicts = nil
	m.Due, m.Attributes = g.cfg.Clock().Add(wait), c.pack()
	if err := g.cfg.Queues.Keep(ctx, m); err != nil {
		g.log.Warn("asynchronous call not put back; its lease brings it back", "id", m.ID, "error", err)
	}
}

// give ends a call for good: dead letter where it failed, record, and only
// then out of the queue, so that a process that dies in between repeats the
// ending and not the code.
func (g *Gateway) give(ctx context.Context, c *call, m *function.Message, why error) {
	g.note(c, why)
	c.rec.Status = 0
	if o := c.rec.Outcome; o != function.Succeeded {
		g.metrics.dead.Inc()
		if err := g.deadLetter(ctx, c, m); err != nil {
			c.rec.Error = clip(c.rec.Error+"; dead letter not delivered: "+err.Error(), 2048)
		}
	}
	g.learn(c)
	g.metrics.call(&c.rec, g.cfg.Clock().Sub(c.began))
	if err := g.flow.keep(ctx, c.rec); err != nil {
		g.log.Warn("record not stored", "id", m.ID, "error", err)
		return
	}
	g.drop(ctx, m)
}

func (g *Gateway) drop(ctx context.Context, m *function.Message) {
	if _, err := g.cfg.Queues.Delete(ctx, m.Queue, m.ID); err != nil {
		g.log.Warn("asynchronous call not removed", "id", m.ID, "error", err)
	}
}

// deadLetter sends what is known of a call that was given up to where its
// function says.
func (g *Gateway) deadLetter(ctx context.Context, c *call, m *function.Message) error {
	if c.version == nil || c.version.Spec.Async.DeadLetter == "" {
		return nil
	}
	r := event.Result{
		Time: g.cfg.Clock(), ID: c.rec.ID, ARN: arn(c.ref), Version: strconv.Itoa(c.ref.Version), Cause: "RetriesExhausted", Attempts: c.rec.Attempt,
		Request: m.Body, Status: 200, Error: "Unhandled",
	}
	if c.result == nil {
		r.Cause = "EventAgeExceeded"
	} else {
		r.Response = c.errorBody()
	}
	body := event.Destination(r)
	kind, name, _ := strings.Cut(c.version.Spec.Async.DeadLetter, "/")
	switch kind {
	case "queue":
		defer g.heard.ring()
		return g.cfg.Queues.Send(ctx, &function.Message{ID: m.ID, Queue: name, Body: body, Sent: g.cfg.Clock(), Due: g.cfg.Clock(),
			Attributes: map[string]string{"sender": "function/" + c.rec.Function, "depth": strconv.Itoa(c.trace.depth + 1)}})
	case "function":
		d := g.begin("function", name)
		d.rec.ID = derive(m.ID)
		d.granted = true // by its owner, who named it there
		d.rec.Parent, d.payload, d.who = c.rec.ID, body, iam.Caller{Principal: "function/" + c.rec.Function, Tenant: c.rec.Tenant, Method: iam.Inside}
		d.trace = trace{root: c.trace.root, depth: c.trace.depth + 1}
		return g.accept(ctx, d)
	}
	return fault.New(fault.Invalid, "no dead letter goes to %q", c.version.Spec.Async.DeadLetter)
}

// accept admits and enqueues an event of a source that does not wait.
func (g *Gateway) accept(ctx context.Context, c *call) error {
	c.rec.Async = true
	err := g.admit(ctx, c)
	if err == nil {
		err = g.enqueue(ctx, c)
	}
	g.finish(c, 0, err)
	return err
}

// derive makes an id that is the same each time for the same id.
func derive(id string) string {
	h := sha256.Sum256([]byte("dead letter of " + id))
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

// backoff is how long the nth retry waits: twice as long each time, with a
// little chance so that what failed together does not come back together.
func (g *Gateway) backoff(n int) time.Duration {
	d := g.cfg.Backoff
	for range min(n, 16) - 1 {
		d = min(2*d, maxBackoff)
	}
	return d + rand.N(d/4+1)
}

// bell wakes whoever waits for work.
type bell struct{ c chan struct{} }

func newBell() *bell { return &bell{make(chan struct{}, 1)} }

func (b *bell) ring() {
	select {
	case b.c <- struct{}{}:
	default:
	}
}

// occupancy counts what runs by name.
type occupancy struct {
	mu   sync.Mutex
	busy map[string]int
	wg   sync.WaitGroup
}

func (o *occupancy) of(name string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.busy[name]
}

func (o *occupancy) add(name string, work func()) {
	o.mu.Lock()
	if o.busy == nil {
		o.busy = map[string]int{}
	}
	o.busy[name]++
	o.mu.Unlock()
	o.wg.Go(func() {
		defer func() {
			o.mu.Lock()
			if o.busy[name]--; o.busy[name] == 0 {
				delete(o.busy, name)
			}
			o.mu.Unlock()
		}()
		work()
	})
}

func (o *occupancy) wait() { o.wg.Wait() }
