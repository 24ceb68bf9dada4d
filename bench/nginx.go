package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"redoubt.dev/redoubt/internal/profile"
)

var (
	perSecond = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)
	failed    = regexp.MustCompile(`Non-2xx|Socket errors: connect [1-9]`)
)

// wrk runs one load against a URL and returns its requests a second.
func (l *lab) wrk(ctx context.Context, url string, seconds int, header ...string) (float64, error) {
	args := []string{"-t1", "-c32", fmt.Sprintf("-d%ds", seconds)}
	for _, h := range header {
		args = append(args, "-H", h)
	}
	out, err := command(ctx, "wrk", append(args, url)...)
	if err != nil {
		return 0, err
	}
	m := perSecond.FindStringSubmatch(out)
	if m == nil || failed.MatchString(out) {
		return 0, fmt.Errorf("wrk was not served:\n%s", out)
	}
	return strconv.ParseFloat(m[1], 64)
}

func measureNginx(ctx context.Context, l *lab) ([]row, error) {
	seconds := l.pick(6, 2)
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
	state, c := filepath.Join(l.dir, "nginx"), &load{id: id}
	serve := func(ctx context.Context, p *product) error {
		_, err := l.wrk(ctx, url, 1, "Connection: close")
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
	kept, fresh, cores := make([]series, len(conditions)), make([]series, len(conditions)), make([]series, len(conditions))
	for range l.pick(7, 2) {
		for i, cond := range conditions {
			r, err := serveRound(ctx, l, cond, url, seconds)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", cond.name, err)
			}
			kept[i], fresh[i], cores[i] = append(kept[i], r.kept), append(fresh[i], r.fresh), append(cores[i], 100*r.cores)
		}
	}
	var rows []row
	for _, kind := range []struct {
		name string
		s    []series
	}{{"keep-alive", kept}, {"new connections", fresh}} {
		for i := 1; i < len(conditions); i++ {
			r := kind.s[i].over(kind.s[0])
			rows = append(rows, row{
				bar:    fmt.Sprintf("nginx requests/s under wrk, %s, Redoubt %s / without", kind.name, conditions[i].name),
				target: "≥ 0.98",
				figure: fmt.Sprintf("%s; n=%d × %d s, without %.0f/s; its own process %.1f %% of one core", r.spread("%.3f"), len(r), seconds, kind.s[0].median(), cores[i].median()),
				passed: pass(r.median() >= 0.98),
			})
		}
	}
	return rows, nil
}

// served is one round: requests a second over kept and fresh connections, and
// the cores that who watches took meanwhile.
type served struct{ kept, fresh, cores float64 }

func serveRound(ctx context.Context, l *lab, cond condition, url string, seconds int) (r served, err error) {
	pids, end, err := cond.begin(ctx)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, end()) }()
	if _, err = l.wrk(ctx, url, 1); err != nil {
		return r, err
	}
	began, used := time.Now(), cpuOf(pids...)
	if r.kept, err = l.wrk(ctx, url, seconds); err != nil {
		return r, err
	}
	r.fresh, err = l.wrk(ctx, url, seconds, "Connection: close")
	r.cores = float64(cpuOf(pids...)-used) / float64(time.Since(began))
	return r, err
}
