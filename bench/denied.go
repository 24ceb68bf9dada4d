package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/redoubt"
)

const policyName = "bench-deny"

// deny is a policy that refuses one program in one container.
func deny(container, program string) string {
	return fmt.Sprintf(`apiVersion: redoubt/v1
kind: Policy
metadata: {name: %s}
spec:
  scope: {workloads: [%s]}
  rules:
    - name: deny
      exec: {paths: [%s]}
      effect: prevent
`, policyName, container, program)
}

// measureDenied tries to run a denied program, by its name and as fresh copies,
// under each back end, and counts the marks it left. Before the policy each
// attempt leaves one, or the measure would prove nothing.
func measureDenied(ctx context.Context, l *lab) ([]row, error) {
	var rows []row
	for _, ungated := range []bool{false, true} {
		r, err := l.denyAll(ctx, ungated)
		if err != nil {
			return rows, err
		}
		rows = append(rows, r...)
		l.clean()
	}
	return rows, nil
}

func (l *lab) denyAll(ctx context.Context, ungated bool) ([]row, error) {
	c, err := l.start(ctx, "denied")
	if err != nil {
		return nil, err
	}
	p, err := l.run(ctx, options{ungated: ungated})
	if err != nil {
		return nil, err
	}
	if _, err := p.knows(ctx, c.id); err != nil {
		return nil, err
	}
	n, err := p.node(ctx, p.began)
	if err != nil {
		return nil, err
	}
	if slices.Contains(n.Sensor.Exec, redoubt.BackendFanotify) == ungated {
		return nil, fmt.Errorf("the node says it denies by %v", n.Sensor.Exec)
	}
	const control = 50
	if _, err := c.do("full /mark %d", control); err != nil {
		return nil, err
	}
	if marks, err := c.marks(); err != nil || marks != control {
		return nil, fmt.Errorf("%d allowed runs left %d marks: %w", control, marks, err)
	}
	if _, err := p.api.PutPolicy(ctx, policyName, deny(c.name, "/mark"), false); err != nil {
		return nil, err
	}
	if err := c.refuses("/mark"); err != nil {
		return nil, err
	}
	before, err := c.marks()
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, kind := range []struct {
		order, name string
		count       int
	}{{"full", "by its name", l.pick(10_000, 500)}, {"copy", "a fresh copy each time", l.pick(2_000, 100)}} {
		began := time.Now()
		a, err := c.do("%s /mark %d", kind.order, kind.count)
		if err != nil {
			return rows, err
		}
		each := time.Since(began) / time.Duration(kind.count)
		after, err := c.marks()
		if err != nil {
			return rows, err
		}
		by, err := p.carriedOut(ctx, c.id, began)
		if err != nil {
			return rows, err
		}
		rows = append(rows, row{
			bar: fmt.Sprintf("denied exec that ran, %s, %s", kind.name, map[bool]string{false: "with the file gate", true: "kill only"}[ungated]), target: "0 of 10,000",
			figure: fmt.Sprintf("%d marks after %d attempts, %s succeeded; %v each; carried out by %s", after-before, kind.count, a["ran"], each.Round(time.Microsecond), by),
			passed: pass(after == before && a["ran"] == "0"),
		})
		before = after
	}
	// What is not denied still runs.
	if a, err := c.do("full /true 20"); err != nil || a["ran"] != "20" {
		return rows, fmt.Errorf("after the denials %s of 20 honest programs ran: %w", a["ran"], err)
	}
	return rows, p.stop()
}

func (c *load) marks() (int, error) {
	a, err := c.do("size /tmp/marks")
	return int(a.num("size")), err
}

// carriedOut lists the back ends that the events of prevented execs name.
func (p *product) carriedOut(ctx context.Context, container string, since time.Time) (string, error) {
	counts := map[redoubt.Backend]int{}
	err := wait(ctx, "an event of a denial", 15*time.Second, 200*time.Millisecond, func() (bool, error) {
		events, err := p.api.Events(ctx, api.Filter{Workload: container, Effect: string(redoubt.EffectPrevent), Since: since.Format(time.RFC3339Nano)})
		clear(counts)
		for _, e := range events {
			counts[e.Verdict.Enforced] += e.Count
		}
		return len(events) > 0, err
	})
	text := ""
	for _, b := range []redoubt.Backend{redoubt.BackendLSM, redoubt.BackendFanotify, redoubt.BackendKill, ""} {
		if counts[b] == 0 {
			continue
		}
		name := string(b)
		if b == "" {
			name = "**nothing**"
		}
		if text != "" {
			text += ", "
		}
		text += fmt.Sprintf("%s (%d)", name, counts[b])
	}
	return text, err
}
