package runner

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/lambda"
)

// Invoke runs one call. ctx bounds the wait for an environment; once the code
// has the event it runs to its own limit, or until the call's Abort. The error
// is for calls that found no environment (fault.Limited, fault.Unavailable) or
// whose code is not what was deployed (fault.Denied); everything the code did
// wrong is in the Result.
func (r *Runner) Invoke(ctx context.Context, c *Call) (*Result, error) {
	began := time.Now()
	e, err := r.take(ctx, c)
	var failed *errInit
	if errors.As(err, &failed) {
		return failed.result(c, time.Since(began)), nil
	}
	if err != nil {
		return nil, err
	}
	return e.run(c, time.Since(began)), nil
}

// take lends an environment from the call's pool, which may be closed in the
// very moment it is found.
func (r *Runner) take(ctx context.Context, c *Call) (*environment, error) {
	for {
		p, err := r.pool(c)
		if err != nil {
			return nil, err
		}
		e, err := p.take(ctx)
		if err != errRetired {
			return e, err
		}
		r.mu.Lock()
		if r.pools[p.key] == p {
			delete(r.pools, p.key)
		}
		r.mu.Unlock()
	}
}

// result is what a call gets whose environment could not be started.
func (f *errInit) result(c *Call, waited time.Duration) *Result {
	res := &Result{Outcome: f.outcome, Error: f.cause, Start: f.start, Init: f.took, Queued: max(0, waited-f.took), Limit: int64(c.Version.Spec.Memory) << 20, Memory: f.memory, Lines: f.lines}
	for i := range res.Lines {
		res.Lines[i].Invocation = c.ID
	}
	res.Uses, res.Verdicts, _ = f.ledger.close()
	return res
}

// run gives the call to the environment and settles what becomes of both.
func (e *environment) run(c *Call, waited time.Duration) *Result {
	e.mu.Lock()
	first := e.calls == 0
	e.calls++
	e.mu.Unlock()
	res := &Result{Start: function.Warm, Queued: waited, Limit: int64(e.version.Spec.Memory) << 20}
	if first { // what it did while it started belongs to its first call
		res.Start, res.Init, res.Queued = e.start, e.init, max(0, waited-e.init)
	}
	e.now.Store(e.ledger().next(c.ID, c.Trace, first))
	e.lines.begin(c.ID)
	began := time.Now()
	deadline := began.Add(e.version.Spec.Limit())
	if !c.Deadline.IsZero() && c.Deadline.Before(deadline) {
		deadline = c.Deadline
	}
	ctx, cancel := within(deadline, c.Abort)
	answer, err := e.api.Invoke(ctx, lambda.Event{
		ID: c.ID, ARN: arn(c.Ref), Trace: c.Trace, Tenant: c.Tenant, Deadline: deadline, ClientContext: c.ClientContext, Payload: c.Payload, Stream: c.Stream,
	})
	if err == nil && answer.Stream != nil {
		res.ContentType, res.Outcome = answer.ContentType, function.Succeeded
		res.Stream = &stream{e: e, res: res, from: answer.Stream, began: began, cancel: cancel, ctx: ctx}
		context.AfterFunc(ctx, func() { answer.Stream.Close() })
		return res
	}
	cancel()
	res.Duration = time.Since(began)
	e.settle(res, answer, err)
	return res
}

var (
	errTime  = fault.New(fault.Unavailable, "the time is up")
	errAbort = fault.New(fault.Unavailable, "the call was given up")
)

// within is a context that ends at a time or when abort is closed, and says
// which.
func within(deadline time.Time, abort <-chan struct{}) (context.Context, context.CancelFunc) {
	ctx, end := context.WithDeadlineCause(context.Background(), deadline, errTime)
	if abort == nil {
		return ctx, end
	}
	ctx, stop := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-abort:
			stop(errAbort)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { stop(nil); end() }
}

// settle writes into res how the call ended, and gives the environment back or
// ends it.
func (e *environment) settle(res *Result, answer *lambda.Answer, err error) {
	limit := res.Duration.Seconds()
	switch {
	case err == nil && answer.Error == nil:
		res.Outcome, res.Payload, res.ContentType = function.Succeeded, answer.Payload, answer.ContentType
	case err == nil:
		res.Outcome, res.Error = function.Failed, answer.Error
	case errors.Is(err, errTime):
		res.Outcome, res.Error = function.TimedOut, lambda.NewError("Sandbox.Timedout", "Task timed out after %.2f seconds", limit)
	case errors.Is(err, errAbort):
		res.Outcome, res.Error = function.Abandoned, lambda.NewError("Sandbox.Stopped", "the call was given up")
	case fault.Is(err, fault.Limited), fault.Is(err, fault.Invalid):
		res.Outcome, res.Error = function.Refused, lambda.NewError("InvalidRequestContentException", "%s", err)
	default:
		res.Outcome, res.Error = function.Crashed, e.exitError()
	}
	e.finish(res, err != nil && res.Outcome != function.Refused)
}

// finish takes the last figures and lets the environment go.
func (e *environment) finish(res *Result, broken bool) {
	e.out.Flush()
	cpu, peak := e.meter.Read()
	res.CPU, res.Memory = max(0, cpu-e.spent), peak
	e.spent = cpu
	res.Lines = e.lines.end()
	var tainted bool
	res.Uses, res.Verdicts, tainted = e.ledger().close()
	p := e.pool
	if broken || tainted {
		go p.drop(e)
		return
	}
	if err := e.meter.Reset(); err != nil {
		e.r.log.Debug("memory peak not reset", "function", e.key.function, "error", err)
	}
	p.give(e)
}

// stream is an answer on its way. Its end is the end of the call.
type stream struct {
	e      *environment
	res    *Result
	from   io.ReadCloser
	began  time.Time
	ctx    context.Context
	cancel context.CancelFunc
	once   sync.Once
	err    error // what reading ended with
}

// Read implements io.Reader.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.from.Read(p)
	if err != nil && s.err == nil {
		if cause := context.Cause(s.ctx); cause != nil && !errors.Is(err, io.EOF) {
			err = cause
		}
		s.err = err
	}
	return n, err
}

// Close implements io.Closer. What was not read by then is not wanted: the
// code cannot be asked to go on without a reader, so its environment goes.
func (s *stream) Close() error {
	s.once.Do(func() {
		s.from.Close()
		cause := context.Cause(s.ctx)
		s.cancel()
		s.res.Duration = time.Since(s.began)
		var said *lambda.FunctionError
		switch {
		case errors.Is(s.err, io.EOF):
			s.e.finish(s.res, false)
			return
		case errors.As(s.err, &said):
			s.res.Outcome, s.res.Error = function.Failed, said
			s.e.finish(s.res, false)
			return
		case errors.Is(cause, errTime):
			s.res.Outcome = function.TimedOut
			s.res.Error = lambda.NewError("Sandbox.Timedout", "Task timed out after %.2f seconds", s.res.Duration.Seconds())
		case s.err == nil, errors.Is(cause, errAbort):
			s.res.Outcome = function.Abandoned
			s.res.Error = lambda.NewError("Sandbox.Stopped", "nobody read the answer to its end")
		default:
			s.res.Outcome, s.res.Error = function.Crashed, s.e.exitError()
		}
		s.e.finish(s.res, true)
	})
	return nil
}
