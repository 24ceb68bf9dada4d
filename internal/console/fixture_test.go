package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"redoubt.dev/redoubt/internal/audit"
	"redoubt.dev/redoubt/internal/identity"
	"redoubt.dev/redoubt/internal/link"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/store"
)

// rig is a console with its real store behind real HTTPS, and a clock that the
// test moves.
type rig struct {
	*Console
	t      testing.TB
	server *httptest.Server
	log    *syncBuffer
	mu     sync.Mutex
	now    time.Time
	seq    map[redoubt.NodeID]uint64
	tokens map[identity.Role]string
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

var testUI = fstest.MapFS{
	"index.html":                {Data: []byte("<!doctype html><title>Redoubt</title>")},
	"assets/index-D4kP9xQz.js":  {Data: []byte(strings.Repeat("console.log('redoubt');\n", 200))},
	"assets/index-Bk2_x9aQ.css": {Data: []byte("body{}")},
	"favicon.svg":               {Data: []byte("<svg/>")},
}

func newRig(t testing.TB) *rig {
	t.Helper()
	return newRigAt(t, filepath.Join(t.TempDir(), "console.db"), time.Date(2025, 11, 24, 12, 0, 0, 0, time.UTC))
}

func newRigAt(t testing.TB, path string, now time.Time) *rig {
	t.Helper()
	r := &rig{t: t, now: now, seq: map[redoubt.NodeID]uint64{}, tokens: map[identity.Role]string{}, log: &syncBuffer{}}
	logger := slog.New(slog.NewJSONHandler(r.log, nil))
	s, err := store.Open(path, logger)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	who := identity.New(identity.Config{Store: s, Log: logger, Now: r.clock})
	r.Console, err = New(Config{
		Store: s, Identity: who, Audit: audit.New(s, r.clock), UI: testUI, Logger: logger, Clock: r.clock, Version: "test",
		Join: func(secret string) (string, string) {
			return "token-" + secret, "redoubt defender --join token-" + secret
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.server = httptest.NewTLSServer(r.Handler())
	t.Cleanup(r.server.Close)
	t.Cleanup(func() { r.stop.Do(func() { close(r.stopped) }) })
	_, secret, err := who.SystemToken(t.Context(), "test")
	if err != nil {
		t.Fatal(err)
	}
	r.tokens[identity.Admin] = secret.Reveal()
	return r
}

func (r *rig) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

func (r *rig) advance(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

// as returns a token of the role.
func (r *rig) as(role identity.Role) string {
	r.t.Helper()
	if r.tokens[role] == "" {
		by := identity.Principal{User: identity.System, Role: identity.Admin}
		_, secret, err := r.identity.MakeToken(r.t.Context(), by, "test "+string(role), role, 0)
		if err != nil {
			r.t.Fatal(err)
		}
		// The token belongs to the system, so that no account is needed.
		r.tokens[role] = secret.Reveal()
	}
	return r.tokens[role]
}

// answered is what the console said.
type answered struct {
	*http.Response
	body []byte
}

// ask sends a request as an administrator's token would; set changes it.
func (r *rig) ask(method, path string, body any, set ...func(*http.Request)) answered {
	r.t.Helper()
	var in io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			r.t.Fatal(err)
		}
		in = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.server.URL+path, in)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+r.tokens[identity.Admin])
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, f := range set {
		f(req)
	}
	resp, err := r.server.Client().Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answered{resp, raw}
}

func bearer(token string) func(*http.Request) {
	return func(q *http.Request) { q.Header.Set("Authorization", "Bearer "+token) }
}

func anonymous(q *http.Request) { q.Header.Del("Authorization") }

// get reads a body that must come with status 200.
func get[T any](r *rig, path string) T {
	r.t.Helper()
	return must[T](r, http.MethodGet, path, nil)
}

func must[T any](r *rig, method, path string, body any) (v T) {
	r.t.Helper()
	a := r.ask(method, path, body)
	if a.StatusCode/100 != 2 {
		r.t.Fatalf("%s %s: %d %s", method, path, a.StatusCode, a.body)
	}
	if len(a.body) > 0 {
		if err := json.Unmarshal(a.body, &v); err != nil {
			r.t.Fatalf("%s %s: %v in %s", method, path, err, a.body)
		}
	}
	return v
}

// push delivers a batch of node n1 with the next number.
func (r *rig) push(b link.Batch) {
	r.t.Helper()
	if b.Node == "" {
		b.Node = "n1"
	}
	r.seq[b.Node]++
	b.Seq = r.seq[b.Node]
	if err := r.Push(context.Background(), &b); err != nil {
		r.t.Fatalf("push: %v", err)
	}
}

var web = redoubt.WorkloadRef{ID: "docker/shop/web", Kind: redoubt.KindContainer, Name: "shop-web-1", Container: "c0ffee" + strings.Repeat("0", 58), Image: "nginx:1.27", Digest: "sha256:aa"}

func (r *rig) running(refs ...redoubt.WorkloadRef) link.Batch {
	b := link.Batch{Status: r.status(), Workloads: []redoubt.Workload{}}
	for _, ref := range refs {
		b.Workloads = append(b.Workloads, redoubt.Workload{WorkloadRef: ref, Running: true, Started: r.clock()})
	}
	return b
}

func (r *rig) status() *redoubt.NodeStatus {
	return &redoubt.NodeStatus{Time: r.clock(), Hostname: "n1", Started: r.clock(), Sensor: redoubt.Coverage{Sensing: []string{"tp_btf/sched_process_exec"}}}
}

// netstat is nginx suddenly running netstat, as a defender judged it.
func (r *rig) netstat() redoubt.Event {
	return redoubt.Event{
		Time: r.clock(), Kind: redoubt.EventExec, Workload: web, Count: 1,
		Process: &redoubt.Process{
			PID: 4711, Path: "/usr/bin/netstat", Args: []string{"netstat", "-tlnp"},
			File:   &redoubt.File{Digest: "sha256:" + redoubt.Digest(strings.Repeat("ab", 32)), Origin: redoubt.OriginImage},
			Parent: &redoubt.Process{PID: 4700, Path: "/usr/sbin/nginx"},
		},
		Verdict: redoubt.Verdict{Effect: redoubt.EffectAlert, Rule: "profile", Reason: "not in the profile", Technique: "T1049", Severity: redoubt.High, Novel: true},
	}
}

func connection(kind redoubt.EventKind, ref redoubt.WorkloadRef, remote string, peer redoubt.WorkloadID) redoubt.Event {
	return redoubt.Event{Kind: kind, Workload: ref, Count: 1, Network: &redoubt.Connection{
		Proto: redoubt.TCP, Local: netip.MustParseAddrPort("172.17.0.2:40000"), Remote: netip.MustParseAddrPort(remote), Peer: peer,
	}, Verdict: redoubt.Verdict{Effect: redoubt.EffectIgnore}}
}

// observing gives web a profile that has finished learning.
func (r *rig) observing() {
	r.t.Helper()
	must[profile.Profile](r, http.MethodPost, "/api/v1/profiles/docker%2Fshop%2Fweb/state", map[string]string{"state": "observing"})
}

// failAudit makes the trail unwritable until the returned function is called,
// as a full disk would.
func (r *rig) failAudit() (stop func()) {
	good := r.audit
	r.Console.audit = audit.New(brokenTrail{r.store.(audit.Store)}, r.clock)
	return func() { r.Console.audit = good }
}

// brokenTrail is a store whose trail takes nothing more.
type brokenTrail struct{ audit.Store }

func (brokenTrail) AddAudit(context.Context, *audit.Entry) error { return errors.New("the disk broke") }
