package lambda

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/fault"
)

const patience = 30 * time.Second // only a broken test waits that long

// rig is a function in a plain process beside its server.
type rig struct {
	t    testing.TB
	srv  *Server
	addr string
	root string // /var/task
	out  *output
	cmd  *exec.Cmd
	gone chan struct{}

	cmdEnv []string // of the function
	began  time.Time
}

// output collects what a process prints.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// plan is what a rig runs.
type plan struct {
	runtime, handler string
	files            map[string]string // of the bundle
	root             string            // of a bundle made already
	layer            map[string]string // below /opt
	env              map[string]string
	stem             bool
	api              string // of another server
}

// listen starts a server on a loopback port.
func listen(t testing.TB) (*Server, string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := NewServer(About{Function: "orders", Version: "7", Handler: "index.handler", Account: "000000000000"})
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	t.Cleanup(func() {
		srv.Close()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return srv, ln.Addr().String()
}

func write(t testing.TB, dir string, files map[string]string) string {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// run starts a function's process; a missing interpreter skips the test.
func run(t testing.TB, p plan) *rig {
	t.Helper()
	r := prepare(t, p)
	r.start()
	if p.stem {
		if err := r.srv.Stemmed(r.ctx()); err != nil {
			t.Fatalf("stem: %v\n%s", err, r.out)
		}
		a := Attachment{About: About{Function: "orders", Version: "7", Handler: p.handler}, Env: r.cmdEnv}
		if err := r.srv.Attach(a); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// prepare is run without the start.
func prepare(t testing.TB, p plan) *rig {
	t.Helper()
	srv, addr := listen(t)
	r := &rig{t: t, srv: srv, addr: addr, root: p.root, out: &output{}, gone: make(chan struct{})}
	if p.api != "" {
		r.addr = p.api
	}
	if r.root == "" {
		r.root = write(t, t.TempDir(), p.files)
	}
	dir, opt := t.TempDir(), write(t, t.TempDir(), p.layer)
	if err := os.CopyFS(dir, Bootstrap()); err != nil {
		t.Fatal(err)
	}
	client, err := Find(p.runtime, p.handler, dir)
	if fault.Is(err, fault.Unsupported) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	for i, arg := range client.Argv {
		client.Argv[i] = strings.ReplaceAll(strings.ReplaceAll(arg, "/var/runtime", dir), "/var/task", r.root)
	}
	r.cmdEnv = r.env(p, opt)
	r.cmd = exec.Command(client.Argv[0], client.Argv[1:]...)
	r.cmd.Dir, r.cmd.Stdout, r.cmd.Stderr, r.cmd.Env = r.root, r.out, r.out, r.cmdEnv
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if p.stem {
		r.cmd.Env = []string{"PATH=/usr/bin:/bin", "AWS_LAMBDA_RUNTIME_API=" + addr, StemVariable + "=1"}
	}
	return r
}

// env is Environ, with the places of this test for those in a sandbox.
func (r *rig) env(p plan, opt string) []string {
	user := map[string]string{}
	maps.Copy(user, p.env)
	env := Environ(EnvConfig{Runtime: p.runtime, Handler: p.handler, Function: "orders", Version: "7", Memory: 256, API: r.addr, LogStream: "stream", User: user})
	for i, pair := range env {
		env[i] = strings.ReplaceAll(strings.ReplaceAll(pair, "/var/task", r.root), "/opt/", opt+"/")
	}
	return append(env, optVariable+"="+opt)
}

func (r *rig) start() {
	r.t.Helper()
	r.began = time.Now()
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	go func() {
		_ = r.cmd.Wait()
		close(r.gone)
	}()
	r.t.Cleanup(r.end)
}

func (r *rig) end() {
	r.srv.Close()
	select {
	case <-r.gone:
		return // its number may be another's by now
	default:
	}
	_ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL)
	<-r.gone
}

func (r *rig) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	r.t.Cleanup(cancel)
	return ctx
}

func event(payload string) Event {
	return Event{
		ID: uuid(), ARN: "arn:aws:lambda:local:000000000000:function:orders:7", Trace: "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=1",
		Deadline: time.Now().Add(time.Minute), Payload: []byte(payload),
	}
}

// ask invokes and fails the test where there is no answer at all.
func (r *rig) ask(e Event) *Answer {
	r.t.Helper()
	a, err := r.srv.Invoke(r.ctx(), e)
	if err != nil {
		r.t.Fatalf("invoke: %v\n%s", err, r.out)
	}
	return a
}

// get is the answer to a payload, as text; errors as "TYPE: MESSAGE".
func (r *rig) get(payload string) string {
	r.t.Helper()
	a := r.ask(event(payload))
	if a.Error != nil {
		return a.Error.Type + ": " + a.Error.Message
	}
	return string(a.Payload)
}

// initError waits for the runtime to say that it cannot start.
func (r *rig) initError() *FunctionError {
	r.t.Helper()
	err := r.srv.Ready(r.ctx())
	var failed *FunctionError
	if !errors.As(err, &failed) {
		r.t.Fatalf("ready: %v, want an init error\n%s", err, r.out)
	}
	return failed
}

// printed waits until the process has printed text.
func (r *rig) printed(text string) {
	r.t.Helper()
	for end := time.Now().Add(patience); !strings.Contains(r.out.String(), text); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("not printed: %q in\n%s", text, r.out)
		}
	}
}
