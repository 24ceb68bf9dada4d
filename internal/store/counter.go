package store

import (
	"database/sql"
	"errors"
	"fmt"
)

// counters are the ids given last. They are explicit, so that no id is given
// twice, not even after the row that had it was pruned.
type counters struct {
	last  [len(counterNames)]int64
	dirty bool
}

type counter int

const (
	eventIDs counter = iota
	atomIDs
	shapeIDs
	refIDs
	streamIDs
	alertIDs
	incidentIDs
)

var counterNames = [...]string{"event", "atom", "shape", "ref", "stream", "alert", "incident"}

func (t *tx) next(c counter) int64 {
	t.s.ids.dirty = true
	t.s.ids.last[c]++
	return t.s.ids.last[c]
}

func (t *tx) loadCounters() error {
	t.s.ids = counters{}
	for c, name := range counterNames {
		err := t.one("SELECT last FROM counters WHERE name = ?", []any{name}, &t.s.ids.last[c])
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("read counter %s: %w", name, err)
		}
	}
	return nil
}

func (t *tx) saveCounters() error {
	if !t.s.ids.dirty {
		return nil
	}
	for c, name := range counterNames {
		if err := t.exec(`INSERT INTO counters (name, last) VALUES (?, ?)
			ON CONFLICT DO UPDATE SET last = excluded.last WHERE last <> excluded.last`, name, t.s.ids.last[c]); err != nil {
			return fmt.Errorf("save counter %s: %w", name, err)
		}
	}
	t.s.ids.dirty = false
	return nil
}
