package docker_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/workload"
	"redoubt.dev/redoubt/internal/workload/docker"
)

const image = "rdt-workload-box:test"

// engine skips where there is no Docker engine and makes the test image: a
// static shell with a command, a health check and a port.
func engine(t *testing.T) {
	t.Helper()
	if out, err := exec.Command("docker", "info").CombinedOutput(); err != nil {
		t.Skipf("no Docker engine: %s", bytes.TrimSpace(out))
	}
	shell, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("no busybox to build an image from")
	}
	t.Cleanup(func() { exec.Command("docker", "rmi", "-f", image).Run() })
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(shell)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bin/busybox"), b, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"sh", "sleep", "true"} {
		os.Symlink("busybox", filepath.Join(dir, "bin", n))
	}
	tar := exec.Command("tar", "-C", dir, "-c", ".")
	load := exec.Command("docker", "import", "-c", `CMD ["sleep","60"]`, "-c", "EXPOSE 8080/tcp",
		"-c", `HEALTHCHECK --interval=1h CMD true || exit 1`, "-", image)
	load.Stdin, _ = tar.StdoutPipe()
	if err := tar.Start(); err != nil {
		t.Fatal(err)
	}
	if out, err := load.CombinedOutput(); err != nil {
		t.Fatalf("import: %v %s", err, out)
	}
	tar.Wait()
}

func cli(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("docker", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("docker %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// watcher runs a Source against a Registry and keeps every change.
type watcher struct {
	*docker.Source
	reg *workload.Registry

	mu    sync.Mutex
	log   []workload.Change
	first map[string]time.Time // when a container was first heard of
}

func watch(t *testing.T, host string) *watcher {
	t.Helper()
	h, err := workload.FindHierarchy()
	if err != nil {
		t.Skip(err)
	}
	w := &watcher{reg: workload.NewRegistry(h.Path), first: map[string]time.Time{}}
	w.Source = docker.New(docker.Config{Host: host, Node: "n1", Cgroups: h, Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx, func(c workload.Change) {
			w.mu.Lock()
			w.log = append(w.log, c)
			if w.first[c.Workload.Name].IsZero() {
				w.first[c.Workload.Name] = time.Now()
			}
			w.mu.Unlock()
			w.reg.Apply(c)
		})
	}()
	t.Cleanup(func() { cancel(); <-done })
	return w
}

func (w *watcher) changes(name string) []workload.Change {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []workload.Change
	for _, c := range w.log {
		if c.Workload.Name == name {
			out = append(out, c)
		}
	}
	return out
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

func (w *watcher) up(t *testing.T) {
	t.Helper()
	until(t, "engine watched", func() bool { return w.Engine().Error == "" })
}

func (w *watcher) one(name string) *redoubt.Workload {
	for _, x := range w.reg.List() {
		if x.Name == name {
			return x
		}
	}
	return nil
}

func whole(x redoubt.Workload) error {
	switch {
	case x.ID != "docker/rdt-workload-box#sh", x.Image != image, !strings.HasPrefix(string(x.Digest), "sha256:"):
		return fmt.Errorf("identity %+v", x.WorkloadRef)
	case len(x.Container) != 64, x.Labels["team"] != "red":
		return fmt.Errorf("container %q labels %v", x.Container, x.Labels)
	case len(x.Layers) < 2, x.Upper == "", x.Merged == "":
		return fmt.Errorf("layers %v upper %q merged %q", x.Layers, x.Upper, x.Merged)
	case len(x.Command) == 0, len(x.Health) != 3, len(x.Exposes) != 1:
		return fmt.Errorf("command %q health %q exposes %v", x.Command, x.Health, x.Exposes)
	case workload.ParsePlace(x.Cgroup).Container != x.Container:
		return fmt.Errorf("cgroup %q", x.Cgroup)
	}
	return nil
}

func TestIdentityIsWholeBeforeStart(t *testing.T) {
	engine(t)
	w := watch(t, "")
	w.up(t)
	const total, atOnce = 100, 8
	var wg sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i := range total {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			name := fmt.Sprintf("rdt-workload-brief-%d", i)
			out, err := exec.Command("docker", "run", "--rm", "--name", name, "--label", "team=red", "--network", "none",
				image, "sh", "-c", "sleep 0.2").CombinedOutput()
			if err != nil {
				t.Errorf("run: %v %s", err, out)
			}
		})
	}
	wg.Wait()
	least := time.Hour
	for i := range total {
		name := fmt.Sprintf("rdt-workload-brief-%d", i)
		until(t, name+" gone", func() bool {
			log := w.changes(name)
			return len(log) > 0 && log[len(log)-1].Gone
		})
		log := w.changes(name)
		if log[0].Workload.Running {
			t.Errorf("%s: first change is %+v, want it before start", name, log[0].Workload)
		}
		started := false
		for _, c := range log {
			if err := whole(c.Workload); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if started = started || c.Workload.Running; c.Workload.Running {
				lead := c.Workload.Started.Sub(w.first[name])
				if least = min(least, lead); lead < 0 {
					t.Errorf("%s: known %v after it started", name, -lead)
				}
			}
		}
		if !started {
			t.Errorf("%s: start was not reported", name)
		}
		if x, ok := w.reg.ByInstance(log[0].Workload.Container); !ok || x.Name != name {
			t.Errorf("%s: not findable once gone", name)
		}
	}
	t.Logf("known at least %v before the start", least)
}

func TestRestartRenameAndNetworksShow(t *testing.T) {
	engine(t)
	w := watch(t, "")
	w.up(t)
	const a, b, network = "rdt-workload-moving", "rdt-workload-moved", "rdt-workload-net"
	exec.Command("docker", "rm", "-f", a, b).Run()
	exec.Command("docker", "network", "rm", network).Run()
	t.Cleanup(func() {
		exec.Command("docker", "rm", "-f", a, b).Run()
		exec.Command("docker", "network", "rm", network).Run()
	})
	cli(t, "run", "-d", "--name", a, image)
	until(t, "running", func() bool { x := w.one(a); return x != nil && x.Running && len(x.Addresses) == 1 })
	x := w.one(a)
	if x.ID != "docker/rdt-workload-box" || x.PID == 0 || x.CgroupID == 0 {
		t.Errorf("got %+v", x)
	}
	if y, ok := w.reg.ByCgroup(x.CgroupID); !ok || y.Container != x.Container {
		t.Errorf("by cgroup: %v", y)
	}
	if u, err := workload.UnionOf(x.PID); err != nil || u.Upper != x.Upper || !slices.Equal(u.Layers, x.Layers) {
		t.Errorf("mounts say %+v %v, the engine %v over %v", u, err, x.Upper, x.Layers)
	}
	first := netip.MustParseAddr(x.Addresses[0])
	if y, ok := w.reg.ByAddress(first); !ok || y.Container != x.Container {
		t.Errorf("by address: %v", y)
	}
	cli(t, "rename", a, b)
	until(t, "renamed", func() bool { return w.one(b) != nil && w.one(a) == nil })
	cli(t, "network", "create", network)
	cli(t, "network", "connect", network, b)
	until(t, "second address", func() bool { return len(w.one(b).Addresses) == 2 })
	cli(t, "network", "disconnect", "bridge", b)
	until(t, "first address gone", func() bool { _, ok := w.reg.ByAddress(first); return !ok && len(w.one(b).Addresses) == 1 })
	pid := w.one(b).PID
	cli(t, "restart", "-t", "0", b)
	until(t, "restarted", func() bool { y := w.one(b); return y.Running && y.PID != pid })
	if err := w.Stop(t.Context(), x.Container, time.Second); err != nil {
		t.Fatal(err)
	}
	until(t, "stopped", func() bool { return !w.one(b).Running })
	if _, ok := w.reg.ByAddress(netip.MustParseAddr(cli(t, "network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", network))); ok {
		t.Error("the gateway is nobody's address")
	}
	if err := w.Stop(t.Context(), strings.Repeat("0", 64), 0); !fault.Is(err, fault.NotFound) {
		t.Errorf("stop of nothing: %v", err)
	}
	cli(t, "rm", b)
	until(t, "removed", func() bool { return w.one(b) == nil })
}

func TestOneRemovedAtOnceStillHasItsIdentity(t *testing.T) {
	engine(t)
	w := watch(t, "")
	w.up(t)
	const name = "rdt-workload-blink"
	exec.Command("docker", "rm", "-f", name).Run()
	cli(t, "create", "--name", name, "--label", "team=red", image)
	cli(t, "rm", name)
	until(t, "removal", func() bool { log := w.changes(name); return len(log) > 0 && log[len(log)-1].Gone })
	for _, c := range w.changes(name) {
		if x := c.Workload; x.ID != "docker/rdt-workload-box" || x.Image != image || x.Labels["team"] != "red" || x.Digest == "" {
			t.Errorf("got %+v", x)
		}
	}
}

func TestStopEndsOneThatIgnoresSignals(t *testing.T) {
	engine(t)
	w := watch(t, "")
	w.up(t)
	const name = "rdt-workload-deaf"
	exec.Command("docker", "rm", "-f", name).Run()
	t.Cleanup(func() { exec.Command("docker", "rm", "-f", name).Run() })
	cli(t, "run", "-d", "--restart", "always", "--name", name, image, "sh", "-c", "trap '' TERM; while true; do sleep 1; done")
	until(t, "running", func() bool { x := w.one(name); return x != nil && x.Running })
	if err := w.Stop(t.Context(), w.one(name).Container, time.Second); err != nil {
		t.Fatal(err)
	}
	until(t, "stopped", func() bool { return !w.one(name).Running })
	if got := cli(t, "inspect", "-f", "{{.State.Running}}", name); got != "false" {
		t.Errorf("running is %s", got)
	}
}

func TestMissingEngineIsSaidAndRecoveredFrom(t *testing.T) {
	engine(t)
	sock := filepath.Join(t.TempDir(), "engine.sock")
	w := watch(t, "unix://"+sock)
	until(t, "error said", func() bool { return strings.Contains(w.Engine().Error, "is the engine running?") })
	if e := w.Engine(); e.Name != "docker" || !strings.Contains(e.Error, sock) {
		t.Errorf("got %+v", e)
	}
	cut := forward(t, sock)
	w.up(t)
	if w.Engine().Version == "" {
		t.Error("no version")
	}
	const kept, removed = "rdt-workload-kept", "rdt-workload-removed"
	exec.Command("docker", "rm", "-f", kept, removed).Run()
	t.Cleanup(func() { exec.Command("docker", "rm", "-f", kept, removed).Run() })
	cli(t, "create", "--name", kept, image)
	cli(t, "create", "--name", removed, image)
	until(t, "created", func() bool { return w.one(kept) != nil && w.one(removed) != nil })
	cut()
	until(t, "loss said", func() bool { return w.Engine().Error != "" })
	if w.one(removed) == nil {
		t.Error("a lost engine does not mean lost containers")
	}
	cli(t, "rm", removed)
	forward(t, sock)
	w.up(t)
	until(t, "removal noticed", func() bool { return w.one(removed) == nil && w.one(kept) != nil })
}

// forward stands in for an engine that comes and goes: a socket in front of
// the real one. What it returns cuts every connection.
func forward(t *testing.T, sock string) (cut func()) {
	t.Helper()
	l, err := net.Listen("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var open []net.Conn
	cut = func() {
		l.Close()
		mu.Lock()
		defer mu.Unlock()
		for _, c := range open {
			c.Close()
		}
	}
	t.Cleanup(cut)
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("unix", strings.TrimPrefix(docker.DefaultHost, "unix://"))
			if err != nil {
				in.Close()
				continue
			}
			mu.Lock()
			open = append(open, in, out)
			mu.Unlock()
			pipe := func(a, b net.Conn) {
				buf := make([]byte, 32<<10)
				for {
					n, err := a.Read(buf)
					if n > 0 {
						b.Write(buf[:n])
					}
					if err != nil {
						a.Close()
						b.Close()
						return
					}
				}
			}
			go pipe(in, out)
			go pipe(out, in)
		}
	}()
	return cut
}
