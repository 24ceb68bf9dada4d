package sandbox_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/sandbox"
	"redoubt.dev/redoubt/internal/sandbox/sandboxtest"
)

const deadline = 30 * time.Second

const probePackage = "./testdata/probe"

// code is a directory with the probe in it, as a bundle would be.
var code = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "code")
	if err != nil {
		return "", err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return dir, err
	}
	return dir, sandboxtest.Build(filepath.Join(dir, "probe"), probePackage)
})

func TestMain(m *testing.M) {
	if os.Getenv(victimVariable) != "" {
		victim()
	}
	status := m.Run()
	if dir, _ := code(); dir != "" {
		os.RemoveAll(dir)
	}
	os.Exit(status)
}

func bundle(t testing.TB) string {
	t.Helper()
	dir, err := code()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// probe is a spec that runs probes.
func probe(t testing.TB, probes ...string) sandbox.Spec {
	return sandbox.Spec{
		ID: "probe", Argv: append([]string{"/var/task/probe"}, probes...), Dir: "/var/task",
		Env:    []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp", "GOMAXPROCS=2"},
		Mounts: []sandbox.Mount{{Source: bundle(t), Target: "/var/task", Exec: true}},
		Memory: 256 << 20,
	}
}

// output collects what a program prints.
type output struct {
	mu sync.Mutex
	b  []byte
}

func (o *output) take(_ int, b []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.b = append(o.b, b...)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.b)
}

func start(t testing.TB, h *sandbox.Host, spec sandbox.Spec) *sandbox.Sandbox {
	t.Helper()
	s, err := h.Start(context.Background(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// finish waits for the end of s.
func finish(t testing.TB, s *sandbox.Sandbox) sandbox.Exit {
	t.Helper()
	select {
	case <-s.Done():
	case <-time.After(deadline):
		s.Kill()
		t.Fatal("the sandbox did not end")
	}
	return s.Exit()
}

// run runs a program to its end and returns what it printed.
func run(t testing.TB, h *sandbox.Host, spec sandbox.Spec) (string, sandbox.Exit) {
	t.Helper()
	var out output
	spec.Output = out.take
	s := start(t, h, spec)
	exit := finish(t, s)
	return out.String(), exit
}

// answers runs probes and returns the answer to each.
func answers(t testing.TB, h *sandbox.Host, spec sandbox.Spec) map[string]string {
	t.Helper()
	out, exit := run(t, h, spec)
	if exit.Code != 0 {
		t.Fatalf("the probe ended with %+v: %s", exit, out)
	}
	got := map[string]string{}
	for line := range strings.Lines(out) {
		if name, answer, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ": "); ok {
			got[name] = answer
		}
	}
	return got
}

// trial is a probe and the answers that are right, the first of them usual.
type trial struct {
	name, probe string
	want        []string
}

// try runs all trials in one sandbox.
func try(t *testing.T, h *sandbox.Host, spec sandbox.Spec, trials []trial) {
	t.Helper()
	for _, tr := range trials {
		spec.Argv = append(spec.Argv, tr.probe)
	}
	got := answers(t, h, spec)
	for _, tr := range trials {
		t.Run(tr.name, func(t *testing.T) {
			for _, want := range tr.want {
				if got[tr.probe] == want {
					return
				}
			}
			t.Errorf("%s answered %q, want one of %q", tr.probe, got[tr.probe], tr.want)
		})
	}
}

// eventually waits for what is to come true.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for until := time.Now().Add(deadline); !f(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("never happened: " + what)
		}
	}
}

func call(nr int, args ...uint64) string {
	out := fmt.Sprintf("syscall=%d", nr)
	for _, a := range args {
		out += fmt.Sprintf(",%d", a)
	}
	return out
}
