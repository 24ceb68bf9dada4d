package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// group is the control groups of one sandbox.
type group struct {
	h       *hierarchy
	name    string
	tasks   []*os.File // version 1: joined by the thread that forks
	unified *os.File   // version 2: joined by the fork itself
	id      uint64
}

func (h *hierarchy) make(name string, s *Spec) (*group, error) {
	g := &group{h: h, name: name}
	for _, d := range h.all() {
		if err := os.Mkdir(filepath.Join(d, name), 0o755); err != nil {
			g.remove()
			return nil, fmt.Errorf("make control group: %w", err)
		}
	}
	if err := g.open(); err != nil {
		g.remove()
		return nil, err
	}
	if err := g.limit(s); err != nil {
		g.remove()
		return nil, err
	}
	return g, nil
}

func (g *group) open() error {
	for _, d := range g.h.all() {
		at := filepath.Join(d, g.name)
		if d == g.h.unified {
			f, err := os.Open(at)
			if err != nil {
				return fmt.Errorf("open control group: %w", err)
			}
			var st unix.Stat_t
			if err := unix.Fstat(int(f.Fd()), &st); err != nil {
				return fmt.Errorf("identify control group: %w", err)
			}
			g.unified, g.id = f, st.Ino
			continue
		}
		f, err := os.OpenFile(filepath.Join(at, "tasks"), os.O_WRONLY, 0)
		if err != nil {
			return fmt.Errorf("open control group: %w", err)
		}
		g.tasks = append(g.tasks, f)
	}
	return nil
}

// limit sets what the sandbox may use. Its /tmp is memory, and is limited on
// its own, so the memory limit makes room for it.
func (g *group) limit(s *Spec) error {
	memory := strconv.FormatInt(s.Memory+s.Tmp, 10)
	pids := strconv.Itoa(s.Pids)
	for _, l := range []struct {
		controller, file, value string
		optional                bool
	}{
		{"memory", "memory.limit_in_bytes", memory, false},
		{"memory", "memory.memsw.limit_in_bytes", memory, true},
		{"pids", "pids.max", pids, false},
	} {
		if g.h.dirs[l.controller] == "" {
			continue
		}
		if err := g.write(l.controller, l.file, l.value); err != nil && !l.optional {
			return err
		}
	}
	for _, l := range []struct {
		controller, file, value string
		optional                bool
	}{
		{"memory", "memory.max", memory, false},
		{"memory", "memory.swap.max", "0", true},
		{"memory", "memory.oom.group", "1", true},
		{"pids", "pids.max", pids, false},
	} {
		if !g.h.limits[l.controller] {
			continue
		}
		if err := g.write("", l.file, l.value); err != nil && !l.optional {
			return err
		}
	}
	return g.setCPU(s.CPU)
}

// at is a file of a version 1 controller, of version 2 where that is empty.
func (g *group) at(controller, file string) string {
	dir := g.h.unified
	if controller != "" {
		dir = g.h.dirs[controller]
	}
	return filepath.Join(dir, g.name, file)
}

func (g *group) write(controller, file, value string) error {
	if err := os.WriteFile(g.at(controller, file), []byte(value), 0); err != nil {
		return fmt.Errorf("set %s of sandbox: %w", file, err)
	}
	return nil
}

const freezeLimit = 5 * time.Second

var errFreeze = errors.New("not all processes stopped in time")

func (g *group) freeze(on bool) error {
	if g.h.unified != "" {
		return g.freezeUnified(on)
	}
	if g.h.dirs["freezer"] == "" {
		return errors.New("this node has no freezer")
	}
	want := "THAWED"
	if on {
		want = "FROZEN"
	}
	if err := g.write("freezer", "freezer.state", want); err != nil {
		return err
	}
	return poll(func() bool { return g.text("freezer", "freezer.state") == want })
}

func (g *group) freezeUnified(on bool) error {
	value := "0"
	if on {
		value = "1"
	}
	if err := g.write("", "cgroup.freeze", value); err != nil {
		return err
	}
	return poll(func() bool { return strings.Contains(g.text("", "cgroup.events"), "frozen "+value) })
}

func poll(done func() bool) error {
	wait := 20 * time.Microsecond
	for until := time.Now().Add(freezeLimit); !done(); wait = min(wait*2, 10*time.Millisecond) {
		if time.Now().After(until) {
			return errFreeze
		}
		time.Sleep(wait)
	}
	return nil
}

// kill ends every process of the group, where the kernel can do it at once.
func (g *group) kill() {
	if g.h.unified != "" {
		_ = g.write("", "cgroup.kill", "1") // Linux 5.14; the end of the first process takes the rest with it anyway
		return
	}
	if g.h.dirs["freezer"] != "" {
		_ = g.write("freezer", "freezer.state", "THAWED") // the frozen do not die
	}
}

func (g *group) text(controller, file string) string {
	b, _ := os.ReadFile(g.at(controller, file))
	return string(bytes.TrimSpace(b))
}

func (g *group) number(controller, file string) int64 {
	n, _ := strconv.ParseInt(g.text(controller, file), 10, 64)
	return n
}

// field reads one line's number from a file of names and numbers.
func (g *group) field(controller, file, name string) int64 {
	for line := range strings.Lines(g.text(controller, file)) {
		if v, ok := strings.CutPrefix(line, name+" "); ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
			return n
		}
	}
	return 0
}

// usage reads what was used so far, and whether the kernel ended a process
// for want of memory.
func (g *group) usage() (u Usage, oom bool) {
	if g.h.limits["memory"] {
		u.Memory, u.MemoryPeak = g.number("", "memory.current"), g.number("", "memory.peak")
		oom = g.field("", "memory.events", "oom_kill") > 0
	} else if g.h.dirs["memory"] != "" {
		u.Memory, u.MemoryPeak = g.number("memory", "memory.usage_in_bytes"), g.number("memory", "memory.max_usage_in_bytes")
		oom = g.field("memory", "memory.oom_control", "oom_kill") > 0
	}
	if g.h.dirs["cpuacct"] != "" {
		u.CPU = time.Duration(g.number("cpuacct", "cpuacct.usage"))
	} else if g.h.unified != "" {
		u.CPU = time.Duration(g.field("", "cpu.stat", "usage_usec")) * time.Microsecond
	}
	if g.h.limits["pids"] {
		u.Pids = int(g.number("", "pids.current"))
	} else if g.h.dirs["pids"] != "" {
		u.Pids = int(g.number("pids", "pids.current"))
	}
	return u, oom
}

// resetPeak starts the peak of memory anew.
func (g *group) resetPeak() error {
	if g.h.limits["memory"] {
		return g.write("", "memory.peak", "0")
	}
	if g.h.dirs["memory"] != "" {
		return g.write("memory", "memory.max_usage_in_bytes", "0")
	}
	return nil
}

func (g *group) remove() error {
	for _, f := range append(g.tasks, g.unified) {
		if f != nil {
			f.Close()
		}
	}
	var err error
	for _, d := range g.h.all() {
		err = errors.Join(err, remove(filepath.Join(d, g.name)))
	}
	return err
}

// members lists the processes of a group.
func members(dir string) []int {
	b, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	var pids []int
	for _, w := range strings.Fields(string(b)) {
		if n, err := strconv.Atoi(w); err == nil && n > 1 {
			pids = append(pids, n)
		}
	}
	return pids
}
