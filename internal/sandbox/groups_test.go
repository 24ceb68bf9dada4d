package sandbox_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/sandbox"
	"redoubt.dev/redoubt/internal/sandbox/sandboxtest"
)

// openWith opens a host that sees some of this machine's control groups.
func openWith(t *testing.T, wanted func(mount string) bool) *sandbox.Host {
	t.Helper()
	sandboxtest.Open(t) // skips where it must
	init, err := sandboxtest.Init()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	var mounts strings.Builder
	for line := range strings.Lines(string(b)) {
		if strings.Contains(line, " - cgroup") && wanted(line) {
			mounts.WriteString(line)
		}
	}
	h, err := sandbox.OpenMounts(sandbox.Config{Dir: t.TempDir(), Init: init}, mounts.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func missing(h *sandbox.Host, what string) bool {
	return slices.ContainsFunc(h.Gaps(), func(g string) bool { return strings.Contains(g, what) })
}

// live checks that a sandbox can be frozen, thawed, and killed while frozen.
func live(t *testing.T, h *sandbox.Host) {
	t.Helper()
	s := start(t, h, probe(t, "spin"))
	if missing(h, "freeze") {
		if s.Freeze() == nil {
			t.Error("frozen without a freezer")
		}
		s.Kill()
		return
	}
	for range 3 {
		if err := s.Freeze(); err != nil {
			t.Fatal(err)
		}
		// A task may be on its way back into the freezer, never out of it.
		eventually(t, "the process stands still", func() bool { return stateOf(s.PID()) != "R" })
		if err := s.Thaw(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Freeze(); err != nil {
		t.Fatal(err)
	}
	killed := make(chan struct{})
	go func() { s.Kill(); close(killed) }()
	select {
	case <-killed:
	case <-time.After(deadline):
		t.Fatal("a frozen sandbox does not die")
	}
}

func stateOf(pid int) string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if i := bytes.LastIndexByte(b, ')'); i > 0 && len(b) > i+2 {
		return string(b[i+2])
	}
	return ""
}

func TestS7_Version1Alone(t *testing.T) {
	h := openWith(t, func(m string) bool { return !strings.Contains(m, " - cgroup2") })
	if missing(h, "memory") || missing(h, "freeze") {
		t.Skip("this machine has no version 1 control groups")
	}
	live(t, h)
	spec := probe(t, "eat=400")
	spec.Memory, spec.Tmp = 64<<20, 1<<20
	if _, exit := run(t, h, spec); !exit.OOM {
		t.Errorf("a memory bomb ended with %+v", exit)
	}
}

func TestS7_Version2Alone(t *testing.T) {
	h := openWith(t, func(m string) bool { return strings.Contains(m, " - cgroup2") })
	if missing(h, "freeze") {
		t.Skip("this machine has no version 2 control groups")
	}
	t.Log(h.Gaps())
	live(t, h)
}

func TestS7_WithoutControlGroupsTheGapsSaySo(t *testing.T) {
	h := openWith(t, func(string) bool { return false })
	for _, what := range []string{"memory", "CPU", "processes", "freeze"} {
		if !missing(h, what) {
			t.Errorf("the gaps keep quiet about %s: %q", what, h.Gaps())
		}
	}
	live(t, h)
	if u := start(t, h, probe(t, "sleep")).Usage(); u.CPU != 0 {
		t.Errorf("measured %v without a meter", u.CPU)
	}
}

func TestS7_LostLauncherIsReplaced(t *testing.T) {
	h := sandboxtest.Open(t)
	s := start(t, h, probe(t, "sleep"))
	for _, pid := range launchers(t) {
		if err := unix.Kill(pid, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	if e := finish(t, s); e.Signal != 9 || e.Killed {
		t.Errorf("without its launcher it ended with %+v", e)
	}
	if got := answers(t, h, probe(t, "id")); got["id"] != "993 993 993 993 1" {
		t.Errorf("the next answers %v", got)
	}
}

// launchers are the children of this process that fork sandboxes.
func launchers(t *testing.T) (pids []int) {
	t.Helper()
	lists, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lists {
		b, _ := os.ReadFile(l)
		for _, w := range strings.Fields(string(b)) {
			var pid int
			fmt.Sscan(w, &pid)
			if b, _ := os.ReadFile("/proc/" + w + "/cmdline"); strings.HasPrefix(string(b), "launcher\x00") {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

func TestS7_OnExecMayKill(t *testing.T) {
	h := sandboxtest.Open(t)
	boxes := make(chan *sandbox.Sandbox, 1)
	spec := probe(t, "exec=/usr/bin/id", "sleep")
	spec.Exec = []string{"/usr/bin/id"}
	spec.OnExec = func(sandbox.Exec) bool { (<-boxes).Kill(); return true }
	s := start(t, h, spec)
	boxes <- s
	if e := finish(t, s); !e.Killed {
		t.Errorf("it ended with %+v", e)
	}
}

func TestS7_DeafHostDoesNotHoldTheEnd(t *testing.T) {
	h := sandboxtest.Open(t)
	listen := make(chan struct{})
	defer close(listen)
	s := start(t, h, sandbox.Spec{ID: "deaf", Argv: []string{"/usr/bin/head", "-c", "3000000", "/dev/zero"}, Output: func(int, []byte) { <-listen }})
	eventually(t, "the program waits for its output to be taken", func() bool { return stateOf(s.PID()) == "S" })
	s.Kill()
	if e := s.Exit(); !e.Killed {
		t.Errorf("it ended with %+v", e)
	}
}
