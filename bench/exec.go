package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"redoubt.dev/redoubt/internal/profile"
)

// condition is one thing that may watch the machine while the load runs.
// begin says which processes belong to it, for their own processor time.
type condition struct {
	name  string
	begin func(ctx context.Context) (pids []int, end func() error, err error)
}

// none is the machine without any of them.
var none = condition{"without", func(context.Context) ([]int, func() error, error) {
	return nil, func() error { return nil }, nil
}}

// redoubtIn is `redoubt up` with the load's profile in a state. The state
// directory is kept over the rounds, as on a machine that is protected for
// long. It begins only when what it is to do is proved to be done.
func (l *lab) redoubtIn(state profile.State, dir string, c *load, settle func(ctx context.Context, p *product) error) condition {
	return condition{string(state), func(ctx context.Context) ([]int, func() error, error) {
		p, err := l.run(ctx, options{state: dir})
		if err != nil {
			return nil, nil, err
		}
		id, err := p.knows(ctx, c.id)
		if err != nil {
			return nil, nil, err
		}
		if err := p.move(ctx, id, profile.Learning); err != nil {
			return nil, nil, err
		}
		if err := settle(ctx, p); err != nil {
			return nil, nil, err
		}
		if state != profile.Learning {
			if err := p.move(ctx, id, state); err != nil {
				return nil, nil, err
			}
		}
		return []int{p.main.pid()}, p.stop, nil
	}}
}

// refuses waits until the load may no longer start a program it never started
// before.
func (c *load) refuses(program string) error {
	a, err := c.do("until %s fails", program)
	if err == nil && a["at"] == "0" {
		err = fmt.Errorf("%s still runs after 15 s", program)
	}
	return err
}

// execTimes are the figures of one condition, a round each, in nanoseconds a
// spawn: half of the spawns took no longer; all took on average; processor time
// of the load; processor time of who watches.
type execTimes struct{ p50, mean, cpu, beside series }

func measureExec(ctx context.Context, l *lab) ([]row, error) {
	count := l.pick(20_000, 2_000)
	if err := l.unaudited(ctx); err != nil {
		return nil, err
	}
	c, err := l.start(ctx, "exec")
	if err != nil {
		return nil, err
	}
	state := filepath.Join(l.dir, "exec")
	learn := func(ctx context.Context, p *product) error {
		if _, err := c.do("full /true 200"); err != nil {
			return err
		}
		id, err := p.knows(ctx, c.id)
		if err != nil {
			return err
		}
		return p.learned(ctx, id, "/true")
	}
	enforcing := l.redoubtIn(profile.Enforcing, state, c, learn)
	proved := condition{enforcing.name, func(ctx context.Context) ([]int, func() error, error) {
		pids, end, err := enforcing.begin(ctx)
		if err == nil {
			err = c.refuses("/mark")
		}
		return pids, end, err
	}}
	conditions := []condition{none, l.redoubtIn(profile.Learning, state, c, learn), proved, l.auditd(), l.bpftrace()}
	times := make([]execTimes, len(conditions))
	missing := make([]error, len(conditions))
	for range l.pick(7, 2) {
		for i, cond := range conditions {
			if missing[i] != nil {
				continue
			}
			err := times[i].round(ctx, cond, c, count)
			if un := (unavailable{}); errors.As(err, &un) {
				missing[i] = un
			} else if err != nil {
				return nil, fmt.Errorf("%s: %w", cond.name, err)
			}
		}
	}
	var rows []row
	for i := 1; i < len(conditions); i++ {
		t, base := times[i], times[0]
		r := row{bar: fmt.Sprintf("exec in a container, %s / without", conditions[i].name), target: "beside"}
		if i <= 2 {
			r.bar, r.target = fmt.Sprintf("exec in a container, Redoubt %s / without", conditions[i].name), "≤ 1.05"
		}
		if missing[i] != nil {
			r.figure = missing[i].Error()
			rows = append(rows, r)
			continue
		}
		wall, cpu := t.p50.over(base.p50), t.cpu.over(base.cpu)
		r.figure = fmt.Sprintf("time %s, CPU %s; mean time %s; + %.1f µs an exec in its own process; n=%d × %d, without %.0f µs",
			wall.spread("%.3f"), cpu.spread("%.3f"), t.mean.over(base.mean).spread("%.2f"), t.beside.median()/1000, len(wall), count, base.p50.median()/1000)
		if i <= 2 {
			r.passed = pass(wall.median() <= 1.05 && cpu.median() <= 1.05)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// round takes one round under one condition.
func (t *execTimes) round(ctx context.Context, cond condition, c *load, count int) (err error) {
	pids, end, err := cond.begin(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	if _, err := c.do("full /true %d", count/20); err != nil { // caches warm again after the change
		return err
	}
	began := cpuOf(pids...)
	a, err := c.do("full /true %d", count)
	if err != nil {
		return err
	}
	if ran, _ := strconv.Atoi(a["ran"]); ran != count {
		return fmt.Errorf("only %d of %d programs ran", ran, count)
	}
	time.Sleep(200 * time.Millisecond) // what is still to be written is part of the cost
	t.p50 = append(t.p50, a.num("p50"))
	t.mean = append(t.mean, a.num("mean"))
	t.cpu = append(t.cpu, a.num("cpu"))
	t.beside = append(t.beside, float64((cpuOf(pids...)-began).Nanoseconds())/float64(count))
	return nil
}
