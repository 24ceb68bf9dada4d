package sandbox

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGroupMountsAreFound(t *testing.T) {
	for name, c := range map[string]struct {
		mounts string
		v1     map[string]string
		v2     string
	}{
		"pure 2": {"24 30 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n", map[string]string{}, "/sys/fs/cgroup"},
		"hybrid": {`1 2 0:1 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
2 2 0:2 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct
3 2 0:3 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
4 2 0:4 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd
`, map[string]string{"memory": "/sys/fs/cgroup/memory", "cpu": "/sys/fs/cgroup/cpu,cpuacct", "cpuacct": "/sys/fs/cgroup/cpu,cpuacct"}, "/sys/fs/cgroup/unified"},
		"none":    {"1 2 0:1 / / rw - ext4 /dev/sda1 rw\n", map[string]string{}, ""},
		"garbage": {"- cgroup2\n1 2 3 - cgroup x y\n - \n", map[string]string{}, ""},
	} {
		v1, v2 := groupMounts(strings.NewReader(c.mounts))
		if diff := cmp.Diff(c.v1, v1); diff != "" || v2 != c.v2 {
			t.Errorf("%s: version 2 at %q; %s", name, v2, diff)
		}
	}
}

// No test machine has controllers in both versions, so what goes into the
// files of version 2 is looked at in ordinary ones.
func TestVersion2LimitsAndUsage(t *testing.T) {
	dir := t.TempDir()
	h := &hierarchy{unified: dir, limits: map[string]bool{"memory": true, "cpu": true, "pids": true}}
	g := &group{h: h, name: "a"}
	if err := os.Mkdir(filepath.Join(dir, "a"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := g.limit(&Spec{Memory: 1000, Tmp: 24, CPU: 0.5, Pids: 77}); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range []string{"memory.max", "memory.swap.max", "memory.oom.group", "cpu.max", "pids.max"} {
		got[f] = g.text("", f)
	}
	want := map[string]string{"memory.max": "1024", "memory.swap.max": "0", "memory.oom.group": "1", "cpu.max": "50000 100000", "pids.max": "77"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for f, text := range map[string]string{
		"memory.current": "500\n", "memory.peak": "900\n", "memory.events": "low 0\noom 1\noom_kill 1\n",
		"cpu.stat": "usage_usec 2500\nuser_usec 1\n", "pids.current": "3\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, "a", f), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	u, oom := g.usage()
	if diff := cmp.Diff(Usage{CPU: 2_500_000, Memory: 500, MemoryPeak: 900, Pids: 3}, u); diff != "" || !oom {
		t.Errorf("out of memory %v; %s", oom, diff)
	}
}
