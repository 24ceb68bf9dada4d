package console

import (
	"context"
	"fmt"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
	learning "redoubt.dev/redoubt/internal/model"
	"redoubt.dev/redoubt/internal/profile"
)

func (c *Console) functionModel(ctx context.Context, r *ByName) (*out[learning.Model], error) {
	m, err := c.modelOf(ctx, r.Name)
	if err != nil {
		return nil, err
	}
	return answer(*m), nil
}

// modelOf is what was learned of a function; nothing yet is a model that knows
// nothing.
func (c *Console) modelOf(ctx context.Context, name string) (*learning.Model, error) {
	m, err := c.serverless.Models.Get(name)
	if fault.Is(err, fault.NotFound) {
		var fn *function.Function
		if fn, err = c.serverless.Functions.Get(ctx, name); err == nil {
			m = learning.New(name, fn.Created)
		}
	}
	if err != nil {
		return nil, err
	}
	m.Measure(c.clock())
	return m, nil
}

// modelText is how the audit trail shows a model.
type modelText struct {
	State    profile.State `json:"state"`
	Revision int64         `json:"revision"`
	Entries  int           `json:"entries"`
	Routes   int           `json:"routes"`
}

func modelTextOf(m *learning.Model) any {
	if m == nil {
		return nil
	}
	return modelText{m.State, m.Revision, len(m.Entries), len(m.Routes)}
}

// alterModel changes a model with its line in the trail; what is nil for after
// shows the outcome alone.
func (c *Console) alterModel(ctx context.Context, action, name string, what any, do func(*learning.Learner) error) (*out[learning.Model], error) {
	var after *learning.Model
	err := c.store.Atomic(ctx, func(ctx context.Context) error {
		before, err := c.serverless.Models.Get(name)
		if fault.Is(err, fault.NotFound) {
			// Of a function that was never called: it starts here.
			var fresh *learning.Model
			if fresh, err = c.modelOf(ctx, name); err == nil {
				err = c.serverless.Models.Replace(ctx, fresh)
			}
		}
		if err != nil {
			return err
		}
		if after, err = c.serverless.Models.Change(ctx, name, do); err != nil {
			return err
		}
		return c.note(ctx, action, name, modelTextOf(before), struct {
			modelText
			Change any `json:"change,omitempty"`
		}{modelTextOf(after).(modelText), what})
	})
	if err != nil {
		return nil, err
	}
	after.Measure(c.clock())
	return answer(*after), nil
}

func (c *Console) setModelState(ctx context.Context, r *byNameWith[api.StateRequest]) (*out[learning.Model], error) {
	return c.alterModel(ctx, "model.state", r.Name, nil, func(l *learning.Learner) error { return l.SetState(r.Body.State, c.clock()) })
}

func (c *Console) relearn(ctx context.Context, r *ByName) (*out[learning.Model], error) {
	return c.alterModel(ctx, "model.relearn", r.Name, nil, func(l *learning.Learner) error {
		l.Relearn(c.clock())
		return nil
	})
}

func (c *Console) editModel(ctx context.Context, r *byNameWith[api.ModelChange]) (*out[learning.Model], error) {
	change := learning.Change{Remove: r.Body.Remove, Fields: r.Body.Fields}
	for _, e := range r.Body.Add {
		change.Add = append(change.Add, learning.Entry{Kind: e.Kind, Target: e.Target, Args: e.Args, Note: e.Note})
	}
	return c.alterModel(ctx, "model.edit", r.Name, r.Body, func(l *learning.Learner) error { return l.Edit(change, c.clock()) })
}

func (c *Console) exportModel(ctx context.Context, r *ByName) (*out[api.ModelDocument], error) {
	m, err := c.modelOf(ctx, r.Name)
	if err != nil {
		return nil, err
	}
	text, err := learning.Export(m)
	if err != nil {
		return nil, fmt.Errorf("export model of %s: %w", r.Name, err)
	}
	return answer(api.ModelDocument{Source: string(text)}), nil
}

func (c *Console) importModel(ctx context.Context, r *byNameWith[api.ModelDocument]) (*out[learning.Model], error) {
	m, err := learning.Import([]byte(r.Body.Source), c.clock())
	if err != nil {
		return nil, err
	}
	if m.Function != r.Name {
		return nil, fault.New(fault.Invalid, "source: the model is of %q, the address says %q", m.Function, r.Name)
	}
	err = c.store.Atomic(ctx, func(ctx context.Context) error {
		before, err := c.serverless.Models.Get(r.Name)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		if err := c.serverless.Models.Replace(ctx, m); err != nil {
			return err
		}
		return c.note(ctx, "model.import", r.Name, modelTextOf(before), modelTextOf(m))
	})
	if err != nil {
		return nil, err
	}
	m.Measure(c.clock())
	return answer(*m), nil
}

func (c *Console) privileges(ctx context.Context, r *ByName) (*out[api.Privileges], error) {
	fn, err := c.serverless.Functions.Get(ctx, r.Name)
	if err != nil {
		return nil, err
	}
	v := liveVersion(fn)
	if v == nil {
		return nil, fault.New(fault.NotFound, "function %s has no live version", r.Name)
	}
	m, err := c.modelOf(ctx, r.Name)
	if err != nil {
		return nil, err
	}
	now := c.clock()
	p := api.Privileges{Function: r.Name, Version: v.Number, Role: v.Spec.Role, Grants: m.Usage(&v.Spec.Role, now), Wanted: m.Wanted(), Proposal: m.Minimal(&v.Spec.Role, now)}
	if p.Grants == nil {
		p.Grants = []learning.Grant{}
	}
	if p.Wanted == nil {
		p.Wanted = []learning.Entry{}
	}
	return answer(p), nil
}

// adopt deploys the live version again, with the role that covers what it
// used and nothing more.
func (c *Console) adopt(ctx context.Context, r *byNameWith[api.AdoptRequest]) (*out[api.FunctionDetail], error) {
	fn, err := c.serverless.Functions.Get(ctx, r.Name)
	if err != nil {
		return nil, err
	}
	v, err := versionOf(fn, r.Body.Version)
	if err != nil {
		return nil, err
	}
	m, err := c.modelOf(ctx, r.Name)
	if err != nil {
		return nil, err
	}
	p := m.Minimal(&v.Spec.Role, c.clock())
	if !p.Ready {
		return nil, fault.New(fault.Conflict, "function %s: %s", r.Name, p.Why)
	}
	if len(p.Changes) == 0 {
		return nil, fault.New(fault.Conflict, "function %s: the role of version %d is as small as what it used", r.Name, v.Number)
	}
	d := function.Deployment{Name: r.Name, Spec: v.Spec, Code: v.Code}
	d.Spec.Role = p.Role
	revision := r.Body.Revision
	if revision == 0 {
		revision = fn.Revision
	}
	if err := c.release(ctx, revision, d, "function.adopt"); err != nil {
		return nil, err
	}
	return c.functionDetail(ctx, r.Name)
}
