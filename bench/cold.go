package main

import (
	"context"
	"fmt"
	"os/exec"
	"time"
)

// measureCold times launch to first answer of functions, beside the same
// function as a plain process, in runc and by `docker run`.
func measureCold(ctx context.Context, l *lab) ([]row, error) {
	w, err := l.newWorkshop(ctx, 0)
	if err != nil {
		return nil, err
	}
	c, err := w.newContainers(ctx)
	if err != nil {
		return nil, err
	}
	var rows []row
	var own series // what protection adds, in the languages whose start is short
	for _, s := range w.samples {
		t, err := c.compare(ctx, s, l.pick(21, 3))
		if err != nil {
			return rows, fmt.Errorf("%s: %w", s.language, err)
		}
		added, most := t.sandbox.minus(t.bare), 7.0
		if s.language == "Java" {
			most = 13
		} else {
			own = append(own, added.median())
		}
		figure := fmt.Sprintf("+ %s ms; %s; n=%d, load average %s", added.spread("%.1f"), t, len(t.bare), loadAverage())
		rows = append(rows, row{bar: s.language + " function, launch to first answer: sandbox less bare process", target: fmt.Sprintf("≤ %.0f ms", most),
			figure: figure, passed: pass(added.median() <= most)})
	}
	rows = append(rows, row{bar: "protection adds to a cold start, the worst of Go, Python and Node", target: "≤ 4 ms",
		figure: fmt.Sprintf("+ %.1f ms (Go %.1f, Python %.1f, Node %.1f)", own.max(), own[0], own[1], own[2]), passed: pass(own.max() <= 4)})
	return rows, nil
}

// times are rounds of launch to first answer in milliseconds.
type times struct{ bare, sandbox, runc, docker series }

func (t times) String() string {
	text := fmt.Sprintf("bare %.1f ms, sandbox %.1f ms (× %.2f)", t.bare.median(), t.sandbox.median(), t.sandbox.over(t.bare).median())
	if len(t.runc) > 0 {
		text += fmt.Sprintf(", runc %.1f ms (× %.2f)", t.runc.median(), t.runc.over(t.bare).median())
	}
	return text + fmt.Sprintf(", `docker run` %.1f ms (× %.2f)", t.docker.median(), t.docker.over(t.bare).median())
}

// compare lets the ways take turns.
func (c *containers) compare(ctx context.Context, s *sample, rounds int) (t times, err error) {
	ways := []struct {
		to    *series
		first func(context.Context, *sample) (time.Duration, error)
	}{{&t.bare, c.bareFirst}, {&t.sandbox, c.sandboxFirst}, {&t.runc, c.runcFirst}, {&t.docker, c.dockerFirst}}
	for i := range rounds + 1 {
		for _, way := range ways {
			if way.to == &t.runc && !c.hasRunc {
				continue
			}
			if err := ctx.Err(); err != nil {
				return t, err
			}
			took, err := way.first(ctx, s)
			if err != nil {
				return t, err
			}
			if i > 0 { // the first one reads files from disk
				*way.to = append(*way.to, milli(took))
			}
		}
	}
	return t, nil
}

func (c *containers) sandboxFirst(ctx context.Context, s *sample) (time.Duration, error) {
	defer c.w.end(s)
	began := time.Now()
	_, err := c.w.invoke(ctx, s)
	return time.Since(began), err
}

func (c *containers) bareFirst(ctx context.Context, s *sample) (time.Duration, error) {
	return c.first(ctx, s, c.w.bare, (*outside).kill)
}

func (c *containers) runcFirst(ctx context.Context, s *sample) (time.Duration, error) {
	name := c.name()
	return c.first(ctx, s, func(s *sample, env []string) (*exec.Cmd, error) { return c.runc(name, s, env) }, func(o *outside) {
		o.srv.Close()
		command(context.Background(), "runc", "delete", "--force", name)
		o.cmd.Wait()
	})
}

func (c *containers) dockerFirst(ctx context.Context, s *sample) (time.Duration, error) {
	name := c.name()
	return c.first(ctx, s, func(s *sample, env []string) (*exec.Cmd, error) { return c.docker(name, s, env) }, func(o *outside) {
		o.srv.Close()
		command(context.Background(), "docker", "kill", name)
		o.cmd.Wait()
	})
}

// first starts a function and times its first answer.
func (c *containers) first(ctx context.Context, s *sample, by starter, end func(*outside)) (time.Duration, error) {
	o, err := c.w.outside(s, by)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := o.cmd.Start(); err != nil {
		o.srv.Close()
		return 0, err
	}
	defer end(o)
	err = o.invoke(ctx)
	return time.Since(began), err
}
