package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/redoubt"
)

// These tests are about what the commands print and how they exit; that they
// fit the real console is tested from outside, in test/.

// answers is a console that knows these answers, by "METHOD path", and notes
// what it was asked.
type answers struct {
	bodies map[string]any
	asked  []string
}

func (a *answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := r.Method + " " + strings.TrimPrefix(r.URL.EscapedPath(), "/api/v1")
	if r.URL.Query().Get("dry") == "true" {
		key += "?dry"
	}
	a.asked = append(a.asked, key)
	body, ok := a.bodies[key]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, `{"detail":"there is no such thing"}`)
		return
	}
	if status, is := body.(int); is {
		w.WriteHeader(status)
		return
	}
	json.NewEncoder(w).Encode(body)
}

// invoke runs a command line against bodies and returns what it printed.
func invoke(t *testing.T, bodies map[string]any, args ...string) (out string, asked []string, err error) {
	t.Helper()
	return invokeWith(t, bodies, "", args...)
}

// invokeWith gives the command something to read.
func invokeWith(t *testing.T, bodies map[string]any, in string, args ...string) (out string, asked []string, err error) {
	t.Helper()
	a := &answers{bodies: bodies}
	s := httptest.NewServer(a)
	defer s.Close()
	t.Setenv("REDOUBT_URL", s.URL)
	t.Setenv("REDOUBT_TOKEN", "t0ken")
	t.Setenv("REDOUBT_CACERT", "")
	var b bytes.Buffer
	cmd := newRootCommand()
	cmd.SetArgs(args)
	cmd.SetOut(&b)
	cmd.SetErr(io.Discard)
	cmd.SetIn(strings.NewReader(in))
	err = cmd.ExecuteContext(t.Context())
	return b.String(), a.asked, err
}

func page[T any](items ...T) api.Page[T] { return api.Page[T]{Items: items} }

// nasty holds everything a terminal, a table or a reader could trip over.
const nasty = "\x1b]0;owned\x07\x1b[2Jevil\u009b31m\u202egnp\U000e0001.exe\r\nline\x7f\xff"

func nastyEvent() redoubt.Event {
	return redoubt.Event{
		ID: "e1", Time: time.Now().Add(-90 * time.Second), Node: nasty, Kind: redoubt.EventExec, Count: 1,
		Workload: redoubt.WorkloadRef{ID: "docker/web", Name: nasty, Kind: redoubt.KindContainer},
		Process:  &redoubt.Process{PID: 7, Path: "/bin/" + nasty, Args: []string{nasty, "-c", nasty + strings.Repeat("x", 500)}},
		Verdict:  redoubt.Verdict{Effect: redoubt.EffectAlert, Rule: nasty, Reason: nasty},
	}
}

// harmless says that nothing in s can move a cursor or hide text.
func harmless(t *testing.T, s string) {
	t.Helper()
	for i, r := range s {
		if r != '\n' && hostile(r) {
			t.Fatalf("%U at %d of %q reaches the terminal", r, i, s)
		}
	}
}

func TestNothingFromOutsideReachesTheTerminalUnescaped(t *testing.T) {
	e := nastyEvent()
	alert := redoubt.Alert{ID: "a1", Title: nasty, Workload: e.Workload, Process: e.Process, Verdict: e.Verdict, Comments: []redoubt.Comment{{Author: nasty, Text: nasty}}}
	bodies := map[string]any{
		"GET /events": page(e), "GET /events/e1": e, "GET /alerts": page(alert), "GET /alerts/a1": alert,
		"GET /alerts/a1/why": map[string]any{"event": e, "verdict": e.Verdict, "advice": nasty, "rules": []any{map[string]any{"rule": nasty, "why": nasty}}, "prevent": map[string]any{"text": "prevent " + nasty}},
	}
	for _, args := range [][]string{{"get", "events"}, {"get", "events", "-o", "json"}, {"get", "events", "-o", "yaml"}, {"describe", "event", "e1"}, {"get", "alerts"}, {"describe", "alert", "a1"}, {"why", "a1"}} {
		out, _, err := invoke(t, bodies, args...)
		if err != nil || out == "" {
			t.Errorf("%v: %v", args, err)
		}
		if args[0] == "why" && !strings.Contains(out, "prevent ") {
			t.Errorf("why does not say what would prevent it:\n%s", out)
		}
		harmless(t, out)
	}
	harmless(t, plainLines(fault.New(fault.NotFound, "no %q\n%s", nasty, nasty).Error()))
	if !strings.Contains(plain(nasty), "evil") {
		t.Error("what is harmless was lost")
	}
}

func TestTablesFitIn100Columns(t *testing.T) {
	e := nastyEvent()
	e.Process.Args = []string{"sh", strings.Repeat("長い", 300)}
	out, _, err := invoke(t, map[string]any{"GET /events": page(e, nastyEvent())}, "get", "events")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out) {
		if w := width(strings.TrimRight(line, "\n")); w > maxWidth {
			t.Errorf("a line takes %d columns: %s", w, line)
		}
	}
	if !strings.Contains(out, "90s") && !strings.Contains(out, "91s") {
		t.Errorf("no relative time in %s", out)
	}
}

func TestI3_JSONIsOneArrayOfObjects(t *testing.T) {
	out, _, err := invoke(t, map[string]any{"GET /events": page(nastyEvent())}, "get", "events", "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	var got []map[string]any
	if err := json.Unmarshal([]byte(out), &got); err != nil || len(got) != 1 {
		t.Fatalf("%v: %s", err, out)
	}
	for _, key := range []string{"id", "time", "kind"} {
		if got[0][key] == "" {
			t.Errorf("no %s", key)
		}
	}
	for object, keys := range map[string][]string{"workload": {"id", "kind", "name"}, "process": {"path", "args", "pid"}, "verdict": {"effect", "rule"}} {
		for _, key := range keys {
			if o, _ := got[0][object].(map[string]any); o[key] == nil {
				t.Errorf("no %s.%s in %s", object, key, out)
			}
		}
	}
	for _, r := range resources() {
		path := map[string]string{"access": "access/policies"}[r.name]
		if path == "" {
			path = r.name
		}
		out, _, err := invoke(t, map[string]any{"GET /" + path: page[any]()}, "get", r.name, "-o", "json")
		if err != nil || out != "[]\n" {
			t.Errorf("empty get %s: %q, %v", r.name, out, err)
		}
	}
}

func TestI3_ExitCodes(t *testing.T) {
	for _, c := range []struct {
		args   string
		bodies map[string]any
		want   int
	}{
		{"get alerts", map[string]any{"GET /alerts": page[redoubt.Alert]()}, 0},
		{"why a9", nil, 1},
		{"delete policy none", nil, 1},
		{"isolate web", map[string]any{"POST /workloads/web/actions": 403}, 1},
		{"audit verify", map[string]any{"GET /audit/verify": api.AuditState{Entries: 3, Broken: "u2"}}, 1},
		{"audit verify", map[string]any{"GET /audit/verify": api.AuditState{Entries: 3, Intact: true}}, 0},
		{"get alerts", map[string]any{"GET /alerts": 401}, 2},
		{"get alerts", map[string]any{"GET /alerts": 503}, 2},
		{"get nonsense", nil, 2},
		{"get users --since 5m", nil, 2},
		{"get alerts -o xml", map[string]any{"GET /alerts": page[redoubt.Alert]()}, 2},
		{"nonsense", nil, 2},
		{"why", nil, 2},
		{"apply -f /nowhere/at/all.yaml", nil, 2},
		{"version", nil, 0},
	} {
		if _, _, err := invoke(t, c.bodies, strings.Fields(c.args)...); exitCode(err) != c.want {
			t.Errorf("%s exits %d (%v), want %d", c.args, exitCode(err), err, c.want)
		}
	}
	t.Setenv("HOME", t.TempDir())
	if _, _, err := invoke(t, nil); err != nil {
		t.Errorf("help: %v", err)
	}
}

func TestPasswdAsksForOnesOwnCurrentPassword(t *testing.T) {
	bodies := map[string]any{
		"GET /session": api.Session{User: "ann", Role: "auditor"}, "PUT /session/password": 204,
		"GET /users/bob": api.User{Name: "bob", Role: "operator"}, "PUT /users/bob": api.User{Name: "bob", Role: "operator"},
	}
	for _, c := range []struct {
		args, in, want string
		code           int
	}{
		{"user passwd", "old words here\nnew words here\n", "PUT /session/password", 0},
		{"user passwd ann", "old words here\nnew words here\n", "PUT /session/password", 0},
		{"user passwd bob", "new words here\n", "PUT /users/bob", 0},
		{"user passwd", "old words here\n", "GET /session", 1},
	} {
		out, asked, err := invokeWith(t, bodies, c.in, strings.Fields(c.args)...)
		if exitCode(err) != c.code && !(c.code != 0 && err != nil) || asked[len(asked)-1] != c.want || strings.Contains(out, "words") {
			t.Errorf("%s: %q, %v, asked %v, want %s", c.args, out, err, asked, c.want)
		}
	}
}

func policyText(name string) string {
	return fmt.Sprintf("apiVersion: redoubt/v1\nkind: Policy\nmetadata: {name: %s}\nspec:\n  scope: {workloads: [docker/web]}\n  rules:\n    - name: r1\n      exec: {paths: [/bin/netstat]}\n      effect: prevent\n", name)
}

func TestApplyIsAllOrNothing(t *testing.T) {
	dir := t.TempDir()
	os.WriteFile(filepath.Join(dir, "good.yaml"), []byte(policyText("good")), 0o600)
	bad := policyText("first") + "---\n" + strings.Replace(policyText("second"), "effect: prevent", "effect: explode", 1)
	os.WriteFile(filepath.Join(dir, "bad.yaml"), []byte(bad), 0o600)
	_, asked, err := invoke(t, nil, "apply", "-f", dir)
	if exitCode(err) != exitFailed || !strings.Contains(err.Error(), "bad.yaml:19:") || !strings.Contains(err.Error(), "nothing was applied") {
		t.Errorf("got %v, want the problem in line 19 of bad.yaml", err)
	}
	if len(asked) != 0 {
		t.Errorf("with an error in a file the console was asked %v", asked)
	}
	// What only the console can refuse stops everything too.
	os.Remove(filepath.Join(dir, "bad.yaml"))
	os.WriteFile(filepath.Join(dir, "other.yaml"), []byte(policyText("other")), 0o600)
	_, asked, err = invoke(t, map[string]any{"PUT /policies/good?dry": api.PolicyDocument{}, "PUT /policies/good": api.PolicyDocument{}, "PUT /policies/other?dry": 422}, "apply", "-f", dir)
	if exitCode(err) != exitFailed || slices.Contains(asked, "PUT /policies/good") {
		t.Errorf("%v, asked %v", err, asked)
	}
}

func TestApplySaysWhatItDid(t *testing.T) {
	file := filepath.Join(t.TempDir(), "p.yaml")
	os.WriteFile(file, []byte(policyText("p")), 0o600)
	bodies := map[string]any{"PUT /policies/p?dry": api.PolicyDocument{}, "PUT /policies/p": api.PolicyDocument{}}
	out, _, err := invoke(t, bodies, "apply", "-f", file)
	if err != nil || out != "policy p created\n" {
		t.Errorf("%q, %v", out, err)
	}
	docs, err := readDocuments(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	now := api.PolicyDocument{ID: "p", Source: docs[0].source, Policy: *docs[0].policy}
	bodies["GET /policies/p"] = now
	out, asked, err := invoke(t, bodies, "apply", "-f", file)
	if err != nil || out != "policy p unchanged\n" || len(asked) != 1 {
		t.Errorf("%q, %v, asked %v", out, err, asked)
	}
	now.Policy.Priority = 7
	bodies["GET /policies/p"] = now
	out, _, err = invoke(t, bodies, "apply", "-f", file)
	if err != nil || out != "policy p changed\n" {
		t.Errorf("%q, %v", out, err)
	}
	bodies["POST /policies/preview"] = map[string]any{"events": 10, "changed": 1, "samples": []any{map[string]any{"event": nastyEvent(), "then": redoubt.Verdict{Effect: redoubt.EffectPrevent}}}}
	out, asked, err = invoke(t, bodies, "apply", "-f", file, "--dry-run")
	if err != nil || !strings.Contains(out, "would be changed") || !strings.Contains(out, "verdict of 1") || slices.Contains(asked, "PUT /policies/p") {
		t.Errorf("%s, %v, asked %v", out, err, asked)
	}
	harmless(t, out)
}

func TestExportedProfileIsWhatApplyReads(t *testing.T) {
	p := map[string]any{"workload": "docker/web", "state": "enforcing", "since": "2026-01-01T00:00:00Z", "entries": []any{
		map[string]any{"kind": "exec", "exec": map[string]any{"path": "/bin/sh", "digests": []string{"sha256:" + strings.Repeat("ab", 32)}}, "source": "learned", "count": 3, "units": 2}}}
	bodies := map[string]any{"GET /profiles/docker%2Fweb": p}
	out, _, err := invoke(t, bodies, "profile", "export", "docker/web")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "web.yaml")
	os.WriteFile(file, []byte(out), 0o600)
	again, _, err := invoke(t, bodies, "apply", "-f", file)
	if err != nil || again != "profile docker/web unchanged\n" {
		t.Errorf("%q, %v\n%s", again, err, out)
	}
	again, _, err = invoke(t, map[string]any{"PUT /profiles/docker%2Fweb": p}, "apply", "-f", file)
	if err != nil || again != "profile docker/web created\n" {
		t.Errorf("%q, %v", again, err)
	}
}

func TestEveryCommandTeachesWithAnExample(t *testing.T) {
	for _, c := range newRootCommand().Commands() {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: short help is %q", c.Name(), c.Short)
		}
		if !slices.Contains([]string{"version", "logout", "help", "completion"}, c.Name()) && c.Example == "" && !strings.Contains(c.Long, "redoubt "+c.Name()) {
			t.Errorf("%s shows no example", c.Name())
		}
	}
}

func TestColourOnlyOnATerminal(t *testing.T) {
	if colourful(&bytes.Buffer{}) {
		t.Error("a buffer is no terminal")
	}
	if s := paint("x", bad, false); s != "x" {
		t.Errorf("painted %q without colour", s)
	}
}

func TestTimesAsPeopleSayThem(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{0: "now", 12 * time.Second: "12s", 5 * time.Minute: "5m", 3 * time.Hour: "3h", 72 * time.Hour: "3d", -time.Hour: "in 60m"} {
		if got := ago(now, now.Add(-d)); got != want {
			t.Errorf("%v ago is %q, want %q", d, got, want)
		}
	}
	if got := ago(now, time.Time{}); got != "-" {
		t.Errorf("never is %q", got)
	}
}

func FuzzPlain(f *testing.F) {
	f.Add(nasty)
	f.Fuzz(func(t *testing.T, s string) {
		harmless(t, plain(s))
		if w := width(shorten(plain(s), 20)); w > 20 {
			t.Fatalf("%d columns", w)
		}
	})
}

func FuzzDocuments(f *testing.F) {
	f.Add([]byte(policyText("p") + "---\napiVersion: redoubt/v1\nkind: Profile\nspec: {workload: docker/web}\n"))
	f.Fuzz(func(t *testing.T, raw []byte) { parseDocuments("x", raw) })
}
