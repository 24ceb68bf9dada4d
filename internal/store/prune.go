package store

import (
	"context"
	"fmt"
	"time"
)

const (
	prunedAtOnce = 1000 // rows in one transaction, so that writers wait little
	freedAtOnce  = 2000 // pages given back to the disk at once
)

// Prune drops, oldest first and in small transactions, events that arrived
// before that time or exceed maxEvents, and resolved alerts and incidents,
// flows and stopped instances from before it. It answers how many events went.
func (s *Store) Prune(ctx context.Context, before time.Time, maxEvents int64) (events int64, err error) {
	events, err = s.pruneEvents(ctx, before, maxEvents)
	if err != nil {
		return events, fmt.Errorf("prune events: %w", err)
	}
	cut := nanos(before)
	for _, q := range []string{
		"DELETE FROM alerts WHERE id IN (SELECT id FROM alerts WHERE status = 'resolved' AND time < ? LIMIT ?)",
		"DELETE FROM incidents WHERE id IN (SELECT id FROM incidents WHERE status = 'resolved' AND time < ? LIMIT ?)",
		`DELETE FROM flows WHERE ("from", "to", proto, port) IN (SELECT "from", "to", proto, port FROM flows WHERE last < ? LIMIT ?)`,
		"DELETE FROM instances WHERE (node, instance) IN (SELECT node, instance FROM instances WHERE running = 0 AND time < ? LIMIT ?)",
	} {
		if err := s.drain(ctx, q, cut); err != nil {
			return events, fmt.Errorf("prune: %w", err)
		}
	}
	if events > 0 {
		if err := s.sweep(ctx); err != nil {
			return events, fmt.Errorf("sweep: %w", err)
		}
		s.log.Info("events pruned", "events", events, "before", before, "max", maxEvents)
	}
	return events, s.shrink(ctx)
}

// drain repeats a deletion until it finds less than it may take.
func (s *Store) drain(ctx context.Context, query string, cut int64) error {
	for {
		var n int64
		err := s.change(ctx, func(t *tx) (err error) {
			n, err = t.touch(query, cut, prunedAtOnce)
			return err
		})
		if err != nil || n < prunedAtOnce {
			return err
		}
	}
}

func (s *Store) pruneEvents(ctx context.Context, before time.Time, maxEvents int64) (gone int64, err error) {
	for {
		var n int64
		err := s.change(ctx, func(t *tx) (err error) {
			upto, err := t.pruneUpTo(nanos(before), maxEvents)
			if err != nil || upto == 0 {
				return err
			}
			n, err = t.pruneSlice(upto)
			return err
		})
		gone += n
		if err != nil || n == 0 {
			return gone, err
		}
	}
}

// pruneUpTo returns the last id that has to go, 0 if none. Arrival times never
// go back, so a clock that jumps cannot make young events look old.
func (t *tx) pruneUpTo(before, maxEvents int64) (upto int64, err error) {
	var oldest, surplus int64
	if err := t.one("SELECT coalesce((SELECT min(id) FROM events), 0), (SELECT coalesce(sum(count), 0) FROM streams) - ?", []any{maxEvents}, &oldest, &surplus); err != nil || oldest == 0 {
		return 0, err
	}
	// Each row of arrivals covers the minute after it.
	if err := t.one("SELECT coalesce(min(first) - 1, ?) FROM arrivals WHERE received >= ?",
		[]any{t.s.ids.last[eventIDs], before - minuteNS}, &upto); err != nil {
		return 0, err
	}
	if surplus > 0 {
		upto = max(upto, oldest+surplus-1)
	}
	if upto < oldest {
		return 0, nil
	}
	return upto, nil
}

// pruneSlice drops the oldest events up to id upto, at most prunedAtOnce, and
// what only they needed.
func (t *tx) pruneSlice(upto int64) (int64, error) {
	var last int64
	if err := t.one("SELECT max(id) FROM (SELECT id FROM events WHERE id <= ? ORDER BY id LIMIT ?)", []any{upto, prunedAtOnce}, &last); err != nil {
		return 0, err
	}
	shapes, err := t.numbers("SELECT DISTINCT shape FROM events WHERE id <= ?", last)
	if err != nil {
		return 0, err
	}
	if err := t.exec(`UPDATE streams SET count = count - gone.n, first = max(first, ?1 + 1)
		FROM (SELECT stream, count(*) AS n FROM events WHERE id <= ?1 GROUP BY stream) AS gone WHERE gone.stream = streams.id`, last); err != nil {
		return 0, err
	}
	n, err := t.touch("DELETE FROM events WHERE id <= ?", last)
	if err != nil {
		return 0, err
	}
	for _, shape := range shapes {
		gone, err := t.touch("DELETE FROM shapes WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM events WHERE shape = ?1)", shape)
		if err != nil {
			return 0, err
		}
		if gone == 0 {
			continue
		}
		if err := t.exec("DELETE FROM shape_words WHERE rowid = ?", shape); err != nil {
			return 0, err
		}
	}
	for _, q := range []string{
		"DELETE FROM streams WHERE last <= ?",
		"DELETE FROM refs WHERE last <= ?",
		"DELETE FROM minutes WHERE last BETWEEN 1 AND ?",
		"DELETE FROM arrivals WHERE first < (SELECT max(first) FROM arrivals WHERE first <= ?)",
	} {
		if err := t.exec(q, last); err != nil {
			return 0, err
		}
	}
	t.s.forget()
	return n, nil
}

func (t *tx) numbers(query string, args ...any) (list []int64, err error) {
	err = each(t, query, args, func(scan func(...any) error) error {
		var n int64
		if err := scan(&n); err != nil {
			return err
		}
		list = append(list, n)
		return nil
	})
	return list, err
}

// shrink gives free pages back to the disk.
func (s *Store) shrink(ctx context.Context) error {
	for {
		var free int
		err := s.change(ctx, func(t *tx) error {
			if err := t.one("PRAGMA freelist_count", nil, &free); err != nil || free == 0 {
				return err
			}
			return each(t, fmt.Sprintf("PRAGMA incremental_vacuum(%d)", freedAtOnce), nil, func(func(...any) error) error { return nil })
		})
		if err != nil || free <= freedAtOnce {
			return err
		}
	}
}

// Size is how many bytes the record takes on disk, the write-ahead log left
// out, which stays below 64 MiB between checkpoints.
func (s *Store) Size(ctx context.Context) (int64, error) {
	var size int64
	if err := s.rows(ctx).one("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size", nil, &size); err != nil {
		return 0, s.explain(fmt.Errorf("measure database: %w", err))
	}
	return size, nil
}
