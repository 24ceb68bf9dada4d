package console

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/redoubt"
)

func contextWithCancel(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithCancel(t.Context())
}

func TestPagesAreServedAsTheBrowserNeedsThem(t *testing.T) {
	r := newRig(t)
	for path, want := range map[string]struct {
		status      int
		kind, cache string
	}{
		"/":                          {200, "text/html; charset=utf-8", "no-cache"},
		"/alerts/a1":                 {200, "text/html; charset=utf-8", "no-cache"},
		"/assets/index-D4kP9xQz.js":  {200, "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"},
		"/assets/index-Bk2_x9aQ.css": {200, "text/css; charset=utf-8", "public, max-age=31536000, immutable"},
		"/assets/index-old12345.js":  {404, "text/plain; charset=utf-8", ""},
		"/favicon.svg":               {200, "image/svg+xml", "no-cache"},
		"/api/v1/nothing":            {404, "application/problem+json", "no-store"},
		"/api/openapi.json":          {200, "application/json", "no-store"},
		"/healthz":                   {200, "text/plain; charset=utf-8", "no-store"},
	} {
		a := r.ask(http.MethodGet, path, nil, anonymous)
		if a.StatusCode != want.status || a.Header.Get("Content-Type") != want.kind || a.Header.Get("Cache-Control") != want.cache {
			t.Errorf("%s: %d %q %q, want %+v", path, a.StatusCode, a.Header.Get("Content-Type"), a.Header.Get("Cache-Control"), want)
		}
		csp := a.Header.Get("Content-Security-Policy")
		if strings.Contains(csp, "unsafe") || !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") {
			t.Errorf("%s: policy is %q", path, csp)
		}
		if a.Header.Get("X-Content-Type-Options") != "nosniff" || a.Header.Get("X-Request-Id") == "" || a.Header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: headers are %v", path, a.Header)
		}
	}
	first := r.ask(http.MethodGet, "/", nil)
	again := r.ask(http.MethodGet, "/", nil, func(q *http.Request) { q.Header.Set("If-None-Match", first.Header.Get("ETag")) })
	if again.StatusCode != http.StatusNotModified {
		t.Errorf("an unchanged page: %d", again.StatusCode)
	}
	if a := r.ask(http.MethodPost, "/alerts", "{}"); a.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST to a page: %d", a.StatusCode)
	}
}

func TestAnswersArePacked(t *testing.T) {
	r := newRig(t)
	packed := func(q *http.Request) { q.Header.Set("Accept-Encoding", "br, gzip") }
	for path, want := range map[string]string{"/assets/index-D4kP9xQz.js": "gzip", "/api/openapi.json": "gzip", "/favicon.svg": "", "/api/v1/session": ""} {
		a := r.ask(http.MethodGet, path, nil, packed)
		if a.Header.Get("Content-Encoding") != want || a.StatusCode != 200 {
			t.Errorf("%s: %d, packed as %q, want %q", path, a.StatusCode, a.Header.Get("Content-Encoding"), want)
		}
		if want == "" {
			continue
		}
		z, err := gzip.NewReader(strings.NewReader(string(a.body)))
		if err != nil {
			t.Fatal(err)
		}
		plain, err := io.ReadAll(z)
		if err != nil || len(plain) <= len(a.body) {
			t.Errorf("%s: %d bytes unpacked of %d, %v", path, len(plain), len(a.body), err)
		}
	}
	if a := r.ask(http.MethodGet, "/api/openapi.json", nil, func(q *http.Request) { q.Header.Set("Accept-Encoding", "gzip;q=0") }); a.Header.Get("Content-Encoding") != "" {
		t.Error("packed although the caller refuses gzip")
	}
}

func TestBodiesAreBounded(t *testing.T) {
	r := newRig(t)
	for path, size := range map[string]int{"/api/v1/session": smallBody + 1, "/api/v1/policies/preview": documentBody + 1} {
		a := r.ask(http.MethodPost, path, `{"source":"`+strings.Repeat("x", size)+`"}`)
		if a.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%s with %d bytes: %d %.200s", path, size, a.StatusCode, a.body)
		}
	}
}

func TestPanicIsA500ThatNamesItsRequest(t *testing.T) {
	r := newRig(t)
	r.model.nodes["n1"] = nil // what must not be
	a := r.ask(http.MethodGet, "/api/v1/nodes", nil)
	id := a.Header.Get("X-Request-Id")
	if a.StatusCode != http.StatusInternalServerError || id == "" || !strings.Contains(string(a.body), id) || strings.Contains(string(a.body), "nil pointer") {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	if log := r.log.String(); !strings.Contains(log, id) || !strings.Contains(log, "nil pointer") {
		t.Error("the log does not tell what happened")
	}
}

func TestAccessLogTellsWhoWithoutSecrets(t *testing.T) {
	r := newRig(t)
	b := r.setUp()
	r.ask(http.MethodGet, "/api/v1/events?q=needle", nil, b.set) // a read that works is no news
	r.ask(http.MethodGet, "/api/v1/events/e99?q=needle", nil, b.set)
	log := r.log.String()
	if strings.Contains(log, `"path":"/api/v1/events"`) || !strings.Contains(log, `"path":"/api/v1/events/e99"`) || !strings.Contains(log, `"actor":"ann"`) || !strings.Contains(log, `"status":200`) {
		t.Errorf("log is %s", log)
	}
	for _, secret := range []string{password, b.csrf, b.cookie.Value, "needle"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

// listen opens the stream and returns its messages.
func (r *rig) listen(ctx context.Context, query string, set ...func(*http.Request)) <-chan api.StreamMessage {
	r.t.Helper()
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, r.server.URL+"/api/v1/stream"+query, nil)
	req.Header.Set("Authorization", "Bearer "+r.tokens["admin"])
	for _, f := range set {
		f(req)
	}
	resp, err := r.server.Client().Do(req)
	if err != nil || resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		r.t.Fatalf("stream: %v %v", resp, err)
	}
	got := make(chan api.StreamMessage, 10_000)
	go func() {
		defer close(got)
		defer resp.Body.Close()
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				var m api.StreamMessage
				if json.Unmarshal([]byte(data), &m) == nil {
					got <- m
				}
			}
		}
	}()
	return got
}

func TestI6_StreamTellsWhatChanges(t *testing.T) {
	r := newRig(t)
	ctx, cancel := contextWithCancel(t)
	defer cancel()
	all, alerts := r.listen(ctx, ""), r.listen(ctx, "?types=alert")
	r.push(r.running(web))
	r.push(link1(r.netstat()))
	must[api.PolicyDocument](r, http.MethodPut, "/api/v1/policies/p1", api.PolicyRequest{Source: policyText("p1", "x", "alert", "/bin/nc")})
	want := []string{"node", "profile", "workload", "event", "alert", "incident", "policy"}
	for deadline := time.After(5 * time.Second); len(want) > 0; {
		select {
		case m := <-all:
			want = slices.DeleteFunc(want, func(s string) bool { return s == m.Type && m.ID != "" })
		case <-deadline:
			t.Fatalf("still waiting for %v", want)
		}
	}
	if m := <-alerts; m.Type != "alert" || m.ID != "a1" {
		t.Errorf("only alerts were asked for and %+v came", m)
	}
	cancel()
	for range alerts {
		t.Error("another message came")
	}
	for begun := time.Now(); r.hub.count() > 0; time.Sleep(time.Millisecond) {
		if time.Since(begun) > 5*time.Second {
			t.Fatal("readers that went are still counted")
		}
	}
}

func TestI6_SlowReaderIsToldWhatItMissed(t *testing.T) {
	h := hub{readers: map[*reader]struct{}{}}
	slow, err := h.join(nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range readerQueue + 100 {
		h.send([]api.StreamMessage{{Type: "event", ID: fmt.Sprint(i)}})
	}
	if len(slow.queue) != readerQueue || h.missed.Load() != 100 {
		t.Fatalf("%d wait, %d missed", len(slow.queue), h.missed.Load())
	}
	if h.lost(slow) != nil {
		t.Error("the loss is told before what came before it")
	}
	for range 2 {
		<-slow.queue
	}
	h.send([]api.StreamMessage{{Type: "event", ID: "after"}})
	var last, before string
	for range readerQueue {
		before, last = last, string(<-slow.queue)
	}
	if !strings.Contains(before, `"missed","id":"100"`) || !strings.Contains(last, `"after"`) {
		t.Errorf("the end is %q and %q", before, last)
	}
	for i := range readerQueue + 5 {
		h.send([]api.StreamMessage{{Type: "event", ID: fmt.Sprint(i)}})
	}
	for range readerQueue {
		<-slow.queue
	}
	if text := string(h.lost(slow)); !strings.Contains(text, `"id":"5"`) {
		t.Errorf("run empty it is told %q", text)
	}
	for range maxReaders - 1 {
		h.join(nil)
	}
	if _, err := h.join(nil); err == nil {
		t.Error("one reader too many was taken")
	}
}

func TestD14_MetricsTellNodesAndLoss(t *testing.T) {
	r := newRig(t)
	b := r.running(web)
	b.Status.Load = redoubt.Load{Lost: 7, Dropped: 9, Events: 100}
	b.Events = []redoubt.Event{r.netstat()}
	r.push(b)
	text := string(r.ask(http.MethodGet, "/metrics", nil).body)
	for _, want := range []string{
		`redoubt_console_node_events_lost_total{node="n1"} 7`, `redoubt_console_node_events_dropped_total{node="n1"} 9`, `redoubt_console_node_connected{node="n1"} 0`,
		`redoubt_console_alerts_open{severity="high"} 1`, `redoubt_console_profiles{state="learning"} 1`, `redoubt_console_events_total 1`, `redoubt_console_events_stored 1`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("metrics do not say %s", want)
		}
	}
}

func TestD14_ReferenceIsCurrent(t *testing.T) {
	r := newRig(t)
	r.push(r.running(web))
	r.metrics.batches.WithLabelValues("recorded")
	r.metrics.logins.WithLabelValues("done")
	r.ask(http.MethodGet, "/metrics", nil)
	families, err := r.metrics.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var page strings.Builder
	page.WriteString("# Metrics\n\nWhat `/metrics` of a console holds, for Prometheus. An API token of any role reads it.\nThis page is written from the registry by `go test ./internal/console -update`.\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n")
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "redoubt_console_") {
			t.Errorf("%s does not bear the console's name", f.GetName())
		}
		fmt.Fprintf(&page, "| `%s` | %s | %s | %s |\n", f.GetName(), strings.ToLower(f.GetType().String()), labelsOf(f), f.GetHelp())
	}
	golden(t, "../../docs/reference/metrics.md", []byte(page.String()))
}

func labelsOf(f *dto.MetricFamily) string {
	var names []string
	for _, l := range f.GetMetric()[0].GetLabel() {
		names = append(names, l.GetName())
	}
	return strings.Join(names, ", ")
}
