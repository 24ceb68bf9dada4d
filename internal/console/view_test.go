package console

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/link"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

func TestD23_NoAlertsOnlyBesideWhatIsObserved(t *testing.T) {
	r := newRig(t)
	gaps := func() string { return strings.Join(get[api.Overview](r, "/api/v1/overview").Gaps, "\n") }
	if g := gaps(); !strings.Contains(g, "nothing is observed") {
		t.Errorf("without a node the gaps are %q", g)
	}
	b := r.running(web)
	b.Status.Sensor.Sensing = nil
	b.Status.Engines = []redoubt.Engine{{Name: "docker", Error: "no socket at /var/run/docker.sock"}}
	b.Status.Load = redoubt.Load{Lost: 7, Dropped: 9}
	b.Status.Gaps = []string{"no BPF LSM"}
	r.push(b)
	g := gaps()
	for _, want := range []string{"sensor is not attached", "docker is not watched: no socket", "7 events were lost", "9 events were dropped", "no BPF LSM", "nothing has been observed yet of docker/shop/web", "not connected"} {
		if !strings.Contains(g, want) {
			t.Errorf("gaps do not say %q:\n%s", want, g)
		}
	}
	// The honest neighbour: connected, sensing, no loss, observed.
	ctx, stop := contextWithCancel(t)
	defer stop()
	ready := make(chan struct{}, 1)
	go r.Watch(ctx, "n1", func(*link.Desired) { ready <- struct{}{} })
	<-ready
	b = r.running(web)
	b.Deltas = []profile.Delta{{Workload: web.ID, Units: 1}}
	r.push(b)
	if g := gaps(); g != "" {
		t.Errorf("a node that sees everything has the gaps:\n%s", g)
	}
}

func TestOverviewCountsWhatIsOpen(t *testing.T) {
	r := newRig(t)
	r.push(r.running(web))
	r.push(link1(r.netstat(), r.netstat(), r.ps()))
	o := get[api.Overview](r, "/api/v1/overview")
	if o.Workloads != 1 || o.Alerts["high"] != 2 || len(o.Incidents) != 1 || o.States[profile.Learning] != 1 || o.Events != 3 || !o.Audit.Intact {
		t.Errorf("overview is %+v", o)
	}
	if n := len(o.Rate); n != 60 || o.Rate[59].Events != 3 || o.Rate[59].Alerts != 2 || o.Rate[0].Events != 0 {
		t.Errorf("rate has %d points, the last %+v", n, o.Rate[n-1])
	}
	must[redoubt.Incident](r, http.MethodPatch, "/api/v1/incidents/i1", api.TriageRequest{Status: redoubt.Resolved})
	if o := get[api.Overview](r, "/api/v1/overview"); len(o.Alerts) != 0 || len(o.Incidents) != 0 {
		t.Errorf("after resolving: %+v %+v", o.Alerts, o.Incidents)
	}
}

func TestD1_RadarWithFiveHundredWorkloads(t *testing.T) {
	r := newRig(t)
	var refs []redoubt.WorkloadRef
	var events []redoubt.Event
	for i := range 500 {
		ref := redoubt.WorkloadRef{ID: redoubt.WorkloadID(fmt.Sprintf("docker/app/s%03d", i)), Kind: redoubt.KindContainer, Name: fmt.Sprintf("s%03d", i), Container: fmt.Sprintf("%064x", i+1)}
		refs = append(refs, ref)
		events = append(events, connection(redoubt.EventConnect, ref, "172.17.0.9:5432", redoubt.WorkloadID(fmt.Sprintf("docker/app/s%03d", (i+1)%500))),
			connection(redoubt.EventConnect, ref, "93.184.216.34:443", ""), connection(redoubt.EventConnect, ref, "127.0.0.1:80", ""))
	}
	begun := time.Now()
	r.push(r.running(refs...))
	r.push(link1(events...))
	stored := time.Since(begun)
	begun = time.Now()
	m := get[api.Radar](r, "/api/v1/radar")
	t.Logf("500 workloads and 1500 events recorded in %v, drawn in %v", stored, time.Since(begun))
	if len(m.Nodes) != 501 || len(m.Edges) != 1000 {
		t.Fatalf("%d nodes and %d edges, want 501 (the internet is one) and 1000 (loopback is none)", len(m.Nodes), len(m.Edges))
	}
	i := slices.IndexFunc(m.Nodes, func(n api.RadarNode) bool { return n.ID == "docker/app/s007" })
	if n := m.Nodes[i]; n.Name != "s007" || n.State != profile.Learning || n.Instances != 1 || n.Kind != "container" {
		t.Errorf("node is %+v", n)
	}
	if last := m.Nodes[len(m.Nodes)-1]; last.ID != internet || last.Kind != "outside" {
		t.Errorf("the outside is %+v", last)
	}
}

func TestFlowsOfBothEndsCountOnce(t *testing.T) {
	db := redoubt.WorkloadRef{ID: "docker/shop/db", Kind: redoubt.KindContainer}
	flows := flowsOf([]redoubt.Event{
		connection(redoubt.EventConnect, web, "172.17.0.3:40000", db.ID),
		connection(redoubt.EventAccept, db, "172.17.0.2:51234", web.ID),
		connection(redoubt.EventAccept, web, "203.0.113.9:51234", ""),
	})
	if len(flows) != 2 || flows[0].Count != 1 || flows[0].From != string(web.ID) || flows[0].To != string(db.ID) || flows[1].From != internet || flows[1].Count != 1 {
		t.Errorf("flows are %+v", flows)
	}
}

func TestD4_CSVIsHarmlessAndWhole(t *testing.T) {
	r := newRig(t)
	r.push(r.running(web))
	evil := r.netstat()
	p := *evil.Process
	p.Path, p.Args = "=HYPERLINK(\"http://evil\")", []string{"a", "-b\nc", "+1"}
	evil.Process = &p
	events := []redoubt.Event{evil}
	for range 1200 {
		events = append(events, r.netstat())
	}
	r.push(link1(events...))
	a := r.ask(http.MethodGet, "/api/v1/events.csv", nil)
	rows, err := csv.NewReader(strings.NewReader(string(a.body))).ReadAll()
	if err != nil || len(rows) != 1202 || !slices.Equal(rows[0], eventColumns) {
		t.Fatalf("%d rows, head %v, %v", len(rows), rows[0], err)
	}
	if !strings.HasPrefix(a.Header.Get("Content-Disposition"), "attachment") || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/csv") {
		t.Errorf("header is %v", a.Header)
	}
	last := rows[len(rows)-1]
	if program := last[slices.Index(eventColumns, "program")]; program != `'=HYPERLINK("http://evil")` {
		t.Errorf("the formula came out as %q", program)
	}
	alerts := r.ask(http.MethodGet, "/api/v1/alerts.csv?q=hyperlink", nil)
	if rows, err := csv.NewReader(strings.NewReader(string(alerts.body))).ReadAll(); err != nil || len(rows) != 2 {
		t.Errorf("filtered alerts: %v, %v", rows, err)
	}
	incidents := r.ask(http.MethodGet, "/api/v1/incidents.csv", nil)
	if rows, err := csv.NewReader(strings.NewReader(string(incidents.body))).ReadAll(); err != nil || len(rows) != 2 {
		t.Errorf("incidents: %v, %v", rows, err)
	}
}

// An export holds what the list of the same address shows.
func TestD4_ExportAndListTakeTheSameFilters(t *testing.T) {
	r := newRig(t)
	db := redoubt.WorkloadRef{ID: "docker/shop/db", Kind: redoubt.KindContainer, Name: "shop-db-1", Container: strings.Repeat("d", 64), Image: "postgres:16"}
	r.push(r.running(web, db))
	dbps := r.ps()
	dbps.Workload = db
	r.push(link1(r.netstat(), r.ps(), dbps, connection(redoubt.EventConnect, db, "93.184.216.34:443", "")))
	must[redoubt.Alert](r, http.MethodPatch, "/api/v1/alerts/a2", api.TriageRequest{Status: redoubt.Resolved})
	for query, want := range map[string]string{
		"events?":                                "e4 e3 e2 e1",
		"events?workload=docker%2Fshop%2Fdb":     "e4 e3",
		"events?notable=true":                    "e3 e2 e1",
		"events?notable=true&workload=shop-db-1": "e3",
		"events?kind=connect":                    "e4",
		"events?q=netstat&novel=true":            "e1",
		"events?since=1h&effect=alert&q=shop-db": "e3",
		"alerts?":                                "a3 a2 a1",
		"alerts?status=resolved":                 "a2",
		"alerts?status=open&workload=shop-web-1": "a1",
		"alerts?severity=critical":               "",
		"alerts?q=netstat&incident=i1":           "a1",
		"incidents?workload=shop-db-1":           "i2",
		"incidents?status=open":                  "i2 i1",
	} {
		list, filter, _ := strings.Cut(query, "?")
		var shown, written []string
		for _, item := range get[api.Page[struct{ ID string }]](r, "/api/v1/"+query).Items {
			shown = append(shown, item.ID)
		}
		a := r.ask(http.MethodGet, "/api/v1/"+list+".csv?"+filter, nil)
		rows, err := csv.NewReader(strings.NewReader(string(a.body))).ReadAll()
		if err != nil || len(rows) == 0 || rows[0][0] != "id" {
			t.Fatalf("%s: %d %s, %v", query, a.StatusCode, a.body, err)
		}
		for _, row := range rows[1:] {
			written = append(written, row[0])
		}
		if got := strings.Join(shown, " "); got != want || !slices.Equal(shown, written) {
			t.Errorf("%s lists %q and exports %q, want %q", query, shown, written, want)
		}
	}
}

func TestEventsSayHowManyThereAreWhereThatIsCheap(t *testing.T) {
	r := newRig(t)
	r.push(r.running(web))
	r.push(link1(r.netstat(), connection(redoubt.EventConnect, web, "93.184.216.34:443", ""), connection(redoubt.EventConnect, web, "93.184.216.34:444", "")))
	for query, want := range map[string]int{"": 3, "?limit=1": 3, "?notable=true": 1, "?workload=docker%2Fshop%2Fweb&kind=connect": 2, "?q=netstat": 0, "?since=1h": 0} {
		if p := get[api.Page[redoubt.Event]](r, "/api/v1/events"+query); p.Total != want {
			t.Errorf("events%s are %d in all, want %d", query, p.Total, want)
		}
	}
}

func TestHarmless(t *testing.T) {
	for in, want := range map[string]string{
		"nginx": "nginx", "": "", "=1": "'=1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "\t=1": "' =1", "\r\n=1": "'  =1", "|x": "'|x", "a=b": "a=b", "%x": "'%x",
		"a\x1b[31m": "a [31m",
	} {
		if got := harmless(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

func TestListsFilterAndPage(t *testing.T) {
	r := newRig(t)
	db := redoubt.WorkloadRef{ID: "docker/shop/db", Kind: redoubt.KindContainer, Name: "shop-db-1", Container: strings.Repeat("d", 64), Image: "postgres:16"}
	sshd := redoubt.WorkloadRef{ID: "service/sshd", Kind: redoubt.KindService, Name: "sshd"}
	r.push(r.running(web, db, sshd))
	r.push(link1(r.netstat(), connection(redoubt.EventConnect, db, "93.184.216.34:443", "")))
	for path, want := range map[string]int{
		"workloads": 3, "workloads?kind=service": 1, "workloads?q=POSTGRES": 1, "workloads?workload=docker/shop/db": 1, "workloads?state=observing": 0, "workloads?running=false": 0, "workloads?since=1m": 3, "workloads?until=1m": 0,
		"profiles": 3, "profiles?q=sshd": 1, "profiles?workload=shop-db-1": 1, "profiles?state=enforcing": 0,
		"events": 2, "events?workload=shop-db-1": 1, "events?kind=exec": 1, "events?novel=true": 1, "events?notable=true": 1, "events?notable=false": 2, "events?effect=alert": 1, "events?q=netstat": 1, "events?node=n2": 0, "events?since=2025-11-24T12:00:00Z": 2, "events?until=2025-11-24T12:00:00Z": 0,
		"alerts": 1, "alerts?severity=critical": 0, "alerts?severity=low": 1, "alerts?kind=listen": 0, "alerts?q=NETSTAT": 1, "alerts?incident=i1": 1, "alerts?incident=i2": 0,
		"incidents?status=open": 1, "nodes": 1,
	} {
		if got := len(get[api.Page[json.RawMessage]](r, "/api/v1/"+path).Items); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	for path, name := range map[string]string{
		"events?since=yesterday": "since", "events?kind=exce": "kind", "events?limit=0": "limit", "events?limit=1001": "limit", "events?novle=true": "novle", "events?notable=1": "notable", "events?until=2026-13-01T00:00:00Z": "until",
		"events?since=1h&until=2h": "until", "events?cursor=!!": "cursor", "alerts?status=close": "status", "workloads?cursor=zzz": "cursor", "workloads?since=-1h": "since", "audit?since=x": "since", "stream?types=evnt": "types", "policies?cursor=x": "cursor",
	} {
		a := r.ask(http.MethodGet, "/api/v1/"+path, nil)
		if a.StatusCode/100 != 4 || !strings.Contains(string(a.body), name) {
			t.Errorf("%s: %d %s, want a refusal that names %s", path, a.StatusCode, a.body, name)
		}
	}
	var seen []string
	for cursor := ""; ; {
		page := get[api.Page[api.Workload]](r, "/api/v1/workloads?limit=2&cursor="+url.QueryEscape(cursor))
		for _, w := range page.Items {
			seen = append(seen, w.Name)
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	slices.Sort(seen)
	if !slices.Equal(seen, []string{"shop-db-1", "shop-web-1", "sshd"}) {
		t.Errorf("two pages show %v", seen)
	}
	for _, name := range []string{"shop-web-1", "c0ffee", "docker%2Fshop%2Fweb", web.Container} {
		if w := get[api.Workload](r, "/api/v1/workloads/"+name); w.ID != web.Container || w.Alerts != 1 || w.Worst != redoubt.High || w.Ref.ID != web.ID {
			t.Errorf("%s is %+v", name, w)
		}
	}
}

func FuzzEventFilter(f *testing.F) {
	for _, s := range []string{"15m", "7d", "2025-11-24T12:00:00Z", "", "-1h", "9999999h", "99999d", "0000-01-01T00:00:00Z", "1e9h", "\xff"} {
		f.Add(s, s, "web", "q", "true")
	}
	now := time.Date(2025, 11, 24, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, since, until, workload, text, novel string) {
		filter := eventFilter{Span: Span{since, until}, Workload: workload, Q: text, Novel: novel}
		q, err := filter.query(now)
		if err != nil {
			return
		}
		for name, at := range map[string]time.Time{"since": q.Since, "until": q.Until} {
			if !at.IsZero() && (at.Year() < 1900 || at.Year() > 9999) {
				t.Errorf("%s is %v", name, at)
			}
		}
		if !q.Since.IsZero() && !q.Until.IsZero() && q.Until.Before(q.Since) {
			t.Errorf("%v to %v", q.Since, q.Until)
		}
		if (novel == "") != (q.Novel == nil) {
			t.Errorf("novel %q became %v", novel, q.Novel)
		}
	})
}

func FuzzCursor(f *testing.F) {
	f.Add(mark{time.Unix(1, 0), "n1 c0ffee"}.cursor())
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, cursor string) {
		m, err := readMark(cursor)
		if err != nil {
			return
		}
		again, err := readMark(m.cursor())
		if err != nil || !again.time.Equal(m.time) || again.key != m.key {
			t.Errorf("%q reads as %v and back as %v, %v", cursor, m, again, err)
		}
	})
}
