package store

import (
	"context"
	"fmt"
)

// sweep drops atoms that nothing names any more. What shapes name is marked
// while writers go on; whatever they use meanwhile is noted in touched and
// stays.
func (s *Store) sweep(ctx context.Context) error {
	var top int64
	if err := s.change(ctx, func(t *tx) error {
		s.forget()
		s.touched = make(map[int64]bool)
		top = s.ids.last[atomIDs]
		return nil
	}); err != nil {
		return err
	}
	defer s.change(context.WithoutCancel(ctx), func(*tx) error { s.touched = nil; return nil })
	m := marker{live: make([]uint64, top/64+1), r: pool{s.read, ctx}}
	if err := m.shapes(); err != nil {
		return fmt.Errorf("mark: %w", err)
	}
	for from := int64(1); from <= top; from += prunedAtOnce {
		err := s.change(ctx, func(t *tx) error {
			ids, err := t.numbers("SELECT id FROM atoms WHERE id >= ? AND id < ?", from, min(from+prunedAtOnce, top+1))
			if err != nil {
				return err
			}
			for _, id := range ids {
				if m.marked(id) || s.touched[id] {
					continue
				}
				if err := t.exec("DELETE FROM atoms WHERE id = ?", id); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// marker notes which atoms are named, a bit each.
type marker struct {
	live []uint64
	r    rows
}

func (m *marker) marked(id int64) bool {
	return int(id/64) >= len(m.live) || m.live[id/64]&(1<<(id%64)) != 0
}

// mark reports whether id was not marked before.
func (m *marker) mark(id int64) bool {
	if m.marked(id) {
		return false
	}
	m.live[id/64] |= 1 << (id % 64)
	return id != 0
}

func (m *marker) shapes() error {
	after := int64(0)
	for {
		n := 0
		var programs []int64
		err := each(m.r, "SELECT id, body FROM shapes WHERE id > ? ORDER BY id LIMIT ?", []any{after, prunedAtOnce}, func(scan func(...any) error) error {
			var body []byte
			if err := scan(&after, &body); err != nil {
				return err
			}
			n++
			d := reader{b: body}
			m.mark(int64(d.uint()))
			d.text()
			if p := int64(d.uint()); m.mark(p) {
				programs = append(programs, p)
			}
			m.mark(int64(d.uint()))
			m.mark(int64(d.uint()))
			if len(d.b) > 0 {
				d.text()
				d.text()
				d.text()
				m.mark(int64(d.uint()))
			}
			return d.err
		})
		if err != nil {
			return err
		}
		for _, p := range programs {
			if err := m.program(p); err != nil {
				return err
			}
		}
		if n == 0 {
			return nil
		}
	}
}

func (m *marker) program(id int64) error {
	for id != 0 {
		body, err := atomBody(m.r, id)
		if err != nil {
			return err
		}
		d := reader{b: body}
		d.uint()
		parent := int64(d.uint())
		for range 3 { // path, directory, file
			m.mark(int64(d.uint()))
		}
		if d.err != nil {
			return d.err
		}
		if !m.mark(parent) {
			return nil
		}
		id = parent
	}
	return nil
}
