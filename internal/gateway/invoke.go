package gateway

import (
	"context"
	"errors"
	"strconv"
	"time"
	"unicode/utf8"

	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/runner"
)

// invoke runs an admitted call. The caller may go away while it waits for an
// environment; once the code has the event it runs on to its end, as on Lambda,
// so that nobody can have environments killed by hanging up.
func (g *Gateway) invoke(ctx context.Context, c *call) error {
	if err := g.start(c); err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, queueTime)
	defer cancel()
	call := &runner.Call{
		ID: c.rec.ID, Ref: c.ref, Version: c.version, Tenant: c.rec.Tenant, Trace: c.trace.header(c.rec.ID),
		Payload: c.payload, ClientContext: c.context, Abort: c.abort, Stream: c.stream,
	}
	if c.route != nil {
		call.Deadline = g.cfg.Clock().Add(c.route.Limit())
	}
	res, err := g.cfg.Invoker.Invoke(wait, call)
	if err != nil {
		if ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled) {
			return refuse(function.Abandoned, 499, "ServiceException", "the caller went away while the call waited")
		}
		return err
	}
	c.result = res
	return nil
}

// start notes that c runs, until it is finished.
func (g *Gateway) start(c *call) error {
	g.active.Add(1)
	if g.closing.Load() {
		g.active.Add(-1)
		g.settle()
		return errClosing
	}
	g.under.Store(c.rec.ID, c)
	c.ended = func() {
		g.under.Delete(c.rec.ID)
		g.active.Add(-1)
		g.settle()
	}
	if err := g.journal.note(&c.rec); err != nil {
		g.log.Warn("journal failed", "error", err)
	}
	return nil
}

// failure is what an HTTP caller is told of code that did not answer; nil
// where it did.
func (c *call) failure() *refusal {
	switch c.result.Outcome {
	case function.Failed:
		return refuse(function.Failed, 502, "Unhandled", "function %s answered with an error; request %s", c.rec.Function, c.rec.ID)
	case function.TimedOut:
		return refuse(function.TimedOut, 504, "Unhandled", "function %s did not answer in time; request %s", c.rec.Function, c.rec.ID)
	case function.Crashed:
		return refuse(function.Crashed, 502, "Unhandled", "function %s ended without an answer; request %s", c.rec.Function, c.rec.ID)
	case function.Abandoned:
		return refuse(function.Abandoned, 503, "ServiceException", "the gateway stopped before function %s answered; request %s", c.rec.Function, c.rec.ID)
	case function.Throttled:
		return throttled(time.Second, "function %s has no environment free; request %s", c.rec.Function, c.rec.ID)
	}
	return nil
}

// clip shortens s to at most n bytes of valid UTF-8.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
