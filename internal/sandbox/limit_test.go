package sandbox_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"redoubt.dev/redoubt/internal/sandbox"
	"redoubt.dev/redoubt/internal/sandbox/sandboxtest"
)

func TestS7_ForkBombStopsAtTheLimit(t *testing.T) {
	h := sandboxtest.Open(t)
	spec := probe(t, "forks", "threads=5")
	spec.Pids = 40
	got := answers(t, h, spec)
	var n int
	var why string
	fmt.Sscan(got["forks"], &n, &why)
	if why != "EAGAIN" || n == 0 || n > 40 {
		t.Errorf("a fork bomb got %d children and %q, want at most 40 and EAGAIN", n, why)
	}
	if got["threads=5"] != "ok" {
		t.Error("after its children's end the program can start no threads")
	}
}

func TestS7_MemoryBombEndsOnlyItself(t *testing.T) {
	h := sandboxtest.Open(t)
	neighbour := probe(t, "sleep")
	neighbour.ID = "neighbour"
	n := start(t, h, neighbour)
	spec := probe(t, "eat=400")
	spec.Memory, spec.Tmp = 64<<20, 16<<20
	out, exit := run(t, h, spec)
	if !exit.OOM || exit.Signal != 9 || exit.Killed {
		t.Errorf("a memory bomb ended with %+v: %s", exit, out)
	}
	select {
	case <-n.Done():
		t.Errorf("the neighbour ended with %+v", n.Exit())
	default:
	}
	spec.Argv = []string{"/var/task/probe", "eat=20"}
	if got := answers(t, h, spec); got["eat=20"] != "ok" {
		t.Error("twin: memory within the limit was refused")
	}
}

func TestS7_DiskFillStopsAtTheQuota(t *testing.T) {
	h := sandboxtest.Open(t)
	spec := probe(t, "fill=/tmp/x", "inodes=/tmp", "write=/tmp/y")
	spec.Tmp = 4 << 20
	got := answers(t, h, spec)
	if got["fill=/tmp/x"] != "4096K ENOSPC" {
		t.Errorf("a full /tmp of 4 MiB answered %q", got["fill=/tmp/x"])
	}
	if got["inodes=/tmp"] != "ENOSPC" || got["write=/tmp/y"] != "ok" {
		t.Errorf("inodes %q, then a file %q", got["inodes=/tmp"], got["write=/tmp/y"])
	}
	spec.FileSize = 1 << 20
	spec.Argv = []string{"/var/task/probe", "fill=/tmp/x"}
	if got := answers(t, h, spec); got["fill=/tmp/x"] != "1024K EFBIG" {
		t.Errorf("a file limit of 1 MiB answered %q", got["fill=/tmp/x"])
	}
}

// A full /tmp is not memory of the program's: filling it must not end it.
func TestS7_TmpDoesNotCountAsMemory(t *testing.T) {
	h := sandboxtest.Open(t)
	spec := probe(t, "fill=/tmp/x", "eat=8")
	spec.Memory, spec.Tmp = 32<<20, 64<<20
	got := answers(t, h, spec)
	if !strings.HasSuffix(got["fill=/tmp/x"], "K ENOSPC") || got["eat=8"] != "ok" {
		t.Errorf("got %v", got)
	}
}

func TestS7_UsageIsMeasured(t *testing.T) {
	h := sandboxtest.Open(t)
	l := layer(t, nil)
	spec := probe(t, "eat=32", "write=/tmp/x", "wait="+filepath.Join(l.Target, "go"))
	spec.Mounts = append(spec.Mounts, l)
	s := start(t, h, spec)
	eventually(t, "memory, CPU and /tmp show", func() bool {
		u := s.Usage()
		return u.MemoryPeak > 32<<20 && u.CPU > 0 && u.Pids > 0 && u.Tmp > 0
	})
	if s.CgroupID() == 0 && len(h.Gaps()) == 0 {
		t.Log("this machine has no version 2 control groups")
	}
	if err := s.ResetPeak(); err != nil {
		t.Log(err)
	}
	s.Kill()
	if u := s.Usage(); u.CPU == 0 || u.Pids != 0 {
		t.Errorf("after the end it used %+v", u)
	}
	if err := s.Freeze(); err == nil {
		t.Error("the dead was frozen")
	}
}

func TestS7_OutputIsCutInChunks(t *testing.T) {
	h := sandboxtest.Open(t)
	total, largest := 0, 0
	s := start(t, h, sandbox.Spec{ID: "loud", Argv: []string{"/usr/bin/head", "-c", "3000000", "/dev/zero"}, Output: func(stream int, b []byte) {
		if stream == 1 {
			total, largest = total+len(b), max(largest, len(b))
		}
	}})
	finish(t, s)
	if total != 3_000_000 || largest > 32<<10 {
		t.Errorf("got %d bytes, the largest chunk %d", total, largest)
	}
}
