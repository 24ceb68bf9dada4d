package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"redoubt.dev/redoubt/internal/route"
)

// Routes returns all, by id.
func (s *Store) Routes(ctx context.Context) ([]route.Route, error) {
	return documents[route.Route](s, ctx, "routes", "SELECT doc FROM routes ORDER BY id")
}

// PutRoutes replaces those of the same ids and adds the others, all or none.
func (s *Store) PutRoutes(ctx context.Context, routes []route.Route) error {
	return s.change(ctx, func(t *tx) error {
		for i := range routes {
			doc, err := json.Marshal(&routes[i])
			if err != nil {
				return fmt.Errorf("encode route: %w", err)
			}
			if err := t.exec("INSERT INTO routes (id, doc) VALUES (?, ?) ON CONFLICT DO UPDATE SET doc = excluded.doc", routes[i].ID, doc); err != nil {
				return fmt.Errorf("write route %s: %w", routes[i].ID, err)
			}
		}
		return nil
	})
}

// DeleteRoute removes a route.
func (s *Store) DeleteRoute(ctx context.Context, id string) error {
	return s.remove(ctx, "route", clip(id, 80), "DELETE FROM routes WHERE id = ?", id)
}

// Quotas are the counts of requests of a Store.
type Quotas struct{ s *Store }

// Quotas returns the store's counts of requests.
func (s *Store) Quotas() Quotas { return Quotas{s} }

// Count returns a stored count, 0 where there is none.
func (q Quotas) Count(ctx context.Context, subject, period string) (n int64, err error) {
	err = q.s.rows(ctx).one("SELECT n FROM quotas WHERE subject = ? AND period = ?", []any{subject, period}, &n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		err = q.s.explain(fmt.Errorf("read quota: %w", err))
	}
	return n, err
}

// AddCounts adds each N to what is stored, all or none.
func (q Quotas) AddCounts(ctx context.Context, counts []route.Count) error {
	return q.s.change(ctx, func(t *tx) error {
		for _, c := range counts {
			if err := t.exec("INSERT INTO quotas (subject, period, n) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET n = n + excluded.n", c.Subject, c.Period, c.N); err != nil {
				return fmt.Errorf("count quota: %w", err)
			}
		}
		return nil
	})
}

// Forget drops the counts of periods that sort before one, as "2026-10" and
// "2026-10-31" do before "2026-11".
func (q Quotas) Forget(ctx context.Context, period string) error {
	return q.s.change(ctx, func(t *tx) error {
		return t.exec("DELETE FROM quotas WHERE period < ?", period)
	})
}
