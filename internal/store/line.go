package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/redoubt"
)

// What is kept of what a function printed: the newest.
const (
	keptLines = 10_000
	keptBytes = 16 << 20
	trimEvery = 512 // lines
)

// LineQuery selects lines, newest first; zero fields do not filter. Text is
// looked for whatever its case.
type LineQuery struct {
	redoubt.Slice
	Function     string
	Version      int
	Invocation   string
	Text         string
	Since, Until time.Time
}

// AddLines appends what functions printed. Of each function about the newest
// ten thousand lines stay, and of those at most 16 MiB.
func (s *Store) AddLines(ctx context.Context, lines []function.Line) error {
	if len(lines) == 0 {
		return nil
	}
	return s.change(ctx, func(t *tx) error {
		full := map[string]bool{}
		for i := range lines {
			l := &lines[i]
			var id int64
			if err := t.one("INSERT INTO lines (time, function, version, invocation, size, text) VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
				[]any{nanos(l.Time), l.Function, l.Version, l.Invocation, len(l.Text), strings.ToValidUTF8(l.Text, "\uFFFD")}, &id); err != nil {
				return fmt.Errorf("write line: %w", err)
			}
			// Any function that prints much is met by this sooner or later.
			if id%trimEvery == 0 || len(l.Text) > keptBytes/trimEvery {
				full[l.Function] = true
			}
		}
		for name := range full {
			if err := t.trimLines(name); err != nil {
				return fmt.Errorf("trim lines of %s: %w", name, err)
			}
		}
		return nil
	})
}

func (t *tx) trimLines(name string) error {
	count, bytes, cut := 0, 0, int64(0)
	err := each(t, "SELECT id, size FROM lines INDEXED BY lines_function WHERE function = ? ORDER BY id DESC LIMIT ?", []any{name, keptLines + 1}, func(scan func(...any) error) error {
		var id int64
		var size int
		if err := scan(&id, &size); err != nil {
			return err
		}
		count++
		if bytes += size; cut == 0 && (count > keptLines || bytes > keptBytes) {
			cut = id
		}
		return nil
	})
	if err != nil || cut == 0 {
		return err
	}
	return t.exec("DELETE FROM lines WHERE function = ? AND id <= ?", name, cut)
}

// FindLines returns one page, newest first, and the cursor of the next.
func (s *Store) FindLines(ctx context.Context, q LineQuery) (page []function.Line, next string, err error) {
	f := &filter{}
	below, err := readCursor(q.Cursor)
	if err != nil {
		return nil, "", err
	}
	f.and("id < ?", below)
	f.equal("function", q.Function)
	f.equal("invocation", q.Invocation)
	if q.Version != 0 {
		f.and("version = ?", q.Version)
	}
	f.times(q.Since, q.Until)
	for _, w := range strings.Fields(strings.ToLower(clip(q.Text, maxSearch))) {
		f.and("instr(lower(text), ?) > 0", w)
	}
	limit := clamp(q.Limit)
	var ids []int64
	page, err = scanned(s, ctx, scanLine(&ids), "lines", "SELECT "+lineColumns+" FROM lines WHERE "+strings.Join(f.where, " AND ")+" ORDER BY id DESC LIMIT ?", append(f.args, limit+1)...)
	if err == nil && len(page) > limit {
		page, next = page[:limit], cursor(ids[limit-1])
	}
	return page, next, err
}

// LinesAfter returns up to limit lines of a function in the order they came,
// after the one numbered after, and the number of the last: to follow what it
// prints. After -1 it returns none and the number of the newest.
func (s *Store) LinesAfter(ctx context.Context, name string, after int64, limit int) (lines []function.Line, last int64, err error) {
	if after < 0 {
		err = s.rows(ctx).one("SELECT coalesce(max(id), 0) FROM lines WHERE function = ?", []any{name}, &last)
		return nil, last, s.explain(err)
	}
	ids := []int64{after}
	lines, err = scanned(s, ctx, scanLine(&ids), "lines", "SELECT "+lineColumns+" FROM lines WHERE function = ? AND id > ? ORDER BY id LIMIT ?", name, after, clamp(limit))
	return lines, ids[len(ids)-1], err
}

const lineColumns = "id, time, function, version, invocation, text"

func scanLine(ids *[]int64) func(func(...any) error) (function.Line, error) {
	return func(scan func(...any) error) (l function.Line, err error) {
		var id, at int64
		err = scan(&id, &at, &l.Function, &l.Version, &l.Invocation, &l.Text)
		l.Time = fromNanos(at)
		*ids = append(*ids, id)
		return l, err
	}
}
