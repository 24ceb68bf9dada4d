package audit

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"time"
)

// Store is the record the trail needs. Calls with the context that Atomic
// hands out are one transaction.
type Store interface {
	Atomic(ctx context.Context, fold func(ctx context.Context) error) error
	AuditHead(ctx context.Context) (Head, error)
	// AddAudit adds e and moves the head to it.
	AddAudit(ctx context.Context, e *Entry) error
	// EachAudit yields the entries after N after, in order of N, and does not
	// keep writers from working.
	EachAudit(ctx context.Context, after int64) iter.Seq2[Entry, error]
	// FindAudit returns one page, newest first, and the cursor of the next.
	FindAudit(ctx context.Context, q Query) (page []Entry, next string, err error)
}

// Query selects entries; zero fields do not filter. Text is looked for,
// whatever its case, in action, object and both states.
type Query struct {
	Limit        int
	Cursor       string
	Actor        string
	Text         string
	Since, Until time.Time
}

// Change is what somebody did. Before and After are whatever it was and
// became, nil for nothing; they are written as JSON with secrets hidden.
type Change struct {
	Actor, From, Action, Object string
	Result                      Result
	Before, After               any
}

// State says how long the trail is and whether its chain holds. Broken is the
// id of the first entry that does not fit: what stands there was changed, or
// what stood before it is gone.
type State struct {
	Entries int64
	Intact  bool
	Broken  string
	Head    string // hash of the latest entry, in hex
}

// Trail is the audit trail. Safe for concurrent use.
type Trail struct {
	store Store
	now   func() time.Time
}

// New makes a Trail; now nil is time.Now.
func New(store Store, now func() time.Time) *Trail {
	if now == nil {
		now = time.Now
	}
	return &Trail{store, now}
}

// Append writes c as the next entry, in ctx's transaction if it has one: then
// either both the change and its entry are kept, or neither.
func (t *Trail) Append(ctx context.Context, c Change) (e Entry, err error) {
	before, err := state(c.Before)
	if err != nil {
		return Entry{}, fmt.Errorf("audit %s: before: %w", c.Action, err)
	}
	after, err := state(c.After)
	if err != nil {
		return Entry{}, fmt.Errorf("audit %s: after: %w", c.Action, err)
	}
	err = t.store.Atomic(ctx, func(ctx context.Context) error {
		head, err := t.store.AuditHead(ctx)
		if err != nil {
			return err
		}
		e = Entry{
			N: head.N + 1, Time: time.Unix(0, t.now().UnixNano()).UTC(),
			Actor: clip(c.Actor), From: clip(c.From), Action: clip(c.Action), Object: clip(c.Object), Result: c.Result,
			Before: before, After: after,
		}
		e.Hash = chain(head.Hash, &e)
		return t.store.AddAudit(ctx, &e)
	})
	if err != nil {
		return Entry{}, fmt.Errorf("audit %s: %w", c.Action, err)
	}
	return e, nil
}

// Find returns one page, newest first, and the cursor of the next.
func (t *Trail) Find(ctx context.Context, q Query) ([]Entry, string, error) {
	return t.store.FindAudit(ctx, q)
}

// Verify reads the whole trail and says whether its chain holds.
func (t *Trail) Verify(ctx context.Context) (State, error) {
	// The head first: entries added meanwhile come after it and are read, too.
	head, err := t.store.AuditHead(ctx)
	if err != nil {
		return State{}, err
	}
	v := verifier{}
	for e, err := range t.store.EachAudit(ctx, 0) {
		if err != nil {
			return State{}, fmt.Errorf("verify audit trail: %w", err)
		}
		if !v.fits(&e) {
			return State{Entries: max(head.N, e.N), Broken: id(v.last.N + 1)}, nil
		}
		if e.N == head.N && !bytes.Equal(e.Hash, head.Hash) {
			return State{Entries: head.N, Broken: e.ID()}, nil
		}
	}
	if v.last.N < head.N {
		return State{Entries: head.N, Broken: id(v.last.N + 1)}, nil
	}
	if head, err = t.store.AuditHead(ctx); err != nil {
		return State{}, err
	}
	if head.N < v.last.N { // entries the head never knew, or no head any more
		return State{Entries: v.last.N, Broken: id(head.N + 1)}, nil
	}
	end := Entry{Hash: v.last.Hash}
	return State{Entries: v.last.N, Intact: true, Head: end.HashText()}, nil
}

// verifier follows the chain.
type verifier struct{ last Head }

func (v *verifier) fits(e *Entry) bool {
	if e.N != v.last.N+1 || !bytes.Equal(e.Hash, chain(v.last.Hash, e)) {
		return false
	}
	v.last = Head{N: e.N, Hash: e.Hash}
	return true
}
