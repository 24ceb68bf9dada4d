package access

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"redoubt.dev/redoubt/internal/fault"
)

// Store is the record access needs. A change is durable when it returns.
type Store interface {
	// PutDocument adds d, or a next revision of the one of that name, and keeps
	// those before. It is fault.Conflict unless d.Revision is one above the
	// latest, 1 where there was none; a deleted one's count goes on.
	PutDocument(ctx context.Context, d *Document) error
	Documents(ctx context.Context) ([]Document, error)              // the latest of each that is not deleted, by name
	Revisions(ctx context.Context, name string) ([]Document, error) // newest first; deleted ones too
	DeleteDocument(ctx context.Context, name string) error          // fault.NotFound where there is none
}

// Policies keeps the documents and the Engine in step: what Put accepts is
// decided by from then on. Safe for concurrent use.
type Policies struct {
	*Engine
	store Store
	clock func() time.Time

	mu    sync.Mutex
	own   map[string][]*Statement // of documents, by name
	roles map[string][]*Statement // of functions' grants
}

// Open loads all documents. One that does not fit the schema any more fails
// it, since leaving out a forbid would permit.
func Open(ctx context.Context, store Store, now func() time.Time) (*Policies, error) {
	e, err := NewEngine()
	if err != nil {
		return nil, err
	}
	p := &Policies{Engine: e, store: store, clock: now, roles: map[string][]*Statement{}}
	return p, p.Refresh(ctx)
}

// Refresh reads all documents anew, for changes another process made.
func (p *Policies) Refresh(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	all, err := p.store.Documents(ctx)
	if err != nil {
		return err
	}
	own := map[string][]*Statement{}
	for i := range all {
		if own[all[i].Name], err = p.ready(&all[i]); err != nil {
			return err
		}
	}
	p.own = own
	p.load()
	return nil
}

// ready are a document's statements; none where it is disabled.
func (p *Policies) ready(d *Document) ([]*Statement, error) {
	statements, problems := p.Statements(d)
	if len(problems) > 0 {
		return nil, Problems(problems).Err(d.Name)
	}
	if d.Disabled {
		return nil, nil
	}
	return statements, nil
}

// Problems are what is wrong with one text.
type Problems []Problem

// Err makes one error of the first problem, of kind fault.Invalid.
func (p Problems) Err(name string) error {
	return fault.New(fault.Invalid, "policy %s, line %d: %s (%d problems)", name, p[0].Line, p[0].Message, len(p))
}

// load hands the statements to the engine, in the order of their names.
func (p *Policies) load() {
	var all []*Statement
	for _, m := range []map[string][]*Statement{p.own, p.roles} {
		for _, list := range m {
			all = append(all, list...)
		}
	}
	slices.SortStableFunc(all, func(a, b *Statement) int { return strings.Compare(a.ID, b.ID) })
	p.Load(all)
}

const rolePrefix = "function-" // names of documents that are made of roles

// Put keeps a document and decides by it. d.Revision is the one it was made
// from, 0 for a new one: fault.Conflict where another came between.
func (p *Policies) Put(ctx context.Context, by string, d Document) (Document, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if strings.HasPrefix(d.Name, rolePrefix) {
		return d, fault.New(fault.Invalid, "policy %s: names that begin with %s belong to functions' roles", d.Name, rolePrefix)
	}
	statements, err := p.ready(&d)
	if err != nil {
		return d, err
	}
	d.Revision++
	d.By, d.Updated = by, p.clock()
	if d.Created.IsZero() {
		d.Created = d.Updated
	}
	if err := p.store.PutDocument(ctx, &d); err != nil {
		return d, err
	}
	p.own[d.Name] = statements
	p.load()
	return d, nil
}

// Delete takes a document away; its revisions stay.
func (p *Policies) Delete(ctx context.Context, name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.store.DeleteDocument(ctx, name); err != nil {
		return err
	}
	delete(p.own, name)
	p.load()
	return nil
}

// Documents lists those that are kept, by name.
func (p *Policies) Documents(ctx context.Context) ([]Document, error) { return p.store.Documents(ctx) }

// Revisions lists what a document was, newest first.
func (p *Policies) Revisions(ctx context.Context, name string) ([]Document, error) {
	return p.store.Revisions(ctx, name)
}

// SetRoles replaces the grants of the functions given; those of others stay.
// Where one is wrong nothing changes. Empty grants take a function's away.
func (p *Policies) SetRoles(roles map[string]Grants) error {
	made := map[string][]*Statement{}
	for name, g := range roles {
		d, err := FromRole(name, g)
		if fault.Is(err, fault.NotFound) {
			made[name] = nil
			continue
		}
		if err != nil {
			return err
		}
		if made[name], err = p.ready(&d); err != nil {
			return err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, statements := range made {
		if p.roles[name] = statements; statements == nil {
			delete(p.roles, name)
		}
	}
	p.load()
	return nil
}
