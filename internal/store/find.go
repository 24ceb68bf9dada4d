package store

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strconv"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/redoubt"
)

// Events are listed by id, newest first, whatever their nodes' clocks say. A
// filter becomes, in this order of preference: a merge of the shapes a text is
// found in, a merge of the streams that match, or a walk over a range of ids.
// Work for one page is bounded: a page may end early, with a cursor to go on
// from.
const (
	mergedShapes  = 1000    // most shapes merged; what more of them hold is common and soon found by looking at each
	mergedStreams = 512     // likewise
	mergedRows    = 20_000  // rows one page looks at in a merge
	walkedIDs     = 200_000 // ids one page walks over
	firstWalk     = 5_000   // ids in the first step of a walk; later ones double
	probedShapes  = 500     // shapes looked into before the word index is asked
	readShapes    = 1_200   // shapes one page looks into for a text
	namedRefs     = 5_000   // most containers one name or id prefix stands for
	maxLimit      = 1000
	maxSearch     = 256 // bytes of a search text
)

// plan is an EventQuery as the tables understand it.
type plan struct {
	lo, hi       int64 // ids from lo, below hi
	since, until int64
	all          bool           // no stream is left out
	streams      map[int64]span // those that match; count unused
	workload     string         // with refs: also every event of this workload
	refs         map[int64]bool // nil: any
	text         string         // FTS query, "" for none
	looked       looked
	empty        bool
}

// FindEvents returns one page, newest first, and the cursor of the next, empty
// at the end. A page may hold fewer events than asked for, even none, and
// still have a next one: finding rare events far back is done in bounded steps.
func (s *Store) FindEvents(ctx context.Context, q redoubt.EventQuery) (page []redoubt.Event, next string, err error) {
	q.Text = clip(q.Text, maxSearch)
	err = s.snapshot(ctx, func(r rows) error {
		page, next, err = s.findEvents(r, q)
		return err
	})
	if err != nil {
		return nil, "", s.explain(fmt.Errorf("find events: %w", err))
	}
	return page, next, nil
}

func (s *Store) findEvents(r rows, q redoubt.EventQuery) (page []redoubt.Event, next string, err error) {
	p, err := s.plan(r, q)
	if err != nil || p.empty {
		return nil, "", err
	}
	found, last, err := s.run(r, p, q.Text, clamp(q.Limit))
	if err != nil {
		return nil, "", err
	}
	if p.text != "" && len(found) == 0 && last == 0 {
		if err := p.byName(r, q.Text); err != nil || p.text != "" || p.empty {
			return nil, "", err
		}
		if found, last, err = s.run(r, p, "", clamp(q.Limit)); err != nil {
			return nil, "", err
		}
	}
	page = make([]redoubt.Event, 0, len(found))
	for i := range found {
		e, err := s.readEvent(r, &found[i])
		if err != nil {
			return nil, "", err
		}
		page = append(page, e)
	}
	if last > p.lo {
		next = cursor(last)
	}
	return page, next, nil
}

// TallyEvents says how many events match where counting them needs no look at
// each: known is false for a text, a time or a container.
func (s *Store) TallyEvents(ctx context.Context, q redoubt.EventQuery) (n int64, known bool, err error) {
	if q.Text != "" || !q.Since.IsZero() || !q.Until.IsZero() {
		return 0, false, nil
	}
	q.Cursor = ""
	err = s.snapshot(ctx, func(r rows) error {
		p, err := s.plan(r, q)
		if err != nil || p.refs != nil {
			return err
		}
		known = true
		if p.empty {
			return nil
		}
		return each(r, "SELECT id, count FROM streams", nil, func(scan func(...any) error) error {
			var id, count int64
			if err := scan(&id, &count); err != nil {
				return err
			}
			if _, ok := p.streams[id]; ok || p.all {
				n += count
			}
			return nil
		})
	})
	if err != nil {
		return 0, false, s.explain(fmt.Errorf("count events: %w", err))
	}
	return n, known, nil
}

// EachEvent yields every match, newest first; q.Slice is ignored.
func (s *Store) EachEvent(ctx context.Context, q redoubt.EventQuery) iter.Seq2[redoubt.Event, error] {
	return pages(func(sl redoubt.Slice) ([]redoubt.Event, string, error) {
		q.Slice = sl
		return s.FindEvents(ctx, q)
	})
}

func clamp(limit int) int { return min(max(limit, 1), maxLimit) }

// A cursor is the id before which the next page begins.
func cursor(id int64) string { return strconv.FormatInt(id, 36) }

func readCursor(c string) (int64, error) {
	if c == "" {
		return 1<<63 - 1, nil
	}
	id, err := strconv.ParseInt(c, 36, 64)
	if err != nil || id <= 0 || cursor(id) != c {
		return 0, fault.New(fault.Invalid, "cursor %q is none of ours: leave it out to begin at the newest", clip(c, 40))
	}
	return id, nil
}

func (s *Store) plan(r rows, q redoubt.EventQuery) (*plan, error) {
	hi, err := readCursor(q.Cursor)
	if err != nil {
		return nil, err
	}
	p := &plan{lo: 1, hi: hi, since: -1 << 63, until: 1<<63 - 1}
	for _, narrow := range []func(rows, redoubt.EventQuery) error{p.byTime, p.byWorkload, p.byStream} {
		if err := narrow(r, q); err != nil {
			return nil, err
		}
		if p.empty {
			return p, nil
		}
	}
	p.text, _ = match(q.Text)
	return p, nil
}

// byTime turns the time range into a range of ids.
func (p *plan) byTime(r rows, q redoubt.EventQuery) error {
	if q.Since.IsZero() && q.Until.IsZero() {
		return nil
	}
	if !q.Since.IsZero() {
		p.since = nanos(q.Since)
	}
	if !q.Until.IsZero() {
		p.until = nanos(q.Until)
	}
	var first, last *int64
	if err := r.one("SELECT min(first), max(last) FROM minutes WHERE minute BETWEEN ? AND ? AND first > 0",
		[]any{minute(p.since), minute(p.until)}, &first, &last); err != nil {
		return err
	}
	if first == nil {
		p.empty = true
		return nil
	}
	p.within(*first, *last)
	return nil
}

func (p *plan) within(first, last int64) {
	p.lo, p.hi = max(p.lo, first), min(p.hi, last+1)
	p.empty = p.lo >= p.hi
}

// byWorkload finds what a person may mean: a workload id, a name or the
// beginning of a container id.
func (p *plan) byWorkload(r rows, q redoubt.EventQuery) error {
	w := q.Workload
	if w == "" {
		return nil
	}
	var whole bool
	if err := r.one("SELECT EXISTS (SELECT 1 FROM streams WHERE workload = ?)", []any{w}, &whole); err != nil {
		return err
	}
	where, args := "name = ?1 AND workload <> ?1", []any{w}
	if len(w) >= 6 {
		where = "(name = ?1 OR container >= ?1 AND container < ?2) AND workload <> ?1"
		args = append(args, w+"\xff")
	}
	named, workloads, err := p.findRefs(r, where, args...)
	if err != nil {
		return err
	}
	switch {
	case whole && len(named) == 0:
		workloads = map[string]bool{w: true}
	case whole:
		p.workload, p.refs = w, named
		workloads[w] = true
	default:
		p.refs = named
	}
	return p.ofWorkloads(r, workloads)
}

// findRefs returns the references that where selects and their workloads.
func (p *plan) findRefs(r rows, where string, args ...any) (refs map[int64]bool, workloads map[string]bool, err error) {
	refs, workloads = map[int64]bool{}, map[string]bool{}
	err = each(r, fmt.Sprintf("SELECT id, workload FROM refs WHERE %s LIMIT %d", where, namedRefs), args, func(scan func(...any) error) error {
		var id int64
		var w string
		if err := scan(&id, &w); err != nil {
			return err
		}
		refs[id], workloads[w] = true, true
		return nil
	})
	return refs, workloads, err
}

// ofWorkloads leaves the streams of these workloads.
func (p *plan) ofWorkloads(r rows, workloads map[string]bool) error {
	names := make([]string, 0, len(workloads))
	for w := range workloads {
		names = append(names, w)
	}
	list, err := json.Marshal(names)
	if err != nil {
		return err
	}
	return p.take(r, "workload IN (SELECT value FROM json_each(?))", string(list))
}

// byStream leaves the streams that match the other fields.
func (p *plan) byStream(r rows, q redoubt.EventQuery) error {
	where, args := "1", []any{}
	and := func(column string, v any) { where += " AND " + column + " = ?"; args = append(args, v) }
	if q.Kind != "" {
		and("kind", string(q.Kind))
	}
	if q.Effect != "" {
		and("effect", string(q.Effect))
	}
	if q.Node != "" {
		and("node", string(q.Node))
	}
	if q.Novel != nil {
		and("novel", *q.Novel)
	}
	if q.Notable {
		where += " AND (novel OR effect NOT IN ('', 'ignore') OR kind IN ('action', 'loss'))"
	}
	if len(args) == 0 && !q.Notable {
		p.all = p.streams == nil
		return nil
	}
	return p.take(r, where, args...)
}

// take leaves of the streams those that where selects.
func (p *plan) take(r rows, where string, args ...any) error {
	before, first, last := p.streams, int64(1<<62), int64(0)
	p.streams = map[int64]span{}
	err := each(r, "SELECT id, first, last FROM streams WHERE "+where, args, func(scan func(...any) error) error {
		var id int64
		var sp span
		if err := scan(&id, &sp.first, &sp.last); err != nil {
			return err
		}
		if _, ok := before[id]; before != nil && !ok || sp.last == 0 {
			return nil
		}
		p.streams[id] = sp
		first, last = min(first, sp.first), max(last, sp.last)
		return nil
	})
	if err != nil {
		return err
	}
	p.within(first, last)
	return nil
}

// byName looks for the text among container names and images if no event's
// words hold it: then p.text is empty.
func (p *plan) byName(r rows, text string) error {
	var found bool
	if err := r.one("SELECT EXISTS (SELECT 1 FROM shape_words WHERE shape_words MATCH ?)", []any{p.text}, &found); err != nil || found {
		return err
	}
	p.text, p.looked = "", looked{}
	named, workloads, err := p.findRefs(r, "instr(lower(name), lower(?1)) OR instr(lower(image), lower(?1)) OR container >= ?1 AND container < ?2", text, text+"\xff")
	if err != nil {
		return err
	}
	if p.refs != nil {
		for id := range named {
			if !p.refs[id] {
				delete(named, id)
			}
		}
	}
	p.refs, p.all = named, false
	return p.ofWorkloads(r, workloads)
}

// admits says whether the plan wants a row of its id range.
func (p *plan) admits(r *eventRow, workloadOf func(int64) string) bool {
	if r.time < p.since || r.time >= p.until {
		return false
	}
	if !p.all {
		if _, ok := p.streams[r.stream]; !ok {
			return false
		}
	}
	return p.refs == nil || p.refs[r.ref] || p.workload != "" && workloadOf(r.stream) == p.workload
}
