package gateway

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/access"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/iam"
	"redoubt.dev/redoubt/internal/iam/iamtest"
	"redoubt.dev/redoubt/internal/runner"
)

// patience is how long tests wait for what must come.
const patience = 60 * time.Second

// shelves is a Queues in memory.
type shelves struct {
	mu   sync.Mutex
	all  map[string][]*function.Message
	fail error
}

func newShelves() *shelves { return &shelves{all: map[string][]*function.Message{}} }

func (s *shelves) Send(_ context.Context, m *function.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	if slices.ContainsFunc(s.all[m.Queue], func(o *function.Message) bool { return o.ID == m.ID }) {
		return nil
	}
	c := *m
	s.all[m.Queue] = append(s.all[m.Queue], &c)
	return nil
}

func (s *shelves) Receive(_ context.Context, queue string, most int, now time.Time, lease time.Duration) (out []function.Message, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.all[queue] {
		if len(out) < most && !m.Due.After(now) {
			m.Attempts++
			m.Due = now.Add(lease)
			out = append(out, *m)
		}
	}
	return out, nil
}

func (s *shelves) Keep(_ context.Context, m *function.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.all[m.Queue] {
		if o.ID == m.ID {
			o.Due, o.Attempts, o.Attributes = m.Due, m.Attempts, m.Attributes
			return nil
		}
	}
	return fault.New(fault.NotFound, "no such message")
}

func (s *shelves) Delete(_ context.Context, queue, id string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.all[queue])
	s.all[queue] = slices.DeleteFunc(s.all[queue], func(m *function.Message) bool { return m.ID == id })
	return len(s.all[queue]) < n, nil
}

func (s *shelves) States(_ context.Context, prefix string) (out []function.QueueState, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, all := range s.all {
		if strings.HasPrefix(name, prefix) && len(all) > 0 {
			out = append(out, function.QueueState{Name: name, Waiting: int64(len(all))})
		}
	}
	return out, nil
}

func (s *shelves) Release(_ context.Context, prefix string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, all := range s.all {
		for _, m := range all {
			if strings.HasPrefix(name, prefix) {
				m.Due = time.Time{}
			}
		}
	}
	return nil
}

func (s *shelves) bodies(queue string) (out []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.all[queue] {
		out = append(out, string(m.Body))
	}
	return out
}

// books is a Records in memory.
type books struct {
	mu   sync.Mutex
	all  map[string]function.Invocation
	fail error
}

func (b *books) AddInvocations(_ context.Context, all []function.Invocation) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail != nil {
		return b.fail
	}
	for _, inv := range all {
		if _, ok := b.all[inv.ID]; !ok {
			b.all[inv.ID] = inv
		}
	}
	return nil
}

func (b *books) list(name string) (out []function.Invocation) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, inv := range b.all {
		if inv.Function == name || name == "" {
			out = append(out, inv)
		}
	}
	slices.SortFunc(out, func(x, y function.Invocation) int { return x.Time.Compare(y.Time) })
	return out
}

// catalogue is a Functions in memory.
type catalogue struct {
	mu  sync.Mutex
	all map[string]*function.Function
}

func (c *catalogue) Resolve(_ context.Context, ref function.Ref, pick float64) (*function.Function, *function.Version, error) {
	c.mu.Lock()
	f := c.all[ref.Name]
	c.mu.Unlock()
	if f == nil {
		return nil, nil, fault.New(fault.NotFound, "no function %s", ref.Name)
	}
	v, err := f.Resolve(ref, pick)
	return f, v, err
}

func (c *catalogue) List(context.Context, function.Filter) ([]*function.Function, string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*function.Function
	for _, f := range c.all {
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b *function.Function) int { return cmp.Compare(a.Name, b.Name) })
	return out, "", nil
}

// rules is an Authorizer: "user/alice function:Invoke function/orders", with *
// as the last letter of each part.
type rules struct {
	mu     sync.Mutex
	permit []string
	forbid []string
	asked  []access.Request
}

func (r *rules) Decide(q *access.Request) (access.Decision, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, *q)
	for i, all := range [][]string{r.forbid, r.permit} {
		for _, rule := range all {
			parts := strings.Fields(rule)
			if glob(parts[0], q.Principal.ID) && glob(parts[1], q.Action) && glob(parts[2], q.Resource) {
				return access.Decision{Allow: i == 1, Policy: rule}, nil
			}
		}
	}
	return access.Decision{}, nil
}

func glob(pattern, s string) bool {
	prefix, ok := strings.CutSuffix(pattern, "*")
	return ok && strings.HasPrefix(s, prefix) || pattern == s
}

// code is an Invoker made of Go functions.
type code func(c *runner.Call) (*runner.Result, error)

func (f code) Invoke(_ context.Context, c *runner.Call) (*runner.Result, error) { return f(c) }

// succeed answers with a payload.
func succeed(payload string) (*runner.Result, error) {
	return &runner.Result{Outcome: function.Succeeded, Payload: []byte(payload), Start: function.Warm, Duration: time.Millisecond}, nil
}

func echo(c *runner.Call) (*runner.Result, error) { return succeed(string(c.Payload)) }

// gate is a gateway in a test, with what stands around it.
type gate struct {
	*Gateway
	t       testing.TB
	dir     string
	cfg     Config
	queues  *shelves
	records *books
	known   *catalogue
	rules   *rules
	iam     *iam.Service
	server  *httptest.Server
	stop    func() error
}

func newGate(t testing.TB, run runnerLike, change func(*Config)) *gate {
	t.Helper()
	dir := t.TempDir()
	sealer, err := iam.OpenSealer(filepath.Join(dir, "key"))
	if err != nil {
		t.Fatal(err)
	}
	people, err := iam.Open(context.Background(), iam.Config{Store: iamtest.New(), Sealer: sealer, Issuer: "https://redoubt.test",
		Password: func(_ context.Context, user, password, _ string) error {
			if password != user+"-pw" {
				return fault.New(fault.Unauthenticated, "wrong password")
			}
			return nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{t: t, dir: dir, queues: newShelves(), records: &books{all: map[string]function.Invocation{}}, known: &catalogue{all: map[string]*function.Function{}},
		rules: &rules{}, iam: people}
	g.cfg = Config{Functions: g.known, Invoker: run, IAM: people, Access: g.rules, Records: g.records, Queues: g.queues, Dir: dir, Backoff: time.Millisecond}
	if change != nil {
		change(&g.cfg)
	}
	g.start()
	t.Cleanup(g.end)
	return g
}

type runnerLike = Invoker

// start makes the gateway over what is there and serves it.
func (g *gate) start() {
	g.t.Helper()
	gw, err := New(context.Background(), g.cfg)
	if err != nil {
		g.t.Fatal(err)
	}
	g.Gateway = gw
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- gw.Run(ctx) }()
	g.stop = sync.OnceValue(func() error { cancel(); return <-done })
	g.server = httptest.NewServer(gw)
}

func (g *gate) end() {
	g.t.Helper()
	if err := g.stop(); err != nil {
		g.t.Errorf("gateway: %v", err)
	}
	g.server.Close()
}

// restart ends the gateway in order and starts another over the same state.
func (g *gate) restart() {
	g.t.Helper()
	g.end()
	g.start()
}

// deploy adds a function with one version.
func (g *gate) deploy(name string, change func(*function.Spec)) *function.Function {
	g.t.Helper()
	s := function.Spec{Runtime: function.Python, Handler: "app.handler"}
	if change != nil {
		change(&s)
	}
	f := &function.Function{Name: name, Revision: 1, State: function.Active, Last: 1, Aliases: map[string]function.Alias{function.Live: {Weights: function.All(1)}},
		Versions: []function.Version{{Number: 1, Spec: s.WithDefaults()}}}
	g.put(f)
	return f
}

func (g *gate) put(f *function.Function) {
	g.t.Helper()
	g.known.mu.Lock()
	g.known.all[f.Name] = f
	g.known.mu.Unlock()
	if err := g.rewire(context.Background()); err != nil {
		g.t.Fatal(err)
	}
}

func (g *gate) permit(rule ...string) {
	g.rules.mu.Lock()
	defer g.rules.mu.Unlock()
	g.rules.permit = append(g.rules.permit, rule...)
}

// token is a bearer token of a local user.
func (g *gate) token(user string) string {
	g.t.Helper()
	who, err := g.iam.Password(context.Background(), user, user+"-pw", "")
	if err != nil {
		g.t.Fatal(err)
	}
	t, err := g.iam.Issue(who, iam.Ask{Audience: iam.Gateway})
	if err != nil {
		g.t.Fatal(err)
	}
	return t.Text.Reveal()
}

// ask sends a request; token may be empty.
func (g *gate) ask(method, path, token, body string, header ...string) (*http.Response, string) {
	g.t.Helper()
	r, err := http.NewRequest(method, g.server.URL+path, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		g.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		g.t.Fatal(err)
	}
	return res, string(text)
}

// invoke calls a function by the Lambda API.
func (g *gate) invoke(name, token, payload string, header ...string) (*http.Response, string) {
	g.t.Helper()
	return g.ask("POST", "/2015-03-31/functions/"+name+"/invocations", token, payload, header...)
}

// recorded waits for the n records of a function there must be in the end.
func (g *gate) recorded(name string, n int) []function.Invocation {
	g.t.Helper()
	var got []function.Invocation
	eventually(g.t, "records of "+name, func() bool { got = g.records.list(name); return len(got) >= n })
	if len(got) != n {
		g.t.Fatalf("%d records of %s, want %d: %+v", len(got), name, n, got)
	}
	return got
}

// eventually waits until ok.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

func status(t testing.TB, res *http.Response, body string, want int) {
	t.Helper()
	if res.StatusCode != want {
		t.Fatalf("status %d, want %d: %s", res.StatusCode, want, body)
	}
}

func compact(t testing.TB, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
