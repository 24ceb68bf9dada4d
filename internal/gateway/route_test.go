package gateway

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/iam"
	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/route"
	"redoubt.dev/redoubt/internal/runner"
	"redoubt.dev/redoubt/internal/waf"
)

type fixedRoutes []route.Route

func (f fixedRoutes) Routes(context.Context) ([]route.Route, error) { return f, nil }

func TestS1_RouteLeadsToItsFunction(t *testing.T) {
	g := newGate(t, code(func(c *runner.Call) (*runner.Result, error) {
		var e struct {
			RawPath string            `json:"rawPath"`
			Params  map[string]string `json:"pathParameters"`
			Headers map[string]string `json:"headers"`
			Body    string            `json:"body"`
			Context struct {
				HTTP       struct{ Method string }
				Authorizer struct{ Lambda struct{ PrincipalID string } }
			} `json:"requestContext"`
		}
		if err := json.Unmarshal(c.Payload, &e); err != nil {
			return nil, err
		}
		body, _ := json.Marshal(fmt.Sprintf("%s %s %s %s %s %q", e.Context.HTTP.Method, e.RawPath, e.Params["id"], e.Body, e.Context.Authorizer.Lambda.PrincipalID, e.Headers["authorization"]))
		return succeed(fmt.Sprintf(`{"statusCode":201,"headers":{"X-Made-By":"orders","Transfer-Encoding":"chunked"},"cookies":["a=1","b=2"],"body":%s}`, body))
	}), nil)
	g.deploy("orders", func(s *function.Spec) {
		s.Triggers = []function.Trigger{{HTTP: &function.HTTPTrigger{Method: "PUT", Path: "/orders/{id}", Auth: "iam"}}}
	})
	g.permit("user/alice function:Invoke function/orders*")
	res, body := g.ask("PUT", "/orders/7?x=1", g.token("alice"), "hi")
	status(t, res, body, 201)
	if body != `PUT /orders/7 7 hi user/alice ""` || res.Header.Get("X-Made-By") != "orders" || len(res.Cookies()) != 2 || res.Header.Get(requestID) == "" {
		t.Errorf("got %q, %v", body, res.Header)
	}
	inv := g.recorded("orders", 1)[0]
	if inv.Route != "PUT /orders/{id}" || inv.Source != "http" || inv.Status != 201 || inv.ID != res.Header.Get(requestID) || inv.Start != function.Warm {
		t.Errorf("record %+v", inv)
	}
	for _, c := range []struct {
		method, path string
		token        bool
		want         int
	}{
		{"PUT", "/orders/7", false, 401}, {"GET", "/orders/7", true, 405}, {"PUT", "/nothing", true, 404},
		{"PUT", "/orders/..%2f7", true, 400}, {"PUT", "/orders//7", true, 400},
	} {
		token := ""
		if c.token {
			token = g.token("alice")
		}
		res, body := g.ask(c.method, c.path, token, "")
		status(t, res, body, c.want)
	}
	res, body = g.ask("PUT", "/orders/7", g.token("bob"), "")
	status(t, res, body, 403)
	g.recorded("orders", 3) // calls that named the function, refused or not
}

func TestFailuresOfCodeBecomeGatewayErrors(t *testing.T) {
	outcome := function.Failed
	g := newGate(t, code(func(*runner.Call) (*runner.Result, error) {
		return &runner.Result{Outcome: outcome, Payload: []byte(`{"statusCode":"x"}`)}, nil
	}), nil)
	g.deploy("orders", func(s *function.Spec) {
		s.Triggers = []function.Trigger{{HTTP: &function.HTTPTrigger{Path: "/", Auth: "none"}}}
	})
	g.permit("anonymous function:Invoke function/orders*")
	for o, want := range map[function.Outcome]int{function.Failed: 502, function.TimedOut: 504, function.Crashed: 502, function.Succeeded: 502} {
		outcome = o
		res, body := g.ask("GET", "/", "", "")
		status(t, res, body, want)
		if !strings.Contains(body, res.Header.Get(requestID)) {
			t.Errorf("%s: no request id in %s", o, body)
		}
	}
}

func TestBodyHasItsLimit(t *testing.T) {
	g := newGate(t, code(echo), func(c *Config) {
		c.Routes = fixedRoutes{{ID: "small", Path: "/small", Auth: route.None, MaxRequest: 10, Target: route.Target{Function: "orders"}}}
	})
	g.deploy("orders", nil)
	g.permit("anonymous function:Invoke function/orders*")
	res, body := g.ask("POST", "/small", "", strings.Repeat("x", 11))
	status(t, res, body, 413)
	if inv := g.recorded("orders", 1)[0]; inv.Outcome != function.Refused || inv.Status != 413 {
		t.Errorf("record %+v", inv)
	}
	res, body = g.ask("POST", "/small", "", strings.Repeat("x", 10))
	status(t, res, body, 200)
}

func TestCORSIsTheRoutesWord(t *testing.T) {
	g := newGate(t, code(func(*runner.Call) (*runner.Result, error) {
		return succeed(`{"statusCode":200,"headers":{"Access-Control-Allow-Origin":"*"},"body":"x"}`)
	}), func(c *Config) {
		c.Routes = fixedRoutes{{ID: "open", Method: "GET", Path: "/open", Auth: route.None, Target: route.Target{Function: "orders"}, CORS: &route.CORS{Origins: []string{"https://shop.test"}}}}
	})
	g.deploy("orders", nil)
	g.permit("anonymous function:Invoke function/orders*")
	for origin, allowed := range map[string]string{"https://shop.test": "https://shop.test", "https://evil.test": ""} {
		res, body := g.ask("OPTIONS", "/open", "", "", "Origin", origin, "Access-Control-Request-Method", "GET")
		status(t, res, body, 204)
		if got := res.Header.Get("Access-Control-Allow-Origin"); got != allowed {
			t.Errorf("preflight of %s allows %q", origin, got)
		}
		res, body = g.ask("GET", "/open", "", "", "Origin", origin)
		status(t, res, body, 200)
		if got := res.Header.Get("Access-Control-Allow-Origin"); allowed != "" && got != allowed {
			t.Errorf("answer to %s allows %q", origin, got)
		}
	}
}

func TestAnswerIsCompressedWhereThatIsWanted(t *testing.T) {
	g := newGate(t, code(func(*runner.Call) (*runner.Result, error) {
		return succeed(`{"statusCode":200,"headers":{"Content-Type":"text/plain"},"body":"` + strings.Repeat("abc ", 1000) + `"}`)
	}), func(c *Config) {
		c.Routes = fixedRoutes{{ID: "big", Path: "/big", Auth: route.None, Compress: true, Target: route.Target{Function: "orders"}}}
	})
	g.deploy("orders", nil)
	g.permit("anonymous function:Invoke function/orders*")
	for accept, want := range map[string]string{"gzip, br": "gzip", "gzip;q=0": "", "identity": ""} {
		res, body := g.ask("GET", "/big", "", "", "Accept-Encoding", accept)
		status(t, res, body, 200)
		if got := res.Header.Get("Content-Encoding"); got != want || want == "gzip" && len(body) > 1000 {
			t.Errorf("%s: encoding %q, %d bytes", accept, got, len(body))
		}
	}
}

// alarm is a firewall that trips on one word.
type alarm string

func (a alarm) Inspect(_ context.Context, r *waf.Request) (*waf.Verdict, error) {
	if !strings.Contains(string(r.Body)+r.URI, string(a)) {
		return &waf.Verdict{Action: waf.Pass}, nil
	}
	v := &waf.Verdict{Action: waf.Alert, Findings: []waf.Finding{{Rule: 1, Message: "a bad word", Severity: redoubt.High}}}
	if r.Setting.Mode == route.FirewallPrevent {
		v.Action = waf.Refuse
	}
	return v, nil
}

func TestFirewallAlertsOrPrevents(t *testing.T) {
	g := newGate(t, code(echo), func(c *Config) {
		c.Firewall = alarm("evil")
		c.Routes = fixedRoutes{
			{ID: "watch", Path: "/watch", Auth: route.None, Target: route.Target{Function: "orders"}},
			{ID: "guard", Path: "/guard", Auth: route.None, Target: route.Target{Function: "orders"}, Firewall: route.Firewall{Mode: route.FirewallPrevent}},
		}
	})
	g.deploy("orders", nil)
	g.permit("anonymous function:Invoke function/orders*", "user/alice function:Invoke function/orders*")
	for _, c := range []struct {
		path, body string
		status     int
		verdicts   int
	}{{"/watch", "good", 200, 0}, {"/watch", "evil", 200, 1}, {"/guard", "good", 200, 0}, {"/guard", "evil", 403, 1}} {
		res, body := g.ask("POST", c.path, "", c.body)
		status(t, res, body, c.status)
		id := res.Header.Get(requestID)
		eventually(t, "its record", func() bool {
			for _, inv := range g.records.list("orders") {
				if inv.ID == id {
					if len(inv.Verdicts) != c.verdicts {
						t.Errorf("%s %s: verdicts %v", c.path, c.body, inv.Verdicts)
					}
					return true
				}
			}
			return false
		})
	}
	res, body := g.invoke("orders", g.token("alice"), `{"x":"evil"}`)
	status(t, res, body, 200)
	for _, inv := range g.recorded("orders", 5) {
		if inv.Source == "invoke" && len(inv.Verdicts) != 1 {
			t.Errorf("an event that never was HTTP was not inspected: %+v", inv)
		}
	}
}

func TestUpstreamGetsTheRequestAndNotTheProof(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "websocket" {
			c, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
			rw.Flush()
			line, _ := rw.ReadString('\n')
			fmt.Fprint(rw, "heard "+line)
			rw.Flush()
			return
		}
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %q %s %s", r.URL.Path, body, r.Header.Get("Authorization"), r.Header.Get("X-Redoubt-Caller"), r.Header.Get("X-Forwarded-For"))
	}))
	defer up.Close()
	g := newGate(t, code(echo), func(c *Config) {
		c.Routes = fixedRoutes{{ID: "far", Path: "/far/{rest...}", Target: route.Target{URL: up.URL + "/base"}}, {ID: "gone", Path: "/gone", Target: route.Target{URL: "http://127.0.0.1:1"}}}
	})
	g.permit("user/alice function:Invoke function/far", "user/alice function:Invoke function/gone")
	alice := g.token("alice")
	res, body := g.ask("POST", "/far/a/b", alice, "hi", "X-Redoubt-Caller", "user/root")
	status(t, res, body, 200)
	if body != `/base/far/a/b hi "" user/alice 127.0.0.1` {
		t.Errorf("upstream saw %s", body)
	}
	res, body = g.ask("POST", "/gone", alice, "")
	status(t, res, body, 502)
	res, body = g.ask("POST", "/far/a", g.token("bob"), "")
	status(t, res, body, 403)

	c, err := net.Dial("tcp", strings.TrimPrefix(g.server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "GET /far/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nAuthorization: Bearer %s\r\n\r\n", alice)
	br := bufio.NewReader(c)
	up101, err := http.ReadResponse(br, nil)
	if err != nil || up101.StatusCode != 101 {
		t.Fatalf("upgrade: %v, %v", up101, err)
	}
	fmt.Fprint(c, "hello\n")
	if line, _ := br.ReadString('\n'); line != "heard hello\n" {
		t.Errorf("socket said %q", line)
	}
	c.Close()
	g.recorded("far", 3)
	g.recorded("gone", 1)
}

func TestServeSpeaksTLS13AndHTTP2(t *testing.T) {
	g := newGate(t, code(echo), nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	certs := httptest.NewUnstartedServer(nil)
	certs.StartTLS()
	defer certs.Close()
	cert := certs.TLS.Certificates[0]
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- g.Serve(ctx, l, ServerConfig{Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &cert, nil }, Clients: true})
	}()
	client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	res, err := client.Get("https://" + l.Addr().String() + "/-/healthy")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.ProtoMajor != 2 || res.TLS.Version != tls.VersionTLS13 || res.StatusCode != 200 {
		t.Errorf("got %s, TLS %x, %d", res.Proto, res.TLS.Version, res.StatusCode)
	}
	client.CloseIdleConnections()
	if c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}); err == nil {
		c.Close()
		t.Error("a client with TLS 1.2 got in")
	}
	cancel()
	if err := g.stop(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestKeyRouteTakesKeysOnly(t *testing.T) {
	g := newGate(t, code(echo), func(c *Config) {
		c.Routes = fixedRoutes{{ID: "keyed", Path: "/keyed", Auth: route.Key, Target: route.Target{Function: "orders"}, Quota: route.Quota{Day: 2}}}
		c.Counts = counts{}
	})
	g.deploy("orders", nil)
	g.permit("* function:Invoke function/orders*")
	_, key, err := g.iam.MakeKey(context.Background(), "test", iam.NewKey{Kind: iam.APIKey, Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	res, body := g.ask("GET", "/keyed", g.token("alice"), "")
	status(t, res, body, 401)
	for _, want := range []int{200, 200, 429} {
		res, body = g.ask("GET", "/keyed", "", "", "X-Api-Key", key.Reveal())
		status(t, res, body, want)
	}
	if res.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After where the quota is used up")
	}
}

type counts struct{}

func (counts) Count(context.Context, string, string) (int64, error) { return 0, nil }
func (counts) AddCounts(context.Context, []route.Count) error       { return nil }
