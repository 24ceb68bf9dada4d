package main

import (
	"context"
	"fmt"
	"time"
)

// measureWarm compares calls of a function that runs already: as a plain
// process and in the runner, behind the same Runtime API.
func measureWarm(ctx context.Context, l *lab) ([]row, error) {
	w, err := l.newWorkshop(ctx, 0)
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, s := range w.samples {
		bare, boxed, err := w.turns(ctx, s, l.pick(15, 3), l.pick(400, 50))
		if err != nil {
			return rows, fmt.Errorf("%s: %w", s.language, err)
		}
		added := boxed.minus(bare)
		rows = append(rows, row{bar: s.language + " function, warm call: what protection adds to the median", target: "≤ 0.3 ms",
			figure: fmt.Sprintf("+ %s ms; bare %.3f ms, sandbox %.3f ms (× %.2f); n=%d, load average %s", added.spread("%.3f"),
				bare.median(), boxed.median(), boxed.over(bare).median(), len(bare), loadAverage()), passed: pass(added.median() <= 0.3)})
	}
	return rows, nil
}

// turns gives the median call of each round in milliseconds.
func (w *workshop) turns(ctx context.Context, s *sample, rounds, calls int) (bare, boxed series, err error) {
	o, err := w.outside(s, w.bare)
	if err != nil {
		return nil, nil, err
	}
	if err := o.cmd.Start(); err != nil {
		return nil, nil, err
	}
	defer o.kill()
	defer w.end(s)
	plain := func() error { return o.invoke(ctx) }
	inside := func() error { _, err := w.invoke(ctx, s); return err }
	for i := range rounds + 2 {
		a, err := medianOf(calls, plain)
		if err != nil {
			return nil, nil, err
		}
		b, err := medianOf(calls, inside)
		if err != nil {
			return nil, nil, err
		}
		if i > 1 { // compilers warm up
			bare, boxed = append(bare, a), append(boxed, b)
		}
	}
	return bare, boxed, nil
}

func medianOf(n int, call func() error) (float64, error) {
	s := make(series, 0, n)
	for range n {
		began := time.Now()
		if err := call(); err != nil {
			return 0, err
		}
		s = append(s, milli(time.Since(began)))
	}
	return s.median(), nil
}
