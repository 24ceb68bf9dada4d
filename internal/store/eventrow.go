package store

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"redoubt.dev/redoubt/internal/redoubt"
)

const eventColumns = "id, time, stream, ref, shape, body"

// eventRow is an event as its table has it.
type eventRow struct {
	id, time, stream, ref, shape int64
	body                         []byte
}

func (r *eventRow) dest() []any {
	return []any{&r.id, &r.time, &r.stream, &r.ref, &r.shape, &r.body}
}

// What an event's own body holds, as flags before it.
const (
	hasExit = 1 << iota
	hasCount
	hasPort
)

// eventBody is what is e's alone: process ids and starts along the chain, the
// passing port, exit code and count. Starts are kept to the microsecond.
func eventBody(e *redoubt.Event) []byte {
	var w writer
	var port uint16
	if e.Network != nil {
		_, _, port = steady(e.Kind, e.Network)
	}
	w.uint(bits(e.Exit != nil, e.Count > 1, port != 0))
	if e.Exit != nil {
		w.int(int64(*e.Exit))
	}
	if e.Count > 1 {
		w.uint(uint64(e.Count))
	}
	if port != 0 {
		w.uint(uint64(port))
	}
	depth := 0
	for p := e.Process; p != nil && depth < maxChain; p, depth = p.Parent, depth+1 {
		w.uint(uint64(p.PID))
		if p.Started.IsZero() {
			w.uint(0)
			continue
		}
		age := (nanos(e.Time) - nanos(p.Started)) / int64(time.Microsecond)
		w.uint(uint64(age<<1^age>>63) + 1)
	}
	return w.b
}

// readEvent puts a row and its shape together.
func (s *Store) readEvent(r rows, row *eventRow) (redoubt.Event, error) {
	sh, err := s.readShape(r, row.shape)
	if err != nil {
		return redoubt.Event{}, err
	}
	ref, err := s.readRef(r, row.ref)
	if err != nil {
		return redoubt.Event{}, err
	}
	key, err := s.readStream(r, row.stream)
	if err != nil {
		return redoubt.Event{}, err
	}
	e := sh.event
	e.ID = "e" + strconv.FormatInt(row.id, 10)
	e.Time = fromNanos(row.time)
	e.Node = redoubt.NodeID(key.node)
	e.Workload = ref.WorkloadRef
	if err := own(&e, row); err != nil {
		return redoubt.Event{}, fmt.Errorf("read event %d: %w", row.id, err)
	}
	return e, nil
}

// own fills in what is e's alone, on copies: the shape is shared.
func own(e *redoubt.Event, row *eventRow) error {
	b := reader{b: row.body}
	flags := b.uint()
	e.Count = 1
	if flags&hasExit != 0 {
		code := int(b.int())
		e.Exit = &code
	}
	if flags&hasCount != 0 {
		e.Count = int(b.uint())
	}
	if e.Network != nil {
		n := *e.Network
		e.Network = &n
	}
	if flags&hasPort != 0 && e.Network != nil {
		port := uint16(b.uint())
		if e.Kind == redoubt.EventConnect {
			e.Network.Local = netip.AddrPortFrom(e.Network.Local.Addr(), port)
		} else {
			e.Network.Remote = netip.AddrPortFrom(e.Network.Remote.Addr(), port)
		}
	}
	for at := &e.Process; *at != nil; at = &(*at).Parent {
		p := **at
		p.PID = int(b.uint())
		if v := b.uint(); v > 0 {
			v--
			age := int64(v>>1) ^ -int64(v&1)
			p.Started = fromNanos(row.time - age*int64(time.Microsecond))
		}
		*at = &p
	}
	return b.err
}

func (s *Store) readRef(r rows, id int64) (*refRow, error) {
	if ref, ok := s.refs.get(id); ok {
		return ref, nil
	}
	var body []byte
	if err := r.one("SELECT body FROM refs WHERE id = ?", []any{id}, &body); err != nil {
		return nil, fmt.Errorf("read workload reference %d: %w", id, err)
	}
	ref := &refRow{}
	if err := json.Unmarshal(body, &ref.WorkloadRef); err != nil {
		return nil, fmt.Errorf("read workload reference %d: %w", id, err)
	}
	s.refs.put(id, ref)
	return ref, nil
}

func (s *Store) readStream(r rows, id int64) (streamKey, error) {
	if k, ok := s.streams.get(id); ok {
		return k, nil
	}
	var k streamKey
	if err := r.one("SELECT workload, kind, effect, node, novel FROM streams WHERE id = ?", []any{id},
		&k.workload, &k.kind, &k.effect, &k.node, &k.novel); err != nil {
		return k, fmt.Errorf("read stream %d: %w", id, err)
	}
	s.streams.put(id, k)
	return k, nil
}
