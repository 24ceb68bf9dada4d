package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/log"
	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/store"
)

// measureList fills a console's record through the console's own store, then
// asks the running console over HTTPS, page after page, as a program would.
func measureList(ctx context.Context, l *lab) ([]row, error) {
	events := l.pick(1_000_000, 50_000)
	state := filepath.Join(l.dir, "list")
	if err := os.Mkdir(state, 0o700); err != nil {
		return nil, err
	}
	h := newHistory(events)
	began := time.Now()
	each, err := fill(ctx, filepath.Join(state, "redoubt.db"), h, events)
	if err != nil {
		return nil, err
	}
	l.say("filled %d events in %v", events, time.Since(began).Round(time.Second))
	p, err := l.run(ctx, options{state: state, bare: true})
	if err != nil {
		return nil, err
	}
	asker, err := newAsker(p)
	if err != nil {
		return nil, err
	}
	worst, worstName, text := 0.0, "", ""
	var all latencies
	for _, q := range h.questions() {
		took, found, err := asker.pages(ctx, q.query, l.pick(200, 20))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", q.name, err)
		}
		if (found > 0) == q.empty {
			return nil, fmt.Errorf("%s: %d events found", q.name, found)
		}
		p99 := took.series().quantile(0.99)
		if p99 >= worst {
			worst, worstName = p99, q.name
		}
		all = append(all, took...)
		text += fmt.Sprintf(", %s %.0f", q.name, p99)
	}
	s := all.series()
	rows := []row{
		{bar: fmt.Sprintf("API list of %d stored events with a filter, pages of 100 over HTTPS", events), target: "p99 ≤ 200 ms for each filter",
			figure: fmt.Sprintf("worst p99 %.0f ms (%s); all p50 %.0f ms, max %.0f ms, n=%d; p99 in ms: %s", worst, worstName, s.median(), s.max(), len(s), text[2:]),
			passed: pass(worst <= 200)},
		{bar: "store growth per event", target: "≤ 300 B", figure: fmt.Sprintf("%.0f B", each), passed: pass(each <= 300)},
	}
	return rows, p.stop()
}

// fill writes events and returns the bytes of disk that each takes.
func fill(ctx context.Context, path string, h *history, events int) (float64, error) {
	s, err := store.Open(path, log.New(io.Discard, "error", false))
	if err != nil {
		return 0, err
	}
	defer s.Close()
	empty, err := s.Size(ctx)
	if err != nil {
		return 0, err
	}
	for done := 0; done < events; {
		batch := make([]redoubt.Event, min(500, events-done))
		for i := range batch {
			batch[i] = h.next()
		}
		if err := s.AddEvents(ctx, batch); err != nil {
			return 0, err
		}
		done += len(batch)
	}
	full, err := s.Size(ctx)
	return float64(full-empty) / float64(events), err
}

// asker asks the API without the client's own conveniences, for single pages.
type asker struct {
	http  *http.Client
	base  string
	token string
}

func newAsker(p *product) (*asker, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(p.ca)) {
		return nil, fmt.Errorf("read the console's authority")
	}
	return &asker{
		http: &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}},
		base: p.url + "/api/v1/events", token: p.token,
	}, nil
}

// pages reads n pages, from the first again when there is no next one, and
// returns how long each took to its last byte and how many events there were.
func (a *asker) pages(ctx context.Context, query url.Values, n int) (took latencies, found int, err error) {
	cursor := ""
	for range n {
		q := url.Values{"limit": {"100"}}
		for k, v := range query {
			q[k] = v
		}
		if cursor != "" {
			q.Set("cursor", cursor)
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.base+"?"+q.Encode(), nil)
		if err != nil {
			return nil, 0, err
		}
		r.Header.Set("Authorization", "Bearer "+a.token)
		began := time.Now()
		resp, err := a.http.Do(r)
		if err != nil {
			return nil, 0, err
		}
		raw, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			return nil, 0, fmt.Errorf("%s %s: %w", resp.Status, raw, err)
		}
		took = append(took, time.Since(began))
		var page api.Page[json.RawMessage]
		if err := json.Unmarshal(raw, &page); err != nil {
			return nil, 0, err
		}
		found += len(page.Items)
		cursor = page.Next
	}
	return took, found, nil
}
