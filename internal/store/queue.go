package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
)

// Queues are the durable queues of a Store: of people's messages and of
// asynchronous calls. A message stays until it is deleted; one whose holder
// went away is handed out again when its lease ends.
type Queues struct{ s *Store }

// Queues returns the store's queues.
func (s *Store) Queues() Queues { return Queues{s} }

// Send adds a message; one with that ID in that queue is left as it is.
func (q Queues) Send(ctx context.Context, m *function.Message) error {
	attributes, err := json.Marshal(m.Attributes)
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	return q.s.change(ctx, func(t *tx) error {
		if err := t.exec(`INSERT INTO messages (queue, id, due, leased, sent, expires, attempts, attributes, body) VALUES (?, ?, ?, 0, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
			m.Queue, m.ID, nanos(m.Due), nanos(m.Sent), nanos(m.Expires), m.Attempts, attributes, nonNil(m.Body)); err != nil {
			return fmt.Errorf("write message: %w", err)
		}
		return nil
	})
}

func nonNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// Receive hands out up to most messages that are due at now, those due longest
// first, raises their Attempts and sets Due to the end of the lease.
func (q Queues) Receive(ctx context.Context, queue string, most int, now time.Time, lease time.Duration) (out []function.Message, err error) {
	err = q.s.change(ctx, func(t *tx) error {
		out = nil
		numbers, err := t.numbers("SELECT n FROM messages WHERE queue = ? AND due <= ? ORDER BY due, n LIMIT ?", queue, nanos(now), clamp(most))
		if err != nil {
			return fmt.Errorf("read queue: %w", err)
		}
		for _, n := range numbers {
			m := function.Message{Queue: queue}
			var due, sent, expires int64
			var attributes []byte
			if err := t.one("UPDATE messages SET due = ?, leased = 1, attempts = attempts + 1 WHERE n = ? RETURNING id, body, attributes, sent, due, expires, attempts",
				[]any{nanos(now.Add(lease)), n}, &m.ID, &m.Body, &attributes, &sent, &due, &expires, &m.Attempts); err != nil {
				return fmt.Errorf("lease message: %w", err)
			}
			if err := json.Unmarshal(attributes, &m.Attributes); err != nil {
				return fmt.Errorf("read message %s: %w", m.ID, err)
			}
			m.Sent, m.Due, m.Expires = fromNanos(sent), fromNanos(due), fromNanos(expires)
			out = append(out, m)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Keep stores m's Due, Attempts and Attributes and ends its lease; one that is
// gone is fault.NotFound.
func (q Queues) Keep(ctx context.Context, m *function.Message) error {
	attributes, err := json.Marshal(m.Attributes)
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	return q.s.change(ctx, func(t *tx) error {
		n, err := t.touch("UPDATE messages SET due = ?, leased = 0, attempts = ?, attributes = ? WHERE queue = ? AND id = ?", nanos(m.Due), m.Attempts, attributes, m.Queue, m.ID)
		if err != nil {
			return fmt.Errorf("keep message: %w", err)
		}
		if n == 0 {
			return fault.New(fault.NotFound, "there is no message %q in queue %q", clip(m.ID, 80), clip(m.Queue, 80))
		}
		return nil
	})
}

// Delete removes a message; false if it was gone.
func (q Queues) Delete(ctx context.Context, queue, id string) (there bool, err error) {
	err = q.s.change(ctx, func(t *tx) error {
		n, err := t.touch("DELETE FROM messages WHERE queue = ? AND id = ?", queue, id)
		there = n > 0
		return err
	})
	return there, err
}

// States sums up the queues whose names begin with prefix, by name. A message
// whose lease has ended waits again.
func (q Queues) States(ctx context.Context, prefix string) ([]function.QueueState, error) {
	return scanned(q.s, ctx, func(scan func(...any) error) (st function.QueueState, err error) {
		var oldest int64
		err = scan(&st.Name, &st.Waiting, &st.Leased, &oldest)
		st.Oldest = fromNanos(oldest)
		return st, err
	}, "queues", `SELECT queue, sum(leased = 0 OR due <= ?1), sum(leased = 1 AND due > ?1), min(sent) FROM messages
		WHERE queue >= ?2 AND queue < ?3 GROUP BY queue ORDER BY queue`, nanos(q.s.now()), prefix, prefix+"\xff")
}

// Release ends every lease of queues with that prefix: whoever held them is
// gone.
func (q Queues) Release(ctx context.Context, prefix string) error {
	return q.s.change(ctx, func(t *tx) error {
		if err := t.exec("UPDATE messages SET leased = 0, due = min(due, ?) WHERE leased = 1 AND queue >= ? AND queue < ?", nanos(q.s.now()), prefix, prefix+"\xff"); err != nil {
			return fmt.Errorf("release messages: %w", err)
		}
		return nil
	})
}
