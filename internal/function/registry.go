package function

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/fault"
)

// Bounds of one function.
const (
	MaxVersions = 1000
	MaxAliases  = 100
)

// Registry keeps the rules of a function's life over a Store. It holds nothing
// itself: every change reads, checks and writes under the revision it read, so
// it is safe for concurrent use and works in a caller's transaction, which is
// how a change and its audit entry are kept together.
type Registry struct {
	store Store
	now   func() time.Time
}

// NewRegistry makes a Registry; now nil is time.Now.
func NewRegistry(store Store, now func() time.Time) *Registry {
	if now == nil {
		now = time.Now
	}
	return &Registry{store, now}
}

// Edit says who changes and what he had before him: with a Revision other than
// 0 the change is refused as fault.Conflict if the function was changed since.
type Edit struct {
	By       string
	Revision int64
}

// Change is what a function was and became, nil for nothing. Both are shared
// and must not be changed.
type Change struct{ Before, After *Function }

// Deployment is a new version of a function, which is made if it is not there.
type Deployment struct {
	Name string
	Spec Spec // gets its defaults
	Code Code
	// Stay leaves Live where it is; the first version is always live.
	Stay bool
}

// Get returns a function.
func (r *Registry) Get(ctx context.Context, name string) (*Function, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	return r.store.GetFunction(ctx, name)
}

// List returns one page by name and the cursor of the next.
func (r *Registry) List(ctx context.Context, q Filter) ([]*Function, string, error) {
	if q.Limit < 1 || q.Limit > 1000 {
		return nil, "", fault.New(fault.Invalid, "a page has 1 to 1000 functions, not %d", q.Limit)
	}
	return r.store.ListFunctions(ctx, q)
}

// Resolve returns the version that ref means, and its function; see
// Function.Resolve.
func (r *Registry) Resolve(ctx context.Context, ref Ref, pick float64) (*Function, *Version, error) {
	f, err := r.Get(ctx, ref.Name)
	if err != nil {
		return nil, nil, err
	}
	v, err := f.Resolve(ref, pick)
	return f, v, err
}

// Deploy adds a version and, unless told otherwise, moves Live to it. A
// disabled function stays disabled.
func (r *Registry) Deploy(ctx context.Context, e Edit, d Deployment) (Change, error) {
	d.Spec = d.Spec.WithDefaults()
	problems := gather(func(report report) {
		if err := CheckName(d.Name); err != nil {
			report("name", err.Error())
		}
		d.Spec.check(report.under("spec"))
		d.Code.check(report.under("code"))
	})
	if err := Invalid(problems); err != nil {
		return Change{}, err
	}
	return r.change(ctx, e, d.Name, true, func(f *Function) error {
		if len(f.Versions) >= MaxVersions {
			return fault.New(fault.Limited, "%s has %d versions, as many as it may: delete old ones first", f.Name, MaxVersions)
		}
		f.Last++
		f.Versions = slices.Insert(f.Versions, 0, Version{Number: f.Last, Created: f.Updated, By: e.By, Spec: d.Spec, Code: d.Code})
		if _, ok := f.Aliases[Live]; !ok || !d.Stay {
			f.point(Live, All(f.Last))
		}
		return nil
	})
}

// SetAlias makes an alias or moves it. Where it pointed before is kept for
// Rollback.
func (r *Registry) SetAlias(ctx context.Context, e Edit, name, alias string, weights []Weight) (Change, error) {
	if err := CheckAlias(alias); err != nil {
		return Change{}, err
	}
	return r.change(ctx, e, name, false, func(f *Function) error {
		if err := Invalid(gather(func(report report) { f.checkWeights(weights, report) })); err != nil {
			return err
		}
		if _, ok := f.Aliases[alias]; !ok && len(f.Aliases) >= MaxAliases {
			return fault.New(fault.Limited, "%s has %d aliases, as many as it may: delete one first", name, MaxAliases)
		}
		f.point(alias, weights)
		return nil
	})
}

// DeleteAlias removes an alias other than Live.
func (r *Registry) DeleteAlias(ctx context.Context, e Edit, name, alias string) (Change, error) {
	return r.change(ctx, e, name, false, func(f *Function) error {
		if alias == Live {
			return fault.New(fault.Invalid, "%s cannot be deleted: every function has it; disable or delete %s instead", Live, name)
		}
		if _, ok := f.Aliases[alias]; !ok {
			return fault.New(fault.NotFound, "%s has no alias %s", name, clip(alias))
		}
		delete(f.Aliases, alias)
		return nil
	})
}

// Rollback takes an alias back to where it pointed before; doing it again goes
// forward again.
func (r *Registry) Rollback(ctx context.Context, e Edit, name, alias string) (Change, error) {
	alias = cmp.Or(alias, Live)
	return r.change(ctx, e, name, false, func(f *Function) error {
		a, ok := f.Aliases[alias]
		if !ok {
			return fault.New(fault.NotFound, "%s has no alias %s", name, clip(alias))
		}
		if len(a.Previous) == 0 {
			return fault.New(fault.Conflict, "%s:%s has nothing to go back to: point it at a version instead", name, alias)
		}
		f.Aliases[alias] = Alias{Weights: a.Previous, Previous: a.Weights}
		return nil
	})
}

// Disable takes a function out of service; Enable undoes it.
func (r *Registry) Disable(ctx context.Context, e Edit, name, reason string) (Change, error) {
	const longest = 1000
	if len(reason) > longest || hasControl(strings.ReplaceAll(reason, "\n", "")) {
		return Change{}, fault.New(fault.Invalid, "a reason has at most %d bytes and no control characters", longest)
	}
	return r.change(ctx, e, name, false, func(f *Function) error {
		if f.State == Disabled && f.Reason == reason {
			return errSame
		}
		f.State, f.Reason = Disabled, reason
		return nil
	})
}

// Enable puts a function back into service.
func (r *Registry) Enable(ctx context.Context, e Edit, name string) (Change, error) {
	return r.change(ctx, e, name, false, func(f *Function) error {
		if f.State == Active {
			return errSame
		}
		f.State, f.Reason = Active, ""
		return nil
	})
}

// DeleteVersion removes a version no alias points to. An alias that could have
// been rolled back to it no longer can.
func (r *Registry) DeleteVersion(ctx context.Context, e Edit, name string, number int) (Change, error) {
	return r.change(ctx, e, name, false, func(f *Function) error {
		i := slices.IndexFunc(f.Versions, func(v Version) bool { return v.Number == number })
		if i < 0 {
			return fault.New(fault.NotFound, "%s has no version %d", name, number)
		}
		if by := f.pointedAt(number); len(by) > 0 {
			return fault.New(fault.Conflict, "version %d of %s cannot be deleted: %s points to it; move that first", number, name, strings.Join(by, ", "))
		}
		f.Versions = slices.Delete(f.Versions, i, i+1)
		for alias, a := range f.Aliases {
			if holds(a.Previous, number) {
				f.Aliases[alias] = Alias{Weights: a.Weights}
			}
		}
		return nil
	})
}

// Delete removes a function with all its versions. Its numbers are not used
// again.
func (r *Registry) Delete(ctx context.Context, e Edit, name string) (Change, error) {
	var before *Function
	err := r.retry(e, func() error {
		f, err := r.Get(ctx, name)
		if err != nil {
			return err
		}
		if err := e.check(f); err != nil {
			return err
		}
		before = f
		return written(r.store.DeleteFunction(ctx, name, f.Revision))
	})
	if err != nil {
		return Change{}, err
	}
	return Change{Before: before}, nil
}

// errSame says that a change changes nothing.
var errSame = errors.New("nothing changed")

// change does edit to a copy and writes it. With create it makes a function
// that is not there.
func (r *Registry) change(ctx context.Context, e Edit, name string, create bool, edit func(*Function) error) (c Change, err error) {
	err = r.retry(e, func() error {
		before, err := r.Get(ctx, name)
		var after *Function
		var expected int64
		switch {
		case err == nil:
			if err := e.check(before); err != nil {
				return err
			}
			after, expected = before.clone(), before.Revision
		case create && fault.Is(err, fault.NotFound):
			if after, err = r.blank(ctx, e, name); err != nil {
				return err
			}
			before = nil
		default:
			return err
		}
		after.Revision++
		after.Updated, after.By = r.now().UTC(), e.By
		if err := edit(after); err != nil {
			if err == errSame {
				c = Change{before, before}
				return nil
			}
			return err
		}
		c = Change{before, after}
		return written(r.store.PutFunction(ctx, after, expected))
	})
	if err != nil {
		return Change{}, err
	}
	return c, nil
}

// blank is a function that has no version yet.
func (r *Registry) blank(ctx context.Context, e Edit, name string) (*Function, error) {
	if e.Revision != 0 {
		return nil, fault.New(fault.Conflict, "%s was deleted since you looked at it", name)
	}
	mark, err := r.store.FunctionMark(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("read mark of %s: %w", name, err)
	}
	return &Function{Name: name, Revision: mark.Revision, Last: mark.Last, State: Active, Created: r.now().UTC(), Aliases: map[string]Alias{}}, nil
}

// retry does a change again that met another one, unless its author insists on
// the revision he saw.
func (r *Registry) retry(e Edit, do func() error) (err error) {
	const most = 20
	for range most {
		var late *lateError
		if err = do(); e.Revision != 0 || !errors.As(err, &late) || !fault.Is(err, fault.Conflict) {
			return err
		}
	}
	return err
}

// lateError tells what the Store refused from what a rule did.
type lateError struct{ error }

func (e *lateError) Unwrap() error { return e.error }

func written(err error) error {
	if err != nil {
		return &lateError{err}
	}
	return nil
}

func (e Edit) check(f *Function) error {
	if e.Revision != 0 && e.Revision != f.Revision {
		return fault.New(fault.Conflict, "%s was changed since you looked at it, by %s: look again", f.Name, cmp.Or(f.By, "somebody"))
	}
	return nil
}

// clone copies what a change may touch; versions never change.
func (f *Function) clone() *Function {
	c := *f
	c.Versions = slices.Clone(f.Versions)
	c.Aliases = maps.Clone(f.Aliases)
	return &c
}

// point moves an alias, heaviest share first.
func (f *Function) point(alias string, weights []Weight) {
	weights = slices.Clone(weights)
	slices.SortStableFunc(weights, func(a, b Weight) int {
		return cmp.Or(cmp.Compare(b.Percent, a.Percent), cmp.Compare(b.Version, a.Version))
	})
	old := f.Aliases[alias]
	if slices.Equal(old.Weights, weights) {
		return
	}
	f.Aliases[alias] = Alias{Weights: weights, Previous: old.Weights}
}
