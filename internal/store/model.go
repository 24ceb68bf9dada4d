package store

import (
	"context"
	"encoding/json"
	"fmt"

	"redoubt.dev/redoubt/internal/model"
)

// PutModel inserts or replaces the model of m.Function.
func (s *Store) PutModel(ctx context.Context, m *model.Model) error {
	doc, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode model: %w", err)
	}
	return s.change(ctx, func(t *tx) error {
		return t.exec("INSERT INTO models (function, changed, doc) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET changed = excluded.changed, doc = excluded.doc",
			m.Function, nanos(s.now()), doc)
	})
}

// DeleteModel forgets the model of a function.
func (s *Store) DeleteModel(ctx context.Context, function string) error {
	return s.remove(ctx, "model", clip(function, 80), "DELETE FROM models WHERE function = ?", function)
}

// EachModel calls use for every model, by function; an error from use ends it.
func (s *Store) EachModel(ctx context.Context, use func(*model.Model) error) error {
	return each(s.rows(ctx), "SELECT function, doc FROM models ORDER BY function", nil, func(scan func(...any) error) error {
		var name string
		var doc []byte
		if err := scan(&name, &doc); err != nil {
			return s.explain(fmt.Errorf("read models: %w", err))
		}
		m, err := readDoc[model.Model](doc)
		if err != nil {
			return fmt.Errorf("read model of %s: %w", name, err)
		}
		return use(&m)
	})
}
