package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/runner"
)

const kind = "X-Amz-Invocation-Type"

func TestAsyncCallIsRetriedThenGivenUp(t *testing.T) {
	var tries atomic.Int64
	g := newGate(t, code(func(c *runner.Call) (*runner.Result, error) {
		switch {
		case c.Ref.Name == "undertaker":
			return echo(c)
		case string(c.Payload) == `"late"` && tries.Add(1) == 3:
			return succeed(`1`)
		}
		return &runner.Result{Outcome: function.Failed, Duration: time.Millisecond}, nil
	}), nil)
	g.deploy("orders", func(s *function.Spec) { s.Async.DeadLetter = "queue/dead" })
	g.deploy("mail", func(s *function.Spec) { s.Async = function.Async{Retries: -1, DeadLetter: "function/undertaker"} })
	g.deploy("undertaker", nil)
	g.permit("user/alice function:Invoke function/*")
	alice := g.token("alice")
	for _, call := range [][2]string{{"orders", `"late"`}, {"orders", `"never"`}, {"mail", `{"to":"x"}`}} {
		res, body := g.invoke(call[0], alice, call[1], kind, "Event")
		status(t, res, body, 202)
	}
	outcomes := map[function.Outcome]int{}
	for _, inv := range g.recorded("orders", 2) {
		outcomes[inv.Outcome]++
		if !inv.Async || inv.Attempt != 3 || inv.Billed != 3*time.Millisecond && inv.Outcome == function.Failed {
			t.Errorf("record %+v", inv)
		}
	}
	if outcomes[function.Succeeded] != 1 || outcomes[function.Failed] != 1 {
		t.Errorf("outcomes %v", outcomes)
	}
	var dead []string
	eventually(t, "a dead letter", func() bool { dead = g.queues.bodies("dead"); return len(dead) == 1 })
	var l struct {
		Payload json.RawMessage `json:"requestPayload"`
		Request struct {
			Count int `json:"approximateInvokeCount"`
		} `json:"requestContext"`
	}
	if err := json.Unmarshal([]byte(dead[0]), &l); err != nil || string(l.Payload) != `"never"` || l.Request.Count != 3 {
		t.Errorf("letter %s, %v", dead[0], err)
	}
	first := g.recorded("mail", 1)[0]
	last := g.recorded("undertaker", 1)[0]
	if first.Attempt != 1 || last.Parent != first.ID || last.Caller != "function/mail" || last.Outcome != function.Succeeded {
		t.Errorf("dead letter of %+v went as %+v", first, last)
	}
}

func TestAsyncCallGrowsOld(t *testing.T) {
	var mu sync.Mutex
	now := time.Now()
	g := newGate(t, code(func(*runner.Call) (*runner.Result, error) { return nil, throttled(time.Second, "full") }),
		func(c *Config) { c.Clock = func() time.Time { mu.Lock(); defer mu.Unlock(); return now } })
	g.deploy("orders", func(s *function.Spec) { s.Async.MaxAge = 60 })
	g.permit("user/alice function:Invoke function/*")
	res, body := g.invoke("orders", g.token("alice"), `{}`, kind, "Event")
	status(t, res, body, 202)
	mu.Lock()
	now = now.Add(2 * time.Minute)
	mu.Unlock()
	if inv := g.recorded("orders", 1)[0]; inv.Outcome != function.Abandoned || inv.Duration != 0 {
		t.Errorf("record %+v", inv)
	}
}

func TestRestartLosesNoAcceptedCall(t *testing.T) {
	var mu sync.Mutex
	ran := map[string]int{}
	g := newGate(t, code(func(c *runner.Call) (*runner.Result, error) {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-c.Abort:
			return &runner.Result{Outcome: function.Abandoned}, nil
		}
		mu.Lock()
		ran[c.ID]++
		mu.Unlock()
		return echo(c)
	}), nil)
	g.deploy("orders", func(s *function.Spec) { s.Concurrency.Max = 4 })
	g.permit("user/alice function:Invoke function/*")
	alice := g.token("alice")
	accepted := map[string]bool{}
	for round := range 4 {
		for i := range 25 {
			res, body := g.invoke("orders", alice, fmt.Sprint(round*100+i), kind, "Event")
			status(t, res, body, 202)
			accepted[res.Header.Get("X-Amzn-RequestId")] = true
		}
		g.restart()
	}
	for _, inv := range g.recorded("orders", len(accepted)) {
		if !accepted[inv.ID] || inv.Outcome != function.Succeeded {
			t.Errorf("record %+v", inv)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for id := range accepted {
		if ran[id] == 0 {
			t.Errorf("call %s never ran", id)
		}
	}
}

// A process that is killed leaves its journal; the next one writes the records.
func TestKilledGatewayLeavesNoCallWithoutRecord(t *testing.T) {
	hold := make(chan struct{})
	g := newGate(t, code(func(c *runner.Call) (*runner.Result, error) {
		if string(c.Payload) == `"wait"` {
			<-hold
		}
		return echo(c)
	}), nil)
	g.deploy("orders", nil)
	g.permit("user/alice function:Invoke function/*")
	alice := g.token("alice")
	g.records.mu.Lock()
	g.records.fail = errors.New("the store is away")
	g.records.mu.Unlock()
	res, body := g.invoke("orders", alice, `1`)
	status(t, res, body, 200)
	var wg sync.WaitGroup
	wg.Go(func() { g.invoke("orders", alice, `"wait"`) })
	eventually(t, "it runs", func() bool { return g.active.Load() == 1 })

	// What is on the disk now is what a killed process leaves.
	copyOf := t.TempDir()
	left, err := os.ReadFile(filepath.Join(g.dir, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(copyOf, "journal"), append(left, `{"id":"half`...), 0o600); err != nil {
		t.Fatal(err)
	}
	g.records.mu.Lock()
	g.records.fail = nil
	g.records.mu.Unlock()
	close(hold)
	wg.Wait()

	next := newGate(t, code(echo), func(c *Config) { c.Dir = copyOf })
	outcomes := map[function.Outcome]int{}
	for _, inv := range next.recorded("orders", 2) {
		outcomes[inv.Outcome]++
	}
	if outcomes[function.Succeeded] != 1 || outcomes[function.Abandoned] != 1 {
		t.Errorf("outcomes %v", outcomes)
	}
	next.restart()
	if n := len(next.records.list("orders")); n != 2 {
		t.Errorf("%d records after another start", n)
	}
}

func TestFullDiskIsToldAndRecorded(t *testing.T) {
	g := newGate(t, code(echo), nil)
	g.deploy("orders", nil)
	g.permit("user/alice function:Invoke function/*")
	g.queues.mu.Lock()
	g.queues.fail = fmt.Errorf("write queue: %w", syscall.ENOSPC)
	g.queues.mu.Unlock()
	res, body := g.invoke("orders", g.token("alice"), `{}`, kind, "Event")
	status(t, res, body, 507)
	if inv := g.recorded("orders", 1)[0]; inv.Outcome != function.Abandoned || inv.Status != 507 {
		t.Errorf("record %+v", inv)
	}
}

func TestDrainWaitsForCallsAndTakesNoNewOnes(t *testing.T) {
	hold := make(chan struct{})
	g := newGate(t, code(func(c *runner.Call) (*runner.Result, error) {
		if string(c.Payload) == `"wait"` {
			<-hold
		}
		return echo(c)
	}), nil)
	g.deploy("orders", nil)
	g.permit("user/alice function:Invoke function/*")
	alice := g.token("alice")
	got := make(chan string, 1)
	go func() {
		_, body := g.invoke("orders", alice, `"wait"`)
		got <- body
	}()
	eventually(t, "it runs", func() bool { return g.active.Load() == 1 })
	stopped := make(chan error, 1)
	go func() { stopped <- g.stop() }()
	eventually(t, "it drains", g.closing.Load)
	res, body := g.invoke("orders", alice, `1`)
	status(t, res, body, 503)
	close(hold)
	if body := <-got; body != `"wait"` {
		t.Errorf("the call under way got %s", body)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if n := len(g.records.list("orders")); n != 2 {
		t.Errorf("%d records after draining, want 2", n)
	}
}

func TestJournalIsWrittenAnewWhenItGrows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j, _, err := openJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	open := function.Invocation{ID: "open", Error: strings.Repeat("x", 1000)}
	if err := j.note(&open); err != nil {
		t.Fatal(err)
	}
	for i := range 3 * maxJournal / 1000 {
		inv := function.Invocation{ID: fmt.Sprint(i), Error: strings.Repeat("x", 1000)}
		if err := errors.Join(j.note(&inv), j.stored([]function.Invocation{inv})); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Size() > maxJournal+4096 {
		t.Errorf("size %d, %v", info.Size(), err)
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	left, err := readJournal(path)
	if err != nil || len(left) != 1 || left[0].ID != "open" {
		t.Errorf("left %v, %v", left, err)
	}
}

func FuzzJournal(f *testing.F) {
	f.Add([]byte("{\"id\":\"a\"}\n-a\n{\"id\":\"b\",\"outcome\":\"failed\"}\n"))
	f.Add([]byte("\x00\n-\n{\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "journal")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		left, err := readJournal(path)
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, inv := range left {
			if inv.ID == "" || seen[inv.ID] {
				t.Fatalf("call %q is left twice or has no id", inv.ID)
			}
			seen[inv.ID] = true
		}
	})
}
