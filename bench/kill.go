package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/gateway"
	"redoubt.dev/redoubt/internal/runner"
	"redoubt.dev/redoubt/internal/store"
)

const (
	stormCallers = 200
	stormAsync   = 20 // of them do not wait for their answers
)

// storm is what callers and code say of the same calls: callers know what they
// were answered, code prints the name of the call when it runs.
type storm struct {
	mu       sync.Mutex
	answered map[string]outcome // by invocation
	ran      map[string]int     // by the call's own name
	broken   int                // no answer at all
	refusal  string             // the first
	killed   int
}

type outcome struct {
	name   string
	async  bool
	status int
	failed bool
}

// measureKill lets 200 callers call at once while sandboxes are killed at
// random, then holds against each other what callers were answered, what code
// says it ran and what the record says.
func measureKill(ctx context.Context, l *lab) ([]row, error) {
	took := l.storm
	if took == 0 {
		took = time.Duration(l.pick(600, 20)) * time.Second
	}
	t := &storm{answered: map[string]outcome{}, ran: map[string]int{}}
	w, err := l.newWorkshop(ctx, 0)
	if err != nil {
		return nil, err
	}
	run, err := w.second(ctx, t.heard)
	if err != nil {
		return nil, err
	}
	p, err := newPlatform(ctx, filepath.Join(w.dir, "kill"), run, strings.ReplaceAll(everything, "echo", "work"), func(c *gateway.Config) { c.Backoff = time.Second })
	if err != nil {
		return nil, err
	}
	l.atEnd(func() { p.close() })
	code := "import sys, time\ndef handler(e, c):\n    sys.stdout.write('ran ' + e + '\\n')\n    sys.stdout.flush()\n    time.sleep(0.02)\n    return e\n"
	if _, err = w.deploy(ctx, p, "work", code, func(s *function.Spec) { s.Concurrency.Max, s.Memory, s.CPU = 32, 128, 1 }); err != nil {
		return nil, err
	}
	t.rage(ctx, p, run, took)
	if err := p.drained(ctx); err != nil {
		return nil, err
	}
	return t.judge(ctx, p, took)
}

// second is a runner that tells what code prints.
func (w *workshop) second(ctx context.Context, heard func([]function.Line)) (*runner.Runner, error) {
	run, err := runner.New(runner.Config{Host: w.host, Bundles: w.bundles, Dir: filepath.Join(w.dir, "second"), Lines: heard})
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- run.Run(running) }()
	w.l.atEnd(func() { stop(); <-ended })
	return run, nil
}

func (t *storm) heard(lines []function.Line) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, line := range lines {
		if name, ok := strings.CutPrefix(line.Text, "ran "); ok {
			t.ran[name]++
		}
	}
}

// rage calls and kills for a while.
func (t *storm) rage(ctx context.Context, p *platform, run *runner.Runner, took time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, took)
	defer cancel()
	client := &http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: stormCallers}}
	defer client.CloseIdleConnections()
	var wg sync.WaitGroup
	for i := range stormCallers {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				t.call(client, p, fmt.Sprintf("%d-%d", i, n), i < stormAsync)
				if i < stormAsync {
					time.Sleep(500 * time.Millisecond)
				}
			}
		})
	}
	wg.Go(func() {
		for ctx.Err() == nil {
			time.Sleep(time.Duration(50+rand.IntN(200)) * time.Millisecond)
			if kill(run.Status("work")) {
				t.killed++
			}
		}
	})
	wg.Wait()
}

// kill ends one of the sandboxes from outside. A number could be another
// process's by now: what is held open is looked at before it is killed.
func kill(all []runner.Environment) bool {
	if len(all) == 0 {
		return false
	}
	pid := all[rand.IntN(len(all))].PID
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	groups, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	return err == nil && strings.Contains(string(groups), "/work.") && unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) == nil
}

func (t *storm) call(client *http.Client, p *platform, name string, async bool) {
	var header []string
	if async {
		header = []string{"X-Amz-Invocation-Type", "Event"}
	}
	// The call itself does not end with the storm: who asked waits.
	r, err := p.ask(context.Background(), p.server.URL+path("work"), `"`+name+`"`, header...)
	if err != nil {
		return
	}
	res, err := client.Do(r)
	var body []byte
	if err == nil {
		body, err = io.ReadAll(res.Body)
		res.Body.Close()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.broken++
		return
	}
	if res.StatusCode >= 300 && t.refusal == "" {
		t.refusal = fmt.Sprintf(" (the first: %s)", body)
	}
	t.answered[res.Header.Get("X-Amzn-RequestId")] = outcome{name, async, res.StatusCode, res.Header.Get("X-Amz-Function-Error") != ""}
}

// drained waits until nothing waits to be run, and stops the gateway, which
// then has written every record.
func (p *platform) drained(ctx context.Context) error {
	err := wait(ctx, "the end of all calls", 5*time.Minute, 200*time.Millisecond, func() (bool, error) {
		states, err := p.store.Queues().States(ctx, "~async/")
		for _, s := range states {
			if s.Waiting+s.Leased > 0 {
				return false, err
			}
		}
		return err == nil, err
	})
	if err != nil {
		return err
	}
	return p.stop()
}

// judge holds the three sides against each other.
func (t *storm) judge(ctx context.Context, p *platform, took time.Duration) ([]row, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var missing, twice, unlike, failed, again, refused int
	for id, o := range t.answered {
		inv, err := p.store.Invocation(ctx, id)
		if err != nil {
			missing++
			continue
		}
		runs := t.ran[o.name]
		accepted := o.status < 300
		switch {
		case !accepted:
			refused++
		case o.async && runs > 1:
			again++
		case runs > 1:
			twice++
		}
		if o.failed {
			failed++
		}
		ended := inv.Outcome != "" && inv.Async == o.async
		said := o.async || (inv.Outcome == function.Succeeded) == (accepted && !o.failed)
		if !ended || !said || inv.Outcome == function.Succeeded && runs == 0 {
			unlike++
		}
	}
	sums, err := p.store.Usage(ctx, store.UsageQuery{Function: "work"})
	if err != nil {
		return nil, err
	}
	var recorded int64
	for _, u := range sums {
		recorded += u.Calls
	}
	surplus := int(recorded) - len(t.answered)
	ok := missing+twice+unlike+t.broken == 0 && surplus == 0 && t.killed > 0
	return []row{{
		bar:    fmt.Sprintf("%d concurrent callers for %v, sandboxes killed at random", stormCallers, took),
		target: "each accepted call has one recorded result; none run twice but asynchronous ones",
		figure: fmt.Sprintf("%d calls, %d sandboxes killed; %d without a record, %d records too many, %d answers unlike their record, %d run twice, %d without any answer; %d ended with an error by a kill, %d asynchronous ones were run again, %d were refused%s; load average %s",
			len(t.answered), t.killed, missing, surplus, unlike, twice, t.broken, failed, again, refused, t.refusal, loadAverage()),
		passed: pass(ok),
	}}, nil
}
