package sensor

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/redoubt"
)

// What an engine does 8 times at once, without an engine: a name is bound, its
// cgroup is made, one program is started in it, both go. That each program is
// refused by its slot's rule shows that the slot was there before.
func TestD1_EveryBriefCgroupIsKnownBeforeItsFirstExec(t *testing.T) {
	w := open(t, Config{Alike: 1 << 20})
	if w.root == "" {
		t.Skip("no cgroup v2 hierarchy is mounted")
	}
	p := program(t, "nap", codeExit)
	n := 50 // REDOUBT_CONTAINERS=500 is the full measure
	if v, err := strconv.Atoi(os.Getenv("REDOUBT_CONTAINERS")); err == nil {
		n = v
	}
	const slot = 62
	if err := w.SetExec(slot, ExecKey{File: statKey(t, p)}, Deny); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	next := make(chan int)
	for range 8 {
		group.Go(func() {
			for i := range next {
				brief(t, w, fmt.Sprintf("rdt-sensor-brief-%d-%d", os.Getpid(), i), slot, p)
			}
		})
	}
	began := time.Now()
	for i := range n {
		next <- i
	}
	close(next)
	group.Wait()
	took := time.Since(began)

	ran := func(s *Sighting) bool { return s.Kind == redoubt.EventExec && s.Path == p }
	w.wait(n, ran)
	w.mu.Lock()
	defer w.mu.Unlock()
	names, seen := map[uint64]string{}, map[string]int{}
	for i := range w.all {
		switch s := &w.all[i]; {
		case s.Kind == CgroupBorn:
			names[s.Cgroup] = filepath.Base(s.Path)
		case ran(s):
			seen[names[s.Cgroup]]++
			if s.Denied != w.enforced() {
				t.Errorf("%s: denied by %q", names[s.Cgroup], s.Denied)
			}
		}
	}
	for i := range n {
		if name := fmt.Sprintf("rdt-sensor-brief-%d-%d", os.Getpid(), i); seen[name] != 1 {
			t.Errorf("%s: %d execs with its cgroup", name, seen[name])
		}
	}
	if st := w.Stats(); st.Lost != 0 {
		t.Errorf("lost %d", st.Lost)
	}
	t.Logf("%d cgroups in %v", n, took.Round(time.Millisecond))
}

// brief is one such cgroup's life. It may be called from any goroutine.
func brief(t *testing.T, w *watch, name string, slot Slot, p string) {
	if err := w.AssignName(name, slot); err != nil {
		t.Error(err)
		return
	}
	dir := filepath.Join(w.root, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Error(err)
		return
	}
	if err := in(dir, p); !w.refused(err) {
		t.Errorf("%s: its first program ended with %v", name, err)
	}
	(&group{t: t, dir: dir}).remove()
	if err := w.UnassignName(name); err != nil {
		t.Error(err)
	}
}

// in runs a program that starts inside the cgroup at dir.
func in(dir, program string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	cmd := exec.Command(program)
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(f.Fd())}
	return cmd.Run()
}
