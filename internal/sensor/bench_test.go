package sensor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redoubt.dev/redoubt/internal/redoubt"
)

// BenchmarkExecOverhead compares, in turns within one run, the cost of
// starting a tiny program without the sensor and with it. It reports ratios of
// the quickest blocks, which other load disturbs least, and the kernel programs' own time for one exec.
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
	spawn := func(n int) time.Duration {
		attr := &syscall.ProcAttr{Sys: &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(cg.Fd())}}
		began := time.Now()
		for range n {
			pid, err := syscall.ForkExec(p, []string{p, "one", "two"}, attr)
			if err != nil {
				b.Fatal(err)
			}
			var ws syscall.WaitStatus
			if _, err := syscall.Wait4(pid, &ws, 0, nil); err != nil || ws != 0 {
				b.Fatal(err, ws)
			}
		}
		return time.Since(began) / time.Duration(n)
	}
	args := HashArgs([]string{p, "one", "two"})
	exe, _ := os.Executable()
	file, parent := benchKey(b, p), benchKey(b, exe)
	modes := []struct {
		name  string
		rules []Rule
	}{
		{"known-file", []Rule{{Exec: &ExecKey{File: file}, Action: Allow}}},
		{"known-parent-args", []Rule{{Exec: &ExecKey{File: file, Parent: parent, Args: args}, Action: Allow}}},
		{"reported", nil},
	}
	times, kernel := map[string][]time.Duration{}, map[string]float64{}
	const block = 400
	spawn(block)
	for b.Loop() {
		times["without"] = append(times["without"], spawn(block))
		for _, m := range modes {
			func() {
				s, err := Open(Config{Alike: 1 << 20})
				if err != nil {
					b.Fatal(err)
				}
				ctx, cancel := context.WithCancel(context.Background())
				done := make(chan error)
				go func() { done <- s.Run(ctx, func(*Sighting) {}) }()
				defer func() { cancel(); <-done; s.Close() }()
				s.SetMode(0, Mode{Allow, Allow, Allow})
				id, err := s.CgroupID(dir)
				if err != nil {
					b.Fatal(err)
				}
				s.Assign(id, 1)
				if err := s.Replace(1, Mode{}, m.rules); err != nil {
					b.Fatal(err)
				}
				spawn(20)
				before := s.Stats().KernelNS
				times[m.name] = append(times[m.name], spawn(block))
				kernel[m.name] = float64(s.Stats().KernelNS-before) / block
			}()
		}
	}
	base := slices.Min(times["without"])
	b.ReportMetric(float64(base.Microseconds()), "µs-without")
	for _, m := range modes {
		b.ReportMetric(float64(slices.Min(times[m.name]))/float64(base), m.name+"-ratio")
		b.ReportMetric(kernel[m.name]/1000, m.name+"-kernel-µs")
	}
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
