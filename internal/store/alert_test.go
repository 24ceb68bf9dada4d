package store

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

func sampleAlert(n int, w string, sev redoubt.Severity) redoubt.Alert {
	e := alarmEvent(n, 1)
	e.Workload.ID = redoubt.WorkloadID(w)
	return redoubt.Alert{
		Key: w + "/netstat", Time: e.Time, First: e.Time, Kind: e.Kind, Title: "netstat started in " + w, Node: e.Node, Workload: e.Workload,
		Process: e.Process, Verdict: e.Verdict, Severity: sev, Count: n, Event: "e1", Status: redoubt.Open,
	}
}

func findAlerts(t *testing.T, s *Store, q redoubt.AlertQuery) (ids []string) {
	t.Helper()
	q.Limit = 2
	for {
		page, next, err := s.FindAlerts(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range page {
			ids = append(ids, a.ID)
		}
		if next == "" {
			return ids
		}
		q.Cursor = next
	}
}

func TestAlertsAreKeptListedAndReplaced(t *testing.T) {
	s, ctx := open(t), context.Background()
	var want []redoubt.Alert
	for n, w := range []string{"docker/a", "docker/b", "docker/a"} {
		a := sampleAlert(n+1, w, redoubt.Severity(n+2))
		if n == 2 {
			a.Key, a.Incident, a.Kind = "docker/a/other", "i7", redoubt.EventConnect
		}
		if err := s.PutAlert(ctx, &a); err != nil {
			t.Fatal(err)
		}
		want = append(want, a)
	}
	want[0].Status, want[0].Count, want[0].Comments = redoubt.Resolved, 9, []redoubt.Comment{{Time: start, Author: "kim", Text: "Maintenance window"}}
	if err := s.PutAlert(ctx, &want[0]); err != nil {
		t.Fatal(err)
	}
	for _, w := range want {
		got, err := s.Alert(ctx, w.ID)
		if d := cmp.Diff(w, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); err != nil || d != "" {
			t.Errorf("alert %s: %v (-written +read)\n%s", w.ID, err, d)
		}
	}
	if a, err := s.AlertByKey(ctx, "docker/a/netstat"); err != nil || a.ID != "a1" {
		t.Errorf("by key: %s, %v", a.ID, err)
	}
	for name, c := range map[string]struct {
		q    redoubt.AlertQuery
		want []string
	}{
		"all":       {redoubt.AlertQuery{}, []string{"a3", "a2", "a1"}},
		"workload":  {redoubt.AlertQuery{Workload: "docker/a"}, []string{"a3", "a1"}},
		"container": {redoubt.AlertQuery{Workload: want[0].Workload.Container[:8]}, []string{"a3", "a2", "a1"}},
		"status":    {redoubt.AlertQuery{Status: redoubt.Open}, []string{"a3", "a2"}},
		"severity":  {redoubt.AlertQuery{Severity: redoubt.High}, []string{"a3", "a2"}},
		"kind":      {redoubt.AlertQuery{Kind: redoubt.EventConnect}, []string{"a3"}},
		"incident":  {redoubt.AlertQuery{Incident: "i7"}, []string{"a3"}},
		"comment":   {redoubt.AlertQuery{Text: "maintenance"}, []string{"a1"}},
		"title":     {redoubt.AlertQuery{Text: "NETSTAT docker/b"}, []string{"a2"}},
		"since":     {redoubt.AlertQuery{Since: want[1].Time}, []string{"a3", "a2"}},
		"until":     {redoubt.AlertQuery{Until: want[1].Time}, []string{"a1"}},
		"nothing":   {redoubt.AlertQuery{Text: "absent"}, nil},
	} {
		if d := cmp.Diff(c.want, findAlerts(t, s, c.q)); d != "" {
			t.Errorf("%s: -want +got\n%s", name, d)
		}
	}
	open, err := s.OpenAlerts(ctx)
	if d := cmp.Diff([]redoubt.OpenCount{{Workload: "docker/a", Severity: redoubt.Critical, Count: 1}, {Workload: "docker/b", Severity: redoubt.High, Count: 1}}, open); err != nil || d != "" {
		t.Errorf("open alerts: %v\n%s", err, d)
	}
	s.now = func() time.Time { return start.Add(time.Minute) }
	minutes, err := s.Minutes(ctx, start)
	if d := cmp.Diff([]redoubt.Minute{{Time: start, Alerts: 3}}, minutes); err != nil || d != "" {
		t.Errorf("minutes: %v\n%s", err, d)
	}
	unknown := sampleAlert(1, "x", 1)
	for _, id := range []string{"a99", "e1", "a01", "a-1", "a"} {
		unknown.ID = id
		if err := s.PutAlert(ctx, &unknown); !fault.Is(err, fault.NotFound) {
			t.Errorf("replace %s: %v, want not found", id, err)
		}
		if _, err := s.Alert(ctx, id); !fault.Is(err, fault.NotFound) {
			t.Errorf("read %s: %v, want not found", id, err)
		}
	}
	if _, _, err := s.FindAlerts(ctx, redoubt.AlertQuery{Slice: redoubt.Slice{Cursor: "x'--"}}); !fault.Is(err, fault.Invalid) {
		t.Errorf("foreign cursor: %v, want invalid", err)
	}
	n := 0
	for _, err := range s.EachAlert(ctx, redoubt.AlertQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 3 {
		t.Errorf("each alert: %d, want 3", n)
	}
}

func TestIncidentsAreKeptAndFound(t *testing.T) {
	s, ctx := open(t), context.Background()
	first := redoubt.Incident{Time: start, First: start, Title: "nginx runs what it never ran", Workload: redoubt.WorkloadRef{ID: "docker/a", Name: "a"}, Severity: redoubt.High,
		Techniques: []string{"T1049"}, Alerts: []string{"a1"}, Count: 3, Status: redoubt.Open, Timeline: []redoubt.Moment{{Time: start, Text: "netstat started", Alert: "a1"}}}
	second := first
	second.Time, second.Title = start.Add(time.Hour), "again"
	for _, i := range []*redoubt.Incident{&first, &second} {
		if err := s.PutIncident(ctx, i); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.Incident(ctx, "i1"); err != nil || cmp.Diff(first, got) != "" {
		t.Errorf("%v\n%s", err, cmp.Diff(first, got))
	}
	if got, err := s.OpenIncident(ctx, "docker/a", start.Add(time.Hour)); err != nil || got.ID != "i2" {
		t.Errorf("open incident: %s, %v; want i2", got.ID, err)
	}
	if _, err := s.OpenIncident(ctx, "docker/a", start.Add(2*time.Hour)); !fault.Is(err, fault.NotFound) {
		t.Errorf("no incident so late: %v, want not found", err)
	}
	second.Status = redoubt.Resolved
	if err := s.PutIncident(ctx, &second); err != nil {
		t.Fatal(err)
	}
	if got, err := s.OpenIncident(ctx, "docker/a", start); err != nil || got.ID != "i1" {
		t.Errorf("open incident: %s, %v; want i1", got.ID, err)
	}
	page, next, err := s.FindIncidents(ctx, redoubt.IncidentQuery{Slice: redoubt.Slice{Limit: 10}, Text: "t1049 netstat", Status: redoubt.Open})
	if err != nil || next != "" || len(page) != 1 || page[0].ID != "i1" {
		t.Errorf("find: %v %q %v", page, next, err)
	}
}

func TestProfilesPoliciesOrdersAndNodes(t *testing.T) {
	s, ctx := open(t), context.Background()
	p := &profile.Profile{Workload: "docker/a", State: profile.Learning, Revision: 4, Entries: []profile.Entry{{ID: "x", Kind: redoubt.EventListen, Listen: &profile.Listen{Proto: redoubt.TCP, Port: 80}}}}
	ref := redoubt.WorkloadRef{ID: "docker/a", Name: "a"}
	for range 2 {
		p.Revision++
		if err := s.PutProfile(ctx, p, ref, start); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	if err := s.EachProfile(ctx, func(got *profile.Profile, r redoubt.WorkloadRef, changed time.Time) error {
		n++
		if d := cmp.Diff(p, got); d != "" || r != ref || !changed.Equal(start) {
			t.Errorf("profile: %s %v %v", d, r, changed)
		}
		return nil
	}); err != nil || n != 1 {
		t.Errorf("%d profiles, %v", n, err)
	}
	if err := s.DeleteProfile(ctx, "docker/a"); err != nil {
		t.Error(err)
	}
	if err := s.DeleteProfile(ctx, "docker/a"); !fault.Is(err, fault.NotFound) {
		t.Errorf("second delete: %v, want not found", err)
	}

	put := func(source string) int64 {
		t.Helper()
		p := redoubt.PolicySource{Name: "no-shell", Author: "kim", Time: start, Source: source}
		if err := s.PutPolicy(ctx, &p); err != nil {
			t.Fatal(err)
		}
		return p.Revision
	}
	if a, b := put("one"), put("two"); a != 1 || b != 2 {
		t.Errorf("revisions %d %d, want 1 2", a, b)
	}
	if list, err := s.Policies(ctx); err != nil || len(list) != 1 || list[0].Source != "two" || !list[0].Time.Equal(start) {
		t.Errorf("policies: %v, %v", list, err)
	}
	if err := s.DeletePolicy(ctx, "no-shell"); err != nil {
		t.Error(err)
	}
	if list, err := s.Policies(ctx); err != nil || len(list) != 0 {
		t.Errorf("policies after deletion: %v, %v", list, err)
	}
	if err := s.DeletePolicy(ctx, "no-shell"); !fault.Is(err, fault.NotFound) {
		t.Errorf("second delete: %v, want not found", err)
	}
	if r := put("three"); r != 4 {
		t.Errorf("revision after a deletion is %d, want 4", r)
	}
	if h, err := s.PolicyHistory(ctx, "no-shell"); err != nil || len(h) != 3 || h[0].Source != "three" {
		t.Errorf("history: %v, %v", h, err)
	}

	node := redoubt.NodeStatus{ID: "n1", Hostname: "one", Connected: true}
	if err := s.PutNode(ctx, &node); err != nil {
		t.Fatal(err)
	}
	if err := s.PutInstances(ctx, []redoubt.Instance{{Workload: redoubt.Workload{WorkloadRef: ref, Node: "n1", Running: true}, Time: start}}); err != nil {
		t.Fatal(err)
	}
	order := redoubt.Standing{Node: "n1", Instance: "docker/a", Effect: redoubt.EffectIsolate, Reason: "odd", By: "kim", Time: start}
	if err := s.PutOrder(ctx, &order); err != nil {
		t.Fatal(err)
	}
	if fresh, err := s.Advance(ctx, "n1", 5); err != nil || !fresh {
		t.Fatal(fresh, err)
	}
	if list, err := s.Orders(ctx); err != nil || cmp.Diff([]redoubt.Standing{order}, list) != "" {
		t.Errorf("orders: %v, %v", list, err)
	}
	if list, err := s.Nodes(ctx); err != nil || len(list) != 1 || list[0].Connected || list[0].Hostname != "one" {
		t.Errorf("nodes: %v, %v", list, err)
	}
	if err := s.DeleteNode(ctx, "n1"); err != nil {
		t.Fatal(err)
	}
	if fresh, err := s.Advance(ctx, "n1", 1); err != nil || !fresh {
		t.Errorf("a node that comes back begins at 1: %v, %v", fresh, err)
	}
	instances, err1 := s.Instances(ctx)
	orders, err2 := s.Orders(ctx)
	if len(instances)+len(orders) != 0 || err1 != nil || err2 != nil {
		t.Errorf("left of a deleted node: %v %v %v %v", instances, orders, err1, err2)
	}
	if err := s.DeleteOrder(ctx, "n1", "docker/a"); !fault.Is(err, fault.NotFound) {
		t.Errorf("delete an order that is gone: %v, want not found", err)
	}
}

func TestFlowsAddUp(t *testing.T) {
	s, ctx := open(t), context.Background()
	f := redoubt.Flow{From: "docker/a", To: "internet", Proto: redoubt.TCP, Port: 443, Count: 2, Last: start, Novel: true}
	earlier := f
	earlier.Count, earlier.Last, earlier.Novel, earlier.Denied = 3, start.Add(-time.Hour), false, true
	for _, add := range [][]redoubt.Flow{{f}, {earlier}} {
		if err := s.AddFlows(ctx, add); err != nil {
			t.Fatal(err)
		}
	}
	f.Count = 5
	got, err := s.Flows(ctx, start)
	if d := cmp.Diff([]redoubt.Flow{f}, got); err != nil || d != "" {
		t.Errorf("%v -want +got\n%s", err, d)
	}
	if got, err := s.Flows(ctx, start.Add(time.Second)); err != nil || len(got) != 0 {
		t.Errorf("flows since later: %v, %v", got, err)
	}
}
