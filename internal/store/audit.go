package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"strings"

	"redoubt.dev/redoubt/internal/audit"
)

// AuditHead returns the end of the trail; the zero Head if it is empty.
func (s *Store) AuditHead(ctx context.Context) (h audit.Head, err error) {
	err = s.rows(ctx).one("SELECT id, hash FROM audit_head WHERE one = 1", nil, &h.N, &h.Hash)
	if errors.Is(err, sql.ErrNoRows) {
		return audit.Head{}, nil
	}
	if err != nil {
		return audit.Head{}, s.explain(fmt.Errorf("read head of audit trail: %w", err))
	}
	return h, nil
}

// AddAudit adds e and moves the head to it.
func (s *Store) AddAudit(ctx context.Context, e *audit.Entry) error {
	return s.change(ctx, func(t *tx) error {
		if err := t.exec("INSERT INTO audit (id, time, actor, source, action, object, result, before, after, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			e.N, nanos(e.Time), e.Actor, e.From, e.Action, e.Object, string(e.Result), e.Before, e.After, e.Hash); err != nil {
			return fmt.Errorf("write audit entry: %w", err)
		}
		return t.exec("INSERT INTO audit_head (one, id, hash) VALUES (1, ?, ?) ON CONFLICT DO UPDATE SET id = excluded.id, hash = excluded.hash", e.N, e.Hash)
	})
}

const auditColumns = "id, time, actor, source, action, object, result, before, after, hash"

func scanAudit(scan func(...any) error) (e audit.Entry, err error) {
	var at int64
	err = scan(&e.N, &at, &e.Actor, &e.From, &e.Action, &e.Object, &e.Result, &e.Before, &e.After, &e.Hash)
	e.Time = fromNanos(at)
	return e, err
}

// EachAudit yields the entries after N after, in order.
func (s *Store) EachAudit(ctx context.Context, after int64) iter.Seq2[audit.Entry, error] {
	return func(yield func(audit.Entry, error) bool) {
		for {
			list, err := scanned(s, ctx, scanAudit, "audit trail", "SELECT "+auditColumns+" FROM audit WHERE id > ? ORDER BY id LIMIT ?", after, maxLimit)
			if err != nil {
				yield(audit.Entry{}, err)
				return
			}
			for _, e := range list {
				if !yield(e, nil) {
					return
				}
				after = e.N
			}
			if len(list) < maxLimit {
				return
			}
		}
	}
}

// FindAudit returns one page, newest first, and the cursor of the next.
func (s *Store) FindAudit(ctx context.Context, q audit.Query) (page []audit.Entry, next string, err error) {
	f := &filter{}
	f.times(q.Since, q.Until)
	f.equal("actor", q.Actor)
	for _, w := range strings.Fields(strings.ToLower(clip(q.Text, maxSearch))) {
		f.and("instr(lower(actor || ' ' || action || ' ' || object || ' ' || before || ' ' || after), ?) > 0", w)
	}
	below, err := readCursor(q.Cursor)
	if err != nil {
		return nil, "", err
	}
	f.and("id < ?", below)
	limit := clamp(q.Limit)
	page, err = scanned(s, ctx, scanAudit, "audit trail",
		"SELECT "+auditColumns+" FROM audit WHERE "+strings.Join(f.where, " AND ")+" ORDER BY id DESC LIMIT ?", append(f.args, limit+1)...)
	if err == nil && len(page) > limit {
		page = page[:limit]
		next = cursor(page[limit-1].N)
	}
	return page, next, err
}
