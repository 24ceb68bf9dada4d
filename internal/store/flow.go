package store

import (
	"context"
	"fmt"
	"time"

	"redoubt.dev/redoubt/internal/redoubt"
)

// maxFlows bounds the table: beyond it the flows not seen for longest go.
const maxFlows = 50_000

// AddFlows adds to what is there for the same From, To, Proto and Port: counts
// add up, Last, Novel and Denied are taken from the later one.
func (s *Store) AddFlows(ctx context.Context, flows []redoubt.Flow) error {
	if len(flows) == 0 {
		return nil
	}
	return s.change(ctx, func(t *tx) error {
		for _, f := range flows {
			if err := t.exec(`INSERT INTO flows ("from", "to", proto, port, count, last, novel, denied) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
				ON CONFLICT DO UPDATE SET count = count + excluded.count,
					novel = iif(excluded.last >= last, excluded.novel, novel),
					denied = iif(excluded.last >= last, excluded.denied, denied),
					last = max(last, excluded.last)`,
				f.From, f.To, string(f.Proto), f.Port, f.Count, nanos(f.Last), f.Novel, f.Denied); err != nil {
				return fmt.Errorf("write flow: %w", err)
			}
		}
		var n int
		if err := t.one("SELECT count(*) FROM flows", nil, &n); err != nil {
			return fmt.Errorf("count flows: %w", err)
		}
		if n <= maxFlows {
			return nil
		}
		// A tenth at once: this need not run for every batch.
		return t.exec(`DELETE FROM flows WHERE ("from", "to", proto, port) IN
			(SELECT "from", "to", proto, port FROM flows ORDER BY last LIMIT ?)`, n-maxFlows+maxFlows/10)
	})
}

// Flows returns those seen at or after since.
func (s *Store) Flows(ctx context.Context, since time.Time) (flows []redoubt.Flow, err error) {
	err = each(s.rows(ctx), `SELECT "from", "to", proto, port, count, last, novel, denied FROM flows WHERE last >= ? ORDER BY "from", "to", proto, port`,
		[]any{nanos(since)}, func(scan func(...any) error) error {
			var f redoubt.Flow
			var last int64
			if err := scan(&f.From, &f.To, &f.Proto, &f.Port, &f.Count, &last, &f.Novel, &f.Denied); err != nil {
				return err
			}
			f.Last = fromNanos(last)
			flows = append(flows, f)
			return nil
		})
	if err != nil {
		return nil, s.explain(fmt.Errorf("read flows: %w", err))
	}
	return flows, nil
}

// Minutes counts events and first sightings of alerts per minute from since to
// now, oldest first; empty minutes are missing.
func (s *Store) Minutes(ctx context.Context, since time.Time) (minutes []redoubt.Minute, err error) {
	err = each(s.rows(ctx), "SELECT minute, events, alerts FROM minutes WHERE minute BETWEEN ? AND ? ORDER BY minute",
		[]any{minute(nanos(since)), minute(nanos(s.now()))}, func(scan func(...any) error) error {
			var at int64
			var m redoubt.Minute
			if err := scan(&at, &m.Events, &m.Alerts); err != nil {
				return err
			}
			m.Time = time.Unix(at*60, 0).UTC()
			minutes = append(minutes, m)
			return nil
		})
	if err != nil {
		return nil, s.explain(fmt.Errorf("read minutes: %w", err))
	}
	return minutes, nil
}
