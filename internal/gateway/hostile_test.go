package gateway

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/route"
	"redoubt.dev/redoubt/internal/runner"
)

func TestS3_DisabledCallerHasNoRetries(t *testing.T) {
	ran, hold := make(chan string, 8), make(chan struct{})
	g := newGate(t, code(func(c *runner.Call) (*runner.Result, error) {
		ran <- c.ID
		<-hold
		return &runner.Result{Outcome: function.Failed}, nil
	}), nil)
	g.deploy("pay", nil)
	g.permit("user/alice function:Invoke* function/pay", "user/bob function:Invoke* function/pay")
	for _, user := range []string{"alice", "bob"} {
		res, body := g.invoke("pay", g.token(user), `{}`, "X-Amz-Invocation-Type", "Event")
		status(t, res, body, 202)
		<-ran
	}
	if _, err := g.iam.Disable(context.Background(), "admin", "user/alice", "gone"); err != nil {
		t.Fatal(err)
	}
	close(hold)
	for _, inv := range g.recorded("pay", 2) {
		want := function.Outcome(function.Failed)
		if inv.Caller == "user/alice" {
			want = function.Refused
		}
		if inv.Outcome != want || inv.Caller == "user/bob" && inv.Attempt < 3 {
			t.Errorf("%s: %s after %d attempts: %s", inv.Caller, inv.Outcome, inv.Attempt, inv.Error)
		}
	}
}

func TestS3_CodeTakesNoRouteItsRoleDoesNotGrant(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { t.Error("the upstream was reached") }))
	defer up.Close()
	g := newGate(t, code(echo), func(c *Config) {
		c.Routes = fixedRoutes{{ID: "far", Path: "/far", Target: route.Target{URL: up.URL}, Auth: route.None}}
	})
	for _, name := range []string{"open", "granted"} {
		g.deploy(name, func(s *function.Spec) {
			s.Triggers = []function.Trigger{{HTTP: &function.HTTPTrigger{Method: "GET", Path: "/" + name, Auth: "none"}}}
		})
	}
	g.permit("* function:Invoke function/*")
	ask := func(method, path, trace string, change func(*http.Request)) int {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(method, path, nil)
		r.Header.Set("X-Amzn-Trace-Id", trace)
		if change != nil {
			change(r)
		}
		g.Internal(runner.Caller{Function: "orders", Version: 1, Call: func() (string, string) { return "", "" },
			Note: func(u function.Use) bool { return u.Target == "granted" }}).ServeHTTP(w, r)
		return w.Code
	}
	for path, want := range map[string]int{"/open": 403, "/far": 403, "/granted": 200} {
		if got := ask("GET", path, "", nil); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	if got := ask("GET", "/granted", fmt.Sprintf("Lineage=redoubt:%d", maxDepth+1), nil); got != 508 {
		t.Errorf("too deep: %d", got)
	}
	if got := ask("POST", "/token", "", func(r *http.Request) { r.SetBasicAuth("alice", "alice-pw") }); got != 403 {
		t.Errorf("code got another's token: %d", got)
	}
}

func TestS3_RecursionByRoutesEnds(t *testing.T) {
	var g *gate
	var deepest atomic.Int32
	g = newGate(t, code(func(c *runner.Call) (*runner.Result, error) {
		if deepest.Add(1) > 3*maxDepth {
			return succeed(`{}`)
		}
		inside := g.Internal(runner.Caller{Function: "loop", Version: 1, Call: func() (string, string) { return c.ID, c.Trace }, Note: func(function.Use) bool { return true }})
		inside.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/loop", nil))
		return succeed(`{}`)
	}), nil)
	g.deploy("loop", func(s *function.Spec) {
		s.Triggers = []function.Trigger{{HTTP: &function.HTTPTrigger{Method: "GET", Path: "/loop", Auth: "none"}}}
	})
	g.permit("* function:Invoke function/*")
	res, body := g.ask("GET", "/loop", "", "")
	status(t, res, body, 200)
	if n := deepest.Load(); n != maxDepth+1 {
		t.Errorf("ended after %d calls", n)
	}
}

func TestS3_ForbidHoldsByWhicheverNameItIsCalled(t *testing.T) {
	g := newGate(t, code(echo), nil)
	g.deploy("pay", nil)
	alice := g.token("alice")
	for forbid, free := range map[string]string{"function/pay": "", "function/pay:1": "", "function/pay:live": "?Qualifier=1", "function/other": "all"} {
		g.rules.mu.Lock()
		g.rules.permit = []string{"user/alice function:Invoke function/pay*"}
		g.rules.forbid = []string{"user/alice function:Invoke " + forbid}
		g.rules.mu.Unlock()
		for _, q := range []string{"", "?Qualifier=live", "?Qualifier=1"} {
			want := 403
			if free == "all" || q != "" && q == free {
				want = 200
			}
			res, body := g.ask("POST", "/2015-03-31/functions/pay/invocations"+q, alice, "{}")
			if res.StatusCode != want {
				t.Errorf("%s forbidden, %q asked for: %d, want %d: %s", forbid, q, res.StatusCode, want, body)
			}
		}
	}
}

func TestTenantThatIsAskedForIsNotTheCallers(t *testing.T) {
	var tenants sync.Map
	g := newGate(t, code(func(c *runner.Call) (*runner.Result, error) {
		tenants.Store(c.Tenant, true)
		return succeed(`{}`)
	}), nil)
	g.deploy("pay", nil)
	g.permit("user/alice function:Invoke function/pay")
	res, body := g.invoke("pay", g.token("alice"), "{}", "X-Amz-Tenant-Id", "acme")
	status(t, res, body, 200)
	for _, q := range g.rules.asked {
		if q.Principal.Tenant != "" || q.Context.Tenant != "acme" {
			t.Errorf("policies were asked about %+v for tenant %q", q.Principal, q.Context.Tenant)
		}
	}
	if _, ok := tenants.Load("acme"); !ok {
		t.Error("the function worked for nobody")
	}
}

func TestUpstreamIsNotToldTwoCallers(t *testing.T) {
	var got atomic.Pointer[http.Request]
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got.Store(r.Clone(context.Background())) }))
	defer up.Close()
	g := newGate(t, code(echo), func(c *Config) {
		c.Routes = fixedRoutes{{ID: "far", Path: "/far", Target: route.Target{URL: up.URL}}}
	})
	g.permit("user/alice function:Invoke function/far")
	res, body := g.ask("GET", "/far?a=1&X-Amz-Note=2", g.token("alice"), "", "Connection", "X-Redoubt-Caller", "X_Redoubt_Caller", "user/root", "x-redoubt_caller", "user/root",
		"X_Forwarded_For", "10.0.0.1", "X_Other", "stays")
	status(t, res, body, 200)
	h := got.Load().Header
	for name, values := range h {
		if plain := strings.ToLower(strings.ReplaceAll(name, "_", "-")); plain == "x-redoubt-caller" && values[0] != "user/alice" || plain == "x-forwarded-for" && values[0] != "127.0.0.1" {
			t.Errorf("%s: %s", name, values)
		}
	}
	if h.Get("X-Redoubt-Caller") != "user/alice" || h.Get("X_Other") != "stays" || got.Load().URL.RawQuery != "a=1&X-Amz-Note=2" {
		t.Errorf("upstream got %s, %v", got.Load().URL, h)
	}
	u := httptest.NewRequest("GET", "/far?b=2&X-Amz-Signature=abc&a=1&X-Amz-Security-Token=rds1.x", nil).URL
	if unprove(u); u.RawQuery != "a=1&b=2" {
		t.Errorf("a proof stays in %s", u)
	}
}

func TestBucketKeptHereTakesNoNotifications(t *testing.T) {
	g := newGate(t, code(echo), nil)
	if err := g.buckets.Create("photos"); err != nil {
		t.Fatal(err)
	}
	g.permit("user/alice bucket:Put bucket/photos")
	res, body := g.ask("PUT", "/buckets/photos/secret/x", g.token("alice"), "x")
	status(t, res, body, 403)
	res, body = g.ask("POST", "/events/s3/photos", g.token("alice"), `{"Records":[{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"photos"},"object":{"key":"secret/x"}}}]}`)
	status(t, res, body, 409)
}

// limited is a ResponseWriter that keeps the last deadline of writing.
type limited struct {
	*httptest.ResponseRecorder
	until time.Time
}

func (l *limited) SetWriteDeadline(t time.Time) error { l.until = t; return nil }

func TestCallerThatDoesNotReadIsCutOff(t *testing.T) {
	g := newGate(t, code(func(c *runner.Call) (*runner.Result, error) {
		if !c.Stream {
			return succeed(`{}`)
		}
		return &runner.Result{Outcome: function.Succeeded, Stream: io.NopCloser(strings.NewReader("x"))}, nil
	}), nil)
	g.deploy("pay", func(s *function.Spec) { s.Timeout, s.Streaming = 3, true })
	g.permit("user/alice function:Invoke function/pay")
	for _, path := range []string{"/2015-03-31/functions/pay/invocations", "/2021-11-15/functions/pay/response-streaming-invocations"} {
		r := httptest.NewRequest("POST", path, strings.NewReader("{}"))
		r.Header.Set("Authorization", "Bearer "+g.token("alice"))
		w := &limited{ResponseRecorder: httptest.NewRecorder()}
		before := time.Now()
		g.ServeHTTP(w, r)
		if w.Code != 200 || !w.until.After(before.Add(3*time.Second)) || w.until.After(time.Now().Add(5*time.Minute)) {
			t.Errorf("%s: %d, writing may last until %s", path, w.Code, w.until)
		}
	}
}

// session connects a client of MQTT 3.1.1 that wants to go on with what was.
func session(t *testing.T, addr, name, user string) (s *sensor, went, on bool) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	s = &sensor{t, c}
	pk := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connect}, ProtocolVersion: 4, Connect: packets.ConnectParams{
		ProtocolName: []byte("MQTT"), Keepalive: 60, ClientIdentifier: name, UsernameFlag: true, Username: []byte(user), PasswordFlag: true, Password: []byte(user + "-pw")}}
	s.send(pk.ConnectEncode)
	kind, rest := s.answer()
	if kind != packets.Connack || len(rest) < 2 {
		t.Fatalf("answer %d %q", kind, rest)
	}
	return s, rest[1] == 0, rest[0] == 1
}

func (s *sensor) publish(id uint16, topic string) {
	s.t.Helper()
	pk := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: 1}, ProtocolVersion: 4, PacketID: id, TopicName: topic, Payload: []byte("1")}
	s.send(pk.PublishEncode)
}

func TestS16_SessionIsItsMakersAlone(t *testing.T) {
	g := newGate(t, code(echo), nil)
	g.deploy("heat", func(s *function.Spec) {
		s.Triggers = []function.Trigger{{MQTT: &function.MQTTTrigger{Topic: "plant/#"}}}
	})
	g.permit("user/victim topic:* topic/*", "user/sensor topic:* topic/*")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.ServeMQTT(ctx, l) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	addr := l.Addr().String()
	victim, ok, _ := session(t, addr, "panel", "victim")
	if !ok {
		t.Fatal("refused")
	}
	sub := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Subscribe, Qos: 1}, ProtocolVersion: 4, PacketID: 1, Filters: packets.Subscriptions{{Filter: "secret/#", Qos: 1}}}
	victim.send(sub.SubscribeEncode)
	victim.answer()
	sensor, _, _ := session(t, addr, "s1", "sensor")
	sensor.publish(2, "secret/plans")
	sensor.answer()
	if kind, rest := victim.answer(); kind != packets.Publish || !strings.Contains(string(rest), "secret/plans") {
		t.Fatalf("the subscriber got %d %q", kind, rest)
	}
	// It has not said that it got the message, which therefore waits.
	if _, ok, on := session(t, addr, "panel", "mallory"); !ok || on {
		t.Errorf("another under the same name: let in %t, with a session %t", ok, on)
	}
	if _, ok, on := session(t, addr, "panel", "victim"); !ok || !on {
		t.Errorf("its maker: let in %t, with a session %t", ok, on)
	}

	sensor.publish(3, "plant/1")
	sensor.answer()
	g.recorded("heat", 1)
	if _, err := g.iam.Disable(context.Background(), "admin", "user/sensor", "stolen"); err != nil {
		t.Fatal(err)
	}
	sensor.publish(4, "plant/1") // refused by ending the connection
	sensor.c.SetReadDeadline(time.Now().Add(patience))
	if n, err := sensor.c.Read(make([]byte, 4)); err == nil && n == 4 {
		t.Error("a disabled sensor was heard")
	}
	g.recorded("heat", 1)
}

func TestBodiesAreBoundedTogether(t *testing.T) {
	arrived, hold := make(chan bool, 1), make(chan struct{})
	var calls atomic.Int32
	g := newGate(t, code(func(c *runner.Call) (*runner.Result, error) {
		if calls.Add(1) == 1 {
			arrived <- true
			<-hold
		}
		return succeed(`{"statusCode":200}`)
	}), nil)
	g.room.most = 1 << 20
	g.deploy("open", func(s *function.Spec) {
		s.Triggers = []function.Trigger{{HTTP: &function.HTTPTrigger{Method: "POST", Path: "/open", Auth: "none"}}}
	})
	g.permit("* function:Invoke function/open*")
	large := strings.Repeat("x", 800<<10)
	first := make(chan int, 1)
	go func() {
		res, err := http.Post(g.server.URL+"/open", "text/plain", strings.NewReader(large))
		if err != nil {
			t.Error(err)
			first <- 0
			return
		}
		res.Body.Close()
		first <- res.StatusCode
	}()
	select {
	case <-arrived:
	case got := <-first:
		t.Fatalf("the first call was answered with %d at once", got)
	}
	res, body := g.ask("POST", "/open", "", large)
	status(t, res, body, 503)
	res, body = g.invoke("open", g.token("alice"), `"`+large+`"`)
	status(t, res, body, 503)
	res, body = g.ask("POST", "/open", "", large[:freeBytes])
	status(t, res, body, 200)
	close(hold)
	if got := <-first; got != 200 {
		t.Errorf("the call that held its body: %d", got)
	}
	eventually(t, "room", func() bool { return g.room.held.Load() == 0 })
	res, body = g.ask("POST", "/open", "", large)
	status(t, res, body, 200)
}
