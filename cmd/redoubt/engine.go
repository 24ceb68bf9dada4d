package main

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/bundle"
	"redoubt.dev/redoubt/internal/egress"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/gateway"
	"redoubt.dev/redoubt/internal/model"
	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/runner"
	"redoubt.dev/redoubt/internal/sandbox"
	"redoubt.dev/redoubt/internal/store"
	"redoubt.dev/redoubt/internal/waf"
	"redoubt.dev/redoubt/internal/waf/coraza"
)

// engine is a runner that starts with the first function: a machine that has
// none pays nothing for it.
type engine struct {
	dir       string
	log       *slog.Logger
	bundles   *bundle.Store
	authority *egress.CA
	models    *model.Book
	store     *store.Store
	secrets   string
	internal  func() *gateway.Gateway
	also      func() // what else is worth having ready once there is a function

	mu      sync.Mutex
	host    *sandbox.Host
	runner  *runner.Runner
	failed  error
	ended   bool
	started chan struct{} // made by run, closed when the runner is there
	warming once
}

// unable says why this machine cannot run functions, as far as that is known
// without trying.
func (e *engine) unable() string {
	if os.Geteuid() != 0 {
		return "sandboxes need root; run redoubt as root"
	}
	if _, err := sandbox.Init(); err != nil {
		return err.Error()
	}
	return ""
}

// open returns the runner and starts it where it is not there yet.
func (e *engine) open() (*runner.Runner, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.runner != nil || e.failed != nil {
		return e.runner, e.failed
	}
	if e.ended {
		return nil, fault.New(fault.Unavailable, "redoubt is stopping; try again")
	}
	if e.failed = e.start(); e.failed != nil {
		e.log.Error("functions are off", "error", e.failed)
		return nil, e.failed
	}
	if e.started != nil {
		close(e.started)
	}
	return e.runner, nil
}

func (e *engine) start() error {
	init, err := sandbox.Init()
	if err == nil {
		e.host, err = sandbox.Open(sandbox.Config{Dir: filepath.Join(e.dir, "sandbox"), Init: init, Log: e.log})
	}
	if err != nil {
		return fault.New(fault.Unsupported, "functions are off on this machine: %w", err)
	}
	dir := filepath.Join(e.dir, "run")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	e.runner, err = runner.New(runner.Config{
		Host: e.host, Bundles: e.bundles, Dir: dir, Stems: 1, Judge: e.judge, Authority: e.authority, Lines: e.keep, Log: e.log,
		Secret: func(_ context.Context, name string) ([]byte, error) { return secretIn(e.secrets, name) },
		Internal: func(c runner.Caller) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { e.internal().Internal(c).ServeHTTP(w, r) })
		},
	})
	return err
}

// warm starts the runner in the background.
func (e *engine) warm() {
	e.warming.start(func() {
		e.also()
		if _, err := e.open(); err == nil {
			for _, g := range e.Gaps() {
				e.log.Warn("functions are less confined on this machine", "gap", g)
			}
		}
	})
}

func (e *engine) judge(d runner.Deed) redoubt.Verdict {
	return e.models.Judge(&model.Deed{
		Time: time.Now(), Function: d.Function, Version: d.Version, Invocation: d.Invocation, Use: d.Use, Args: d.Args, Granted: d.Granted,
	})
}

func (e *engine) keep(lines []function.Line) {
	if err := e.store.AddLines(context.Background(), lines); err != nil {
		e.log.Error("lines not kept", "error", err)
	}
}

// Invoke implements gateway.Invoker.
func (e *engine) Invoke(ctx context.Context, c *runner.Call) (*runner.Result, error) {
	r, err := e.open()
	if err != nil {
		return nil, err
	}
	return r.Invoke(ctx, c)
}

func (e *engine) now() *runner.Runner {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.runner
}

// Status implements console.Environments.
func (e *engine) Status(name string) []api.Environment {
	r := e.now()
	if r == nil {
		return nil
	}
	var out []api.Environment
	for _, s := range r.Status(name) {
		out = append(out, api.Environment{Function: s.Function, Version: s.Version, Tenant: s.Tenant, State: s.State, PID: s.PID, Since: s.Since, Calls: s.Calls, Memory: s.Memory})
	}
	return out
}

// Gaps implements console.Environments.
func (e *engine) Gaps() []string {
	if r := e.now(); r != nil {
		return r.Gaps()
	}
	return nil
}

// Off implements console.Environments.
func (e *engine) Off() string {
	e.mu.Lock()
	failed := e.failed
	e.mu.Unlock()
	if failed != nil {
		return failed.Error()
	}
	return e.unable()
}

func (e *engine) stop(name string) {
	if r := e.now(); r != nil {
		r.Stop(name)
	}
}

// run keeps the runner in order, from when it is there until ctx ends.
func (e *engine) run(ctx context.Context) error {
	e.mu.Lock()
	r, started := e.runner, make(chan struct{})
	if r == nil {
		e.started = started
	}
	e.mu.Unlock()
	if r == nil {
		select {
		case <-ctx.Done():
			return nil
		case <-started:
		}
		r = e.now()
	}
	return r.Run(ctx)
}

func (e *engine) close() error {
	e.mu.Lock()
	e.ended = true
	e.mu.Unlock()
	e.warming.wait.Wait()
	var err error
	if e.runner != nil {
		err = e.runner.Close()
	}
	if e.host != nil {
		if also := e.host.Close(); err == nil {
			err = also
		}
	}
	return err
}

// firewall compiles the rules for the first request that is to be judged.
type firewall struct {
	compile sync.Once
	engine  *coraza.Engine
	err     error
}

func (f *firewall) ready() {
	f.compile.Do(func() { f.engine, f.err = coraza.New(coraza.Config{}) })
}

// Inspect implements waf.Engine.
func (f *firewall) Inspect(ctx context.Context, r *waf.Request) (*waf.Verdict, error) {
	f.ready()
	if f.err != nil {
		return nil, f.err
	}
	return f.engine.Inspect(ctx, r)
}
