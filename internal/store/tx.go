package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
)

// tx is one change of the record. It travels in the context that Atomic hands
// out and belongs to the goroutine that holds that context.
type tx struct {
	s      *Store
	ctx    context.Context
	broken error // a change that failed half-way: the whole may not be kept

	functions map[string]*function.Function // changed in it; nil is deleted
	after     []func()                      // once it is committed
}

type txKey struct{}

// Atomic runs fold in one write transaction and commits when it returns nil.
// Every call of a store method with the context it hands out belongs to it and
// reads what it wrote. Nested calls join the outer transaction. fold must not
// keep its context, nor use it from another goroutine.
func (s *Store) Atomic(ctx context.Context, fold func(ctx context.Context) error) error {
	if s.joined(ctx) != nil {
		return fold(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return fault.New(fault.Unavailable, "write to %s: the store is closed", s.path)
	}
	t := &tx{s: s, ctx: ctx}
	if err := t.exec("BEGIN IMMEDIATE"); err != nil {
		return s.explain(fmt.Errorf("begin: %w", err))
	}
	done := false
	defer func() {
		if !done {
			s.rollback()
		}
	}()
	err := fold(context.WithValue(ctx, txKey{}, t))
	if err == nil {
		err = t.broken
	}
	if err == nil {
		err = t.saveCounters()
	}
	if err == nil {
		err = t.exec("COMMIT")
	}
	if err != nil {
		return s.explain(err)
	}
	done = true
	for _, f := range t.after {
		f()
	}
	return nil
}

func (s *Store) joined(ctx context.Context) *tx {
	t, _ := ctx.Value(txKey{}).(*tx)
	if t == nil || t.s != s {
		return nil
	}
	return t
}

// change runs do in the transaction ctx carries, or in one of its own.
func (s *Store) change(ctx context.Context, do func(*tx) error) error {
	return s.Atomic(ctx, func(ctx context.Context) error {
		t := s.joined(ctx)
		err := do(t)
		if err != nil && fault.Of(err) == fault.Internal {
			t.broken = err
		}
		return s.explain(err)
	})
}

// rows is where ctx reads from: its transaction, or the reading pool.
func (s *Store) rows(ctx context.Context) rows {
	if t := s.joined(ctx); t != nil {
		return t
	}
	return pool{s.read, ctx}
}

// snapshot calls read with a source of rows that does not change meanwhile: a
// list takes several statements, and pruning must not come between them.
func (s *Store) snapshot(ctx context.Context, read func(rows) error) error {
	if t := s.joined(ctx); t != nil {
		return read(t)
	}
	t, err := s.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("begin to read: %w", err)
	}
	defer t.Rollback()
	return read(pool{t, ctx})
}

// rollback also forgets what the transaction left in memory.
func (s *Store) rollback() {
	ctx := context.Background()
	s.conn.ExecContext(ctx, "ROLLBACK") // an error here means SQLite has already done it
	s.forget()
	t := &tx{s: s, ctx: ctx}
	if err := t.loadCounters(); err != nil {
		s.log.Error("store counters unread", "error", err)
	}
}

func (t *tx) stmt(query string) (*sql.Stmt, error) {
	if st := t.s.stmts[query]; st != nil {
		return st, nil
	}
	st, err := t.s.conn.PrepareContext(t.ctx, query)
	if err != nil {
		return nil, err
	}
	t.s.stmts[query] = st
	return st, nil
}

func (t *tx) exec(query string, args ...any) error {
	_, err := t.touch(query, args...)
	return err
}

// touch is exec that says how many rows it changed.
func (t *tx) touch(query string, args ...any) (int64, error) {
	st, err := t.stmt(query)
	if err != nil {
		return 0, err
	}
	r, err := st.ExecContext(t.ctx, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// query prepares anew each time: a list may be read while the same query is
// still open further out.
func (t *tx) query(query string, args ...any) (*sql.Rows, error) {
	return t.s.conn.QueryContext(t.ctx, query, args...)
}

// one scans the only row of query into dest; sql.ErrNoRows if there is none.
func (t *tx) one(query string, args []any, dest ...any) error {
	st, err := t.stmt(query)
	if err != nil {
		return err
	}
	return st.QueryRowContext(t.ctx, args...).Scan(dest...)
}

// rows is a source of rows: the reading pool, or a transaction that has to see
// its own changes.
type rows interface {
	query(query string, args ...any) (*sql.Rows, error)
	one(query string, args []any, dest ...any) error
}

// pool reads outside a writing transaction: each statement by itself, or all on
// one snapshot.
type pool struct {
	db interface {
		QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
		QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	}
	ctx context.Context
}

func (p pool) query(query string, args ...any) (*sql.Rows, error) {
	return p.db.QueryContext(p.ctx, query, args...)
}

func (p pool) one(query string, args []any, dest ...any) error {
	return p.db.QueryRowContext(p.ctx, query, args...).Scan(dest...)
}

// each calls take with the scanner of every row of query.
func each(r rows, query string, args []any, take func(scan func(...any) error) error) error {
	rs, err := r.query(query, args...)
	if err != nil {
		return err
	}
	defer rs.Close()
	for rs.Next() {
		if err := take(rs.Scan); err != nil {
			return err
		}
	}
	return rs.Err()
}

// missing turns "no row" into fault.NotFound; what names the thing.
func (s *Store) missing(err error, what, id string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fault.New(fault.NotFound, "there is no %s %q", what, id)
	}
	if err != nil {
		return s.explain(fmt.Errorf("read %s %q: %w", what, id, err))
	}
	return nil
}
