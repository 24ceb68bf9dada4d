package runner

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/bundle"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/lambda"
	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/sandbox/sandboxtest"
)

// patience is how long tests wait for what must come.
const patience = 60 * time.Second

type bench struct {
	*Runner
	t       testing.TB
	bundles *bundle.Store
	seq     int
}

// newBench makes a runner over real sandboxes.
func newBench(t testing.TB, change func(*Config)) *bench {
	t.Helper()
	host := sandboxtest.Open(t)
	bundles, err := bundle.Open(t.TempDir(), bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cfg := Config{Host: host, Bundles: bundles, Dir: dir}
	if change != nil {
		change(&cfg)
	}
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Errorf("close runner: %v", err)
		}
		if n := r.total.Load(); n != 0 {
			t.Errorf("%d environments are still counted after Close", n)
		}
	})
	return &bench{Runner: r, t: t, bundles: bundles}
}

// need skips where a runtime is missing.
func (b *bench) need(runtime function.Runtime) {
	b.t.Helper()
	if _, err := lambda.Find(string(runtime), "", b.runtimes); fault.Is(err, fault.Unsupported) {
		b.t.Skip(err)
	}
}

// add deploys code; files are by name.
func (b *bench) add(files map[string]string) redoubt.Digest {
	b.t.Helper()
	dir := b.t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			b.t.Fatal(err)
		}
		mode := os.FileMode(0o644)
		if name == "bootstrap" {
			mode = 0o755
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			b.t.Fatal(err)
		}
	}
	info, err := b.bundles.Add(context.Background(), bundle.FromDir(dir))
	if err != nil {
		b.t.Fatal(err)
	}
	return info.Digest
}

// python deploys a Python handler app.handler.
func (b *bench) python(code string, change func(*function.Spec)) *function.Version {
	b.t.Helper()
	b.need(function.Python)
	return b.version(map[string]string{"app.py": code}, function.Spec{Runtime: function.Python, Handler: "app.handler"}, change)
}

// node deploys a Node.js handler index.handler.
func (b *bench) node(code string, change func(*function.Spec)) *function.Version {
	b.t.Helper()
	b.need(function.NodeJS)
	return b.version(map[string]string{"index.js": code}, function.Spec{Runtime: function.NodeJS, Handler: "index.handler"}, change)
}

func (b *bench) version(files map[string]string, s function.Spec, change func(*function.Spec)) *function.Version {
	b.t.Helper()
	s.Timeout = 30
	if change != nil {
		change(&s)
	}
	b.seq++
	return &function.Version{Number: b.seq, Spec: s.WithDefaults(), Code: function.Code{Digest: b.add(files)}}
}

var ids struct {
	sync.Mutex
	n int
}

func newCall(v *function.Version, payload string) *Call {
	ids.Lock()
	ids.n++
	id := fmt.Sprintf("00000000-0000-4000-8000-%012d", ids.n)
	ids.Unlock()
	return &Call{ID: id, Ref: function.Ref{Name: "f", Version: v.Number}, Version: v, Payload: []byte(payload), Trace: "Root=1-00000000-000000000000000000000000"}
}

func (b *bench) invoke(v *function.Version, payload string) *Result {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	res, err := b.Invoke(ctx, newCall(v, payload))
	if err != nil {
		b.t.Fatal(err)
	}
	return res
}

func want(t testing.TB, res *Result, outcome function.Outcome, payload string) {
	t.Helper()
	if res.Outcome != outcome || payload != "" && string(res.Payload) != payload {
		t.Fatalf("got %s %s (%v), want %s %s\nprinted: %v", res.Outcome, res.Payload, res.Error, outcome, payload, texts(res.Lines))
	}
}

func texts(lines []function.Line) []string {
	var out []string
	for _, l := range lines {
		out = append(out, l.Text)
	}
	return out
}

// eventually waits until ok.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

const echoPython = `
import os
calls = 0
def handler(event, context):
    global calls
    calls += 1
    return {"event": event, "calls": calls, "name": context.function_name, "pid": os.getpid()}
`

func TestS8_PythonAnswersColdThenWarm(t *testing.T) {
	b := newBench(t, nil)
	v := b.python(echoPython, nil)
	first := b.invoke(v, `{"a":1}`)
	want(t, first, function.Succeeded, "")
	if first.Start != function.Cold || first.Init <= 0 || first.CPU <= 0 || first.Memory <= 0 || first.Limit != 128<<20 {
		t.Errorf("first call: start %s, init %s, CPU %s, memory %d of %d", first.Start, first.Init, first.CPU, first.Memory, first.Limit)
	}
	second := b.invoke(v, `{"a":2}`)
	want(t, second, function.Succeeded, "")
	var got struct {
		Event map[string]int
		Calls int
		Name  string
	}
	if err := json.Unmarshal(second.Payload, &got); err != nil || got.Event["a"] != 2 || got.Calls != 2 || got.Name != "f" || second.Start != function.Warm || second.Init != 0 {
		t.Errorf("second call: %s, start %s, init %s, %v", second.Payload, second.Start, second.Init, err)
	}
	if len(second.Verdicts) != 0 || len(second.Uses) != 0 {
		t.Errorf("an honest call left %v %v", second.Uses, second.Verdicts)
	}
}

func TestS8_NodeAnswers(t *testing.T) {
	b := newBench(t, nil)
	v := b.node(`exports.handler = async (e, c) => ({twice: e.n * 2, id: c.awsRequestId.length})`, nil)
	want(t, b.invoke(v, `{"n":21}`), function.Succeeded, `{"twice":42,"id":36}`)
}

func TestIdleEnvironmentIsFrozenAndThawed(t *testing.T) {
	b := newBench(t, nil)
	v := b.python(echoPython, nil)
	want(t, b.invoke(v, `1`), function.Succeeded, "")
	eventually(t, "the environment is frozen", func() bool { s := b.Status("f"); return len(s) == 1 && s[0].State == "frozen" })
	res := b.invoke(v, `2`)
	want(t, res, function.Succeeded, "")
	if res.Start != function.Warm {
		t.Errorf("start %s after freezing, want warm", res.Start)
	}
}

func TestPoolGrowsToItsLimitAndShrinksToNothing(t *testing.T) {
	var mu sync.Mutex
	now := time.Now()
	b := newBench(t, func(c *Config) {
		c.Clock = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	})
	v := b.python("import time\ndef handler(e, c):\n    time.sleep(0.05)\n    return e\n", func(s *function.Spec) { s.Concurrency.Max, s.Concurrency.Idle = 3, 60 })
	var wg sync.WaitGroup
	for i := range 9 {
		wg.Go(func() { want(t, b.invoke(v, fmt.Sprint(i)), function.Succeeded, fmt.Sprint(i)) })
	}
	eventually(t, "three environments", func() bool { return len(b.Status("f")) == 3 })
	wg.Wait()
	if n := len(b.Status("f")); n != 3 {
		t.Errorf("%d environments for a concurrency of 3", n)
	}
	b.sweep(t.Context())
	if n := len(b.Status("f")); n != 3 {
		t.Errorf("%d environments right after use", n)
	}
	mu.Lock()
	now = now.Add(2 * time.Minute)
	mu.Unlock()
	b.sweep(t.Context())
	b.sweep(t.Context())
	if n := len(b.Status("")); n != 0 || b.total.Load() != 0 {
		t.Errorf("%d environments after a long idle time, %d counted", n, b.total.Load())
	}
}

func TestS12_CommandInjectionIsStoppedWithoutConfiguration(t *testing.T) {
	b := newBench(t, nil)
	v := b.python(`
import subprocess
def handler(event, context):
    try:
        out = subprocess.run("echo hello " + event["name"], shell=True, capture_output=True, timeout=5)
        return out.stdout.decode()
    except OSError as e:
        return "stopped: " + type(e).__name__
`, nil)
	res := b.invoke(v, `{"name":"x; cat /etc/passwd"}`)
	want(t, res, function.Succeeded, `"stopped: PermissionError"`)
	if !slices.ContainsFunc(res.Uses, func(u function.Use) bool {
		return u.Kind == function.UseExec && strings.HasSuffix(u.Target, "sh") && u.Refused && u.Count == 1
	}) {
		t.Errorf("uses: %+v", res.Uses)
	}
	if len(res.Verdicts) != 1 || res.Verdicts[0].Effect != redoubt.EffectPrevent || res.Verdicts[0].Technique != "T1059" || res.Verdicts[0].Enforced == "" {
		t.Errorf("verdicts: %+v", res.Verdicts)
	}
	eventually(t, "the environment is ended", func() bool { return len(b.Status("f")) == 0 })
	if again := b.invoke(v, `{"name":"x"}`); again.Start != function.Cold {
		t.Errorf("an environment that tried to start a shell served again: %s", again.Start)
	}
}

func TestS9_GrantedProgramRunsAndIsNoted(t *testing.T) {
	b := newBench(t, nil)
	v := b.python("import subprocess\ndef handler(e, c):\n    return subprocess.check_output(['/usr/bin/id', '-u']).decode().strip()\n",
		func(s *function.Spec) { s.Role.Exec = []string{"/usr/bin/id"} })
	res := b.invoke(v, `{}`)
	want(t, res, function.Succeeded, `"993"`)
	if len(res.Uses) != 1 || res.Uses[0] != (function.Use{Kind: function.UseExec, Target: "/usr/bin/id", Count: 1}) || len(res.Verdicts) != 0 {
		t.Errorf("uses %+v, verdicts %+v", res.Uses, res.Verdicts)
	}
	if again := b.invoke(v, `{}`); again.Start != function.Warm {
		t.Errorf("after a granted program the next start is %s", again.Start)
	}
}

func TestJudgeRefusesWhatTheRoleGrants(t *testing.T) {
	b := newBench(t, func(c *Config) {
		c.Judge = func(d Deed) redoubt.Verdict {
			if d.Use.Kind == function.UseExec && d.Granted && d.Function == "f" && d.Invocation != "" {
				return redoubt.Verdict{Effect: redoubt.EffectPrevent, Rule: "model", Reason: "never seen", Novel: true}
			}
			return redoubt.Verdict{}
		}
	})
	v := b.python("import subprocess\ndef handler(e, c):\n    try:\n        return subprocess.check_output(['/usr/bin/id'])\n    except OSError:\n        return 'no'\n",
		func(s *function.Spec) { s.Role.Exec = []string{"/usr/bin/id"} })
	res := b.invoke(v, `{}`)
	want(t, res, function.Succeeded, `"no"`)
	if len(res.Verdicts) != 1 || res.Verdicts[0].Rule != "model" {
		t.Errorf("verdicts %+v", res.Verdicts)
	}
}

func TestWayOutIsClosedAndNoted(t *testing.T) {
	b := newBench(t, nil)
	v := b.python(`
import socket
def handler(e, c):
    out = []
    for host in ("192.0.2.7", "evil.example"):
        try:
            s = socket.create_connection((host, 80), timeout=5)
            s.sendall(b"GET / HTTP/1.1\r\nHost: " + host.encode() + b"\r\n\r\n")
            out.append(s.recv(12).decode())
        except OSError as err:
            out.append(type(err).__name__)
    return out
`, nil)
	res := b.invoke(v, `{}`)
	want(t, res, function.Succeeded, "")
	var kinds []string
	for _, u := range res.Uses {
		if !u.Refused {
			t.Errorf("allowed: %+v", u)
		}
		kinds = append(kinds, string(u.Kind)+" "+u.Target)
	}
	slices.Sort(kinds)
	if got := strings.Join(kinds, ", "); got != "dns evil.example, egress 192.0.2.7:80" {
		t.Errorf("uses: %s\nanswer: %s", got, res.Payload)
	}
}

func TestS23_SecretIsAFileAndNothingElse(t *testing.T) {
	b := newBench(t, func(c *Config) {
		c.Secret = func(_ context.Context, name string) ([]byte, error) {
			if name != "db" {
				return nil, fault.New(fault.NotFound, "no secret %s", name)
			}
			return []byte("hunter2"), nil
		}
	})
	code := "import os\ndef handler(e, c):\n    v = open('/run/secrets/db').read()\n    try:\n        open('/run/secrets/db', 'w')\n        return 'written'\n    except OSError:\n        return [v, sorted(os.listdir('/run/secrets')), v in os.environ.values()]\n"
	v := b.python(code, func(s *function.Spec) { s.Role.Secrets = []string{"db"} })
	want(t, b.invoke(v, `{}`), function.Succeeded, `["hunter2", ["db"], false]`)
	b.Stop("f")
	if left, err := os.ReadDir(b.vault); err != nil || len(left) != 0 {
		t.Errorf("left of secrets: %v, %v", left, err)
	}
	if kind := fsKind(t, b.vault); kind != unix.TMPFS_MAGIC {
		t.Errorf("secrets are kept on file system %x", kind)
	}
	other := b.python(code, func(s *function.Spec) { s.Role.Secrets = []string{"missing"} })
	if _, err := b.Invoke(context.Background(), newCall(other, `{}`)); !fault.Is(err, fault.NotFound) {
		t.Errorf("missing secret: %v", err)
	}
}

func fsKind(t *testing.T, dir string) int64 {
	t.Helper()
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	return int64(st.Type)
}

func TestInternalKnowsWhoAsks(t *testing.T) {
	b := newBench(t, func(c *Config) {
		c.Internal = func(caller Caller) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				id, _ := caller.Call()
				fmt.Fprintf(w, "%s %d %t %t", caller.Function, len(id), caller.Note(function.Use{Kind: function.UseQueue, Target: "mail", Count: 1}), caller.Note(function.Use{Kind: function.UseQueue, Target: "other", Count: 1}))
			})
		}
	})
	v := b.python("import os, urllib.request\ndef handler(e, c):\n    return urllib.request.urlopen(os.environ['REDOUBT_API'] + '/x').read().decode()\n",
		func(s *function.Spec) { s.Role.Queues = []string{"mail"} })
	res := b.invoke(v, `{}`)
	want(t, res, function.Succeeded, `"f 36 true false"`)
	if len(res.Uses) != 2 || len(res.Verdicts) != 1 {
		t.Errorf("uses %+v, verdicts %+v", res.Uses, res.Verdicts)
	}
}

func TestS7_ChangedCodeDoesNotStart(t *testing.T) {
	b := newBench(t, nil)
	v := b.python(echoPython, nil)
	dir, err := b.bundles.Path(v.Code.Digest)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "app.py")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("def handler(e, c): return 'evil'\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if res, err := b.Invoke(context.Background(), newCall(v, `{}`)); !fault.Is(err, fault.Denied) {
		t.Errorf("changed code ran: %+v, %v", res, err)
	}
}

func TestTenantsShareNothing(t *testing.T) {
	b := newBench(t, nil)
	v := b.python(echoPython, func(s *function.Spec) { s.PerTenant = true })
	var pids []string
	for _, tenant := range []string{"a", "b", "a"} {
		c := newCall(v, `{}`)
		c.Tenant = tenant
		res, err := b.Invoke(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		var got struct{ Calls int }
		if err := json.Unmarshal(res.Payload, &got); err != nil {
			t.Fatal(err)
		}
		pids = append(pids, fmt.Sprint(got.Calls))
	}
	if got := strings.Join(pids, " "); got != "1 1 2" {
		t.Errorf("calls seen by the environments: %s, want 1 1 2", got)
	}
}
