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
	if a, err := c.do("keep /mark"); err != nil || a.num("size") <= 0 {
		return nil, fmt.Errorf("the load cannot read what is not denied yet: %w", err)
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
	a, err := c.do("until /mark fails")
	if err != nil || a["at"] == "0" {
		return nil, fmt.Errorf("the denied program still runs after 15 s: %w", err)
	}
	before, err := c.marks()
	if err != nil {
		return nil, err
	}
	refused := int(a.num("tries")) - (before - control) // so far
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
		if made := int(a.num("made")); kind.order == "copy" && made != kind.count {
			return rows, fmt.Errorf("only %d of %d copies could be made", made, kind.count)
		}
		each := time.Since(began) / time.Duration(kind.count)
		after, err := c.marks()
		if err != nil {
			return rows, err
		}
		refused += kind.count - int(a.num("ran"))
		by, err := p.carriedOut(ctx, c.id, refused)
		if err != nil {
			return rows, err
		}
		rows = append(rows, row{
			bar: fmt.Sprintf("denied exec that ran, %s, %s", kind.name, map[bool]string{false: "with the file gate", true: "kill only"}[ungated]), target: "0 of 10,000",
			figure: fmt.Sprintf("%d marks after %d attempts, %s succeeded; %v each; of %d refused so far the events say %s", after-before, kind.count, a["ran"], each.Round(time.Microsecond), refused, by),
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

// carriedOut lists the back ends that the events of prevented execs name, with
// the attempts they stand for; those of a burst are only counted and come a
// little later. What nothing carried out ran: such events are of the control.
func (p *product) carriedOut(ctx context.Context, container string, attempts int) (string, error) {
	counts, sum := map[redoubt.Backend]int{}, 0
	err := wait(ctx, "events of denials", 15*time.Second, 200*time.Millisecond, func() (bool, error) {
		events, err := p.api.Events(ctx, api.Filter{Workload: container, Effect: string(redoubt.EffectPrevent)})
		clear(counts)
		sum = 0
		for _, e := range events {
			counts[e.Verdict.Enforced] += e.Count
			if e.Verdict.Enforced != "" {
				sum += e.Count
			}
		}
		return sum >= attempts, err
	})
	if ctx.Err() == nil && sum > 0 {
		err = nil // what the events do not account for shows in the figure
	}
	text := ""
	for _, b := range []redoubt.Backend{redoubt.BackendLSM, redoubt.BackendFanotify, redoubt.BackendKill, ""} {
		if counts[b] == 0 {
			continue
		}
		name := string(b)
		if b == "" {
			name = "nothing"
		}
		if text != "" {
			text += ", "
		}
		text += fmt.Sprintf("%s (%d)", name, counts[b])
	}
	return text, err
}
