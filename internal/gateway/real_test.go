package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"redoubt.dev/redoubt/internal/access"
	"redoubt.dev/redoubt/internal/bundle"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/lambda"
	"redoubt.dev/redoubt/internal/model"
	"redoubt.dev/redoubt/internal/runner"
	"redoubt.dev/redoubt/internal/sandbox/sandboxtest"
	"redoubt.dev/redoubt/internal/store"
)

// house is a gateway with everything real around it: sandboxes, database,
// policies, models.
type house struct {
	*gate
	run      *runner.Runner
	bundles  *bundle.Store
	store    *store.Store
	registry *function.Registry
	engine   *access.Engine
}

func newHouse(t testing.TB, cedar string, change func(*Config)) *house {
	t.Helper()
	host := sandboxtest.Open(t)
	if _, err := lambda.Find("python", "", ""); fault.Is(err, fault.Unsupported) {
		t.Skip(err)
	}
	h := &house{}
	var err error
	if h.bundles, err = bundle.Open(t.TempDir(), bundle.Limits{}); err != nil {
		t.Fatal(err)
	}
	if h.store, err = store.Open(filepath.Join(t.TempDir(), "redoubt.db"), nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.store.Close() })
	h.registry = function.NewRegistry(h.store, nil)
	if h.engine, err = access.NewEngine(); err != nil {
		t.Fatal(err)
	}
	h.policies(t, cedar)
	book, err := model.Open(context.Background(), h.store, nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	// The runner asks the gateway and the gateway the runner: the first is told
	// of the second once that is there.
	var front atomic.Pointer[Gateway]
	h.run, err = runner.New(runner.Config{Host: host, Bundles: h.bundles, Dir: dir, Internal: func(c runner.Caller) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { front.Load().Internal(c).ServeHTTP(w, r) })
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.run.Close(); err != nil {
			t.Error(err)
		}
	})
	h.gate = newGate(t, h.run, func(c *Config) {
		c.Functions, c.Access, c.Records, c.Queues, c.Model = h.registry, h.engine, h.store, h.store.Queues(), book
		if change != nil {
			change(c)
		}
	})
	front.Store(h.Gateway)
	return h
}

// policies takes Cedar text over.
func (h *house) policies(t testing.TB, cedar string) {
	t.Helper()
	docs, problems := h.engine.Read("test", []byte(cedar))
	if len(problems) > 0 {
		t.Fatalf("policies: %v", problems)
	}
	var all []*access.Statement
	for i := range docs {
		s, problems := h.engine.Statements(&docs[i])
		if len(problems) > 0 {
			t.Fatalf("policies: %v", problems)
		}
		all = append(all, s...)
	}
	h.engine.Load(all)
}

// add deploys a Python function.
func (h *house) add(name, text string, change func(*function.Spec)) {
	h.t.Helper()
	dir := h.t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "app.py"), []byte(text), 0o644); err != nil {
		h.t.Fatal(err)
	}
	info, err := h.bundles.Add(context.Background(), bundle.FromDir(dir))
	if err != nil {
		h.t.Fatal(err)
	}
	s := function.Spec{Runtime: function.Python, Handler: "app.handler", Timeout: 60}
	if change != nil {
		change(&s)
	}
	_, err = h.registry.Deploy(context.Background(), function.Edit{By: "test"}, function.Deployment{Name: name, Spec: s,
		Code: function.Code{Digest: info.Digest, Size: max(1, info.Size), Unpacked: info.Unpacked, Files: info.Files}})
	if err != nil {
		h.t.Fatal(err)
	}
	if err := h.rewire(context.Background()); err != nil {
		h.t.Fatal(err)
	}
}

// calls waits for the n records of a function.
func (h *house) calls(name string, n int) (got []function.Invocation) {
	h.t.Helper()
	eventually(h.t, "records of "+name, func() bool {
		var err error
		q := function.Query{Function: name}
		q.Limit = 1000
		if got, _, err = h.store.FindInvocations(context.Background(), q); err != nil {
			h.t.Fatal(err)
		}
		return len(got) >= n
	})
	if len(got) != n {
		h.t.Fatalf("%d records of %s, want %d", len(got), name, n)
	}
	return got
}

const callAnother = `
import json, os, urllib.request, urllib.error
API = os.environ["REDOUBT_API"]
def ask(method, path, body):
    try:
        r = urllib.request.Request(API + path, data=body.encode(), method=method)
        with urllib.request.urlopen(r) as f:
            return [f.status, f.read().decode()]
    except urllib.error.HTTPError as e:
        text = e.read().decode()
        return [e.code, json.loads(text)["message"][:60] if text.startswith("{") else text]
`

func TestS3_FunctionsReachEachOtherByTheirRoles(t *testing.T) {
	h := newHouse(t, `permit(principal == User::"alice", action in [Action::"function:Invoke", Action::"function:InvokeAsync"], resource in Function::"front");`, nil)
	h.add("front", callAnother+`
def handler(e, c):
    return [ask("POST", "/2015-03-31/functions/%s/invocations" % n, json.dumps({"n": n})) for n in ("back", "other")] + [
        ask("POST", "/queues/mail/messages", "x")[0], ask("PUT", "/buckets/photos/in/a.jpg", "bytes")[0], ask("GET", "/buckets/photos/in/a.jpg", "")[0]]
`, func(s *function.Spec) {
		s.Role = function.Role{Functions: []string{"back"}, Queues: []string{"mail"}, Buckets: []string{"photos:write"}}
	})
	h.add("back", "def handler(e, c):\n    return e['n'] + ' was here'\n", nil)
	h.add("other", "def handler(e, c):\n    return 'reached'\n", nil)
	h.add("thumb", "def handler(e, c):\n    return e['Records'][0]['s3']['object']['key']\n", func(s *function.Spec) {
		s.Triggers = []function.Trigger{{Bucket: &function.BucketTrigger{Bucket: "photos"}}}
	})
	if err := h.buckets.Create("photos"); err != nil {
		t.Fatal(err)
	}
	res, body := h.invoke("front", h.token("alice"), `{}`)
	status(t, res, body, 200)
	var got []json.RawMessage
	if err := json.Unmarshal([]byte(body), &got); err != nil || len(got) != 5 {
		t.Fatalf("got %s, %v", body, err)
	}
	if string(got[0]) != `[200, "\"back was here\""]` || !strings.HasPrefix(string(got[1]), `[403, "function/front may not invoke other`) || string(got[2]) != "202" || string(got[3]) != "200" || string(got[4]) != "403" {
		t.Errorf("got %s", body)
	}
	front, back, thumb := h.calls("front", 1)[0], h.calls("back", 1)[0], h.calls("thumb", 1)[0]
	for _, inv := range []function.Invocation{back, thumb} {
		if inv.Parent != front.ID || inv.Trace != front.Trace || inv.Outcome != function.Succeeded {
			t.Errorf("record of %s: %+v", inv.Function, inv)
		}
	}
	if back.Caller != "function/front" || back.Source != "function" || thumb.Caller != "service/bucket/photos" || front.Start != function.Cold || front.Memory == 0 {
		t.Errorf("front %+v\nback %+v\nthumb %+v", front, back, thumb)
	}
	if inv := h.calls("other", 1)[0]; inv.Outcome != function.Denied || inv.Caller != "function/front" {
		t.Errorf("refused call: %+v", inv)
	}
	var refusedUses int
	for _, u := range front.Uses {
		if u.Refused {
			refusedUses++
		}
	}
	if len(front.Uses) != 5 || refusedUses != 2 || len(front.Verdicts) != 2 {
		t.Errorf("uses %+v, verdicts %+v", front.Uses, front.Verdicts)
	}
}

func TestFunctionThatCallsItselfIsStopped(t *testing.T) {
	h := newHouse(t, `permit(principal == User::"alice", action in Action::"function:*", resource in Function::"loop");`, nil)
	h.add("loop", callAnother+"def handler(e, c):\n    return ask('POST', '/2015-03-31/functions/loop/invocations', '{}')[1]\n", func(s *function.Spec) {
		s.Role.Functions, s.Concurrency.Max = []string{"loop"}, 20
	})
	res, body := h.invoke("loop", h.token("alice"), `{}`)
	status(t, res, body, 200)
	if !strings.Contains(body, "recursion: more than 16 calls") {
		t.Errorf("got %s", body)
	}
	h.calls("loop", maxDepth+2)
}

// Fifty callers and a gateway that restarts under them: what was accepted ends
// in one record each.
func TestS19_RestartUnderLoadKeepsEveryRecord(t *testing.T) {
	h := newHouse(t, `permit(principal == User::"alice", action in Action::"function:*", resource in Function::"work");`, nil)
	h.add("work", "import time\ndef handler(e, c):\n    time.sleep(0.01)\n    return e\n", func(s *function.Spec) { s.Concurrency.Max = 4 })
	alice := h.token("alice")
	var mu sync.Mutex
	accepted := map[string]int{}
	burst := func() {
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				var header []string
				if i%2 == 0 {
					header = []string{"X-Amz-Invocation-Type", "Event"}
				}
				res, _ := h.invoke("work", alice, fmt.Sprint(i), header...)
				mu.Lock()
				defer mu.Unlock()
				accepted[res.Header.Get("X-Amzn-RequestId")] = res.StatusCode
			})
		}
		wg.Wait()
	}
	burst()
	h.restart()
	burst()
	records := h.calls("work", 100)
	for _, inv := range records {
		code, ok := accepted[inv.ID]
		if !ok || code >= 500 || inv.Outcome != function.Succeeded || inv.Async != (code == 202) {
			t.Errorf("status %d, record %+v", code, inv)
		}
	}
	sums, err := h.store.Usage(context.Background(), store.UsageQuery{})
	if err != nil {
		t.Fatal(err)
	}
	var calls int64
	for _, u := range sums {
		calls += u.Calls
	}
	if calls != 100 {
		t.Errorf("usage counts %d calls, want 100", calls)
	}
}
