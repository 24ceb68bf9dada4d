package store

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
)

// uid is how an invocation's id is kept: a UUID in 16 bytes.
func uid(id string) []byte {
	if len(id) == 36 && id[8] == '-' && id[13] == '-' && id[18] == '-' && id[23] == '-' && strings.ToLower(id) == id {
		if b, err := hex.DecodeString(strings.ReplaceAll(id, "-", "")); err == nil && len(b) == 16 {
			return b
		}
	}
	return []byte(id)
}

// AddInvocations appends records and counts them as usage, all or none. An ID
// that is there already is left as it is and not counted again.
func (s *Store) AddInvocations(ctx context.Context, all []function.Invocation) error {
	if len(all) == 0 {
		return nil
	}
	return s.change(ctx, func(t *tx) error {
		sums := usages{}
		for i := range all {
			in := &all[i]
			doc, err := json.Marshal(in)
			if err != nil {
				return fmt.Errorf("encode invocation: %w", err)
			}
			n, err := t.touch(`INSERT INTO invocations (uid, time, function, version, caller, source, outcome, doc) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
				ON CONFLICT DO NOTHING`, uid(in.ID), nanos(in.Time), in.Function, in.Version, in.Caller, in.Source, string(in.Outcome), doc)
			if err != nil {
				return fmt.Errorf("write invocation: %w", err)
			}
			if n > 0 {
				sums.add(in)
			}
		}
		return t.addUsage(sums)
	})
}

// Invocation returns one record.
func (s *Store) Invocation(ctx context.Context, id string) (function.Invocation, error) {
	return document(s, s.rows(ctx), readDoc[function.Invocation], "invocation", clip(id, 80), "SELECT doc FROM invocations WHERE uid = ?", uid(id))
}

// Bounds of the work for one page. A page may end early, even empty, with a
// cursor to go on from.
const (
	walkedCalls = 4_000 // rows looked at
	readCalls   = 2_000 // records a text is looked for in
	probedCalls = 2_000 // rows counted to find the narrowest way in
)

// FindInvocations returns one page, newest first, and the cursor of the next,
// empty at the end.
func (s *Store) FindInvocations(ctx context.Context, q function.Query) (page []function.Invocation, next string, err error) {
	p := callPlan{q: q, words: strings.Fields(strings.ToLower(clip(q.Text, maxSearch))), before: 1<<63 - 1, beforeID: 1<<63 - 1, since: -1 << 63}
	if q.Cursor != "" {
		var ok bool
		if p.before, p.beforeID, ok = readMark(q.Cursor); !ok {
			return nil, "", fault.New(fault.Invalid, "cursor %q is none of ours: leave it out to begin at the newest", clip(q.Cursor, 60))
		}
	}
	if !q.Until.IsZero() && nanos(q.Until) <= p.before {
		p.before, p.beforeID = nanos(q.Until), -1<<63
	}
	if !q.Since.IsZero() {
		p.since = nanos(q.Since)
	}
	err = s.snapshot(ctx, func(r rows) error {
		page, next, err = p.walk(r, clamp(q.Limit))
		return err
	})
	if err != nil {
		return nil, "", s.explain(fmt.Errorf("find invocations: %w", err))
	}
	return page, next, nil
}

// callPlan is a Query as the table understands it.
type callPlan struct {
	q                       function.Query
	words                   []string
	before, beforeID, since int64
}

// way is an index by which to walk.
type way struct{ index, column, value string }

// narrowest finds the filter that leaves least to look at.
func (p *callPlan) narrowest(r rows) (best way, err error) {
	least := int64(probedCalls + 1)
	for _, w := range []way{
		{"invocations_function", "function", p.q.Function}, {"invocations_caller", "caller", p.q.Caller},
		{"invocations_outcome", "outcome", string(p.q.Outcome)}, {"invocations_source", "source", p.q.Source},
	} {
		if w.value == "" {
			continue
		}
		var n int64
		if err := r.one(fmt.Sprintf("SELECT count(*) FROM (SELECT 1 FROM invocations INDEXED BY %s WHERE %s = ? AND time <= ? AND time >= ? LIMIT ?)", w.index, w.column),
			[]any{w.value, p.before, p.since, probedCalls}, &n); err != nil {
			return best, err
		}
		if n < least {
			best, least = w, n
		}
	}
	return best, nil
}

func (p *callPlan) walk(r rows, limit int) (page []function.Invocation, next string, err error) {
	w, err := p.narrowest(r)
	if err != nil {
		return nil, "", err
	}
	query, args := "SELECT id, time, function, version, caller, source, outcome, doc FROM invocations INDEXED BY invocations_time WHERE ", []any{}
	if w.column != "" {
		query = fmt.Sprintf("SELECT id, time, function, version, caller, source, outcome, doc FROM invocations INDEXED BY %s WHERE %s = ? AND ", w.index, w.column)
		args = append(args, w.value)
	}
	query += "(time, id) < (?, ?) AND time >= ? ORDER BY time DESC, id DESC LIMIT ?"
	args = append(args, p.before, p.beforeID, p.since, walkedCalls)
	looked, read := 0, 0
	var at, id int64
	rs, err := r.query(query, args...)
	if err != nil {
		return nil, "", err
	}
	defer rs.Close()
	for rs.Next() {
		if len(page) == limit || read >= readCalls {
			return page, mark(at, id), nil
		}
		var c function.Invocation
		var doc sql.RawBytes
		if err := rs.Scan(&id, &at, &c.Function, &c.Version, &c.Caller, &c.Source, &c.Outcome, &doc); err != nil {
			return nil, "", err
		}
		if looked++; !p.fits(&c) {
			continue
		}
		if read++; !p.holds(doc) {
			continue
		}
		full, err := readDoc[function.Invocation](doc)
		if err != nil {
			return nil, "", fmt.Errorf("read invocation %d: %w", id, err)
		}
		page = append(page, full)
	}
	if looked == walkedCalls {
		next = mark(at, id)
	}
	return page, next, rs.Err()
}

func (p *callPlan) fits(c *function.Invocation) bool {
	q := &p.q
	return (q.Function == "" || q.Function == c.Function) && (q.Version == 0 || q.Version == c.Version) && (q.Caller == "" || q.Caller == c.Caller) &&
		(q.Source == "" || q.Source == c.Source) && (q.Outcome == "" || q.Outcome == c.Outcome)
}

// holds reports whether a record has every word, anywhere.
func (p *callPlan) holds(doc []byte) bool {
	if len(p.words) == 0 {
		return true
	}
	text := strings.ToLower(string(doc))
	for _, w := range p.words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

// PruneInvocations drops, in small transactions, calls and lines from before a
// time, and usage from before another. It answers how many calls went.
func (s *Store) PruneInvocations(ctx context.Context, before, usageBefore time.Time) (gone int64, err error) {
	for {
		var n int64
		err := s.change(ctx, func(t *tx) (err error) {
			n, err = t.touch("DELETE FROM invocations WHERE id IN (SELECT id FROM invocations INDEXED BY invocations_time WHERE time < ? ORDER BY time LIMIT ?)", nanos(before), prunedAtOnce)
			return err
		})
		gone += n
		if err != nil {
			return gone, fmt.Errorf("prune invocations: %w", err)
		}
		if n < prunedAtOnce {
			break
		}
	}
	if err := s.drain(ctx, "DELETE FROM lines WHERE id IN (SELECT id FROM lines INDEXED BY lines_time WHERE time < ? LIMIT ?)", nanos(before)); err != nil {
		return gone, fmt.Errorf("prune lines: %w", err)
	}
	if err := s.drain(ctx, `DELETE FROM usage WHERE (function, hour, version, caller) IN (SELECT function, hour, version, caller FROM usage INDEXED BY usage_hour WHERE hour < ? LIMIT ?)`,
		hourOf(usageBefore)); err != nil {
		return gone, fmt.Errorf("prune usage: %w", err)
	}
	return gone, s.shrink(ctx)
}
