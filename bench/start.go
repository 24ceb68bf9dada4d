package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/redoubt"
)

// measureStart times from the start of the binary, on a state directory that is
// not there yet, to the first event of a container in the API: one that the
// profile learns from. A container starts programs all the while.
func measureStart(ctx context.Context, l *lab) ([]row, error) {
	c, err := l.start(ctx, "start")
	if err != nil {
		return nil, err
	}
	var first, answers latencies
	for range l.pick(15, 3) {
		a, b, err := l.coldStart(ctx, c)
		if err != nil {
			return nil, err
		}
		answers, first = append(answers, a), append(first, b)
	}
	return []row{{
		bar: "cold start of `redoubt up` to first learned event in the API", target: "≤ 2 s",
		figure: fmt.Sprintf("%v; its API answers after p50 %.0f ms", first, answers.series().median()),
		passed: pass(first.series().max() <= 2000),
	}}, nil
}

func (l *lab) coldStart(ctx context.Context, c *load) (answered, learned time.Duration, err error) {
	var busy sync.WaitGroup
	stop := make(chan bool)
	defer busy.Wait()
	defer close(stop)
	busy.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if _, err := c.do("rate /true 5 100"); err != nil {
					return
				}
			}
		}
	})
	p, err := l.run(ctx, options{})
	if err != nil {
		return 0, 0, err
	}
	err = wait(ctx, "the first learned event", 30*time.Second, 5*time.Millisecond, func() (bool, error) {
		events, err := p.api.Events(ctx, api.Filter{Workload: c.id, Kind: string(redoubt.EventExec), Limit: 10})
		if err == nil && answered == 0 {
			answered = time.Since(p.began)
		}
		for _, e := range events {
			if e.Process != nil && e.Process.Path == "/true" && e.Verdict.Entry != "" {
				learned = time.Since(p.began)
				return true, nil
			}
		}
		return false, err
	})
	if err != nil {
		return 0, 0, err
	}
	return answered, learned, p.stop()
}
