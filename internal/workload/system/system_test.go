package system_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/workload"
	"redoubt.dev/redoubt/internal/workload/system"
)

func watch(t *testing.T, h workload.Hierarchy) *workload.Registry {
	t.Helper()
	r := workload.NewRegistry(nil)
	s := system.New(system.Config{Node: "n1", Hostname: "box", Cgroups: h})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx, r.Apply) }()
	t.Cleanup(func() { cancel(); <-done })
	return r
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

func TestHostIsAlwaysThere(t *testing.T) {
	r := watch(t, workload.Hierarchy{V2: t.TempDir(), Kind: "v2"})
	until(t, "host", func() bool { _, ok := r.Host(); return ok })
	w, _ := r.Host()
	if w.ID != "host/n1" || w.Name != "box" || w.Kind != redoubt.KindHost || !w.Running || w.Started.After(time.Now()) || w.Started.IsZero() {
		t.Errorf("got %+v", w)
	}
}

func TestServiceComesAndGoes(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to make cgroups")
	}
	h, err := workload.FindHierarchy()
	if err != nil {
		t.Skip(err)
	}
	for name, root := range map[string]string{"v2": h.V2, "v1": h.Systemd} {
		t.Run(name, func(t *testing.T) {
			if root == "" {
				t.Skip("no such hierarchy here")
			}
			only := workload.Hierarchy{V2: root}
			if name == "v1" {
				only = workload.Hierarchy{Systemd: root}
			}
			serviceComesAndGoes(t, only, root)
		})
	}
}

func serviceComesAndGoes(t *testing.T, h workload.Hierarchy, root string) {
	r := watch(t, h)
	unit := fmt.Sprintf("rdt-workload-%d", os.Getpid())
	slice := filepath.Join(root, unit+".slice")
	dir := filepath.Join(slice, unit+"@a.service")
	empty := filepath.Join(slice, "empty.service")
	t.Cleanup(func() { os.Remove(dir); os.Remove(empty); os.Remove(slice) })
	until(t, "host", func() bool { _, ok := r.Host(); return ok })
	for _, d := range []string{slice, empty, dir} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(cmd.Process.Pid)), 0); err != nil {
		t.Fatal(err)
	}
	id := "service/" + unit + "@a"
	until(t, "service", func() bool { _, ok := r.ByInstance(id); return ok })
	w, _ := r.ByInstance(id)
	if w.Kind != redoubt.KindService || w.PID != cmd.Process.Pid || !w.Running || w.Name != unit+"@a.service" {
		t.Errorf("got %+v", w)
	}
	if h.V2 != "" {
		if got, ok := r.ByCgroup(w.CgroupID); !ok || got != w {
			t.Errorf("by cgroup %d: %v", w.CgroupID, got)
		}
	}
	if _, ok := r.ByInstance("service/empty"); ok {
		t.Error("a service without processes does not run")
	}
	cmd.Process.Kill()
	cmd.Wait()
	os.Remove(dir)
	until(t, "gone", func() bool { return len(r.Find(id)) == 0 })
}
