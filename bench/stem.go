package main

import (
	"context"
	"fmt"
	"time"

	"redoubt.dev/redoubt/internal/function"
)

// measureStem times from a call of a function that has no environment, but
// takes a pre-started runtime, to its answer; `docker run` takes turns with it.
func measureStem(ctx context.Context, l *lab) ([]row, error) {
	w, err := l.newWorkshop(ctx, 1)
	if err != nil {
		return nil, err
	}
	c, err := w.newContainers(ctx)
	if err != nil {
		return nil, err
	}
	bars := map[string]struct{ most, times float64 }{"Python": {2, 100}, "Node": {6, 30}, "Java": {20, 15}}
	var rows []row
	for _, s := range w.samples {
		bar, ok := bars[s.language]
		if !ok {
			continue // it has no runtime apart from its code
		}
		var stem, docker series
		for range l.pick(21, 3) {
			took, err := w.claim(ctx, s)
			if err != nil {
				return rows, err
			}
			stem = append(stem, milli(took))
			if took, err = c.dockerFirst(ctx, s); err != nil {
				return rows, err
			}
			docker = append(docker, milli(took))
		}
		faster := docker.over(stem)
		load := loadAverage()
		rows = append(rows,
			row{bar: s.language + " function, claim of a pre-started sandbox to first answer", target: fmt.Sprintf("≤ %.0f ms", bar.most),
				figure: fmt.Sprintf("%s ms, n=%d, load average %s", stem.spread("%.2f"), len(stem), load), passed: pass(stem.median() <= bar.most)},
			row{bar: s.language + " function, `docker run` / pre-started sandbox", target: fmt.Sprintf("≥ %.0f", bar.times),
				figure: fmt.Sprintf("× %s; `docker run` %.0f ms, load average %s", faster.spread("%.0f"), docker.median(), load), passed: pass(faster.median() >= bar.times)})
	}
	return rows, nil
}

// claim calls until a call found a pre-started runtime.
func (w *workshop) claim(ctx context.Context, s *sample) (time.Duration, error) {
	for range 50 {
		w.end(s)
		select { // for the next one to be started and put to sleep
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(600 * time.Millisecond):
		}
		began := time.Now()
		res, err := w.invoke(ctx, s)
		took := time.Since(began)
		if err != nil {
			return 0, err
		}
		if res.Start == function.Claimed {
			w.end(s)
			return took, nil
		}
	}
	return 0, fmt.Errorf("no runtime for %s was ever pre-started", s.language)
}
