package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/redoubt"
)

const rate = 2000 // execs a second

// strain is what a defender showed under a steady load.
type strain struct {
	reached float64 // execs a second that really ran
	cpu     float64 // cores
	rss     uint64  // the most it held
	lost    uint64  // by the node's own count, ring and spool
	told    int     // in events of kind loss
	ran     int64
	counted int64 // of these, by the profile
	stored  int64 // events added to the record
	grown   int64 // bytes the record grew by
}

func measureSustained(ctx context.Context, l *lab) ([]row, error) {
	seconds := l.pick(60, 8)
	crowd := l.pick(100, 10)
	if err := l.crowd(ctx, crowd); err != nil {
		return nil, err
	}
	var pair [2]*load // one process alone barely starts 2,000 programs a second
	for i := range pair {
		var err error
		if pair[i], err = l.start(ctx, fmt.Sprintf("steady%d", i)); err != nil {
			return nil, err
		}
	}
	var rows []row
	for _, v := range []struct {
		name  string
		order string
		apart bool
		bar   bool
	}{
		{"defender by itself", "rate", true, true},
		{"`up`, console and defender in one process", "rate", false, false},
		{"defender by itself, each exec with new arguments", "args", true, false},
	} {
		s, err := l.steady(ctx, pair, v.order, v.apart, seconds, crowd)
		if err != nil {
			return rows, fmt.Errorf("%s: %w", v.name, err)
		}
		what := fmt.Sprintf("%d exec/s for %d s, %d other containers, %s", rate, seconds, crowd, v.name)
		figure := fmt.Sprintf("%d ran (%.0f/s), %d of them in the profile's count, %d lost, %d told as lost", s.ran, s.reached, s.counted, s.lost, s.told)
		if v.order == "args" {
			figure = fmt.Sprintf("%d ran (%.0f/s), %d events stored, %d lost, %d told as lost", s.ran, s.reached, s.stored, s.lost, s.told)
			if s.stored > 0 {
				figure += fmt.Sprintf(", the record grew by %d B an event", s.grown/s.stored)
			}
		}
		cpu, rss := fmt.Sprintf("%.1f %% of one core, %.0f µs an exec", 100*s.cpu, s.cpu/s.reached*1e6), fmt.Sprintf("%.0f MiB at most", float64(s.rss)/(1<<20))
		if !v.bar {
			rows = append(rows, row{bar: what, target: "beside", figure: figure + "; " + cpu + "; " + rss})
			continue
		}
		three := []row{
			{bar: what + ": lost events", target: "0", figure: figure, passed: pass(s.lost == 0 && s.told == 0)},
			{bar: what + ": CPU", target: "≤ 15 % of one core", figure: cpu, passed: pass(s.cpu <= 0.15)},
			{bar: what + ": RSS", target: "≤ 80 MiB", figure: rss, passed: pass(s.rss <= 80<<20)},
		}
		if s.reached < 0.97*rate {
			for i := range three {
				if *three[i].passed { // under less than the load it is to stand
					three[i].passed = nil
				}
				three[i].figure += " — **not shown: the machine did not give the load its rate**"
			}
		}
		rows = append(rows, three...)
	}
	return rows, nil
}

func (l *lab) steady(ctx context.Context, pair [2]*load, order string, apart bool, seconds, crowd int) (s strain, err error) {
	p, err := l.run(ctx, options{apart: apart})
	if err != nil {
		return s, err
	}
	defer p.stop()
	id, err := p.knows(ctx, pair[0].id)
	if err != nil {
		return s, err
	}
	if err := wait(ctx, "the other containers in the API", 60*time.Second, 200*time.Millisecond, func() (bool, error) {
		all, err := p.api.Workloads(ctx, api.Filter{Running: "true", Kind: string(redoubt.KindContainer)})
		return len(all) >= crowd+len(pair), err
	}); err != nil {
		return s, err
	}
	for _, c := range pair {
		if _, err := c.do("full /true 100"); err != nil {
			return s, err
		}
	}
	if err := p.learned(ctx, id, "/true"); err != nil {
		return s, err
	}
	before, err := p.settled(ctx, id)
	if err != nil {
		return s, err
	}
	pid := p.main.pid()
	if apart {
		pid = p.defender.pid()
	}
	watched, peak := make(chan bool), make(chan uint64)
	go func() {
		most := rssOf(pid)
		for {
			select {
			case <-watched:
				peak <- max(most, rssOf(pid))
				return
			case <-time.After(time.Second):
				most = max(most, rssOf(pid))
			}
		}
	}()
	began, used := time.Now(), cpuOf(pid)
	a, err := together(pair, fmt.Sprintf("%s /true %d %d", order, seconds*rate/2, rate/2))
	used, took := cpuOf(pid)-used, time.Since(began)
	close(watched)
	s.rss = <-peak
	if err != nil {
		return s, err
	}
	s.cpu = used.Seconds() / took.Seconds()
	s.ran, s.reached = int64(a.num("ran")), a.num("ran")/(a.num("wall")/1e9)
	after, err := p.settled(ctx, id)
	if err != nil {
		return s, err
	}
	s.counted = after.counted - before.counted
	s.lost = after.lost - before.lost
	s.stored, s.grown = after.stored-before.stored, after.bytes-before.bytes
	losses, err := p.api.Events(ctx, api.Filter{Kind: string(redoubt.EventLoss)})
	for _, e := range losses {
		s.told += e.Count
	}
	return s, err
}

// together has both loads carry out an order at once and adds up what they say
// of programs that ran, over the longer of their times.
func together(pair [2]*load, order string) (answer, error) {
	var answers [2]answer
	var errs [2]error
	var both sync.WaitGroup
	for i, c := range pair {
		both.Go(func() { _, answers[i], errs[i] = c.ask(order) })
	}
	both.Wait()
	return answer{
		"ran":  fmt.Sprint(int64(answers[0].num("ran") + answers[1].num("ran"))),
		"wall": fmt.Sprint(int64(max(answers[0].num("wall"), answers[1].num("wall")))),
	}, errors.Join(errs[:]...)
}

// counts are where a product stands.
type counts struct {
	lost    uint64
	counted int64
	stored  int64
	bytes   int64
}

// settled waits until everything the node saw is in the record.
func (p *product) settled(ctx context.Context, id redoubt.WorkloadID) (c counts, err error) {
	quiet, last := time.Now(), int64(-1)
	err = wait(ctx, "the profile's count to rest", time.Minute, 250*time.Millisecond, func() (bool, error) {
		n, err := p.counted(ctx, id, "/true")
		if n != last {
			quiet, last = time.Now(), n
		}
		return err == nil && time.Since(quiet) > 4*time.Second, err
	})
	if err != nil {
		return c, err
	}
	n, err := p.node(ctx, time.Now())
	if err != nil {
		return c, err
	}
	o, err := p.api.Overview(ctx)
	c = counts{lost: n.Load.Lost + n.Load.Dropped, counted: last, stored: o.Events}
	files, _ := filepath.Glob(filepath.Join(p.state, "redoubt.db*"))
	for _, f := range files {
		if st, err := os.Stat(f); err == nil {
			c.bytes += st.Size()
		}
	}
	return c, err
}
