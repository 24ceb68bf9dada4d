package main

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

// measureAlert starts programs nobody has ever seen, each with content of its
// own, and waits for each one's alert on the API's stream; then it asks the API
// whether they are really there. Time counts from just before the spawn, by the
// load's own clock, not by what the product says of itself.
func measureAlert(ctx context.Context, l *lab) ([]row, error) {
	c, err := l.start(ctx, "alert")
	if err != nil {
		return nil, err
	}
	p, err := l.run(ctx, options{})
	if err != nil {
		return nil, err
	}
	id, err := p.knows(ctx, c.id)
	if err != nil {
		return nil, err
	}
	if _, err := c.do("full /true 100"); err != nil {
		return nil, err
	}
	if err := p.learned(ctx, id, "/true"); err != nil {
		return nil, err
	}
	if err := p.move(ctx, id, profile.Observing); err != nil {
		return nil, err
	}
	var mu sync.Mutex
	arrived := map[string]time.Time{}
	following, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		ended <- p.api.Stream(following, []string{"alert"}, func(m api.StreamMessage) error {
			now := time.Now()
			raw, err := json.Marshal(m.Data)
			if err != nil {
				return err
			}
			var a redoubt.Alert
			if err := json.Unmarshal(raw, &a); err != nil || a.Process == nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			if _, again := arrived[a.Process.Path]; !again {
				arrived[a.Process.Path] = now
			}
			return nil
		})
	}()
	// A first one shows that stream and profile are ready.
	if err := wait(ctx, "a first alert", 15*time.Second, 100*time.Millisecond, func() (bool, error) {
		_, err := c.do("novel /true 1 1")
		mu.Lock()
		defer mu.Unlock()
		return len(arrived) > 0, err
	}); err != nil {
		return nil, err
	}
	count := l.pick(500, 50)
	started, _, err := c.ask(fmt.Sprintf("novel /true %d 7", count))
	if err != nil {
		return nil, err
	}
	got := func() (took latencies) {
		mu.Lock()
		defer mu.Unlock()
		for _, s := range started {
			if at, ok := arrived[s["path"]]; ok {
				took = append(took, at.Sub(time.Unix(0, int64(s.num("at")))))
			}
		}
		return took
	}
	_ = wait(ctx, "all alerts", 5*time.Second, 50*time.Millisecond, func() (bool, error) { return len(got()) == count, nil })
	cancel()
	<-ended
	took := got()
	alerts, err := p.api.Alerts(ctx, api.Filter{Workload: c.id})
	if err != nil {
		return nil, err
	}
	listed := map[string]bool{}
	for _, a := range alerts {
		if a.Process != nil {
			listed[a.Process.Path] = true
		}
	}
	absent := 0
	for _, s := range started {
		if !listed[s["path"]] {
			absent++
		}
	}
	figure := fmt.Sprintf("%v", took)
	if len(took) < count || absent > 0 {
		figure += fmt.Sprintf("; **%d of %d never came on the stream, %d are not in the list**", count-len(took), count, absent)
	}
	return []row{{
		bar: "exec to alert in the API, one machine", target: "p99 ≤ 500 ms", figure: figure,
		passed: pass(len(took) == count && absent == 0 && took.series().quantile(0.99) <= 500),
	}}, p.stop()
}
