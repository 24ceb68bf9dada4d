package console

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/pem"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/access"
	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/bundle"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/iam"
	"redoubt.dev/redoubt/internal/identity"
	learning "redoubt.dev/redoubt/internal/model"
	"redoubt.dev/redoubt/internal/store"
)

// works is a console with functions: all of it real but the running of code,
// which echoes its event.
type works struct {
	*rig
	record   *store.Store
	policies *access.Policies
	told     []string // what Changed heard
	called   []Invocation
}

func newWorks(t *testing.T) *works {
	t.Helper()
	w := &works{rig: newRig(t)}
	w.record = w.rig.store.(*store.Store)
	ctx := t.Context()
	bundles, err := bundle.Open(t.TempDir(), bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { bundles.Close() })
	sealer, err := iam.OpenSealer(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	who, err := iam.Open(ctx, iam.Config{Store: w.record, Sealer: sealer, Issuer: "https://test", Now: w.clock})
	if err != nil {
		t.Fatal(err)
	}
	if w.policies, err = access.Open(ctx, w.record, w.clock); err != nil {
		t.Fatal(err)
	}
	models, err := learning.Open(ctx, w.record, w.clock)
	if err != nil {
		t.Fatal(err)
	}
	w.serverless = &Serverless{
		Functions: function.NewRegistry(w.record, w.clock), Bundles: bundles, Calls: w.record, Invoker: w, Environments: nowhere{}, Models: models,
		Routes: w.record, Access: w.policies, Principals: who, Changed: func(name string, _ bool) { w.told = append(w.told, name) },
	}
	return w
}

// Invoke implements Invoker.
func (w *works) Invoke(ctx context.Context, c Invocation) (string, []byte, error) {
	w.called = append(w.called, c)
	inv := function.Invocation{
		ID: "inv-" + c.Ref.Name, Time: w.clock(), Function: c.Ref.Name, Version: 1, Caller: c.Principal, Source: "invoke", Outcome: function.Succeeded, Duration: time.Millisecond,
		Uses: []function.Use{{Kind: function.UseEgress, Target: "api.example.com:443", Count: 2}},
	}
	return inv.ID, c.Payload, w.record.AddInvocations(ctx, []function.Invocation{inv})
}

type nowhere struct{}

func (nowhere) Status(string) []api.Environment { return nil }
func (nowhere) Gaps() []string                  { return nil }
func (nowhere) Off() string                     { return "this is a test" }

// upload sends a zip of one file.
func (w *works) upload(text string) api.Bundle {
	w.t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	f, err := z.Create("app.py")
	if err != nil {
		w.t.Fatal(err)
	}
	f.Write([]byte(text))
	if err := z.Close(); err != nil {
		w.t.Fatal(err)
	}
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.server.Certificate().Raw})
	c, err := api.NewClient(api.Config{URL: w.server.URL, Token: w.as(identity.Operator), CA: string(ca)})
	if err != nil {
		w.t.Fatal(err)
	}
	got, err := c.Upload(w.t.Context(), &b, -1)
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

func (w *works) deployed(name string, change func(*function.Spec)) api.FunctionDetail {
	w.t.Helper()
	spec := function.Spec{Runtime: function.Python, Handler: "app.handler"}
	if change != nil {
		change(&spec)
	}
	b := w.upload("def handler(e, c): return e  # " + name)
	return must[api.FunctionDetail](w.rig, http.MethodPost, "/api/v1/functions/"+name+"/versions", api.DeployRequest{Spec: spec, Digest: b.Digest})
}

// trail lists what was done, oldest first.
func (w *works) trail() (actions []string) {
	w.t.Helper()
	for _, e := range get[api.Page[api.AuditEntry]](w.rig, "/api/v1/audit").Items {
		actions = append(actions, e.Action)
	}
	slices.Reverse(actions)
	return actions
}

func TestS17_DeployRollbackDisableDeleteAreRecorded(t *testing.T) {
	w := newWorks(t)
	first := w.deployed("orders", nil)
	if first.Version != 1 || len(first.Record.Versions) != 1 || first.Record.Versions[0].By == "" {
		t.Fatalf("deployed: %+v", first)
	}
	if second := w.deployed("orders", func(s *function.Spec) { s.Memory = 256 }); second.Version != 2 {
		t.Fatalf("live is version %d after the second deployment", second.Version)
	}
	path := "/api/v1/functions/orders"
	if back := must[api.FunctionDetail](w.rig, http.MethodPost, path+"/rollback", api.RollbackRequest{}); back.Version != 1 {
		t.Errorf("live is version %d after rollback", back.Version)
	}
	canary := api.AliasRequest{Weights: []function.Weight{{Version: 1, Percent: 90}, {Version: 2, Percent: 10}}}
	if c := must[api.FunctionDetail](w.rig, http.MethodPut, path+"/aliases/canary", canary); len(c.Record.Aliases["canary"].Weights) != 2 {
		t.Errorf("the canary is %+v", c.Record.Aliases)
	}
	if off := must[api.FunctionDetail](w.rig, http.MethodPost, path+"/state", api.FunctionStateRequest{State: function.Disabled, Reason: "test"}); off.State != function.Disabled || off.Reason != "test" {
		t.Errorf("disabled: %+v", off.Function)
	}
	if a := w.ask(http.MethodDelete, path+"/versions/1", nil); a.StatusCode != http.StatusConflict {
		t.Errorf("a version in use is deleted: %d %s", a.StatusCode, a.body)
	}
	must[struct{}](w.rig, http.MethodDelete, path, nil)
	if a := w.ask(http.MethodGet, path, nil); a.StatusCode != http.StatusNotFound {
		t.Errorf("deleted, and there: %d", a.StatusCode)
	}
	want := []string{"bundle.upload", "function.deploy", "bundle.upload", "function.deploy", "function.rollback", "function.alias", "function.disable", "function.delete"}
	if got := w.trail(); !slices.Equal(slices.DeleteFunc(got, func(a string) bool { return strings.HasPrefix(a, "token.") }), want) {
		t.Errorf("the trail has %q, want %q", got, want)
	}
	if len(w.told) != 6 {
		t.Errorf("changes were told of as %q", w.told)
	}
}

func TestS17_WhatCannotBeRecordedIsNotDeployed(t *testing.T) {
	w := newWorks(t)
	b := w.upload("x = 1")
	stop := w.failAudit()
	a := w.ask(http.MethodPost, "/api/v1/functions/orders/versions", api.DeployRequest{Spec: function.Spec{Runtime: function.Python, Handler: "app.handler"}, Digest: b.Digest})
	stop()
	if a.StatusCode < 500 {
		t.Errorf("deployed without its line: %d %s", a.StatusCode, a.body)
	}
	if a := w.ask(http.MethodGet, "/api/v1/functions/orders", nil); a.StatusCode != http.StatusNotFound {
		t.Errorf("it is there: %d", a.StatusCode)
	}
}

func TestS7_HostileDeploymentsAreRefused(t *testing.T) {
	w := newWorks(t)
	b := w.upload("x = 1")
	good := function.Spec{Runtime: function.Python, Handler: "app.handler"}
	for name, c := range map[string]struct {
		function string
		body     any
		status   int
	}{
		"no such code":      {"orders", api.DeployRequest{Spec: good, Digest: "sha256:00"}, 404},
		"path as a name":    {"..%2fx", api.DeployRequest{Spec: good, Digest: b.Digest}, 422},
		"no runtime":        {"orders", `{"spec": {}, "digest": "sha256:00"}`, 422},
		"unknown field":     {"orders", `{"spec": {"runtime": "python", "privileged": true}, "digest": "sha256:00"}`, 422},
		"huge memory":       {"orders", api.DeployRequest{Spec: function.Spec{Runtime: function.Python, Handler: "a.b", Memory: 1 << 30}, Digest: b.Digest}, 422},
		"code as an image":  {"orders", api.DeployRequest{Spec: function.Spec{Runtime: function.Image}, Digest: b.Digest}, 422},
		"changed meanwhile": {"orders", api.DeployRequest{Spec: good, Digest: b.Digest, Revision: 7}, 404},
	} {
		t.Run(name, func(t *testing.T) {
			a := w.ask(http.MethodPost, "/api/v1/functions/"+c.function+"/versions", c.body)
			if a.StatusCode/100 != 4 || a.StatusCode != c.status && c.status != 404 {
				t.Errorf("%d %s", a.StatusCode, a.body)
			}
		})
	}
	for name, body := range map[string]string{"empty": "", "no archive": "MZ and nothing else"} {
		a := w.ask(http.MethodPost, "/api/v1/bundles", body, func(q *http.Request) { q.Header.Set("Content-Type", "application/octet-stream") })
		if a.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%s bundle: %d %s", name, a.StatusCode, a.body)
		}
	}
}

func TestS19_CallsAreMadeAsThePersonAndFound(t *testing.T) {
	w := newWorks(t)
	w.deployed("orders", func(s *function.Spec) { s.Role.Egress = []string{"api.example.com:443", "unused.example.com:443"} })
	got := must[api.Invoked](w.rig, http.MethodPost, "/api/v1/functions/orders/invocations", api.InvokeRequest{Payload: `{"a":1}`})
	if got.Payload != `{"a":1}` || got.Record.Outcome != function.Succeeded {
		t.Fatalf("invoked: %+v", got)
	}
	if c := w.called[0]; c.Principal != "user/system" || !c.Operator || c.From != "127.0.0.1" {
		t.Errorf("the call was made as %+v", c)
	}
	if a := w.ask(http.MethodPost, "/api/v1/functions/orders/invocations", api.InvokeRequest{Payload: "{"}); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("no JSON: %d", a.StatusCode)
	}
	if l := get[api.Page[function.Invocation]](w.rig, "/api/v1/invocations?function=orders&outcome=succeeded"); len(l.Items) != 1 {
		t.Errorf("calls: %+v", l)
	}
	if l := get[api.Page[function.Invocation]](w.rig, "/api/v1/invocations?caller=user/nobody"); len(l.Items) != 0 {
		t.Errorf("calls of nobody: %+v", l)
	}
	if u := get[api.Usage](w.rig, "/api/v1/usage?by=caller,version"); len(u.Items) != 1 || u.Items[0].Caller != "user/system" || u.Items[0].Version != 1 || u.Items[0].Calls != 1 {
		t.Errorf("usage: %+v", u)
	}
	if l := get[api.Page[api.Function]](w.rig, "/api/v1/functions"); l.Items[0].Calls != 1 || l.Items[0].Last.IsZero() {
		t.Errorf("listed as %+v", l.Items)
	}
	m := get[api.FunctionMap](w.rig, "/api/v1/map")
	edge := func(from, to string) *api.FunctionMapEdge {
		for i := range m.Edges {
			if m.Edges[i].From == from && m.Edges[i].To == to {
				return &m.Edges[i]
			}
		}
		return &api.FunctionMapEdge{}
	}
	if e := edge("caller/user/system", "function/orders"); e.Count != 1 {
		t.Errorf("S16: the map has no call: %+v", m.Edges)
	}
	if e := edge("function/orders", "egress/api.example.com:443"); e.Count != 2 || !e.Granted {
		t.Errorf("S16: what was used is %+v", e)
	}
	if e := edge("function/orders", "egress/unused.example.com:443"); e.Count != 0 || !e.Granted {
		t.Errorf("S16: what was granted and not used is %+v", e)
	}
}

func TestS20_UnusedFunctionsAreFoundAndUsedOnesNot(t *testing.T) {
	w := newWorks(t)
	w.deployed("idle", nil)
	w.deployed("busy", nil)
	w.advance(40 * 24 * time.Hour)
	must[api.Invoked](w.rig, http.MethodPost, "/api/v1/functions/busy/invocations", api.InvokeRequest{})
	var found []string
	for _, f := range get[api.Findings](w.rig, "/api/v1/findings?days=30").Items {
		if f.Action == function.ProposeDisable {
			found = append(found, f.Function)
		}
	}
	if !slices.Equal(found, []string{"idle"}) {
		t.Errorf("unused are %q", found)
	}
}

func TestS3_PoliciesDecideAndAnswersNameThem(t *testing.T) {
	w := newWorks(t)
	w.deployed("orders", nil)
	simulate := func(principal string) api.Simulation {
		return must[api.Simulation](w.rig, http.MethodPost, "/api/v1/access/simulate", api.SimulateRequest{Principal: principal, Action: "invoke", Resource: "orders:live", Context: api.AccessContext{From: "10.0.0.0/8"}})
	}
	if s := simulate("alice"); s.Allow || len(s.Changes) == 0 {
		t.Errorf("S4: before any policy: %+v", s)
	}
	text := `permit (principal == User::"alice", action == Action::"function:Invoke", resource in Function::"orders");`
	must[api.AccessPolicy](w.rig, http.MethodPut, "/api/v1/access/policies/alice", api.AccessPolicyRequest{Cedar: text})
	if s := simulate("alice"); !s.Allow || !strings.HasPrefix(s.Policy, "alice#") || s.Statement == "" {
		t.Errorf("S4: %+v", s)
	}
	if s := simulate("bob"); s.Allow {
		t.Errorf("bob may: %+v", s)
	}
	l := must[api.AccessList](w.rig, http.MethodPost, "/api/v1/access/who-can", api.WhoCanRequest{Action: "invoke", Resource: "orders"})
	if len(l.Items) != 1 || l.Items[0].Principal != "user/alice" {
		t.Errorf("S4: who can: %+v", l)
	}
	if a := w.ask(http.MethodPut, "/api/v1/access/policies/bad", api.AccessPolicyRequest{Cedar: "permit (principal, action, resource) when { context.nothing };"}); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a policy that does not fit: %d %s", a.StatusCode, a.body)
	}
	stop := w.failAudit()
	a := w.ask(http.MethodPut, "/api/v1/access/policies/mallory", api.AccessPolicyRequest{Cedar: strings.ReplaceAll(text, "alice", "mallory")})
	stop()
	if a.StatusCode < 500 || simulate("mallory").Allow {
		t.Errorf("a policy without its line is in force: %d", a.StatusCode)
	}
	must[struct{}](w.rig, http.MethodDelete, "/api/v1/access/policies/alice", nil)
	if simulate("alice").Allow {
		t.Error("a deleted policy decides")
	}
	must[api.AccessPolicy](w.rig, http.MethodPut, "/api/v1/access/policies/alice", api.AccessPolicyRequest{Cedar: text})
}

func TestS2_SecretsAreShownOnceAndTokensAreShort(t *testing.T) {
	w := newWorks(t)
	must[api.Principal](w.rig, http.MethodPut, "/api/v1/principals/role%2Fweb", api.PrincipalRequest{Groups: []string{"front"}})
	k := must[api.NewAccessKey](w.rig, http.MethodPost, "/api/v1/keys", api.AccessKeyRequest{Principal: "role/web", Kind: "access", Name: "ci"})
	if k.Secret == "" || k.Principal != "role/web" {
		t.Fatalf("made: %+v", k)
	}
	for _, path := range []string{"/api/v1/keys", "/api/v1/principals", "/api/v1/audit"} {
		if a := w.ask(http.MethodGet, path, nil); strings.Contains(string(a.body), k.Secret) {
			t.Errorf("%s shows the secret", path)
		}
	}
	tok := must[api.AccessToken](w.rig, http.MethodPost, "/api/v1/principals/role%2Fweb/tokens", api.AccessTokenRequest{TTL: "5m"})
	if tok.Secret == "" || tok.Expires.Sub(w.clock()) > 5*time.Minute {
		t.Errorf("token: %+v at %s", tok, w.clock())
	}
	if a := w.ask(http.MethodGet, "/api/v1/audit", nil); strings.Contains(string(a.body), tok.Secret) {
		t.Error("the trail shows the token")
	}
	for _, ttl := range []string{"16m", "0s", "-1m", "soon"} {
		if a := w.ask(http.MethodPost, "/api/v1/principals/role%2Fweb/tokens", api.AccessTokenRequest{TTL: ttl}); a.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("ttl %s: %d", ttl, a.StatusCode)
		}
	}
	must[api.Principal](w.rig, http.MethodPost, "/api/v1/principals/role%2Fweb/state", api.PrincipalStateRequest{Disabled: true, Reason: "leaked"})
	if a := w.ask(http.MethodPost, "/api/v1/principals/role%2Fweb/tokens", api.AccessTokenRequest{}); a.StatusCode/100 != 4 {
		t.Errorf("a disabled principal gets a token: %d", a.StatusCode)
	}
	stop := w.failAudit()
	a := w.ask(http.MethodPost, "/api/v1/keys", api.AccessKeyRequest{Principal: "role/web", Kind: "api", Name: "quiet"})
	stop()
	if l := get[api.Page[api.AccessKey]](w.rig, "/api/v1/keys"); a.StatusCode < 500 || len(l.Items) != 1 {
		t.Errorf("a key without its line stays: %d, %d keys", a.StatusCode, len(l.Items))
	}
}

func TestS1_RoutesAreWrittenAllOrNone(t *testing.T) {
	w := newWorks(t)
	w.deployed("orders", func(s *function.Spec) {
		s.Triggers = []function.Trigger{{HTTP: &function.HTTPTrigger{Method: "GET", Path: "/orders"}}}
	})
	doc := func(id, path string) string {
		return "apiVersion: redoubt/v1\nkind: Route\nmetadata: {name: " + id + "}\nspec:\n  method: GET\n  path: " + path + "\n  target: {function: orders}\n"
	}
	done := must[api.RoutesWritten](w.rig, http.MethodPost, "/api/v1/routes", api.RoutesRequest{Source: doc("a", "/a") + "---\n" + doc("b", "/orders")})
	if done.Written || len(done.Problems) == 0 {
		t.Errorf("a route that stands in a trigger's way: %+v", done)
	}
	done = must[api.RoutesWritten](w.rig, http.MethodPost, "/api/v1/routes", api.RoutesRequest{Source: doc("a", "/a")})
	if !done.Written || len(done.Problems) > 0 {
		t.Fatalf("%+v", done)
	}
	var owners []string
	for _, r := range get[api.Page[api.Route]](w.rig, "/api/v1/routes").Items {
		owners = append(owners, r.ID+" "+r.Owner)
	}
	if !slices.Equal(owners, []string{"a ", "function-orders-0 orders"}) {
		t.Errorf("routes: %q", owners)
	}
	open := w.ask(http.MethodGet, "/api/v1/openapi", nil)
	if open.StatusCode != http.StatusOK || !strings.Contains(string(open.body), `"/a"`) {
		t.Errorf("export: %d %s", open.StatusCode, open.body)
	}
	must[struct{}](w.rig, http.MethodDelete, "/api/v1/routes/a", nil)
	if a := w.ask(http.MethodDelete, "/api/v1/routes/function-orders-0", nil); a.StatusCode != http.StatusNotFound {
		t.Errorf("a trigger's route is deleted: %d", a.StatusCode)
	}
}

func TestS12_ModelIsSeenMovedEditedExportedAndImported(t *testing.T) {
	w := newWorks(t)
	w.deployed("orders", nil)
	path := "/api/v1/functions/orders/model"
	if m := get[learning.Model](w.rig, path); m.Calls != 0 {
		t.Errorf("%+v", m)
	}
	m := must[learning.Model](w.rig, http.MethodPost, path+"/entries", api.ModelChange{Add: []api.ModelEntryRequest{{Kind: function.UseEgress, Target: "api.example.com:443", Note: "by hand"}}})
	if len(m.Entries) != 1 || m.Entries[0].Note != "by hand" {
		t.Fatalf("entries: %+v", m.Entries)
	}
	if m := must[learning.Model](w.rig, http.MethodPost, path+"/state", map[string]string{"state": "observing"}); m.State != "observing" {
		t.Errorf("state %s", m.State)
	}
	d := get[api.ModelDocument](w.rig, path+"/document")
	if !strings.Contains(d.Source, "kind: FunctionModel") {
		t.Errorf("document: %s", d.Source)
	}
	must[learning.Model](w.rig, http.MethodPut, path, d)
	if a := w.ask(http.MethodPut, "/api/v1/functions/other/model", d); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a model of another function: %d", a.StatusCode)
	}
	p := get[api.Privileges](w.rig, "/api/v1/functions/orders/privileges")
	if p.Proposal.Ready {
		t.Errorf("S15: proposed without evidence: %+v", p.Proposal)
	}
	if a := w.ask(http.MethodPost, "/api/v1/functions/orders/privileges/adopt", api.AdoptRequest{Version: 1}); a.StatusCode != http.StatusConflict {
		t.Errorf("S15: adopted without evidence: %d %s", a.StatusCode, a.body)
	}
}

// Nothing anybody sends may be an internal error.
func TestS1_GarbageIsNoInternalError(t *testing.T) {
	w := newWorks(t)
	w.deployed("nothing-here", nil)
	for _, op := range operations(t, w.rig) {
		if op.ID == "stream" {
			continue
		}
		path := op.path
		for _, name := range []string{"id", "name", "workload", "instance", "alias"} {
			path = strings.ReplaceAll(path, "{"+name+"}", "nothing-here")
		}
		path = strings.ReplaceAll(path, "{version}", "7")
		for _, body := range []any{nil, "{}", "[", `{"source": "kind: [", "cedar": "permit"}`} {
			if op.Body == nil && body != nil {
				continue
			}
			if a := w.ask(op.method, path, body); a.StatusCode == http.StatusInternalServerError {
				t.Errorf("%s %s %v: %s", op.method, path, body, a.body)
			}
		}
	}
}

func TestS1_ConsoleWithoutFunctionsSaysWhereToAsk(t *testing.T) {
	r := newRig(t)
	a := r.ask(http.MethodGet, "/api/v1/functions", nil)
	if a.StatusCode != http.StatusNotImplemented || !strings.Contains(string(a.body), "redoubt up") {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

func TestS7_UnusedCodeGoesAfterADay(t *testing.T) {
	w := newWorks(t)
	kept := w.deployed("orders", nil).Record.Versions[0].Code.Digest
	lost := w.upload("never deployed").Digest
	w.mu.Lock()
	w.now = time.Now().Add(time.Hour) // bundles carry the real time
	w.mu.Unlock()
	if err := w.sweepBundles(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, ok := w.serverless.Bundles.Info(lost); !ok {
		t.Error("code that waits for its deployment is gone")
	}
	w.advance(25 * time.Hour)
	if err := w.sweepBundles(t.Context()); err != nil && !fault.Is(err, fault.NotFound) {
		t.Fatal(err)
	}
	if _, ok := w.serverless.Bundles.Info(lost); ok {
		t.Error("code that nobody deployed stays")
	}
	if _, ok := w.serverless.Bundles.Info(kept); !ok {
		t.Error("code of a version is gone")
	}
}
