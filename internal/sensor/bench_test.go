package sensor

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/redoubt"
)

// BenchmarkExecOverhead compares, in turns within one run, the cost of
// starting a tiny program without the sensor and with it: processor time of
// the starting thread and the child together. It reports ratios of medians and the kernel programs' own time for one exec.
func BenchmarkExecOverhead(b *testing.B) {
	if os.Getuid() != 0 {
		b.Skip("needs root to load kernel programs")
	}
	p := program(b, "p", codeExit)
	root, _ := mounted("")
	dir := filepath.Join(root, fmt.Sprintf("rdt-sensor-bench-%d", os.Getpid()))
	if err := os.Mkdir(dir, 0o755); err != nil {
		b.Skip(err)
	}
	defer os.Remove(dir)
	cg, err := os.Open(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer cg.Close()
	exe, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	// Another process starts them: this one's many open files are not what a
	// workload's parent has to copy and close.
	spawn := func(n int) time.Duration {
		cmd := exec.Command(exe, "act", "spawn", strconv.Itoa(n), p)
		cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(cg.Fd())}
		out, err := cmd.Output()
		if err != nil {
			b.Fatal(err, string(out))
		}
		took, err := time.ParseDuration(strings.TrimSpace(string(out)))
		if err != nil {
			b.Fatal(err)
		}
		return took / time.Duration(n)
	}
	args := HashArgs([]string{p, "one", "two"})
	file, parent := benchKey(b, p), benchKey(b, exe)
	modes := []struct {
		name  string
		rules []Rule
	}{
		{"known-file", []Rule{{Exec: &ExecKey{File: file}, Action: Allow}}},
		{"known-parent-args", []Rule{{Exec: &ExecKey{File: file, Parent: parent, Args: args}, Action: Allow}}},
		{"reported", nil},
	}
	const block = 400
	times, kernel := map[string][]time.Duration{}, map[string]float64{}
	// The same garbage and page tables in every mode: a sensor was open, or is.
	with := func(m string, rules []Rule, closed bool) {
		s, err := Open(Config{Alike: 1 << 20})
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- s.Run(ctx, func(*Sighting) {}) }()
		end := func() { cancel(); <-done; s.Close() }
		s.SetMode(0, Mode{Allow, Allow, Allow})
		id, err := s.CgroupID(dir)
		if err != nil {
			b.Fatal(err)
		}
		s.Assign(id, 1)
		if err := s.Replace(1, Mode{}, rules); err != nil {
			b.Fatal(err)
		}
		if closed {
			end()
		}
		runtime.GC()
		if closed {
			times[m] = append(times[m], spawn(block))
			return
		}
		timing, err := ebpf.EnableStats(unix.BPF_STATS_RUN_TIME)
		if err != nil {
			b.Fatal(err)
		}
		before := s.runtime()
		times[m] = append(times[m], spawn(block))
		kernel[m] = float64(s.runtime()-before) / block
		timing.Close()
		end()
	}
	for b.Loop() {
		with("without", nil, true)
		for _, m := range modes {
			with(m.name, m.rules, false)
		}
	}
	base := median(times["without"])
	b.ReportMetric(float64(base.Microseconds()), "µs-without")
	for _, m := range modes {
		b.ReportMetric(float64(median(times[m.name]))/float64(base), m.name+"-ratio")
		b.ReportMetric(kernel[m.name]/1000, m.name+"-kernel-µs")
	}
}

func median(d []time.Duration) time.Duration {
	d = slices.Clone(d)
	slices.Sort(d)
	return d[len(d)/2]
}

func benchKey(b *testing.B, path string) redoubt.FileKey {
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil {
		b.Fatal(err)
	}
	return keyOf(&st)
}

// BenchmarkDecode is the user-space cost of one exec sighting.
func BenchmarkDecode(b *testing.B) {
	rec := execRecord("nginx\x00-g\x00daemon off;\x00", "nginx\x00sbin\x00usr\x00", "", "", 4)
	want, _, err := decode(rec, time.Time{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		got, _, _ := decode(rec, time.Time{})
		if got.Path != want.Path {
			b.Fatal(cmp.Diff(want, got))
		}
	}
}
