package console

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/guard"
	"redoubt.dev/redoubt/internal/identity"
	"redoubt.dev/redoubt/internal/link"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

// judge is what a defender would say of an event with the state it was given.
func (r *rig) judge(e redoubt.Event) redoubt.Verdict {
	k := r.model.known(&e)
	return guard.Decide(&e, k.Matcher, k.State, r.model.policySet(), k.Context)
}

func (r *rig) ps() redoubt.Event {
	e := r.netstat()
	p := *e.Process
	f := *p.File
	f.Digest = "sha256:" + redoubt.Digest(strings.Repeat("cd", 32))
	p.Path, p.Args, p.File = "/usr/bin/ps", []string{"ps"}, &f
	e.Process = &p
	return e
}

func TestD16_AllowWritesTheSmallestChangeAndResolves(t *testing.T) {
	r := newRig(t)
	r.push(r.running(web))
	r.observing()
	r.push(link1(r.netstat()))
	why := get[guard.Explanation](r, "/api/v1/alerts/a1/why")
	if why.Allow == nil || why.Allow.Entry == nil || why.Allow.Entry.Exec.Path != "/usr/bin/netstat" {
		t.Fatalf("explanation offers %+v", why.Allow)
	}
	done := must[api.Applied](r, http.MethodPost, "/api/v1/alerts/a1/allow", nil)
	if done.Applied.Text != why.Allow.Text {
		t.Errorf("applied %q, offered %q", done.Applied.Text, why.Allow.Text)
	}
	if v := r.judge(r.netstat()); v.Effect != redoubt.EffectIgnore {
		t.Errorf("netstat is judged %+v after allowing it", v)
	}
	if v := r.judge(r.ps()); v.Effect != redoubt.EffectAlert {
		t.Errorf("its neighbour ps is judged %+v, want an alert", v)
	}
	a := get[redoubt.Alert](r, "/api/v1/alerts/a1")
	if a.Status != redoubt.Resolved || len(a.Comments) != 1 {
		t.Errorf("the alert is %+v", a)
	}
	if i := get[redoubt.Incident](r, "/api/v1/incidents/"+a.Incident); i.Status != redoubt.Resolved {
		t.Errorf("the incident of its only alert is %s", i.Status)
	}
	p := get[profile.Profile](r, "/api/v1/profiles/docker%2Fshop%2Fweb")
	if len(p.Entries) != 1 || p.Entries[0].Source != profile.Manual {
		t.Errorf("profile holds %+v", p.Entries)
	}
	if again := r.ask(http.MethodPost, "/api/v1/alerts/a1/allow", nil); again.StatusCode != http.StatusNotImplemented {
		t.Errorf("allowing what is allowed: %d %s", again.StatusCode, again.body)
	}
}

func TestD16_AllowPutsARuleBeforeThePolicysOwn(t *testing.T) {
	r := newRig(t)
	r.push(r.running(web))
	r.observing()
	must[api.PolicyDocument](r, http.MethodPut, "/api/v1/policies/p1", api.PolicyRequest{Source: policyText("p1", "no-tools", "prevent", "/usr/bin/*")})
	e := r.netstat()
	e.Verdict = r.judge(e)
	r.push(link1(e))
	done := must[api.Applied](r, http.MethodPost, "/api/v1/alerts/a1/allow", nil)
	if done.Applied.Policy != "p1" || done.Applied.Rule == nil {
		t.Fatalf("applied %+v", done.Applied)
	}
	if v := r.judge(r.netstat()); v.Effect != redoubt.EffectIgnore {
		t.Errorf("netstat is judged %+v", v)
	}
	if v := r.judge(r.ps()); v.Effect != redoubt.EffectPrevent {
		t.Errorf("ps is judged %+v, want prevent as before", v)
	}
	p := get[api.PolicyDocument](r, "/api/v1/policies/p1")
	if !strings.Contains(p.Source, "# keep this remark") || p.Revision != 2 || p.Author == "" {
		t.Errorf("policy is revision %d by %q:\n%s", p.Revision, p.Author, p.Source)
	}
}

func TestPreventWritesTheWorkloadsPolicy(t *testing.T) {
	r := newRig(t)
	r.push(r.running(web))
	r.observing()
	r.push(link1(r.netstat(), r.ps()))
	for _, id := range []string{"a1", "a2"} {
		shown := get[guard.Explanation](r, "/api/v1/alerts/"+id+"/why").Prevent
		written := must[api.Applied](r, http.MethodPost, "/api/v1/alerts/"+id+"/prevent", nil).Applied
		if shown == nil || !reflect.DeepEqual(*shown, written) {
			t.Errorf("%s: shown %+v, written %+v", id, shown, written)
		}
	}
	all := get[api.Page[api.PolicyDocument]](r, "/api/v1/policies")
	if len(all.Items) != 1 || len(all.Items[0].Policy.Rules) != 2 || all.Items[0].ID != guard.PolicyName(web.ID) {
		t.Fatalf("policies are %+v", all.Items)
	}
	for name, e := range map[string]redoubt.Event{"netstat": r.netstat(), "ps": r.ps()} {
		if v := r.judge(e); v.Effect != redoubt.EffectPrevent {
			t.Errorf("%s is judged %+v", name, v)
		}
	}
	other := r.netstat()
	other.Workload = redoubt.WorkloadRef{ID: "docker/shop/db", Kind: redoubt.KindContainer, Name: "db"}
	if v := r.judge(other); v.Effect == redoubt.EffectPrevent {
		t.Errorf("another workload is judged %+v", v)
	}
	if a := get[redoubt.Alert](r, "/api/v1/alerts/a1"); a.Status != redoubt.Open || len(a.Comments) != 1 {
		t.Errorf("the alert is %+v, want open with a remark", a)
	}
}

func TestPolicyHistoryIsKeptAndRestored(t *testing.T) {
	r := newRig(t)
	put := func(path string) {
		r.advance(time.Minute)
		must[api.PolicyDocument](r, http.MethodPut, "/api/v1/policies/p1", api.PolicyRequest{Source: policyText("p1", "x", "alert", path)})
	}
	for _, path := range []string{"/bin/one", "/bin/two", "/bin/three"} {
		put(path)
	}
	must[api.PolicyDocument](r, http.MethodPut, "/api/v1/policies/other", api.PolicyRequest{Source: policyText("other", "x", "alert", "/bin/nc")})
	history := func(query string) api.Page[api.PolicyRevision] {
		return get[api.Page[api.PolicyRevision]](r, "/api/v1/policies/p1/history"+query)
	}
	all := history("")
	if len(all.Items) != 3 || all.Total != 3 || all.Items[0].Revision != 3 || !strings.Contains(all.Items[2].Source, "/bin/one") || all.Items[0].Author == "" || !all.Items[0].Time.After(all.Items[1].Time) {
		t.Fatalf("history is %+v", all)
	}
	first := history("?limit=2")
	rest := history("?limit=2&cursor=" + first.Next)
	if len(first.Items) != 2 || len(rest.Items) != 1 || rest.Items[0].Revision != 1 || rest.Next != "" {
		t.Errorf("in two pages: %+v and %+v", first, rest)
	}
	// Restoring writes what was as a new revision; nothing is taken out.
	must[api.PolicyDocument](r, http.MethodPut, "/api/v1/policies/p1", api.PolicyRequest{Source: all.Items[2].Source})
	if h := history(""); len(h.Items) != 4 || h.Items[0].Revision != 4 || h.Items[0].Source != all.Items[2].Source {
		t.Errorf("after restoring: %+v", h.Items[0])
	}
	must[struct{}](r, http.MethodDelete, "/api/v1/policies/p1", nil)
	if h := history(""); len(h.Items) != 4 {
		t.Errorf("a deletion took its history: %d", len(h.Items))
	}
	put("/bin/five")
	if h := history(""); len(h.Items) != 5 || h.Items[0].Revision != 6 {
		t.Errorf("made again: %+v", h.Items[0])
	}
	for path, want := range map[string]int{"nothing/history": 404, "p1/history?cursor=x": 422} {
		if a := r.ask(http.MethodGet, "/api/v1/policies/"+path, nil); a.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, a.StatusCode, want)
		}
	}
}

func TestPolicyWithAnErrorNamesItsLine(t *testing.T) {
	r := newRig(t)
	bad := strings.Replace(policyText("p1", "x", "prevnt", "/bin/nc"), "paths", "path", 1)
	for _, path := range []string{"/api/v1/policies/p1", "/api/v1/policies/p1?dry=true"} {
		a := r.ask(http.MethodPut, path, api.PolicyRequest{Source: bad})
		if a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(string(a.body), "source:10:") || !strings.Contains(string(a.body), "source:11:") {
			t.Errorf("%s: %d %s", path, a.StatusCode, a.body)
		}
	}
	if p := must[guard.Preview](r, http.MethodPost, "/api/v1/policies/preview", api.PolicyRequest{Source: bad}); len(p.Problems) < 2 {
		t.Errorf("preview finds %+v", p.Problems)
	}
	good := api.PolicyRequest{Source: policyText("p1", "x", "prevent", "/bin/nc")}
	must[api.PolicyDocument](r, http.MethodPut, "/api/v1/policies/p1?dry=true", good)
	if all := get[api.Page[api.PolicyDocument]](r, "/api/v1/policies"); len(all.Items) != 0 {
		t.Error("a dry run wrote the policy")
	}
	if a := r.ask(http.MethodPut, "/api/v1/policies/p2", good); a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(string(a.body), `p1`) {
		t.Errorf("another name in the address: %d %s", a.StatusCode, a.body)
	}
}

func TestPreviewReplaysRecordedEvents(t *testing.T) {
	r := newRig(t)
	r.push(r.running(web))
	r.observing()
	r.push(link1(r.netstat(), r.ps(), r.netstat()))
	p := must[guard.Preview](r, http.MethodPost, "/api/v1/policies/preview", api.PolicyRequest{Source: policyText("p1", "x", "prevent", "/usr/bin/netstat")})
	if p.Events != 3 || p.Changed != 2 || len(p.Samples) != 2 || p.Samples[0].Then.Effect != redoubt.EffectPrevent {
		t.Errorf("preview is %+v", p)
	}
	if all := get[api.Page[api.PolicyDocument]](r, "/api/v1/policies"); len(all.Items) != 0 {
		t.Error("the preview wrote the policy")
	}
}

func TestActStandsUntilReleased(t *testing.T) {
	r := newRig(t)
	r.push(r.running(web))
	w := must[api.Workload](r, http.MethodPost, "/api/v1/workloads/c0ffee/actions", api.ActionRequest{Action: "isolate", Reason: "odd traffic"})
	if !w.Isolated {
		t.Errorf("workload is %+v", w)
	}
	if d := r.model.desired("n1"); len(d.Orders) != 1 || d.Orders[0] != (link.Order{Instance: web.Container, Effect: redoubt.EffectIsolate, Reason: "odd traffic"}) {
		t.Errorf("orders are %+v", d.Orders)
	}
	must[api.Workload](r, http.MethodPost, "/api/v1/workloads/shop-web-1/actions", api.ActionRequest{Action: "release"})
	if d := r.model.desired("n1"); len(d.Orders) != 0 {
		t.Errorf("orders are %+v after the release", d.Orders)
	}
	if a := r.ask(http.MethodPost, "/api/v1/workloads/shop-web-1/actions", api.ActionRequest{Action: "release"}); a.StatusCode != http.StatusConflict {
		t.Errorf("a second release: %d", a.StatusCode)
	}
	trail := get[api.Page[api.AuditEntry]](r, "/api/v1/audit?q=workload.")
	if len(trail.Items) != 2 || !strings.Contains(trail.Items[1].After, "odd traffic") || !strings.Contains(trail.Items[0].Before, "odd traffic") || trail.Items[0].After != "" {
		t.Errorf("trail is %+v", trail.Items)
	}
}

func TestD17_TriageCarriesToTheAlertsOfAnIncident(t *testing.T) {
	r := newRig(t)
	r.push(r.running(web))
	r.push(link1(r.netstat(), r.ps()))
	a := must[redoubt.Alert](r, http.MethodPatch, "/api/v1/alerts/a1", api.TriageRequest{Status: redoubt.Acknowledged, Comment: "looking"})
	if a.Status != redoubt.Acknowledged || a.StatusBy != system || len(a.Comments) != 1 || a.Comments[0].Text != "looking" {
		t.Errorf("alert is %+v", a)
	}
	must[redoubt.Incident](r, http.MethodPatch, "/api/v1/incidents/"+a.Incident, api.TriageRequest{Status: redoubt.Resolved})
	for _, id := range []string{"a1", "a2"} {
		if a := get[redoubt.Alert](r, "/api/v1/alerts/"+id); a.Status != redoubt.Resolved {
			t.Errorf("%s is %s", id, a.Status)
		}
	}
	if n := get[api.Page[redoubt.Alert]](r, "/api/v1/alerts?status=open"); len(n.Items) != 0 {
		t.Errorf("open are %+v", n.Items)
	}
	long := r.ask(http.MethodPatch, "/api/v1/alerts/a1", api.TriageRequest{Comment: strings.Repeat("x", maxComment+1)})
	if long.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("an endless comment: %d", long.StatusCode)
	}
}

func TestD17_ManyAlertsAreAcknowledgedCommentedAndResolved(t *testing.T) {
	r := newRig(t)
	r.push(r.running(web))
	third := r.netstat()
	p := *third.Process
	p.Path, p.Args = "/usr/bin/curl", []string{"curl", "http://example.net"}
	third.Process = &p
	r.push(link1(r.netstat(), r.ps(), third))
	statuses := func() (s string) {
		for _, a := range get[api.Page[redoubt.Alert]](r, "/api/v1/alerts").Items {
			s += a.ID + " " + string(a.Status) + " " + a.StatusBy + "; "
		}
		return s
	}
	patch := func(id string, t api.TriageRequest) answered {
		return r.ask(http.MethodPatch, "/api/v1/alerts/"+id, t, bearer(r.as(identity.Operator)))
	}
	for _, id := range []string{"a1", "a2"} { // the UI's bulk change is one request each
		if a := patch(id, api.TriageRequest{Status: redoubt.Acknowledged, Comment: "looking into it"}); a.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %s", id, a.StatusCode, a.body)
		}
	}
	who := get[redoubt.Alert](r, "/api/v1/alerts/a1").StatusBy
	if got, want := statuses(), "a3 open ; a2 acknowledged "+who+"; a1 acknowledged "+who+"; "; got != want || who == "" {
		t.Errorf("%s, want %s", got, want)
	}
	r.push(link1(r.netstat())) // seen again, what was acknowledged stays so and loses no remark
	a := get[redoubt.Alert](r, "/api/v1/alerts/a1")
	if a.Status != redoubt.Acknowledged || a.Count != 2 || len(a.Comments) != 1 || a.Comments[0].Text != "looking into it" || a.Comments[0].Author != who || a.Comments[0].Time.IsZero() {
		t.Errorf("the alert is %+v", a)
	}
	for _, id := range []string{"a1", "a2", "a3"} {
		patch(id, api.TriageRequest{Status: redoubt.Resolved})
	}
	if open := get[api.Page[redoubt.Alert]](r, "/api/v1/alerts?status=open"); len(open.Items) != 0 {
		t.Errorf("still open: %+v", open.Items)
	}
	if lines := get[api.Page[api.AuditEntry]](r, "/api/v1/audit?q=alert.triage"); len(lines.Items) != 5 {
		t.Errorf("%d lines in the trail, want 5", len(lines.Items))
	}
	for what, bad := range map[string]api.TriageRequest{"nothing": {}, "blank": {Comment: " \n"}, "long": {Comment: strings.Repeat("x", maxComment+1)}, "status": {Status: "closed"}} {
		if a := patch("a1", bad); a.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", what, a.StatusCode, a.body)
		}
	}
}

func TestA15_ChangeAndItsLineAreOne(t *testing.T) {
	r := newRig(t)
	r.push(r.running(web))
	must[api.PolicyDocument](r, http.MethodPut, "/api/v1/policies/p1", api.PolicyRequest{Source: policyText("p1", "x", "alert", "/bin/nc")})
	must[api.PolicyDocument](r, http.MethodPut, "/api/v1/policies/p1", api.PolicyRequest{Source: policyText("p1", "x", "prevent", "/bin/nc")})
	trail := get[api.Page[api.AuditEntry]](r, "/api/v1/audit?q=policy.put").Items
	if len(trail) != 2 || !strings.Contains(trail[0].Before, "effect: alert") || !strings.Contains(trail[0].After, "effect: prevent") || trail[0].From == "" {
		t.Fatalf("trail is %+v", trail)
	}
	if s := get[api.AuditState](r, "/api/v1/audit/verify"); !s.Intact || s.Entries < 2 {
		t.Errorf("state is %+v", s)
	}
	// When the line cannot be written, the change is not made either.
	stop := r.failAudit()
	a := r.ask(http.MethodDelete, "/api/v1/policies/p1", nil)
	stop()
	if a.StatusCode != http.StatusInternalServerError {
		t.Fatalf("a change without its line: %d %s", a.StatusCode, a.body)
	}
	if all := get[api.Page[api.PolicyDocument]](r, "/api/v1/policies"); len(all.Items) != 1 {
		t.Error("the policy is gone from the console")
	}
	if kept, err := r.store.Policies(t.Context()); err != nil || len(kept) != 1 {
		t.Errorf("the record keeps %d policies, %v", len(kept), err)
	}
}

func TestD13_SilentNodeIsAlertedWithinAMinute(t *testing.T) {
	r := newRig(t)
	r.push(r.running(web))
	r.advance(40 * time.Second)
	r.push(link.Batch{Status: r.status()})
	r.advance(40 * time.Second) // an honest node that spoke 40 s ago
	if err := r.patrolNodes(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := get[api.Page[redoubt.Alert]](r, "/api/v1/alerts"); len(n.Items) != 0 {
		t.Fatalf("an alert for a node that speaks: %+v", n.Items)
	}
	r.advance(silence + patrol - 40*time.Second)
	for range 3 { // raised once
		if err := r.patrolNodes(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if silence+patrol > time.Minute {
		t.Errorf("a node may be silent for %v before it shows", silence+patrol)
	}
	n := get[api.Page[redoubt.Alert]](r, "/api/v1/alerts")
	if len(n.Items) != 1 || n.Items[0].Title != "node n1 silent" || n.Items[0].Severity != redoubt.High || n.Items[0].Count != 1 {
		t.Fatalf("alerts are %+v", n.Items)
	}
	if i := get[redoubt.Incident](r, "/api/v1/incidents/"+n.Items[0].Incident); i.Title != "node n1 silent" {
		t.Errorf("incident is %+v", i)
	}
	r.push(link.Batch{Status: r.status()})
	if a := get[redoubt.Alert](r, "/api/v1/alerts/"+n.Items[0].ID); a.Status != redoubt.Resolved {
		t.Errorf("the node speaks again and the alert is %s", a.Status)
	}
}

func TestNodeEnrolsOnceAndIsForgotten(t *testing.T) {
	r := newRig(t)
	tok := must[api.JoinToken](r, http.MethodPost, "/api/v1/nodes/join", nil)
	secret := strings.TrimPrefix(tok.Secret, "token-")
	id, err := r.Enrol(t.Context(), link.EnrolRequest{ID: "e1", Secret: secret, Hostname: "Web Host_1", From: "10.0.0.9"})
	if err != nil || id != "web-host-1" {
		t.Fatalf("enrolled as %q: %v", id, err)
	}
	if _, err := r.Enrol(t.Context(), link.EnrolRequest{ID: "e2", Secret: secret, Hostname: "eve"}); err == nil {
		t.Error("a join token worked twice")
	}
	if err := r.Admit(id, "e1"); err != nil {
		t.Errorf("the node is not admitted: %v", err)
	}
	r.push(link.Batch{Node: id, Status: r.status()})
	if err := r.Admit(id, "e1"); err != nil {
		t.Errorf("the node is not admitted after its first report: %v", err)
	}
	must[struct{}](r, http.MethodDelete, "/api/v1/nodes/"+string(id), nil)
	if err := r.Admit(id, "e1"); err == nil {
		t.Error("a deleted node is admitted")
	}
	tok = must[api.JoinToken](r, http.MethodPost, "/api/v1/nodes/join", nil)
	again, err := r.Enrol(t.Context(), link.EnrolRequest{ID: "e3", Secret: strings.TrimPrefix(tok.Secret, "token-"), Hostname: "web-host-1"})
	if err != nil || again != id {
		t.Fatalf("enrolled anew as %q: %v", again, err)
	}
	if r.Admit(id, "e1") == nil || r.Admit(id, "e3") != nil {
		t.Error("the certificate from before is admitted, or the new one is not")
	}
}
