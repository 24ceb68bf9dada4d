package model

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

// Store keeps models. A name that is not there is fault.NotFound.
type Store interface {
	// PutModel inserts or replaces the model of m.Function.
	PutModel(ctx context.Context, m *Model) error
	// EachModel calls use for every model; an error from use ends it.
	EachModel(ctx context.Context, use func(*Model) error) error
	DeleteModel(ctx context.Context, function string) error
}

// Book holds the models of all functions. It is safe for concurrent use.
type Book struct {
	store Store
	now   func() time.Time

	mu    sync.RWMutex
	all   map[string]*Learner
	dirty map[string]bool
}

// Open reads the models there are; now nil is time.Now.
func Open(ctx context.Context, store Store, now func() time.Time) (*Book, error) {
	if now == nil {
		now = time.Now
	}
	b := &Book{store: store, now: now, all: map[string]*Learner{}, dirty: map[string]bool{}}
	err := store.EachModel(ctx, func(m *Model) error {
		b.all[m.Function] = NewLearner(m)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read models: %w", err)
	}
	return b, nil
}

// Of returns the live model of a function, a new one where there is none.
func (b *Book) Of(name string) *Learner {
	b.mu.RLock()
	l := b.all[name]
	b.mu.RUnlock()
	if l != nil {
		return l
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if l = b.all[name]; l == nil {
		l = NewLearner(New(name, b.now()))
		b.all[name] = l
	}
	return l
}

// Judge judges a deed by its function's model and remembers a program's
// arguments until its invocation ends.
func (b *Book) Judge(d *Deed) redoubt.Verdict {
	l := b.Of(d.Function)
	if d.Use.Kind == function.UseExec && d.Granted && d.Args != nil {
		l.Started(d.Invocation, d.Use.Target, d.Args)
	}
	return l.Judge(d)
}

// JudgeRequest judges a request by its function's model.
func (b *Book) JudgeRequest(name string, r *Request) redoubt.Verdict {
	return b.Of(name).JudgeRequest(r)
}

// Learn takes in an invocation that has ended, and returns what only its end
// shows. r may be nil.
func (b *Book) Learn(v *function.Version, inv *function.Invocation, r *Request) []redoubt.Verdict {
	l := b.Of(inv.Function)
	if v != nil {
		l.AddVersion(v.Number, v.Code.Digest, v.Created)
	}
	late := l.JudgeAnswer(inv)
	l.Learn(inv, r)
	b.touch(inv.Function)
	return late
}

func (b *Book) touch(name string) {
	b.mu.RLock()
	known := b.dirty[name]
	b.mu.RUnlock()
	if !known {
		b.mu.Lock()
		b.dirty[name] = true
		b.mu.Unlock()
	}
}

// Change runs do on a function's model and stores the outcome; an error from
// do leaves the store as it is.
func (b *Book) Change(ctx context.Context, name string, do func(*Learner) error) (*Model, error) {
	b.mu.RLock()
	l := b.all[name]
	b.mu.RUnlock()
	if l == nil {
		return nil, fault.New(fault.NotFound, "there is no model of %q: call the function once, or import one", name)
	}
	if err := do(l); err != nil {
		return nil, err
	}
	m := l.Model()
	return m, b.store.PutModel(ctx, m)
}

// Replace puts an imported model in the place of what was known.
func (b *Book) Replace(ctx context.Context, m *Model) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if old := b.all[m.Function]; old != nil {
		m.Revision = max(m.Revision, old.Model().Revision+1)
	}
	if err := b.store.PutModel(ctx, m); err != nil {
		return err
	}
	b.all[m.Function] = NewLearner(m)
	return nil
}

// Forget removes the model of a function that is gone; none is no error.
func (b *Book) Forget(ctx context.Context, name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.all, name)
	delete(b.dirty, name)
	if err := b.store.DeleteModel(ctx, name); err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	return nil
}

// Get returns a copy of a function's model; fault.NotFound if there is none.
func (b *Book) Get(name string) (*Model, error) {
	b.mu.RLock()
	l := b.all[name]
	b.mu.RUnlock()
	if l == nil {
		return nil, fault.New(fault.NotFound, "there is no model of %q: call the function once, or import one", name)
	}
	return l.Model(), nil
}

// Summary is a model without what it knows in detail.
type Summary struct {
	Function string           `json:"function"`
	State    profile.State    `json:"state"`
	Since    time.Time        `json:"since"`
	Revision int64            `json:"revision"`
	Entries  int              `json:"entries"`
	Routes   int              `json:"routes"`
	Calls    int64            `json:"calls"`
	Last     time.Time        `json:"last,omitzero"`
	Coverage profile.Coverage `json:"coverage"`
}

// List sums up all models, by name.
func (b *Book) List() []Summary {
	b.mu.RLock()
	all := make([]*Learner, 0, len(b.all))
	for _, l := range b.all {
		all = append(all, l)
	}
	b.mu.RUnlock()
	out := make([]Summary, len(all))
	for i, l := range all {
		m := l.Model()
		out[i] = Summary{m.Function, m.State, m.Since, m.Revision, len(m.Entries), len(m.Routes), m.Calls, m.Last, m.Coverage}
	}
	slices.SortFunc(out, func(a, b Summary) int { return strings.Compare(a.Function, b.Function) })
	return out
}

// Save ends learning where enough is covered and stores what grew since.
func (b *Book) Save(ctx context.Context) error {
	b.mu.Lock()
	dirty := b.dirty
	b.dirty = map[string]bool{}
	b.mu.Unlock()
	var errs []error
	for name := range dirty {
		b.mu.RLock()
		l := b.all[name]
		b.mu.RUnlock()
		if l == nil {
			continue
		}
		l.Advance(b.now())
		if err := b.store.PutModel(ctx, l.Model()); err != nil {
			errs = append(errs, fmt.Errorf("keep model of %s: %w", name, err))
			b.touch(name)
		}
	}
	return errors.Join(errs...)
}

// Run saves every so often until ctx ends, and once more then; it tells failed
// how saving went wrong, if it did.
func (b *Book) Run(ctx context.Context, every time.Duration, failed func(error)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, end := context.WithTimeout(context.WithoutCancel(ctx), every)
			defer end()
			if err := b.Save(last); err != nil {
				failed(err)
			}
			return
		case <-tick.C:
			if err := b.Save(ctx); err != nil {
				failed(err)
			}
		}
	}
}
