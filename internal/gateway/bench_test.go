package gateway

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/runner"
	"redoubt.dev/redoubt/internal/waf/coraza"
)

// BenchmarkWarm compares one and the same warm function, called through the
// gateway (token, policies, model, record in the database) and through a plain
// reverse proxy to a server that runs it and does nothing else.
func BenchmarkWarm(b *testing.B) {
	const policy = `permit(principal == User::"alice", action in Action::"function:*", resource in Function::"echo");`
	deploy := func(h *house) {
		h.add("echo", "def handler(e, c):\n    return {'statusCode': 200, 'body': 'hello'}\n", func(s *function.Spec) {
			s.Concurrency.Max, s.Memory = 4, 1769
			s.Triggers = []function.Trigger{{HTTP: &function.HTTPTrigger{Path: "/echo", Auth: "iam"}}}
		})
	}
	const payload = `{"order":1,"items":["a","b"]}`
	b.Run("proxy", func(b *testing.B) {
		h := newHouse(b, policy, nil)
		deploy(h)
		_, v, err := h.registry.Resolve(context.Background(), function.Ref{Name: "echo"}, 0)
		if err != nil {
			b.Fatal(err)
		}
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			res, err := h.run.Invoke(r.Context(), &runner.Call{ID: newID(), Ref: function.Ref{Name: "echo", Version: v.Number}, Version: v, Payload: body})
			if err != nil || res.Outcome != function.Succeeded {
				w.WriteHeader(500)
				return
			}
			w.Write(res.Payload)
		}))
		defer server.Close()
		to, _ := url.Parse(server.URL)
		front := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(to) }, Transport: &http.Transport{MaxIdleConnsPerHost: 64}})
		defer front.Close()
		hammer(b, front.URL, "", payload)
	})
	b.Run("invoke", func(b *testing.B) {
		h := newHouse(b, policy, nil)
		deploy(h)
		hammer(b, h.server.URL+"/2015-03-31/functions/echo/invocations", h.token("alice"), payload)
	})
	b.Run("route", func(b *testing.B) {
		h := newHouse(b, policy, nil)
		deploy(h)
		hammer(b, h.server.URL+"/echo", h.token("alice"), payload)
	})
	b.Run("route_with_core_rules", func(b *testing.B) {
		engine, err := coraza.New(coraza.Config{})
		if err != nil {
			b.Fatal(err)
		}
		h := newHouse(b, policy, func(c *Config) { c.Firewall = engine })
		deploy(h)
		hammer(b, h.server.URL+"/echo", h.token("alice"), payload)
	})
}

// hammer posts from several callers at once.
func hammer(b *testing.B, url, token, payload string) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	defer client.CloseIdleConnections()
	post := func() {
		r, err := http.NewRequest("POST", url, strings.NewReader(payload))
		if err != nil {
			b.Error(err)
			return
		}
		r.Header.Set("Content-Type", "application/json")
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		res, err := client.Do(r)
		if err != nil {
			b.Error(err)
			return
		}
		defer res.Body.Close()
		if body, _ := io.ReadAll(res.Body); res.StatusCode != 200 {
			b.Errorf("status %d: %s", res.StatusCode, body)
		}
	}
	for range 8 {
		post()
	}
	b.SetParallelism(2)
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			post()
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}
