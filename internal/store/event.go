package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/redoubt"
)

// streamKey is what makes events one stream.
type streamKey struct {
	workload, kind, effect, node string
	novel                        bool
}

// refRow is one workload reference read back.
type refRow struct {
	redoubt.WorkloadRef
}

// span is what a batch adds to a row that sums events up.
type span struct {
	count       int
	first, last int64
}

func (s *span) add(id int64, n int) {
	if s.first == 0 {
		s.first = id
	}
	s.last = id
	s.count += n
}

// Advance notes that node's batch seq is recorded. It reports false, and
// changes nothing, when seq is not above the highest noted before.
func (s *Store) Advance(ctx context.Context, node redoubt.NodeID, seq uint64) (fresh bool, err error) {
	err = s.change(ctx, func(t *tx) error {
		n, err := t.touch(`INSERT INTO batches (node, seq) VALUES (?, ?)
			ON CONFLICT DO UPDATE SET seq = excluded.seq WHERE excluded.seq > seq`, string(node), int64(seq))
		fresh = n > 0
		return err
	})
	return fresh, err
}

// AddEvents appends events in order and fills in their ID.
func (s *Store) AddEvents(ctx context.Context, events []redoubt.Event) error {
	if len(events) == 0 {
		return nil
	}
	given := make([]string, len(events))
	err := s.change(ctx, func(t *tx) error {
		b := batch{refs: map[int64]*span{}, streams: map[int64]*span{}, minutes: map[int64]*span{}}
		for i := range events {
			id, err := t.addEvent(&events[i], &b)
			if err != nil {
				return fmt.Errorf("write event: %w", err)
			}
			given[i] = "e" + strconv.FormatInt(id, 10)
		}
		return t.sumUp(&b)
	})
	if err != nil {
		return err
	}
	for i := range events {
		events[i].ID = given[i]
	}
	return nil
}

type batch struct {
	first                  int64
	refs, streams, minutes map[int64]*span
}

func (t *tx) addEvent(e *redoubt.Event, b *batch) (int64, error) {
	shape, err := t.shape(e)
	if err != nil {
		return 0, err
	}
	ref, err := t.ref(&e.Workload)
	if err != nil {
		return 0, err
	}
	stream, err := t.stream(streamKey{string(e.Workload.ID), string(e.Kind), string(e.Verdict.Effect), string(e.Node), e.Verdict.Novel})
	if err != nil {
		return 0, err
	}
	id := t.next(eventIDs)
	at := nanos(e.Time)
	if err := t.exec("INSERT INTO events (id, time, stream, ref, shape, body) VALUES (?, ?, ?, ?, ?, ?)",
		id, at, stream, ref, shape, eventBody(e)); err != nil {
		return 0, err
	}
	if b.first == 0 {
		b.first = id
	}
	to(b.refs, ref).add(id, 1)
	to(b.streams, stream).add(id, 1)
	to(b.minutes, minute(at)).add(id, max(1, e.Count))
	return id, nil
}

func to(m map[int64]*span, k int64) *span {
	if m[k] == nil {
		m[k] = &span{}
	}
	return m[k]
}

// sumUp brings the rows up to date that let a list find its events.
func (t *tx) sumUp(b *batch) error {
	for id, s := range b.refs {
		if err := t.exec("UPDATE refs SET first = iif(first = 0, ?, first), last = ? WHERE id = ?", s.first, s.last, id); err != nil {
			return fmt.Errorf("sum up refs: %w", err)
		}
	}
	for id, s := range b.streams {
		if err := t.exec("UPDATE streams SET count = count + ?, first = iif(first = 0, ?, first), last = ? WHERE id = ?", s.count, s.first, s.last, id); err != nil {
			return fmt.Errorf("sum up streams: %w", err)
		}
	}
	for m, s := range b.minutes {
		if err := t.exec(`INSERT INTO minutes (minute, events, alerts, first, last) VALUES (?, ?, 0, ?, ?)
			ON CONFLICT DO UPDATE SET events = events + excluded.events, first = iif(first = 0, excluded.first, first), last = excluded.last`,
			m, s.count, s.first, s.last); err != nil {
			return fmt.Errorf("sum up minutes: %w", err)
		}
	}
	return t.arrive(b.first)
}

// arrive notes when the events from id first on came, once a minute, by a
// clock that never goes back.
func (t *tx) arrive(first int64) error {
	return t.exec(`INSERT INTO arrivals (first, received)
		SELECT ?1, max(?2, coalesce(max(received), 0)) FROM arrivals
		HAVING count(*) = 0 OR ?2 >= max(received) + 60000000000`, first, nanos(t.s.now()))
}

func (t *tx) ref(w *redoubt.WorkloadRef) (int64, error) {
	body, err := json.Marshal(w)
	if err != nil {
		return 0, err
	}
	if id, ok := t.s.interns.refs.get(string(body)); ok {
		return id, nil
	}
	hash := t.s.hash(body)
	id, err := t.find("refs", hash, body)
	if err != nil {
		return 0, err
	}
	if id == 0 {
		id = t.next(refIDs)
		if err := t.exec("INSERT INTO refs (id, hash, workload, name, container, image, body, first, last) VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0)",
			id, hash, string(w.ID), w.Name, w.Container, w.Image, body); err != nil {
			return 0, err
		}
	}
	t.s.interns.refs.put(string(body), id)
	return id, nil
}

func (t *tx) stream(k streamKey) (int64, error) {
	if id, ok := t.s.interns.streams.get(k); ok {
		return id, nil
	}
	var id int64
	err := t.one("SELECT id FROM streams WHERE workload = ? AND kind = ? AND effect = ? AND novel = ? AND node = ?",
		[]any{k.workload, k.kind, k.effect, k.novel, k.node}, &id)
	if errors.Is(err, sql.ErrNoRows) {
		id = t.next(streamIDs)
		err = t.exec("INSERT INTO streams (id, node, workload, kind, effect, novel, count, first, last) VALUES (?, ?, ?, ?, ?, ?, 0, 0, 0)",
			id, k.node, k.workload, k.kind, k.effect, k.novel)
	}
	if err != nil {
		return 0, err
	}
	t.s.interns.streams.put(k, id)
	return id, nil
}

// Event returns one event.
func (s *Store) Event(ctx context.Context, id string) (redoubt.Event, error) {
	n, err := number(id, "e")
	if err != nil {
		return redoubt.Event{}, s.missing(sql.ErrNoRows, "event", id)
	}
	var e redoubt.Event
	err = s.snapshot(ctx, func(r rows) error {
		var row eventRow
		if err := r.one("SELECT "+eventColumns+" FROM events WHERE id = ?", []any{n}, row.dest()...); err != nil {
			return s.missing(err, "event", id)
		}
		e, err = s.readEvent(r, &row)
		return err
	})
	return e, s.explain(err)
}

// CountEvents says how many events are stored.
func (s *Store) CountEvents(ctx context.Context) (n int64, err error) {
	if err = s.rows(ctx).one("SELECT coalesce(sum(count), 0) FROM streams", nil, &n); err != nil {
		err = s.explain(fmt.Errorf("count events: %w", err))
	}
	return n, err
}

// number reads an id made of a letter and a number.
func number(id, letter string) (int64, error) {
	digits, ok := strings.CutPrefix(id, letter)
	n, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || n <= 0 || strconv.FormatInt(n, 10) != digits {
		return 0, fault.New(fault.Invalid, "%q is not an id like %s12", id, letter)
	}
	return n, nil
}

const minuteNS = int64(time.Minute)

func minute(ns int64) int64 {
	m := ns / minuteNS
	if ns%minuteNS < 0 {
		m--
	}
	return m
}

// nanos is the time the database keeps: nanoseconds since 1970, 0 for none.
// Years no int64 holds are clipped.
func nanos(t time.Time) int64 {
	switch y := t.Year(); {
	case t.IsZero():
		return 0
	case y < 1678:
		return -1 << 63
	case y > 2261:
		return 1<<63 - 1
	}
	return t.UnixNano()
}

func fromNanos(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}
