package alert

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/redoubt"
)

// memory is a Store that hands out copies, as a database does.
type memory struct {
	alerts    []redoubt.Alert
	incidents []redoubt.Incident
	writes    int
}

func (m *memory) AlertByKey(_ context.Context, key string) (redoubt.Alert, error) {
	for i := len(m.alerts) - 1; i >= 0; i-- {
		if m.alerts[i].Key == key {
			return m.alerts[i], nil
		}
	}
	return redoubt.Alert{}, fault.New(fault.NotFound, "no alert")
}

func (m *memory) PutAlert(_ context.Context, a *redoubt.Alert) error {
	m.writes++
	if a.ID == "" {
		a.ID = fmt.Sprintf("a%d", len(m.alerts)+1)
		m.alerts = append(m.alerts, *a)
		return nil
	}
	for i := range m.alerts {
		if m.alerts[i].ID == a.ID {
			m.alerts[i] = *a
			return nil
		}
	}
	return fault.New(fault.NotFound, "no alert %s", a.ID)
}

func (m *memory) OpenIncident(_ context.Context, w redoubt.WorkloadID, since time.Time) (redoubt.Incident, error) {
	for i := len(m.incidents) - 1; i >= 0; i-- {
		if in := m.incidents[i]; in.Workload.ID == w && in.Status != redoubt.Resolved && !in.Time.Before(since) {
			in.Alerts = append([]string(nil), in.Alerts...)
			in.Timeline = append([]redoubt.Moment(nil), in.Timeline...)
			return in, nil
		}
	}
	return redoubt.Incident{}, fault.New(fault.NotFound, "no incident")
}

func (m *memory) PutIncident(_ context.Context, in *redoubt.Incident) error {
	if in.ID == "" {
		in.ID = fmt.Sprintf("i%d", len(m.incidents)+1)
		m.incidents = append(m.incidents, *in)
		return nil
	}
	for i := range m.incidents {
		if m.incidents[i].ID == in.ID {
			m.incidents[i] = *in
			return nil
		}
	}
	return fault.New(fault.NotFound, "no incident %s", in.ID)
}

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func exec(path, technique string, severity redoubt.Severity, after time.Duration) redoubt.Event {
	return redoubt.Event{
		ID: "e1", Kind: redoubt.EventExec, Time: noon.Add(after), Count: 1, Node: "n1",
		Workload: redoubt.WorkloadRef{ID: "docker/nginx", Name: "web", Kind: redoubt.KindContainer},
		Process:  &redoubt.Process{Path: path, Args: []string{path}, Parent: &redoubt.Process{Path: "/usr/sbin/nginx"}},
		Verdict:  redoubt.Verdict{Effect: redoubt.EffectAlert, Rule: "profile", Technique: technique, Severity: severity, Novel: true},
	}
}

func fold(t testing.TB, m *memory, events ...redoubt.Event) Folded {
	t.Helper()
	f, err := Fold(t.Context(), m, events)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestR36_LikeEventsAreOneAlertWithACount(t *testing.T) {
	m := &memory{}
	first, second, third := exec("/usr/bin/netstat", "T1049", redoubt.Medium, 0), exec("/usr/bin/netstat", "T1049", redoubt.Medium, time.Second), exec("/usr/bin/netstat", "T1049", redoubt.High, 2*time.Second)
	second.Count, third.ID = 5, "e3"
	fold(t, m, first, second)
	fold(t, m, third)
	if len(m.alerts) != 1 {
		t.Fatal(m.alerts)
	}
	a := m.alerts[0]
	if a.Count != 7 || a.Event != "e3" || a.Severity != redoubt.High || !a.First.Equal(noon) || !a.Time.Equal(third.Time) || a.Title != "nginx started netstat in web" {
		t.Errorf("%+v", a)
	}
	want := []redoubt.Moment{{Time: noon, Text: "/usr/sbin/nginx started /usr/bin/netstat (never seen before), 7 times", Alert: "a1", Effect: "alert", Count: 7}}
	if d := cmp.Diff(want, m.incidents[0].Timeline); d != "" {
		t.Error(d)
	}
	if m.incidents[0].Title != a.Title || m.incidents[0].Count != 7 {
		t.Errorf("%+v", m.incidents[0])
	}
}

func TestR36_WhatDiffersIsAnotherAlert(t *testing.T) {
	base := exec("/usr/bin/netstat", "T1049", redoubt.Medium, 0)
	for name, change := range map[string]func(*redoubt.Event){
		"program":  func(ev *redoubt.Event) { ev.Process.Path, ev.Process.Args = "/usr/bin/ss", nil },
		"parent":   func(ev *redoubt.Event) { ev.Process.Parent = &redoubt.Process{Path: "/bin/sh"} },
		"entered":  func(ev *redoubt.Event) { ev.Process.Entered = true },
		"rule":     func(ev *redoubt.Event) { ev.Verdict.Rule = "policy/a/b" },
		"workload": func(ev *redoubt.Event) { ev.Workload.ID = "docker/other" },
		"applet": func(ev *redoubt.Event) {
			ev.Process.Path, ev.Process.Args = "/bin/busybox", []string{"netstat"}
		},
	} {
		ev := base
		p := *base.Process
		ev.Process = &p
		change(&ev)
		if Key(&ev) == Key(&base) {
			t.Errorf("%s: the same key", name)
		}
	}
	for name, change := range map[string]func(*redoubt.Event){
		"arguments": func(ev *redoubt.Event) { ev.Process.Args = []string{"netstat", "-an"} },
		"container": func(ev *redoubt.Event) { ev.Workload.Container = "ffff" },
		"node":      func(ev *redoubt.Event) { ev.Node = "n2" },
		"process":   func(ev *redoubt.Event) { ev.Process.PID = 99 },
	} {
		ev := base
		p := *base.Process
		ev.Process = &p
		change(&ev)
		if Key(&ev) != Key(&base) {
			t.Errorf("%s: another key", name)
		}
	}
}

func TestR36_AWrittenFileIsKnownByItsContent(t *testing.T) {
	m := &memory{}
	for i := range 50 {
		ev := exec(fmt.Sprintf("/tmp/x%d", i), "T1105", redoubt.High, time.Duration(i)*time.Second)
		ev.Process.File = &redoubt.File{Digest: "sha256:aa", Origin: redoubt.OriginWritten}
		fold(t, m, ev)
	}
	if len(m.alerts) != 1 || m.alerts[0].Count != 50 {
		t.Errorf("%d alerts", len(m.alerts))
	}
}

func TestIgnoredEventsMakeNoAlert(t *testing.T) {
	m := &memory{}
	learned := exec("/usr/bin/worker", "", 0, 0)
	learned.Verdict = redoubt.Verdict{Effect: redoubt.EffectIgnore, Rule: "profile/learning", Novel: true}
	unjudged := exec("/usr/bin/worker", "", 0, 0)
	unjudged.Kind, unjudged.Verdict = redoubt.EventExit, redoubt.Verdict{}
	action := exec("", "", 0, 0)
	action.Kind, action.Verdict.Effect = redoubt.EventAction, redoubt.EffectIsolate
	fold(t, m, learned, unjudged, action)
	if m.writes > 0 || len(m.incidents) > 0 {
		t.Error(m.alerts, m.incidents)
	}
}

func TestAResolvedAlertOpensAgain(t *testing.T) {
	m := &memory{}
	fold(t, m, exec("/usr/bin/netstat", "T1049", redoubt.Medium, 0))
	m.alerts[0].Status, m.alerts[0].StatusBy = redoubt.Resolved, "ann"
	m.incidents[0].Status = redoubt.Resolved
	fold(t, m, exec("/usr/bin/netstat", "T1049", redoubt.Medium, time.Minute))
	a := m.alerts[0]
	if len(m.alerts) != 1 || a.Status != redoubt.Open || a.StatusBy != "" || a.Count != 2 || len(a.Comments) != 1 || a.Incident != "i2" {
		t.Errorf("%+v", a)
	}
	m.alerts[0].Status = redoubt.Acknowledged
	fold(t, m, exec("/usr/bin/netstat", "T1049", redoubt.Medium, 2*time.Minute))
	if m.alerts[0].Status != redoubt.Acknowledged {
		t.Error("an acknowledged alert did not stay so")
	}
}

func TestR34_AlertsOfOneWorkloadWithinAWindowAreOneStory(t *testing.T) {
	m := &memory{}
	isolated := exec("", "", 0, 14*time.Minute)
	isolated.Kind, isolated.Note, isolated.Verdict = redoubt.EventAction, "ann isolated web", redoubt.Verdict{Effect: redoubt.EffectIsolate}
	fold(t, m, exec("/bin/sh", "T1059.004", redoubt.High, 0), exec("/usr/bin/netstat", "T1049", redoubt.Medium, 5*time.Minute))
	if m.incidents[0].Severity != redoubt.High {
		t.Error("two techniques raised the story", m.incidents[0].Severity)
	}
	fold(t, m, exec("/usr/bin/curl", "T1105", redoubt.Medium, 10*time.Minute), isolated)
	in := m.incidents[0]
	if len(m.incidents) != 1 || len(in.Alerts) != 3 || in.Count != 3 || in.Severity != redoubt.Critical || in.Title != "Execution, discovery and command and control in web" {
		t.Errorf("%+v", in)
	}
	if d := cmp.Diff([]string{"T1059.004", "T1049", "T1105"}, in.Techniques); d != "" {
		t.Error(d)
	}
	if last := in.Timeline[3]; last.Text != "ann isolated web" || last.Alert != "" {
		t.Errorf("%+v", last)
	}
	fold(t, m, exec("/usr/bin/nmap", "T1046", redoubt.High, 26*time.Minute))
	if len(m.incidents) != 2 {
		t.Error("an alert after the window joined the old story")
	}
	other := exec("/usr/bin/nmap", "T1046", redoubt.High, 26*time.Minute)
	other.Workload.ID = "docker/other"
	fold(t, m, other)
	if len(m.incidents) != 3 {
		t.Error("another workload's alert joined")
	}
	fold(t, m, exec("/usr/bin/id", "T1033", redoubt.Low, -time.Hour))
	if len(m.incidents) != 4 {
		t.Error("an alert from long before joined")
	}
}

func TestTheSameTechniqueManyTimesDoesNotRaise(t *testing.T) {
	m := &memory{}
	for i := range 10 {
		fold(t, m, exec(fmt.Sprintf("/usr/bin/tool%d", i), "T1049", redoubt.Medium, time.Duration(i)*time.Second))
	}
	if m.incidents[0].Severity != redoubt.Medium {
		t.Error(m.incidents[0].Severity)
	}
}

func TestStoriesAreBoundedAndLoseNoCount(t *testing.T) {
	m := &memory{}
	var events []redoubt.Event
	for i := range MaxAlerts + 500 {
		events = append(events, exec(fmt.Sprintf("/tmp/%d", i), "T1204", redoubt.Medium, time.Duration(i)*time.Millisecond))
	}
	fold(t, m, events...)
	in := m.incidents[0]
	if len(m.incidents) != 1 || len(in.Alerts) != MaxAlerts+1 || len(in.Timeline) != MaxMoments+1 || in.Count != len(events) {
		t.Fatalf("%d incidents, %d alerts, %d moments, count %d", len(m.incidents), len(in.Alerts), len(in.Timeline), in.Count)
	}
	if last := in.Timeline[MaxMoments]; last.Count != len(events)-MaxMoments || last.Text != "and more, 1300 events in all" {
		t.Errorf("%+v", last)
	}
	if more := m.alerts[MaxAlerts]; more.Count != 500 || !strings.HasPrefix(more.Title, "Many more") {
		t.Errorf("%+v", more)
	}
}

// Whatever batches events arrive in, and in whatever order, the counts of
// alerts, of incidents and of timelines add up to what was sent.
func TestR36_CountsAddUpInAnyGrouping(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		var events []redoubt.Event
		sum := 0
		for range r.IntN(400) {
			ev := exec(fmt.Sprintf("/bin/p%d", r.IntN(12)), fmt.Sprintf("T10%02d", r.IntN(5)), redoubt.Severity(1+r.IntN(4)), time.Duration(r.IntN(7200))*time.Second)
			ev.Count = 1 + r.IntN(50)
			ev.Workload.ID = redoubt.WorkloadID(fmt.Sprintf("docker/w%d", r.IntN(3)))
			if r.IntN(5) == 0 {
				ev.Kind, ev.Network = redoubt.EventConnect, &redoubt.Connection{Proto: redoubt.TCP, Remote: netip.AddrPortFrom(netip.MustParseAddr("203.0.113.9"), uint16(r.IntN(4)))}
			}
			if r.IntN(6) == 0 {
				ev.Verdict.Effect = redoubt.EffectIgnore
			} else {
				sum += ev.Count
			}
			events = append(events, ev)
		}
		m := &memory{}
		for rest := events; len(rest) > 0; {
			n := 1 + r.IntN(len(rest))
			fold(t, m, rest[:n]...)
			rest = rest[n:]
			if len(m.alerts) > 0 && r.IntN(3) == 0 {
				m.alerts[r.IntN(len(m.alerts))].Status = redoubt.Resolved
				m.incidents[r.IntN(len(m.incidents))].Status = redoubt.Resolved
			}
		}
		var alerts, incidents, moments int
		for _, a := range m.alerts {
			alerts += a.Count
		}
		for _, in := range m.incidents {
			incidents += in.Count
			for _, mo := range in.Timeline {
				moments += mo.Count
			}
		}
		if alerts != sum || incidents != sum || moments != sum {
			t.Fatalf("seed %d: alerts %d, incidents %d, moments %d, want %d", seed, alerts, incidents, moments, sum)
		}
	}
}

func TestTitlesPrintHostileNamesSafely(t *testing.T) {
	ev := exec("/tmp/\x1b[31mred\nline\xff"+strings.Repeat("x", 9000), "T1204", redoubt.Medium, 0)
	for _, s := range []string{Title(&ev), line(&ev)} {
		if strings.ContainsAny(s, "\x1b\n") || len(s) > 1000 {
			t.Errorf("%q", s)
		}
	}
}

func TestTitles(t *testing.T) {
	written := exec("/tmp/x", "T1105", redoubt.High, 0)
	written.Process.File = &redoubt.File{Origin: redoubt.OriginWritten}
	entered := exec("/bin/bash", "T1609", redoubt.Medium, 0)
	entered.Process.Entered = true
	connect := exec("/usr/sbin/nginx", "T1071", redoubt.Medium, 0)
	connect.Kind, connect.Network = redoubt.EventConnect, &redoubt.Connection{Proto: redoubt.TCP, Remote: netip.MustParseAddrPort("203.0.113.9:443")}
	listen := connect
	listen.Kind, listen.Network = redoubt.EventListen, &redoubt.Connection{Proto: redoubt.TCP, Local: netip.MustParseAddrPort("0.0.0.0:4444")}
	for want, ev := range map[string]redoubt.Event{
		"nginx started x, a file written since the start in web": written,
		"Somebody started bash from outside in web":              entered,
		"nginx connects to 203.0.113.9, tcp port 443 in web":     connect,
		"nginx listens on tcp port 4444 in web":                  listen,
	} {
		if got := Title(&ev); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func BenchmarkFold(b *testing.B) {
	events := make([]redoubt.Event, 500)
	for i := range events {
		events[i] = exec(fmt.Sprintf("/bin/p%d", i%10), "T1049", redoubt.Medium, time.Duration(i)*time.Millisecond)
	}
	for b.Loop() {
		if _, err := Fold(b.Context(), &memory{}, events); err != nil {
			b.Fatal(err)
		}
	}
}
