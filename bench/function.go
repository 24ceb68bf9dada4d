package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"redoubt.dev/redoubt/internal/bundle"
	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/lambda"
	"redoubt.dev/redoubt/internal/runner"
	"redoubt.dev/redoubt/internal/sandbox"
	"redoubt.dev/redoubt/internal/sandbox/sandboxtest"
)

// sample is one and the same function, which answers with its event, in one
// language.
type sample struct {
	language string
	runtime  function.Runtime
	handler  string
	root     string // its code
	version  *function.Version
}

// workshop is what functions are measured with: their code, our runtime
// clients, and a runner with the parts it has in the product.
type workshop struct {
	l       *lab
	dir     string // others than root may read it: code in a sandbox is not root
	clients string
	bundles *bundle.Store
	host    *sandbox.Host
	run     *runner.Runner
	samples []*sample
	seq     atomic.Int64
}

// newWorkshop is taken down with the measure.
func (l *lab) newWorkshop(ctx context.Context, stems int) (*workshop, error) {
	dir, err := os.MkdirTemp("", "redoubt-bench-functions-")
	if err != nil {
		return nil, err
	}
	l.atEnd(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	w := &workshop{l: l, dir: dir, clients: filepath.Join(dir, "clients")}
	if err := os.CopyFS(w.clients, lambda.Bootstrap()); err != nil {
		return nil, err
	}
	if w.bundles, err = bundle.Open(filepath.Join(dir, "bundles"), bundle.Limits{}); err != nil {
		return nil, err
	}
	if err := w.write(ctx); err != nil {
		return nil, err
	}
	init, err := sandboxtest.Init()
	if err != nil {
		return nil, err
	}
	if w.host, err = sandbox.Open(sandbox.Config{Dir: filepath.Join(dir, "sandbox"), Init: init}); err != nil {
		return nil, err
	}
	l.atEnd(func() { w.host.Close() })
	w.run, err = runner.New(runner.Config{
		Host: w.host, Bundles: w.bundles, Dir: filepath.Join(dir, "runner"), Stems: stems,
		Internal: func(runner.Caller) http.Handler { return http.NotFoundHandler() },
	})
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error)
	go func() { ended <- w.run.Run(running) }()
	l.atEnd(func() { stop(); <-ended })
	return w, nil
}

// write makes the samples.
func (w *workshop) write(ctx context.Context) error {
	for _, s := range []*sample{
		{language: "Go", runtime: function.Provided, handler: "bootstrap"},
		{language: "Python", runtime: function.Python, handler: "app.handler"},
		{language: "Node", runtime: function.NodeJS, handler: "index.handler"},
		{language: "Java", runtime: function.Java, handler: "load.Hello::handle"},
	} {
		if _, err := lambda.Find(string(s.runtime), s.handler, w.clients); err != nil {
			return err
		}
		s.root = filepath.Join(w.dir, "code", s.language)
		if err := os.MkdirAll(s.root, 0o755); err != nil {
			return err
		}
		if err := s.build(ctx); err != nil {
			return err
		}
		info, err := w.bundles.Add(ctx, bundle.FromDir(s.root))
		if err != nil {
			return err
		}
		spec := function.Spec{Runtime: s.runtime, Handler: s.handler, Memory: 512, CPU: 2, Timeout: 30}
		s.version = &function.Version{Number: 1, Spec: spec.WithDefaults(), Code: function.Code{Digest: info.Digest}}
		w.samples = append(w.samples, s)
	}
	return nil
}

func (s *sample) build(ctx context.Context) error {
	const from = "bench/load/hello/"
	switch s.runtime {
	case function.Provided:
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(s.root, "bootstrap"), "./"+from)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build the function in Go: %w: %s", err, out)
		}
		return nil
	case function.Java:
		_, err := command(ctx, "javac", "-d", s.root, from+"Hello.java")
		return err
	}
	file := map[function.Runtime]string{function.Python: "app.py", function.NodeJS: "index.js"}[s.runtime]
	text, err := os.ReadFile(from + file)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.root, file), text, 0o644)
}

const event = `{"order":7}`

// echoed says whether an answer is the event, however its language spaces it.
func echoed(answer []byte) bool { return strings.ReplaceAll(string(answer), " ", "") == event }

// invoke calls a sample in the runner.
func (w *workshop) invoke(ctx context.Context, s *sample) (*runner.Result, error) {
	res, err := w.run.Invoke(ctx, &runner.Call{
		ID: w.id(), Ref: function.Ref{Name: strings.ToLower(s.language), Version: 1}, Version: s.version, Payload: []byte(event),
		Trace: "Root=1-00000000-000000000000000000000000",
	})
	if err == nil && (res.Outcome != function.Succeeded || !echoed(res.Payload)) {
		err = fmt.Errorf("the function in %s: %s %s: %v", s.language, res.Outcome, res.Payload, res.Error)
	}
	return res, err
}

// end takes a sample's environments down.
func (w *workshop) end(s *sample) { w.run.Stop(strings.ToLower(s.language)) }

func (w *workshop) id() string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", w.seq.Add(1)) }

// outside is a function in a process that somebody else than the runner
// starts, with the Runtime API on a port of this machine.
type outside struct {
	srv *lambda.Server
	cmd *exec.Cmd
	w   *workshop
}

// starter makes the command that starts a function; env are its variables.
type starter func(s *sample, env []string) (*exec.Cmd, error)

// outside prepares a function and does not start it yet.
func (w *workshop) outside(s *sample, by starter) (*outside, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	o := &outside{w: w, srv: lambda.NewServer(lambda.About{Function: "hello", Version: "1", Handler: s.handler, Account: "000000000000"})}
	go o.srv.Serve(ln)
	env := lambda.Environ(lambda.EnvConfig{
		Runtime: string(s.runtime), Handler: s.handler, Function: "hello", Version: "1", Memory: 512, API: ln.Addr().String(), LogStream: "bench",
	})
	if o.cmd, err = by(s, env); err != nil {
		o.srv.Close()
		return nil, err
	}
	return o, nil
}

// invoke calls the function, and waits for it where it has just been started.
func (o *outside) invoke(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	a, err := o.srv.Invoke(ctx, lambda.Event{
		ID: o.w.id(), ARN: "arn:aws:lambda:local:000000000000:function:hello:1", Trace: "Root=1-00000000-000000000000000000000000",
		Deadline: time.Now().Add(30 * time.Second), Payload: []byte(event),
	})
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", o.cmd.Path, err)
	case a.Error != nil:
		return fmt.Errorf("%s: %w", o.cmd.Path, a.Error)
	case !echoed(a.Payload):
		return fmt.Errorf("the function answered %s", a.Payload)
	}
	return nil
}

// bare starts a function as a plain process.
func (w *workshop) bare(s *sample, env []string) (*exec.Cmd, error) {
	c, err := lambda.Find(string(s.runtime), s.handler, w.clients)
	if err != nil {
		return nil, err
	}
	here := strings.NewReplacer("/var/runtime", w.clients, "/var/task", s.root)
	args := make([]string, len(c.Argv))
	for i := range args {
		args[i] = here.Replace(c.Argv[i])
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.SysProcAttr = s.root, &syscall.SysProcAttr{Setpgid: true}
	for _, v := range append(env, c.Env...) {
		cmd.Env = append(cmd.Env, here.Replace(v))
	}
	return cmd, nil
}

// kill ends a plain process and forgets its server.
func (o *outside) kill() {
	o.srv.Close()
	syscall.Kill(-o.cmd.Process.Pid, syscall.SIGKILL)
	o.cmd.Wait()
}

// minus gives the differences of s and base, round by round.
func (s series) minus(base series) series {
	var d series
	for i := range min(len(s), len(base)) {
		d = append(d, s[i]-base[i])
	}
	return d
}

// milli reads a duration in milliseconds, to the microsecond.
func milli(d time.Duration) float64 { return float64(d.Nanoseconds()/1000) / 1000 }
