package sensor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"redoubt.dev/redoubt/internal/redoubt"
)

// TestMain lets the test binary play the programs that tests start.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "act" {
		os.Exit(act(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// watch is an open sensor whose sightings are kept.
type watch struct {
	*Sensor
	t    *testing.T
	mu   sync.Mutex
	cond *sync.Cond
	all  []Sighting
}

// open starts a sensor, or skips where there cannot be one. Everything but the
// node's own slot is reported.
func open(t *testing.T, cfg Config) *watch {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root to load kernel programs")
	}
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		t.Skip("this kernel has no BTF")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(testWriter{t}, nil))
	}
	s, err := Open(cfg)
	if err != nil {
		var refused *ebpf.VerifierError
		if errors.As(err, &refused) {
			t.Logf("%+v", refused)
		}
		t.Fatalf("this kernel should manage: %v", err)
	}
	w := &watch{Sensor: s, t: t}
	w.cond = sync.NewCond(&w.mu)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, w.take) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	// The machine's other processes are not this test's business.
	if err := s.SetMode(0, Mode{Allow, Allow, Allow}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *watch) take(s *Sighting) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, *s)
	w.cond.Broadcast()
}

// wait returns the sightings that match once there are n of them.
func (w *watch) wait(n int, match func(*Sighting) bool) []Sighting {
	w.t.Helper()
	late := time.AfterFunc(15*time.Second, func() { w.cond.Broadcast() })
	defer late.Stop()
	deadline := time.Now().Add(14 * time.Second)
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		var got []Sighting
		for i := range w.all {
			if match(&w.all[i]) {
				got = append(got, w.all[i])
			}
		}
		if len(got) >= n {
			return got
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("saw %d of %d sightings; of %d in all, the last: %+v", len(got), n, len(w.all), w.all[max(0, len(w.all)-5):])
		}
		w.cond.Wait()
	}
}

// count is how many sightings match, after all that the kernel has sent so far
// was taken: a marker sent now has come through.
func (w *watch) count(match func(*Sighting) bool) int {
	w.t.Helper()
	g := newGroup(w.t, w, 0)
	w.wait(1, func(s *Sighting) bool { return s.Kind == CgroupBorn && s.Cgroup == g.id })
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for i := range w.all {
		if match(&w.all[i]) {
			n++
		}
	}
	return n
}

// group is a cgroup of the test's own.
type group struct {
	t    *testing.T
	path string // below the mount
	dir  string
	id   uint64
}

var groups atomic.Int64

func newGroup(t *testing.T, w *watch, slot Slot) *group {
	t.Helper()
	return childGroup(t, w, "/", slot)
}

func childGroup(t *testing.T, w *watch, parent string, slot Slot) *group {
	t.Helper()
	if w.root == "" {
		t.Skip("no cgroup v2 hierarchy is mounted")
	}
	g := &group{t: t, path: filepath.Join(parent, fmt.Sprintf("rdt-sensor-%d-%d", os.Getpid(), groups.Add(1)))}
	g.dir = filepath.Join(w.root, g.path)
	if err := os.Mkdir(g.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.remove() })
	id, err := w.CgroupID(g.path)
	if err != nil {
		t.Fatal(err)
	}
	g.id = id
	if slot != 0 {
		if err := w.Assign(id, slot); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

// remove kills what is left in the cgroup and waits for it to go.
func (g *group) remove() {
	for range 500 {
		pids, err := os.ReadFile(filepath.Join(g.dir, "cgroup.procs"))
		if err != nil {
			return
		}
		for _, p := range bytes.Fields(pids) {
			var pid int
			fmt.Sscan(string(p), &pid)
			if pid > 1 {
				syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		if os.Remove(g.dir) == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	g.t.Errorf("cgroup %s does not go", g.dir)
}

// command makes a command that starts inside the cgroup.
func (g *group) command(name string, args ...string) *exec.Cmd {
	g.t.Helper()
	f, err := os.Open(g.dir)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { f.Close() })
	c := exec.Command(name, args...)
	c.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(f.Fd())}
	return c
}

func (g *group) run(name string, args ...string) ([]byte, error) {
	g.t.Helper()
	return g.command(name, args...).CombinedOutput()
}

// here matches sightings of a kind in the cgroup.
func (g *group) here(kind redoubt.EventKind) func(*Sighting) bool {
	return func(s *Sighting) bool { return s.Kind == kind && s.Cgroup == g.id }
}

func self(t *testing.T) string {
	t.Helper()
	p, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// statKey is a file's key as user space finds it.
func statKey(t *testing.T, path string) redoubt.FileKey {
	t.Helper()
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return keyOf(&st)
}

func keyOf(st *syscall.Stat_t) redoubt.FileKey {
	major, minor := st.Dev>>8&0xfff, st.Dev&0xff|st.Dev>>12&^0xff
	return redoubt.FileKey{Dev: major<<20 | minor, Ino: st.Ino, Ctime: st.Ctim.Nano()}
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Log(string(bytes.TrimSpace(b)))
	return len(b), nil
}
