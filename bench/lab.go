package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// lab is the machine as a run finds it and what the run has put on it.
type lab struct {
	ctx     context.Context
	binary  string
	quick   bool
	verbose bool
	dir     string
	image   string        // the load's
	storm   time.Duration // of measureKill; 0 is its own choice
	began   time.Time
	undo    []func()
	own     map[int]bool // processes of ours that are called redoubt
	others  map[int]bool // those that are not
}

func newLab(ctx context.Context, binary string, quick, verbose bool) (*lab, error) {
	if os.Getuid() != 0 {
		return nil, errors.New("measuring needs root: eBPF and the container engine")
	}
	binary, err := filepath.Abs(binary)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(binary); err != nil {
		return nil, fmt.Errorf("find the binary: %w; make build makes it", err)
	}
	dir, err := os.MkdirTemp("", "redoubt-bench-")
	if err != nil {
		return nil, err
	}
	l := &lab{ctx: ctx, binary: binary, quick: quick, verbose: verbose, dir: dir, began: time.Now(), own: map[int]bool{}, others: map[int]bool{}}
	if l.image, err = l.buildImage(); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *lab) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s  %s\n", time.Now().Format("15:04:05"), fmt.Sprintf(format, args...))
}

// atEnd runs f when the measure is over, last first.
func (l *lab) atEnd(f func()) { l.undo = append(l.undo, f) }

func (l *lab) clean() {
	for i := len(l.undo) - 1; i >= 0; i-- {
		l.undo[i]()
	}
	l.undo = nil
}

func (l *lab) close() {
	l.clean()
	if l.image != "" {
		command(context.Background(), "docker", "rmi", "-f", l.image)
	}
	os.RemoveAll(l.dir)
}

// pick chooses between the figure of a full run and that of a quick one.
func (l *lab) pick(full, quick int) int {
	if l.quick {
		return quick
	}
	return full
}

func (l *lab) when() string {
	s := time.Now().UTC().Format("2006-01-02")
	if l.quick {
		s += " quick"
	}
	return s
}

// buildImage makes the image of the load: static programs and nothing else.
func (l *lab) buildImage() (string, error) {
	root := filepath.Join(l.dir, "image")
	if err := os.MkdirAll(filepath.Join(root, "tmp"), 0o755); err != nil {
		return "", err
	}
	sources, err := filepath.Glob("bench/load/*.c")
	if err != nil || len(sources) == 0 {
		return "", errors.New("no bench/load/*.c here: run this from the top of the repository")
	}
	for _, s := range sources {
		if _, err := command(l.ctx, "gcc", "-O2", "-static", "-o", filepath.Join(root, strings.TrimSuffix(filepath.Base(s), ".c")), s); err != nil {
			return "", err
		}
	}
	tar := exec.CommandContext(l.ctx, "tar", "-C", root, "-c", ".")
	var archive bytes.Buffer
	tar.Stdout = &archive
	if err := tar.Run(); err != nil {
		return "", fmt.Errorf("pack the image: %w", err)
	}
	name := fmt.Sprintf("redoubt-bench:%d", os.Getpid())
	imp := exec.CommandContext(l.ctx, "docker", "import", "--change", `CMD ["/spawn"]`, "-", name)
	imp.Stdin = &archive
	if out, err := imp.CombinedOutput(); err != nil {
		return "", fmt.Errorf("import the image: %w: %s", err, out)
	}
	return name, nil
}

// command runs a program that has to work and returns what it printed.
func command(ctx context.Context, name string, args ...string) (string, error) {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(errs.String()))
	}
	return strings.TrimSpace(out.String()), nil
}

// wait asks until ok is true.
func wait(ctx context.Context, what string, within, every time.Duration, ok func() (bool, error)) error {
	deadline := time.Now().Add(within)
	var last error
	for {
		done, err := ok()
		if done {
			return nil
		}
		if err != nil {
			last = err
		}
		if time.Now().After(deadline) {
			return errors.Join(fmt.Errorf("waited %v in vain for %s", within, what), last)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(every):
		}
	}
}

// cpuOf is the processor time of processes since they began.
func cpuOf(pids ...int) time.Duration {
	var ticks int64
	for _, pid := range pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		for _, i := range []int{11, 12} { // utime, stime
			n, _ := strconv.ParseInt(f[i], 10, 64)
			ticks += n
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// rssOf is a process's resident memory in bytes.
func rssOf(pid int) uint64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "Rss:" {
			n, _ := strconv.ParseUint(f[1], 10, 64)
			return n << 10
		}
	}
	return 0
}

// strangers notes other Redoubts on this machine: they watch every container,
// so "without" is not quite without.
func (l *lab) strangers() {
	list, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range list {
		b, err := os.ReadFile(file)
		args := strings.Split(string(b), "\x00")
		pid, _ := strconv.Atoi(strings.Split(file, "/")[2])
		if err != nil || len(args) < 2 || l.own[pid] || !strings.Contains(filepath.Base(args[0]), "redoubt") {
			continue
		}
		if args[1] == "up" || args[1] == "defender" {
			l.others[pid] = true
		}
	}
}

func (l *lab) machine() string {
	l.strangers()
	var u unix.Utsname
	unix.Uname(&u)
	cpu, mem := "?", "?"
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "model name" {
				cpu = strings.TrimSpace(v)
				break
			}
		}
		cpu = fmt.Sprintf("%d × %s", strings.Count(string(b), "processor\t"), cpu)
	}
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		mem = fmt.Sprintf("%d GiB", (info.Totalram*uint64(info.Unit)+1<<29)>>30)
	}
	docker, _ := command(l.ctx, "docker", "version", "-f", "{{.Server.Version}}")
	return fmt.Sprintf("Machine: %s, %s; kernel %s; Docker %s; %s UTC; load average %s at the beginning",
		cpu, mem, unix.ByteSliceToString(u.Release[:]), docker, time.Now().UTC().Format("2006-01-02 15:04"), loadAverage())
}

// aftermath says what disturbed the run.
func (l *lab) aftermath() string {
	l.strangers()
	s := fmt.Sprintf(", %s at the end, after %v.", loadAverage(), time.Since(l.began).Round(time.Second))
	if len(l.others) > 0 {
		s += fmt.Sprintf(" **%d other Redoubt processes watched the same containers meanwhile.**", len(l.others))
	}
	if l.quick {
		s += " **Quick run: it shows that the harness works, not what Redoubt costs.**"
	}
	return s
}

func loadAverage() string {
	b, _ := os.ReadFile("/proc/loadavg")
	f := strings.Fields(string(b))
	if len(f) == 0 {
		return "?"
	}
	return f[0]
}
