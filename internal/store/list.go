package store

import (
	"database/sql"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/redoubt"
)

var errNone = sql.ErrNoRows

// column is one value of a row.
type column struct {
	name  string
	value any
}

// put inserts a row, or replaces the one with the same first column;
// fault.NotFound if there is none to replace.
func (t *tx) put(fresh bool, table, id string, columns []column) error {
	names, marks, sets, args := []string{}, []string{}, []string{}, []any{}
	for i, c := range columns {
		names, marks, args = append(names, c.name), append(marks, "?"), append(args, c.value)
		if i > 0 {
			sets = append(sets, c.name+" = ?")
		}
	}
	if fresh {
		return t.exec(fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", table, strings.Join(names, ", "), strings.Join(marks, ", ")), args...)
	}
	n, err := t.touch(fmt.Sprintf("UPDATE %s SET %s WHERE %s = ?", table, strings.Join(sets, ", "), names[0]), append(args[1:], args[0])...)
	if err == nil && n == 0 {
		return t.s.missing(errNone, strings.TrimSuffix(table, "s"), id)
	}
	return err
}

// document reads the one document that query selects.
func document[T any](s *Store, r rows, read func([]byte) (T, error), what, id, query string, args ...any) (T, error) {
	var doc []byte
	var none T
	if err := r.one(query, args, &doc); err != nil {
		return none, s.missing(err, what, id)
	}
	v, err := read(doc)
	if err != nil {
		return none, fmt.Errorf("read %s %q: %w", what, id, err)
	}
	return v, nil
}

// filter gathers conditions.
type filter struct {
	where []string
	args  []any
}

func (f *filter) and(cond string, args ...any) {
	f.where = append(f.where, cond)
	f.args = append(f.args, args...)
}

func (f *filter) equal(column, value string) {
	if value != "" {
		f.and(column+" = ?", value)
	}
}

func (f *filter) times(since, until time.Time) {
	if !since.IsZero() {
		f.and("time >= ?", nanos(since))
	}
	if !until.IsZero() {
		f.and("time < ?", nanos(until))
	}
}

func (f *filter) severity(least redoubt.Severity) {
	if least > 0 {
		f.and("severity >= ?", int(least))
	}
}

// workload is an id, a name or at least six digits of a container id.
func (f *filter) workload(w string) {
	switch {
	case len(w) >= 6:
		f.and("(workload = ? OR name = ? OR container >= ? AND container < ?)", w, w, w, w+"\xff")
	case w != "":
		f.and("(workload = ? OR name = ?)", w, w)
	}
}

// text must hold every word, anywhere.
func (f *filter) text(q string) {
	for _, w := range strings.Fields(strings.ToLower(clip(q, 256))) {
		f.and("instr(words, ?) > 0", w)
	}
}

// list reads one page of a table that has time, id and doc, the latest first.
// An entry whose time moves while somebody pages may show up twice.
func list[T any](s *Store, r rows, read func([]byte) (T, error), table string, f *filter, sl redoubt.Slice) (page []T, next string, err error) {
	limit := clamp(sl.Limit)
	if sl.Cursor != "" {
		at, id, ok := readMark(sl.Cursor)
		if !ok {
			return nil, "", fault.New(fault.Invalid, "cursor %q is none of ours: leave it out to begin at the newest", clip(sl.Cursor, 60))
		}
		f.and("(time, id) < (?, ?)", at, id)
	}
	query := "SELECT time, id, doc FROM " + table
	if len(f.where) > 0 {
		query += " WHERE " + strings.Join(f.where, " AND ")
	}
	query += " ORDER BY time DESC, id DESC LIMIT ?"
	var at, id int64
	err = each(r, query, append(f.args, limit+1), func(scan func(...any) error) error {
		if len(page) == limit {
			next = mark(at, id)
			return nil
		}
		var doc []byte
		if err := scan(&at, &id, &doc); err != nil {
			return err
		}
		v, err := read(doc)
		if err != nil {
			return fmt.Errorf("read entry %d: %w", id, err)
		}
		page = append(page, v)
		return nil
	})
	if err != nil {
		return nil, "", s.explain(fmt.Errorf("list %s: %w", table, err))
	}
	return page, next, nil
}

// mark is the cursor of a list by time: go on after this time and id.
func mark(at, id int64) string {
	return strconv.FormatInt(at, 36) + "." + strconv.FormatInt(id, 36)
}

func readMark(c string) (at, id int64, ok bool) {
	a, b, _ := strings.Cut(c, ".")
	at, err1 := strconv.ParseInt(a, 36, 64)
	id, err2 := strconv.ParseInt(b, 36, 64)
	return at, id, err1 == nil && err2 == nil && mark(at, id) == c
}

// pages yields all of a list, page by page.
func pages[T any](find func(redoubt.Slice) ([]T, string, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		sl := redoubt.Slice{Limit: maxLimit}
		for {
			page, next, err := find(sl)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, v := range page {
				if !yield(v, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			sl.Cursor = next
		}
	}
}
