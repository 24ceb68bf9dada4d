package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/log"
	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/store"
)

// measureFleet deploys many functions with ten versions and a route each, then
// asks a fresh `up` for them, and looks at its memory.
func measureFleet(ctx context.Context, l *lab) ([]row, error) {
	const functions, versions = 1000, 10
	state := filepath.Join(l.dir, "fleet")
	if err := os.Mkdir(state, 0o700); err != nil {
		return nil, err
	}
	if err := stock(ctx, filepath.Join(state, "redoubt.db"), functions, versions); err != nil {
		return nil, err
	}
	p, err := l.run(ctx, options{state: state})
	if err != nil {
		return nil, err
	}
	a, err := newAsker(p)
	if err != nil {
		return nil, err
	}
	a.base = p.url + "/api/v1/functions"
	var all latencies
	worst, text := 0.0, ""
	for _, q := range []struct {
		name  string
		query url.Values
	}{{"no filter", nil}, {"text", url.Values{"q": {"fn-05"}}}, {"rare text", url.Values{"q": {"fn-0777"}}}, {"state", url.Values{"state": {string(function.Active)}}}} {
		took, found, err := a.pages(ctx, q.query, l.pick(200, 20))
		if err == nil && found == 0 {
			err = fmt.Errorf("nothing found")
		}
		if err != nil {
			return nil, fmt.Errorf("list functions, %s: %w", q.name, err)
		}
		p99 := took.series().quantile(0.99)
		worst, all, text = max(worst, p99), append(all, took...), text+fmt.Sprintf(", %s %.0f", q.name, p99)
	}
	most := uint64(0)
	for range l.pick(30, 5) { // until what starts in the background has started
		most = max(most, rssOf(p.main.pid()))
		time.Sleep(time.Second)
	}
	what := fmt.Sprintf("%d functions, %d versions: ", functions, functions*versions)
	s := all.series()
	return []row{
		{bar: what + "RSS of `up`, with console, defender and gateway in one process", target: "≤ 200 MB", passed: pass(most <= 200_000_000),
			figure: fmt.Sprintf("%d MB at most, load average %s", most/1_000_000, loadAverage())},
		{bar: what + "API list with a filter, pages of 100 over HTTPS", target: "p99 ≤ 100 ms for each filter", passed: pass(worst <= 100),
			figure: fmt.Sprintf("worst p99 %.0f ms; all p50 %.0f ms, max %.0f ms, n=%d; p99 in ms: %s; load average %s", worst, s.median(), s.max(), len(s), text[2:], loadAverage())},
	}, p.stop()
}

// stock writes functions into a console's record through its own store.
func stock(ctx context.Context, path string, functions, versions int) error {
	s, err := store.Open(path, log.New(io.Discard, "error", false))
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Atomic(ctx, func(ctx context.Context) error {
		for i := range functions {
			if err := s.PutFunction(ctx, deployed(fmt.Sprintf("fn-%04d", i), versions), 0); err != nil {
				return err
			}
		}
		return nil
	})
}

// deployed is a function as a team would have it, newest version first.
func deployed(name string, versions int) *function.Function {
	began := time.Now().Add(-24 * time.Hour)
	f := &function.Function{
		Name: name, Revision: 1, Last: versions, State: function.Active, By: "alice", Created: began, Updated: began,
		Aliases: map[string]function.Alias{function.Live: {Weights: function.All(versions)}},
	}
	for v := versions; v >= 1; v-- {
		spec := function.Spec{
			Description: "sells things", Runtime: function.NodeJS, Handler: "index.handler", Memory: 256, Timeout: 5, Env: map[string]string{"TABLE": "orders"},
			Role:     function.Role{Egress: []string{"api.example.com:443"}, AWS: []string{"dynamodb:PutItem table/orders"}},
			Triggers: []function.Trigger{{HTTP: &function.HTTPTrigger{Path: "/" + name, Auth: "iam"}}}, Labels: map[string]string{"team": "shop"},
		}
		f.Versions = append(f.Versions, function.Version{
			Number: v, Created: began.Add(time.Duration(v) * time.Minute), By: "alice", Spec: spec.WithDefaults(),
			Code: function.Code{Digest: redoubt.Digest(fmt.Sprintf("sha256:%064x", v)), Size: 4096, Unpacked: 10_000, Files: 12},
		})
	}
	return f
}
