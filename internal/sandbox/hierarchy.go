package sandbox

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// hierarchy is where control groups are made: each controller's directory of
// ours, under version 1, version 2, or both as on hybrid machines. There the
// unified tree, which then has no controllers, still freezes and kills.
type hierarchy struct {
	dirs    map[string]string // version 1: controller → our directory
	unified string            // version 2: our directory, empty if not mounted
	limits  map[string]bool   // what version 2 limits
	home    []*os.File        // version 1: the tasks files this process belongs to
}

var controllers = []string{"memory", "cpu", "cpuacct", "pids", "freezer"}

// findHierarchy makes our directories, under a name that belongs to dir, where
// a list of mounts as in /proc/self/mountinfo says, and removes what a
// predecessor left in them.
func findHierarchy(dir string, mounts io.Reader) (*hierarchy, []string, error) {
	own, err := memberships()
	if err != nil {
		return nil, nil, err
	}
	sum := sha256.Sum256([]byte(dir))
	name := "redoubt-" + hex.EncodeToString(sum[:6])
	h := &hierarchy{dirs: map[string]string{}, limits: map[string]bool{}}
	v1, v2 := groupMounts(mounts)
	if v2 != "" {
		h.unified = filepath.Join(v2, name)
		delegate(v2)
	}
	for _, c := range controllers {
		at := v1[c]
		if at == "" || (c == "freezer" && h.unified != "") {
			continue
		}
		h.dirs[c] = filepath.Join(at, name)
		if err := h.live(at, own[c]); err != nil {
			return nil, nil, err
		}
	}
	for _, d := range h.all() {
		if err := sweep(d); err != nil {
			return nil, nil, err
		}
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, nil, fmt.Errorf("make control group %s: %w", d, err)
		}
	}
	if h.unified != "" {
		h.limits = delegate(h.unified)
	}
	return h, h.gaps(), nil
}

// live notes the group this process is in, to come back to. In a container that
// sees its own group as the root, that is where it is.
func (h *hierarchy) live(mount, group string) error {
	home := filepath.Join(mount, group, "tasks")
	if _, err := os.Stat(home); err != nil {
		home = filepath.Join(mount, "tasks")
	}
	if slices.ContainsFunc(h.home, func(f *os.File) bool { return f.Name() == home }) {
		return nil
	}
	f, err := os.OpenFile(home, os.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open own control group: %w", err)
	}
	h.home = append(h.home, f)
	return nil
}

// delegate hands the controllers a directory has to those below it, as far as
// the kernel lets it, and returns which they are.
func delegate(dir string) map[string]bool {
	got := map[string]bool{}
	for _, c := range []string{"memory", "cpu", "pids"} {
		_ = os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+c), 0)
	}
	b, _ := os.ReadFile(filepath.Join(dir, "cgroup.subtree_control"))
	for _, c := range strings.Fields(string(b)) {
		got[c] = true
	}
	return got
}

func (h *hierarchy) gaps() []string {
	var gaps []string
	for _, c := range []struct{ name, what string }{
		{"memory", "limit memory"}, {"cpu", "limit CPU"}, {"pids", "limit the number of processes"},
	} {
		if h.dirs[c.name] == "" && !h.limits[c.name] {
			gaps = append(gaps, fmt.Sprintf("this node cannot %s: the kernel offers no %s controller here", c.what, c.name))
		}
	}
	if h.unified == "" && h.dirs["freezer"] == "" {
		gaps = append(gaps, "this node cannot freeze idle functions: there is no freezer")
	}
	return gaps
}

// all are our directories, each once.
func (h *hierarchy) all() []string {
	var out []string
	for _, d := range h.dirs {
		if !slices.Contains(out, d) {
			out = append(out, d)
		}
	}
	if h.unified != "" {
		out = append(out, h.unified)
	}
	slices.Sort(out)
	return out
}

func (h *hierarchy) close() error {
	for _, f := range h.home {
		f.Close()
	}
	var err error
	for _, d := range h.all() {
		err = errors.Join(err, sweep(d))
	}
	return err
}

// groupMounts finds where each version 1 controller and version 2 are mounted.
func groupMounts(r io.Reader) (v1 map[string]string, v2 string) {
	v1 = map[string]string{}
	for s := bufio.NewScanner(r); s.Scan(); {
		mount, super, ok := strings.Cut(s.Text(), " - ")
		m, t := strings.Fields(mount), strings.Fields(super)
		if !ok || len(m) < 5 || len(t) < 3 {
			continue
		}
		switch t[0] {
		case "cgroup2":
			v2 = or(v2, m[4])
		case "cgroup":
			for _, option := range strings.Split(t[2], ",") {
				if slices.Contains(controllers, option) && v1[option] == "" {
					v1[option] = m[4]
				}
			}
		}
	}
	return v1, v2
}

// memberships says in which version 1 group this process is, by controller.
func memberships() (map[string]string, error) {
	b, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, fmt.Errorf("read own control groups: %w", err)
	}
	out := map[string]string{}
	for line := range strings.Lines(string(b)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		for _, c := range strings.Split(parts[1], ",") {
			out[c] = parts[2]
		}
	}
	return out, nil
}

// sweep ends whatever runs in the groups below dir and removes them and it.
func sweep(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list control group: %w", err)
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := sweep(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return remove(dir)
}

const removeLimit = 10 * time.Second

// remove ends what is in a group and removes it. A group is busy for a moment
// after its last process.
func remove(dir string) error {
	wait := 200 * time.Microsecond
	for until := time.Now().Add(removeLimit); ; {
		err := unix.Rmdir(dir)
		if err == nil || err == unix.ENOENT {
			return nil
		}
		if time.Now().After(until) {
			return fmt.Errorf("remove control group %s: %w", dir, err)
		}
		if wait > 2*time.Millisecond {
			_ = os.WriteFile(filepath.Join(dir, "freezer.state"), []byte("THAWED"), 0)
			for _, pid := range members(dir) {
				_ = unix.Kill(pid, unix.SIGKILL)
			}
		}
		time.Sleep(wait)
		wait = min(wait*2, 50*time.Millisecond)
	}
}
