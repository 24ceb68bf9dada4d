package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/profile"
)

var (
	perSecond = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)
	requests  = regexp.MustCompile(`(\d+) requests in`)
	failed    = regexp.MustCompile(`Non-2xx|Socket errors: connect [1-9]`)
)

// throughput is what one run of wrk showed: requests a second, and processor
// time of server and client a request, which neighbours disturb less.
type throughput struct{ rate, cpu float64 }

// wrk runs one load against a URL whose server has these processes.
func (l *lab) wrk(ctx context.Context, url string, server []int, seconds int, header ...string) (t throughput, err error) {
	args := []string{"-t1", "-c32", fmt.Sprintf("-d%ds", seconds)}
	for _, h := range header {
		args = append(args, "-H", h)
	}
	began := cpuOf(server...)
	cmd := exec.CommandContext(ctx, "wrk", append(args, url)...)
	out, err := cmd.CombinedOutput()
	m, n := perSecond.FindSubmatch(out), requests.FindSubmatch(out)
	if err != nil || m == nil || n == nil || failed.Match(out) {
		return t, fmt.Errorf("wrk was not served: %w\n%s", err, out)
	}
	t.rate, _ = strconv.ParseFloat(string(m[1]), 64)
	count, _ := strconv.ParseFloat(string(n[1]), 64)
	used := cpuOf(server...) - began + cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	t.cpu = float64(used.Nanoseconds()) / count
	return t, nil
}

func measureNginx(ctx context.Context, l *lab) ([]row, error) {
	seconds := l.pick(4, 2)
	image, err := command(ctx, "test/images/nginx.sh")
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("rdt-bench-nginx-%d", os.Getpid())
	id, err := command(ctx, "docker", "run", "-d", "--name", name, image)
	l.atEnd(func() { command(context.Background(), "docker", "rm", "-f", "-v", name) })
	if err != nil {
		return nil, err
	}
	ip, err := command(ctx, "docker", "inspect", "-f", "{{.NetworkSettings.IPAddress}}", name)
	if err != nil {
		return nil, err
	}
	url := "http://" + ip + "/"
	if err := wait(ctx, "nginx", 10*time.Second, 50*time.Millisecond, func() (bool, error) {
		_, err := command(ctx, "curl", "-sS", "-o", "/dev/null", url)
		return err == nil, err
	}); err != nil {
		return nil, err
	}
	top, err := command(ctx, "docker", "top", name, "-eo", "pid")
	if err != nil {
		return nil, err
	}
	var server []int
	for f := range strings.FieldsSeq(top) {
		if pid, err := strconv.Atoi(f); err == nil {
			server = append(server, pid)
		}
	}
	state, c := filepath.Join(l.dir, "nginx"), &load{id: id}
	serve := func(ctx context.Context, p *product) error {
		_, err := l.wrk(ctx, url, server, 1, "Connection: close")
		return err
	}
	// Nginx starts no program while it serves, so there is nothing to refuse by
	// which enforcing would show; a program from outside must not run.
	enforcing := l.redoubtIn(profile.Enforcing, state, c, serve)
	proved := condition{enforcing.name, func(ctx context.Context) ([]int, func() error, error) {
		pids, end, err := enforcing.begin(ctx)
		if err == nil {
			err = wait(ctx, "enforcement", 15*time.Second, 100*time.Millisecond, func() (bool, error) {
				_, err := command(ctx, "docker", "exec", name, "/bin/ls")
				return err != nil, nil
			})
		}
		return pids, end, err
	}}
	conditions := []condition{none, l.redoubtIn(profile.Learning, state, c, serve), proved}
	rounds := make([][]served, len(conditions))
	for range l.pick(9, 2) {
		for i, cond := range conditions {
			r, err := serveRound(ctx, l, cond, url, server, seconds)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", cond.name, err)
			}
			rounds[i] = append(rounds[i], r)
		}
	}
	var rows []row
	for _, kind := range []struct {
		name string
		of   func(served) throughput
	}{
		{"keep-alive", func(s served) throughput { return s.kept }},
		{"new connections", func(s served) throughput { return s.fresh }},
	} {
		rates := func(i int) series { return pluck(rounds[i], func(s served) float64 { return kind.of(s).rate }) }
		cpus := func(i int) series { return pluck(rounds[i], func(s served) float64 { return kind.of(s).cpu }) }
		for i := 1; i < len(conditions); i++ {
			r := rates(i).over(rates(0))
			rows = append(rows, row{
				bar:    fmt.Sprintf("nginx requests/s under wrk, %s, Redoubt %s / without", kind.name, conditions[i].name),
				target: "≥ 0.98",
				figure: fmt.Sprintf("%s; CPU of nginx and wrk a request %s; its own process %.1f %% of one core; n=%d × %d s, without %.0f/s and %.0f µs", r.spread("%.3f"),
					cpus(i).over(cpus(0)).spread("%.3f"), pluck(rounds[i], func(s served) float64 { return 100 * s.cores }).median(), len(r), seconds, rates(0).median(), cpus(0).median()/1000),
				passed: pass(r.median() >= 0.98),
			})
		}
	}
	return rows, nil
}

func pluck(rounds []served, of func(served) float64) (s series) {
	for _, r := range rounds {
		s = append(s, of(r))
	}
	return s
}

// served is one round: over kept and over fresh connections, and the cores that
// who watches took meanwhile.
type served struct {
	kept, fresh throughput
	cores       float64
}

func serveRound(ctx context.Context, l *lab, cond condition, url string, server []int, seconds int) (r served, err error) {
	pids, end, err := cond.begin(ctx)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, end()) }()
	if _, err = l.wrk(ctx, url, server, 1); err != nil {
		return r, err
	}
	began, used := time.Now(), cpuOf(pids...)
	if r.kept, err = l.wrk(ctx, url, server, seconds); err != nil {
		return r, err
	}
	r.fresh, err = l.wrk(ctx, url, server, seconds, "Connection: close")
	r.cores = float64(cpuOf(pids...)-used) / float64(time.Since(began))
	return r, err
}
