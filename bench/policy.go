package main

import (
	"context"
	"fmt"
	"time"
)

// measurePolicy times from just before a policy is sent to the first exec that
// it refuses, by the load's clock, and from its removal to the first that runs
// again. The load tries about every millisecond.
func measurePolicy(ctx context.Context, l *lab) ([]row, error) {
	var rows []row
	for _, ungated := range []bool{false, true} {
		there, gone, err := l.policyTimes(ctx, ungated)
		if err != nil {
			return rows, err
		}
		l.clean()
		by := map[bool]string{false: "with the file gate", true: "kill only"}[ungated]
		rows = append(rows,
			row{bar: "policy applied to first exec refused, " + by, target: "≤ 1 s", figure: there.String(), passed: pass(there.series().max() <= 1000)},
			row{bar: "policy deleted to first exec that runs, " + by, target: "≤ 1 s", figure: gone.String(), passed: pass(gone.series().max() <= 1000)})
	}
	return rows, nil
}

func (l *lab) policyTimes(ctx context.Context, ungated bool) (there, gone latencies, err error) {
	c, err := l.start(ctx, "policy")
	if err != nil {
		return nil, nil, err
	}
	p, err := l.run(ctx, options{ungated: ungated})
	if err != nil {
		return nil, nil, err
	}
	id, err := p.knows(ctx, c.id)
	if err != nil {
		return nil, nil, err
	}
	if _, err := c.do("full /true 100"); err != nil {
		return nil, nil, err
	}
	if err := p.learned(ctx, id, "/true"); err != nil {
		return nil, nil, err
	}
	for range l.pick(30, 4) {
		took, err := c.after("until /true fails", func() error {
			_, err := p.api.PutPolicy(ctx, policyName, deny(c.name, "/true"), false)
			return err
		})
		if err != nil {
			return nil, nil, fmt.Errorf("apply: %w", err)
		}
		there = append(there, took)
		if err := c.steadily(0); err != nil {
			return nil, nil, err
		}
		if took, err = c.after("until /true runs", func() error { return p.api.DeletePolicy(ctx, policyName) }); err != nil {
			return nil, nil, fmt.Errorf("delete: %w", err)
		}
		gone = append(gone, took)
		if err := c.steadily(20); err != nil {
			return nil, nil, err
		}
	}
	return there, gone, p.stop()
}

// steadily checks that a change stays: of the next 20 attempts that many run.
func (c *load) steadily(want int) error {
	a, err := c.do("full /true 20")
	if err == nil && int(a.num("ran")) != want {
		err = fmt.Errorf("of 20 attempts after the change %s ran, not %d", a["ran"], want)
	}
	return err
}

// after has the load watch for something, makes it happen and says how long it
// took.
func (c *load) after(order string, act func() error) (time.Duration, error) {
	type result struct {
		a   answer
		err error
	}
	seen := make(chan result, 1)
	go func() {
		a, err := c.do("%s", order)
		seen <- result{a, err}
	}()
	time.Sleep(50 * time.Millisecond) // the load is at it
	began := time.Now()
	if err := act(); err != nil {
		return 0, err
	}
	r := <-seen
	if r.err != nil {
		return 0, r.err
	}
	at := time.Unix(0, int64(r.a.num("at")))
	if at.Unix() == 0 {
		return 0, fmt.Errorf("not within 15 s")
	}
	if at.Before(began) {
		return 0, fmt.Errorf("it was so before it was asked for")
	}
	return at.Sub(began), nil
}
