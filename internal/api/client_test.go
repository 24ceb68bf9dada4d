package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/redoubt"
)

func dial(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	c, err := NewClient(Config{URL: s.URL, Token: "t0ken"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestListFollowsPagesUpToTheLimit(t *testing.T) {
	pages := func(w http.ResponseWriter, r *http.Request) {
		from := 0
		fmt.Sscan(r.URL.Query().Get("cursor"), &from)
		var limit int
		fmt.Sscan(r.URL.Query().Get("limit"), &limit)
		page := Page[redoubt.Event]{Items: []redoubt.Event{}}
		for i := from; i < min(2500, from+limit); i++ {
			page.Items = append(page.Items, redoubt.Event{ID: fmt.Sprintf("e%d", i)})
		}
		if from+limit < 2500 {
			page.Next = fmt.Sprint(from + limit)
		}
		json.NewEncoder(w).Encode(page)
	}
	for limit, want := range map[int]int{0: 2500, 1: 1, 1000: 1000, 1700: 1700, 9999: 2500} {
		got, err := dial(t, pages).Events(t.Context(), Filter{Limit: limit})
		if err != nil || len(got) != want || got[want-1].ID != fmt.Sprintf("e%d", want-1) {
			t.Errorf("limit %d: %d events, %v; want %d", limit, len(got), err, want)
		}
	}
}

func TestRequestsAreMadeAsTheConsoleReadsThem(t *testing.T) {
	c := dial(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer t0ken" {
			t.Errorf("authorization is %q", r.Header.Get("Authorization"))
		}
		body, _ := io.ReadAll(r.Body)
		switch r.Method + " " + r.URL.EscapedPath() {
		case "GET /api/v1/profiles/docker%2Fshop%2Fweb%3F":
			io.WriteString(w, `{"workload":"docker/shop/web?"}`)
		case "POST /api/v1/workloads/web/actions":
			if string(body) != `{"action":"isolate","reason":"i3"}` || r.Header.Get("Content-Type") != "application/json" {
				t.Errorf("body is %s", body)
			}
			io.WriteString(w, `{}`)
		case "PUT /api/v1/policies/p":
			if r.URL.Query().Get("dry") != "true" {
				t.Errorf("query is %s", r.URL.RawQuery)
			}
			io.WriteString(w, `{"id":"p"}`)
		case "DELETE /api/v1/nodes/edge-1":
			w.WriteHeader(http.StatusNoContent)
		default:
			t.Errorf("unexpected %s %s", r.Method, r.URL.EscapedPath())
		}
	})
	if p, err := c.Profile(t.Context(), "docker/shop/web?"); err != nil || p.Workload != "docker/shop/web?" {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := c.Act(t.Context(), "web", ActionRequest{Action: "isolate", Reason: "i3"}); err != nil {
		t.Error(err)
	}
	if _, err := c.PutPolicy(t.Context(), "p", "source", true); err != nil {
		t.Error(err)
	}
	if err := c.DeleteNode(t.Context(), "edge-1"); err != nil {
		t.Error(err)
	}
}

func TestProblemsBecomeFaults(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		kind   fault.Kind
		text   string
	}{
		{404, `{"title":"Not Found","detail":"no alert a9"}`, fault.NotFound, "no alert a9"},
		{403, `{"title":"Forbidden"}`, fault.Denied, "Forbidden"},
		{422, `{"detail":"validation failed","errors":[{"message":"expected integer","location":"query.limit"}]}`, fault.Invalid, "validation failed: query.limit expected integer"},
		{401, `<html>`, fault.Unauthenticated, "Unauthorized"},
		{429, ``, fault.Limited, "Too Many Requests"},
		{503, ``, fault.Unavailable, "Service Unavailable"},
		{500, `{"detail":"something went wrong"}`, fault.Internal, "something went wrong"},
		{302, ``, fault.Internal, "Found"},
	} {
		cl := dial(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(c.status); io.WriteString(w, c.body) })
		_, err := cl.Alert(t.Context(), "a9")
		if fault.Of(err) != c.kind || err == nil || err.Error() != c.text {
			t.Errorf("%d %s gives %v %q, want %v %q", c.status, c.body, fault.Of(err), err, c.kind, c.text)
		}
	}
}

func TestTokenFollowsNoRedirect(t *testing.T) {
	var elsewhere atomic.Int32
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer thief.Close()
	c := dial(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, thief.URL, http.StatusTemporaryRedirect)
	})
	if _, err := c.Overview(t.Context()); err == nil || elsewhere.Load() != 0 {
		t.Errorf("%v, %d requests went elsewhere", err, elsewhere.Load())
	}
}

func TestUnknownAuthorityIsExplained(t *testing.T) {
	s := httptest.NewTLSServer(http.NotFoundHandler())
	s.Config.ErrorLog = nil
	defer s.Close()
	c, err := NewClient(Config{URL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Overview(t.Context())
	if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "REDOUBT_CACERT") {
		t.Errorf("got %v", err)
	}
	if _, err := NewClient(Config{URL: "http://console.example"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("a token in the clear: %v", err)
	}
}

func TestStreamComesBackAndSaysThatSomethingMayBeMissing(t *testing.T) {
	var visits atomic.Int32
	c := dial(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("types") != "event,alert" {
			t.Errorf("query is %s", r.URL.RawQuery)
		}
		n := visits.Add(1)
		fmt.Fprintf(w, ": hello\n\nevent: alert\ndata: {\"type\":\"alert\",\ndata: \"id\":\"a%d\"}\n\ndata: no json\n\n", n)
	})
	var got []string
	enough := errors.New("enough")
	err := c.Stream(t.Context(), []string{"event", "alert"}, func(m StreamMessage) error {
		if got = append(got, m.Type+m.ID); len(got) == 3 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || strings.Join(got, " ") != "alerta1 missed alerta2" {
		t.Errorf("%v, %v", got, err)
	}
}

func TestStreamThatIsRefusedEnds(t *testing.T) {
	c := dial(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := c.Stream(ctx, nil, func(StreamMessage) error { return nil }); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("got %v", err)
	}
}

func TestConfigComesFromEnvironmentThenLogin(t *testing.T) {
	home := t.TempDir()
	env := map[string]string{"HOME": home}
	getenv := func(k string) string { return env[k] }
	if _, err := LoadConfig(getenv); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "redoubt login") {
		t.Errorf("without anything: %v", err)
	}
	name, err := LoginFile(getenv)
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteSaved(name, Saved{Config: Config{URL: "https://a:1", Token: "saved", CA: "pem"}, TokenID: "t1", User: "ann"}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	ca := filepath.Join(home, "ca.crt")
	os.WriteFile(ca, []byte("other pem"), 0o600)
	for _, c := range []struct {
		name string
		env  map[string]string
		want Config
	}{
		{"login", nil, Config{URL: "https://a:1", Token: "saved", CA: "pem"}},
		{"token overrides", map[string]string{"REDOUBT_TOKEN": "x"}, Config{URL: "https://a:1", Token: "x", CA: "pem"}},
		{"another console gets nothing of it", map[string]string{"REDOUBT_URL": "https://b:1"}, Config{URL: "https://b:1"}},
		{"all given", map[string]string{"REDOUBT_URL": "https://b:1", "REDOUBT_TOKEN": "x", "REDOUBT_CACERT": ca}, Config{URL: "https://b:1", Token: "x", CA: "other pem"}},
	} {
		env = map[string]string{"HOME": home}
		for k, v := range c.env {
			env[k] = v
		}
		if got, err := LoadConfig(getenv); err != nil || got != c.want {
			t.Errorf("%s: %+v, %v; want %+v", c.name, got, err, c.want)
		}
	}
}

func FuzzProblem(f *testing.F) {
	f.Add(422, []byte(`{"detail":"x","errors":[{"message":"y"}]}`))
	f.Fuzz(func(t *testing.T, status int, raw []byte) {
		if problem(status, raw) == nil {
			t.Fatal("a refusal became a success")
		}
	})
}

func FuzzReadEvents(f *testing.F) {
	f.Add("event: alert\ndata: {\"type\":\"alert\",\"id\":\"a1\"}\n\n: beat\n\n")
	f.Fuzz(func(t *testing.T, s string) {
		readEvents(strings.NewReader(s), func() {}, func(StreamMessage) error { return nil })
	})
}
