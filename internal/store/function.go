package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
)

// functionCache holds functions as they were last committed: whole, for calls,
// and as lists show them. turn tells a reader that a commit came between its
// reading and its remembering.
type functionCache struct {
	mu     sync.RWMutex
	turn   uint64
	whole  map[string]*function.Function
	listed map[string]*function.Function
}

func (c *functionCache) get(name string) (f *function.Function, turn uint64) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.whole[name], c.turn
}

func (c *functionCache) keep(turn uint64, whole, listed *function.Function) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if turn == c.turn {
		c.put(whole, listed)
	}
}

func (c *functionCache) put(whole, listed *function.Function) {
	if c.whole == nil {
		c.whole, c.listed = map[string]*function.Function{}, map[string]*function.Function{}
	}
	if whole != nil {
		c.whole[whole.Name] = whole
	}
	if listed != nil {
		c.listed[listed.Name] = listed
	}
}

// commit takes over what a transaction changed; nil is a deletion.
func (c *functionCache) commit(changed map[string]*function.Function) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn++
	for name, f := range changed {
		delete(c.listed, name)
		if delete(c.whole, name); f != nil {
			c.put(f, shown(f))
		}
	}
}

// shown is f with the versions that lists show: the newest and those an alias
// points to.
func shown(f *function.Function) *function.Function {
	want := map[int]bool{}
	for _, a := range f.Aliases {
		for _, w := range a.Weights {
			want[w.Version] = true
		}
	}
	c := *f
	c.Versions = nil
	for i, v := range f.Versions {
		if i == 0 || want[v.Number] {
			c.Versions = append(c.Versions, v)
		}
	}
	return &c
}

// GetFunction returns the function with all its versions, from memory where it
// did not change. It is shared: do not change it.
func (s *Store) GetFunction(ctx context.Context, name string) (*function.Function, error) {
	t := s.joined(ctx)
	if t != nil {
		if f, changed := t.functions[name]; changed {
			if f == nil {
				return nil, s.missing(errNone, "function", clip(name, 80))
			}
			return f, nil
		}
	}
	f, turn := s.functions.get(name)
	if f != nil {
		return f, nil
	}
	err := s.snapshot(ctx, func(r rows) (err error) {
		f, err = s.readFunction(r, name)
		return err
	})
	if err != nil {
		return nil, err
	}
	if t == nil {
		s.functions.keep(turn, f, nil)
	}
	return f, nil
}

func readDoc[T any](doc []byte) (v T, err error) {
	err = json.Unmarshal(doc, &v)
	return v, err
}

func (s *Store) readFunction(r rows, name string) (*function.Function, error) {
	f, err := document(s, r, readDoc[function.Function], "function", clip(name, 80), "SELECT doc FROM functions WHERE name = ? AND revision > 0", name)
	if err != nil {
		return nil, err
	}
	f.Versions = nil
	err = each(r, "SELECT doc FROM function_versions WHERE function = ? ORDER BY version DESC", []any{name}, func(scan func(...any) error) error {
		var doc []byte
		if err := scan(&doc); err != nil {
			return err
		}
		v, err := readDoc[function.Version](doc)
		f.Versions = append(f.Versions, v)
		return err
	})
	if err != nil {
		return nil, s.explain(fmt.Errorf("read versions of %s: %w", name, err))
	}
	return &f, nil
}

// PutFunction writes f whole if the record's revision is expected, 0 for none;
// fault.Conflict else. It keeps f.
func (s *Store) PutFunction(ctx context.Context, f *function.Function, expected int64) error {
	return s.change(ctx, func(t *tx) error {
		if err := t.expect(f.Name, expected); err != nil {
			return err
		}
		list := shown(f)
		doc, err := json.Marshal(list)
		if err != nil {
			return fmt.Errorf("encode function: %w", err)
		}
		if err := t.exec(`INSERT INTO functions (name, revision, marked, last, state, words, doc) VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET revision = excluded.revision, marked = max(marked, excluded.marked), last = max(last, excluded.last),
				state = excluded.state, words = excluded.words, doc = excluded.doc`,
			f.Name, f.Revision, f.Revision, f.Last, string(f.State), functionWords(list), doc); err != nil {
			return fmt.Errorf("write function %s: %w", f.Name, err)
		}
		if err := t.putVersions(f); err != nil {
			return fmt.Errorf("write versions of %s: %w", f.Name, err)
		}
		t.changed(f.Name, f)
		return nil
	})
}

// putVersions writes those that are new and drops those that are gone: a
// version itself never changes.
func (t *tx) putVersions(f *function.Function) error {
	have, err := t.numbers("SELECT version FROM function_versions WHERE function = ?", f.Name)
	if err != nil {
		return err
	}
	old := map[int]bool{}
	for _, n := range have {
		old[int(n)] = true
	}
	for i := range f.Versions {
		v := &f.Versions[i]
		if old[v.Number] {
			delete(old, v.Number)
			continue
		}
		doc, err := json.Marshal(v)
		if err != nil {
			return err
		}
		if err := t.exec("INSERT INTO function_versions (function, version, doc) VALUES (?, ?, ?)", f.Name, v.Number, doc); err != nil {
			return err
		}
	}
	for n := range old {
		if err := t.exec("DELETE FROM function_versions WHERE function = ? AND version = ?", f.Name, n); err != nil {
			return err
		}
	}
	return nil
}

// expect says fault.Conflict where the record's revision is another.
func (t *tx) expect(name string, expected int64) error {
	var have int64
	err := t.one("SELECT revision FROM functions WHERE name = ?", []any{name}, &have)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("read revision of %s: %w", name, err)
	}
	switch {
	case have == expected:
		return nil
	case have == 0:
		return fault.New(fault.Conflict, "function %s was deleted meanwhile: look at it again", name)
	case expected == 0:
		return fault.New(fault.Conflict, "there is a function %s already", name)
	}
	return fault.New(fault.Conflict, "function %s was changed meanwhile (revision %d, not %d): look at it again", name, have, expected)
}

// changed notes a function for readers after the commit; nil is a deletion.
func (t *tx) changed(name string, f *function.Function) {
	if t.functions == nil {
		t.functions = map[string]*function.Function{}
		t.after = append(t.after, func() { t.s.functions.commit(t.functions) })
	}
	t.functions[name] = f
}

// functionWords is the text a search looks in, in lower case.
func functionWords(f *function.Function) string {
	parts := []string{f.Name}
	for i := range f.Versions {
		spec := &f.Versions[i].Spec
		parts = append(parts, spec.Description)
		for _, k := range slices.Sorted(maps.Keys(spec.Labels)) {
			parts = append(parts, k+"="+spec.Labels[k])
		}
	}
	return lower(parts)
}

// DeleteFunction removes it with its versions if its revision is expected,
// fault.Conflict else. Its mark stays.
func (s *Store) DeleteFunction(ctx context.Context, name string, expected int64) error {
	return s.change(ctx, func(t *tx) error {
		if err := t.expect(name, expected); err != nil {
			return err
		}
		if err := t.exec("UPDATE functions SET revision = 0, state = '', words = '', doc = '' WHERE name = ?", name); err != nil {
			return fmt.Errorf("delete function %s: %w", name, err)
		}
		if err := t.exec("DELETE FROM function_versions WHERE function = ?", name); err != nil {
			return fmt.Errorf("delete versions of %s: %w", name, err)
		}
		t.changed(name, nil)
		return nil
	})
}

// FunctionMark returns the highest Revision and Last ever put under a name.
func (s *Store) FunctionMark(ctx context.Context, name string) (m function.Mark, err error) {
	err = s.rows(ctx).one("SELECT marked, last FROM functions WHERE name = ?", []any{name}, &m.Revision, &m.Last)
	if errors.Is(err, sql.ErrNoRows) {
		return m, nil
	}
	if err != nil {
		err = s.explain(fmt.Errorf("read mark of function %s: %w", clip(name, 80), err))
	}
	return m, err
}

// ListFunctions returns one page by name and the cursor of the next.
func (s *Store) ListFunctions(ctx context.Context, q function.Filter) (page []*function.Function, next string, err error) {
	f := &filter{}
	f.and("revision > 0")
	if q.Cursor != "" {
		f.and("name > ?", q.Cursor)
	}
	f.equal("state", string(q.State))
	f.text(q.Text)
	limit := clamp(q.Limit)
	_, turn := s.functions.get("")
	t := s.joined(ctx)
	err = s.snapshot(ctx, func(r rows) error {
		type row struct {
			name     string
			revision int64
		}
		var found []row
		err := each(r, "SELECT name, revision FROM functions WHERE "+strings.Join(f.where, " AND ")+" ORDER BY name LIMIT ?", append(f.args, limit+1), func(scan func(...any) error) error {
			var w row
			err := scan(&w.name, &w.revision)
			found = append(found, w)
			return err
		})
		if err != nil {
			return err
		}
		if len(found) > limit {
			found = found[:limit]
			next = found[limit-1].name
		}
		for _, w := range found {
			f := s.functions.list(w.name, w.revision)
			if f == nil {
				read, err := document(s, r, readDoc[function.Function], "function", w.name, "SELECT doc FROM functions WHERE name = ?", w.name)
				if err != nil {
					return err
				}
				if f = &read; t == nil {
					s.functions.keep(turn, nil, f)
				}
			}
			page = append(page, f)
		}
		return nil
	})
	if err != nil {
		return nil, "", s.explain(fmt.Errorf("list functions: %w", err))
	}
	return page, next, nil
}

// list returns what lists show of a function, if it is of that revision.
func (c *functionCache) list(name string, revision int64) *function.Function {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if f := c.listed[name]; f != nil && f.Revision == revision {
		return f
	}
	return nil
}
