package console

import (
	"context"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

// The command line's own client against the console: paths, bodies and kinds of
// error agree.
func TestI1_ClientAndConsoleAgree(t *testing.T) {
	r := newRig(t)
	r.push(r.running(web))
	r.push(link1(r.netstat(), r.ps()))
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.server.Certificate().Raw})
	c, err := api.NewClient(api.Config{URL: r.server.URL, Token: r.tokens["admin"], CA: string(ca)})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	check := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err = c.Setup(ctx)
	check("setup", err)
	_, err = c.Session(ctx)
	check("session", err)
	_, err = c.Overview(ctx)
	check("overview", err)
	_, err = c.Radar(ctx)
	check("radar", err)
	filter := api.Filter{Workload: "docker/shop/web", Since: "1h"}
	workloads, err := c.Workloads(ctx, filter)
	check("workloads", err)
	events, err := c.Events(ctx, filter)
	check("events", err)
	alerts, err := c.Alerts(ctx, filter)
	check("alerts", err)
	incidents, err := c.Incidents(ctx, filter)
	check("incidents", err)
	profiles, err := c.Profiles(ctx, filter)
	check("profiles", err)
	if len(workloads) != 1 || len(events) != 2 || len(alerts) != 2 || len(incidents) != 1 || len(profiles) != 1 {
		t.Fatalf("%d workloads, %d events, %d alerts, %d incidents, %d profiles", len(workloads), len(events), len(alerts), len(incidents), len(profiles))
	}
	_, err = c.Workload(ctx, workloads[0].ID)
	check("workload", err)
	_, err = c.Event(ctx, events[0].ID)
	check("event", err)
	_, err = c.WhyEvent(ctx, events[0].ID)
	check("why event", err)
	_, err = c.WhyAlert(ctx, alerts[0].ID)
	check("why alert", err)
	_, err = c.TriageAlert(ctx, alerts[0].ID, api.TriageRequest{Comment: "mine"})
	check("triage alert", err)
	_, err = c.TriageIncident(ctx, incidents[0].ID, api.TriageRequest{Status: redoubt.Acknowledged})
	check("triage incident", err)
	_, err = c.SetProfileState(ctx, "docker/shop/web", profile.Observing)
	check("set state", err)
	_, err = c.AllowAlert(ctx, alerts[0].ID)
	check("allow", err)
	_, err = c.PreventAlert(ctx, alerts[1].ID)
	check("prevent", err)
	p, err := c.Profile(ctx, "docker/shop/web")
	check("profile", err)
	_, err = c.PutProfile(ctx, p)
	check("put profile", err)
	_, err = c.EditProfile(ctx, "docker/shop/web", api.EntriesRequest{Remove: []string{p.Entries[0].ID}})
	check("edit profile", err)
	_, err = c.PutPolicy(ctx, "p1", policyText("p1", "x", "alert", "/bin/nc"), true)
	check("dry policy", err)
	_, err = c.PutPolicy(ctx, "p1", policyText("p1", "x", "alert", "/bin/nc"), false)
	check("policy", err)
	_, err = c.PreviewPolicy(ctx, policyText("p1", "x", "alert", "/bin/nc"))
	check("preview", err)
	past, err := c.PolicyHistory(ctx, "p1", api.Filter{})
	if check("policy history", err); len(past) != 1 || past[0].Revision != 1 {
		t.Errorf("history is %+v", past)
	}
	check("delete policy", c.DeletePolicy(ctx, "p1"))
	_, err = c.Act(ctx, workloads[0].ID, api.ActionRequest{Action: "block"})
	check("act", err)
	_, err = c.Nodes(ctx, api.Filter{})
	check("nodes", err)
	_, err = c.CreateJoinToken(ctx)
	check("join token", err)
	_, err = c.PutUser(ctx, "bob", api.UserRequest{Role: "operator", Password: password})
	check("put user", err)
	tok, err := c.CreateToken(ctx, api.TokenRequest{Name: "ci", Role: "auditor"})
	check("token", err)
	check("delete token", c.DeleteToken(ctx, tok.ID))
	check("delete user", c.DeleteUser(ctx, "bob"))
	_, err = c.Audit(ctx, api.Filter{Actor: system, Limit: 5})
	check("audit", err)
	_, err = c.VerifyAudit(ctx)
	check("verify audit", err)
	check("delete profile", c.DeleteProfile(ctx, "docker/shop/web"))
	check("delete node", c.DeleteNode(ctx, "n1"))

	if err := c.ChangePassword(ctx, password, "a quiet harbour at dusk"); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "nobody's own") {
		t.Errorf("the system's token and a password: %v", err)
	}
	if _, err := c.Policy(ctx, "nothing"); !fault.Is(err, fault.NotFound) {
		t.Errorf("a policy that is not there: %v", err)
	}
	if _, err := c.PutPolicy(ctx, "p1", strings.Replace(policyText("p1", "x", "alert", "/bin/nc"), "alert", "alrt", 1), false); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "line 11") {
		t.Errorf("a policy with an error in line 11: %v", err)
	}
	enough := errors.New("enough")
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	go func() {
		for r.hub.count() == 0 && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		r.push(link1(r.netstat()))
	}()
	err = c.Stream(ctx, []string{"alert"}, func(m api.StreamMessage) error { return enough })
	if !errors.Is(err, enough) {
		t.Errorf("stream ended with %v", err)
	}
}
