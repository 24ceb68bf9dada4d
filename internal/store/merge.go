package store

import (
	"container/heap"
	"encoding/json"
	"fmt"

	"redoubt.dev/redoubt/internal/redoubt"
)

// run returns at most limit rows and the id to go on below, 0 at the end.
func (s *Store) run(r rows, p *plan, text string, limit int) (found []eventRow, last int64, err error) {
	if p.text == "" {
		return s.browse(r, p, limit)
	}
	// What is common is soon found by looking, what is not by asking the index:
	// for a common word the index would gather all its shapes first.
	p.looked = looked{words: searchWords(text), shapes: make(map[int64]bool), most: probedShapes}
	if found, last, err = s.browse(r, p, limit); err != nil || len(found) == limit || last == 0 {
		return found, last, err
	}
	runs, many, err := p.shapeRuns(r)
	if err != nil {
		return nil, 0, err
	}
	if many { // go on looking, for as long as one page may take
		p.looked.most, p.looked.rows, p.hi = readShapes, 0, last
		more, last, err := s.browse(r, p, limit-len(found))
		return append(found, more...), last, err
	}
	p.looked = looked{}
	return s.merge(r, p, "shape", runs, limit)
}

// browse goes through the events of the plan's streams.
func (s *Store) browse(r rows, p *plan, limit int) (found []eventRow, last int64, err error) {
	if p.all || len(p.streams) > mergedStreams {
		return s.walk(r, p, limit)
	}
	runs := make(runHeap, 0, len(p.streams))
	for id, sp := range p.streams {
		if sp.last >= p.lo && sp.first < p.hi {
			runs = append(runs, &run{key: id, head: min(sp.last, p.hi-1)})
		}
	}
	return s.merge(r, p, "stream", runs, limit)
}

// shapeRuns finds the shapes the text is in, each with its newest event.
func (p *plan) shapeRuns(r rows) (runs runHeap, many bool, err error) {
	err = each(r, fmt.Sprintf(`SELECT rowid, (SELECT max(id) FROM events WHERE shape = shape_words.rowid AND id < ?)
		FROM shape_words WHERE shape_words MATCH ? LIMIT %d`, mergedShapes+1), []any{p.hi, p.text}, func(scan func(...any) error) error {
		var key int64
		var head *int64
		if err := scan(&key, &head); err != nil {
			return err
		}
		if head != nil && *head >= p.lo {
			runs = append(runs, &run{key: key, head: *head})
		}
		many = many || len(runs) > mergedShapes
		return nil
	})
	return runs, many, err
}

// run is the events of one key, newest first. head is the id of rows[0], or no
// less than it while rows are still to be read.
type run struct {
	key  int64
	head int64
	rows []eventRow
	step int
}

type runHeap []*run

func (h runHeap) Len() int           { return len(h) }
func (h runHeap) Less(i, j int) bool { return h[i].head > h[j].head }
func (h runHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *runHeap) Push(x any)        { *h = append(*h, x.(*run)) }
func (h *runHeap) Pop() any {
	x := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return x
}

// merge reads runs newest first through the index on column.
func (s *Store) merge(r rows, p *plan, column string, runs runHeap, limit int) (found []eventRow, last int64, err error) {
	query := "SELECT " + eventColumns + " FROM events WHERE " + column + " = ? AND id < ? AND id >= ? ORDER BY id DESC LIMIT ?"
	heap.Init(&runs)
	seen := 0
	for len(runs) > 0 {
		top := runs[0]
		if len(top.rows) == 0 {
			top.step = min(max(8, top.step*4), limit+1)
			n := top.step
			if err := each(r, query, []any{top.key, top.head + 1, p.lo, n}, func(scan func(...any) error) error {
				var row eventRow
				if err := scan(row.dest()...); err != nil {
					return err
				}
				top.rows = append(top.rows, row)
				return nil
			}); err != nil {
				return nil, 0, err
			}
			seen += len(top.rows)
			if len(top.rows) == 0 {
				heap.Pop(&runs)
				continue
			}
			top.head = top.rows[0].id
			heap.Fix(&runs, 0)
			continue
		}
		row := top.rows[0]
		if len(found) == limit || seen > mergedRows || p.looked.enough() {
			return found, row.id + 1, nil
		}
		top.rows = top.rows[1:]
		top.head = row.id - 1
		if len(top.rows) > 0 {
			top.head = top.rows[0].id
		}
		heap.Fix(&runs, 0)
		ok, err := s.admits(r, p, &row)
		if err != nil {
			return nil, 0, err
		}
		if ok {
			found = append(found, row)
		}
	}
	return found, 0, nil
}

func (s *Store) admits(r rows, p *plan, row *eventRow) (ok bool, err error) {
	ok = p.admits(row, func(id int64) string {
		k, kerr := s.readStream(r, id)
		if err == nil {
			err = kerr
		}
		return k.workload
	})
	if !ok || err != nil || p.looked.words == nil {
		return ok, err
	}
	p.looked.rows++
	holds, known := p.looked.shapes[row.shape]
	if !known {
		sh, err := s.readShape(r, row.shape)
		if err != nil {
			return false, err
		}
		e := sh.event
		if k, err := s.readStream(r, row.stream); err == nil {
			e.Workload.ID = redoubt.WorkloadID(k.workload)
		}
		holds = holdsWords(words(&e), p.looked.words)
		p.looked.shapes[row.shape] = holds
	}
	return holds, nil
}

// looked is what one page has learned by looking into shapes for a text.
type looked struct {
	words  []string // nil: nothing to look for
	shapes map[int64]bool
	rows   int
	most   int // shapes to look into, and a fifth of the rows
}

func (l *looked) enough() bool {
	return l.words != nil && (len(l.shapes) >= l.most || l.rows >= 5*l.most)
}

// walk reads the ids of p downwards, in steps that grow, for filters that most
// rows or very many streams pass.
func (s *Store) walk(r rows, p *plan, limit int) (found []eventRow, last int64, err error) {
	var oldest, newest *int64
	if err := r.one("SELECT (SELECT min(id) FROM events), (SELECT max(id) FROM events WHERE id < ?)", []any{p.hi}, &oldest, &newest); err != nil || newest == nil {
		return nil, 0, err
	}
	query, rest, err := p.walkQuery()
	if err != nil {
		return nil, 0, err
	}
	at, lo := *newest+1, max(p.lo, *oldest)
	for step, walked := int64(firstWalk), int64(0); at > lo && walked < walkedIDs && !p.looked.enough(); step *= 2 {
		from, room := max(lo, at-step), limit+1
		step, err := s.step(r, query, append([]any{at, from, p.since, p.until}, append(rest, room)...))
		if err != nil {
			return nil, 0, err
		}
		for i := range step {
			if len(found) == limit || p.looked.enough() {
				return found, step[i].id + 1, nil
			}
			ok, err := s.admits(r, p, &step[i])
			if err != nil {
				return nil, 0, err
			}
			if ok {
				found = append(found, step[i])
			}
		}
		if len(step) == room {
			from = step[room-1].id // the step holds more
		}
		walked += at - from
		at = from
	}
	if at <= lo {
		at = 0
	}
	return found, at, nil
}

func (s *Store) step(r rows, query string, args []any) (list []eventRow, err error) {
	err = each(r, query, args, func(scan func(...any) error) error {
		var row eventRow
		if err := scan(row.dest()...); err != nil {
			return err
		}
		list = append(list, row)
		return nil
	})
	return list, err
}

func (p *plan) walkQuery() (query string, args []any, err error) {
	query = "SELECT " + eventColumns + " FROM events WHERE id < ? AND id >= ? AND time >= ? AND time < ?"
	if !p.all {
		ids := make([]int64, 0, len(p.streams))
		for id := range p.streams {
			ids = append(ids, id)
		}
		list, err := json.Marshal(ids)
		if err != nil {
			return "", nil, err
		}
		query += " AND +stream IN (SELECT value FROM json_each(?))"
		args = append(args, string(list))
	}
	return query + " ORDER BY id DESC LIMIT ?", args, nil
}
