package runner

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"

	"redoubt.dev/redoubt/internal/egress"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/lambda"
	"redoubt.dev/redoubt/internal/sandbox"
)

// environment is one sandbox that runs one version's code, with all it talks
// to. It serves one call at a time.
type environment struct {
	r       *Runner
	pool    *pool
	key     poolKey
	version *function.Version
	grants  []string // egress and AWS, as package egress reads them

	box      *sandbox.Sandbox
	meter    *sandbox.Meter // nil until it is ready
	api      *lambda.Server
	out      *egress.Proxy
	internal *http.Server // nil where nothing is offered
	lines    *printer
	secrets  string // directory; empty where it has none

	start     function.Start
	init      time.Duration
	since     time.Time
	idleSince time.Time // kept by its pool

	now    atomic.Pointer[ledger]
	ending sync.Once
	freeze *time.Timer

	mu    sync.Mutex
	state string // busy, idle or frozen
	calls int
	spent time.Duration // CPU up to the last call
}

// errInit is why code could not be started although everything was there.
type errInit struct {
	outcome function.Outcome
	cause   *lambda.FunctionError
	took    time.Duration
	memory  int64
	start   function.Start
	ledger  *ledger
	lines   []function.Line
}

func (e *errInit) Error() string { return e.cause.Error() }

// ledger is where what the code does is noted now.
func (e *environment) ledger() *ledger { return e.now.Load() }

// gone is closed when the sandbox has ended.
func (e *environment) gone() <-chan struct{} { return e.box.Done() }

// serve starts everything the sandbox talks to.
func (e *environment) serve(l *layout) {
	for i, p := range l.ports {
		switch p.role {
		case portAPI:
			ln := e.box.Listener(i)
			go e.api.Serve(ln)
		case portInternal:
			go e.internal.Serve(netutil.LimitListener(e.box.Listener(i), maxInternal))
		case portDNS:
			go e.out.ServeDNS(e.box.PacketConn(i))
		case portOut:
			ln, port := e.box.Listener(i), p.Addr.Port()
			go e.out.ServeTCP(ln, port)
		}
	}
	go func() {
		<-e.box.Done()
		e.api.Close()
	}()
}

// caller is the code, for whoever answers what it asks.
func (e *environment) caller() Caller {
	return Caller{
		Function: e.key.function, Version: e.key.version, Role: e.version.Spec.Role,
		Call: func() (string, string) { l := e.ledger(); return l.invocation, l.trace },
		Note: e.note,
	}
}

// newInternal serves what the code asks of Redoubt itself.
func (e *environment) newInternal() *http.Server {
	return &http.Server{
		Handler:           e.r.cfg.Internal(e.caller()),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
}

// maxInternal is how many connections code holds to us: each costs the host a
// file and what its request holds, and code can open hundreds of thousands.
const maxInternal = 32

// ready waits until the code asks for its first event.
func (e *environment) ready(began time.Time) error {
	ctx, cancel := context.WithTimeoutCause(context.Background(), initLimit, errInitTime)
	defer cancel()
	err := e.api.Ready(ctx)
	e.init = time.Since(began)
	if err == nil {
		return nil
	}
	fail := &errInit{took: e.init, start: e.start, ledger: e.ledger(), lines: e.lines.end()}
	var said *lambda.FunctionError
	switch {
	case errors.As(err, &said):
		fail.outcome, fail.cause = function.Failed, said
	case errors.Is(err, errInitTime):
		fail.outcome = function.TimedOut
		fail.cause = lambda.NewError("Sandbox.Timedout", "the code did not start within %s", initLimit)
	default:
		fail.outcome, fail.cause = function.Crashed, e.exitError()
	}
	fail.memory = e.box.Usage().MemoryPeak
	return fail
}

var errInitTime = fault.New(fault.Unavailable, "initialisation took too long")

// exitError says how the program ended, once it has.
func (e *environment) exitError() *lambda.FunctionError {
	select {
	case <-e.box.Done():
	case <-time.After(exitLimit):
		return lambda.NewError("Runtime.ExitError", "the runtime broke the contract")
	}
	x := e.box.Exit()
	switch {
	case x.OOM:
		return lambda.NewError("Runtime.OutOfMemory", "the code wanted more than its %d MB of memory", e.version.Spec.Memory)
	case x.Signal != 0:
		return lambda.NewError("Runtime.ExitError", "the runtime was ended by signal %d", x.Signal)
	}
	return lambda.NewError("Runtime.ExitError", "the runtime ended with exit status %d", x.Code)
}

// exitLimit is how long the end of a sandbox is waited for whose runtime no
// longer speaks.
const exitLimit = 2 * time.Second

// wake makes an idle environment ready for a call.
func (e *environment) wake() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	select {
	case <-e.box.Done():
		return fault.New(fault.Unavailable, "the environment has ended")
	default:
	}
	was := e.state
	e.state = "busy"
	if was == "frozen" {
		return e.box.Thaw()
	}
	return nil
}

// rest lets an environment stand, and freezes it if it stands for a while: so
// code does nothing between two calls.
func (e *environment) rest() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.state = "idle"
	if e.freeze == nil {
		e.freeze = time.AfterFunc(freezeAfter, e.chill)
		return
	}
	e.freeze.Reset(freezeAfter)
}

func (e *environment) chill() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.state != "idle" {
		return
	}
	select {
	case <-e.box.Done():
		return
	default:
	}
	if err := e.box.Freeze(); err != nil {
		e.r.log.Warn("environment not frozen", "function", e.key.function, "error", err)
		return
	}
	e.state = "frozen"
}

// end takes the environment down; it may be called more than once.
func (e *environment) end() {
	e.ending.Do(func() {
		e.mu.Lock()
		if e.freeze != nil {
			e.freeze.Stop()
		}
		frozen := e.state == "frozen"
		e.state = "ended"
		e.mu.Unlock()
		if !frozen {
			ctx, cancel := context.WithTimeout(context.Background(), shutdownLimit)
			e.api.Shutdown(ctx, "spindown")
			cancel()
		}
		e.box.Kill()
		e.api.Close()
		e.out.Close()
		if e.internal != nil {
			e.internal.Close()
		}
		if e.meter != nil {
			e.meter.Close()
		}
		e.lines.end()
		if err := e.r.dropSecrets(e.secrets); err != nil {
			e.r.log.Warn("secrets not removed", "function", e.key.function, "error", err)
		}
		e.r.leave()
	})
}

// shutdownLimit is how long extensions get to end; most functions have none.
const shutdownLimit = 500 * time.Millisecond

func (e *environment) status() Environment {
	e.mu.Lock()
	s := Environment{State: e.state, PID: e.box.PID(), Since: e.since, Calls: e.calls, Group: e.box.CgroupID()}
	e.mu.Unlock()
	s.Memory = e.box.Usage().Memory
	return s
}

func arn(ref function.Ref) string {
	const prefix = "arn:aws:lambda:" + region + ":000000000000:function:"
	if ref.Alias != "" {
		return prefix + ref.Name + ":" + ref.Alias
	}
	return fmt.Sprintf("%s%s:%d", prefix, ref.Name, ref.Version)
}
