package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/gateway"
	"redoubt.dev/redoubt/internal/runner"
	"redoubt.dev/redoubt/internal/waf/coraza"
)

const everything = `permit(principal == User::"alice", action in Action::"function:*", resource in Function::"echo");`

// callers is how many wait for an answer at a time, and how many environments
// there are for them.
const callers = 4

// measureFront compares the throughput of one and the same warm function behind
// the gateway and behind a plain reverse proxy.
func measureFront(ctx context.Context, l *lab) ([]row, error) {
	w, err := l.newWorkshop(ctx, 0)
	if err != nil {
		return nil, err
	}
	engine, err := coraza.New(coraza.Config{})
	if err != nil {
		return nil, err
	}
	var fronts []*front
	var version *function.Version
	for _, f := range []struct {
		name, at string
		change   func(*gateway.Config)
	}{
		{"Invoke of the Lambda API, rules off", path("echo"), nil},
		{"HTTP route, rules off", "/echo", nil},
		{"HTTP route, OWASP rules on", "/echo", func(c *gateway.Config) { c.Firewall = engine }},
	} {
		p, err := newPlatform(ctx, filepath.Join(w.dir, fmt.Sprint("front", len(fronts))), w.run, everything, f.change)
		if err != nil {
			return nil, err
		}
		l.atEnd(func() { p.close() })
		version, err = w.deploy(ctx, p, "echo", "def handler(e, c):\n    return {'statusCode': 200, 'body': 'hello'}\n", func(s *function.Spec) {
			s.Concurrency.Max, s.Memory, s.CPU = callers, 512, 2
			s.Triggers = []function.Trigger{{HTTP: &function.HTTPTrigger{Path: "/echo", Auth: "iam"}}}
		})
		if err != nil {
			return nil, err
		}
		p.gate.Refresh()
		if err := p.answers(ctx, f.at); err != nil {
			return nil, err
		}
		fronts = append(fronts, &front{name: f.name, url: p.server.URL + f.at, token: p.token})
	}
	plain := &front{name: "a plain reverse proxy", url: w.proxy(l, version)}
	if err := w.race(ctx, l, append([]*front{plain}, fronts...)); err != nil {
		return nil, err
	}
	var rows []row
	for i, f := range fronts {
		r := f.rate.over(plain.rate)
		row := row{bar: "warm calls/s, gateway / plain reverse proxy: " + f.name, target: "≥ 0.70", passed: pass(r.median() >= 0.7),
			figure: fmt.Sprintf("%s; proxy %.0f/s, gateway %.0f/s; n=%d × %d s, load average %s", r.spread("%.2f"), plain.rate.median(), f.rate.median(), len(r), l.pick(4, 1), loadAverage())}
		if i == len(fronts)-1 {
			row.target, row.passed = "beside", nil
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// front is one way to a function.
type front struct {
	name, url, token string
	rate             series
}

// race lets the fronts take turns under wrk.
func (w *workshop) race(ctx context.Context, l *lab, fronts []*front) error {
	for i := range l.pick(9, 2) + 1 {
		for n, f := range fronts {
			rate, err := w.wrk(ctx, f, n, l.pick(4, 1))
			if err != nil {
				return fmt.Errorf("%s: %w", f.name, err)
			}
			if i > 0 {
				f.rate = append(f.rate, rate)
			}
		}
	}
	return nil
}

// wrk posts events for some seconds; every answer must be a good one.
func (w *workshop) wrk(ctx context.Context, f *front, n, seconds int) (float64, error) {
	script := filepath.Join(w.dir, fmt.Sprintf("post%d.lua", n))
	text := "wrk.method = 'POST'\nwrk.body = '{\"order\":1,\"items\":[\"a\",\"b\"]}'\nwrk.headers['Content-Type'] = 'application/json'\n"
	if f.token != "" {
		text += "wrk.headers['Authorization'] = 'Bearer " + f.token + "'\n"
	}
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
		return 0, err
	}
	out, err := command(ctx, "wrk", "-t1", fmt.Sprintf("-c%d", callers), fmt.Sprintf("-d%d", seconds), "-s", script, f.url)
	if err != nil {
		return 0, err
	}
	m := perSecond.FindStringSubmatch(out)
	if m == nil || strings.Contains(out, "Non-2xx") || strings.Contains(out, "Socket errors") {
		return 0, fmt.Errorf("not all answers were good: %s", out)
	}
	return strconv.ParseFloat(m[1], 64)
}

// proxy is a reverse proxy of the standard library in front of a server that
// runs the function and does nothing else.
func (w *workshop) proxy(l *lab, v *function.Version) string {
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		res, err := w.run.Invoke(r.Context(), &runner.Call{ID: w.id(), Ref: function.Ref{Name: "echo", Version: v.Number}, Version: v, Payload: body})
		if err != nil || res.Outcome != function.Succeeded {
			rw.WriteHeader(http.StatusBadGateway)
			return
		}
		rw.Write(res.Payload)
	}))
	l.atEnd(server.Close)
	to, _ := url.Parse(server.URL)
	front := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(to) }, Transport: &http.Transport{MaxIdleConnsPerHost: 64},
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // wrk hangs up at its end
	})
	l.atEnd(front.Close)
	return front.URL
}

func newRequest(ctx context.Context, url, body string) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err == nil {
		r.Header.Set("Content-Type", "application/json")
	}
	return r, err
}
