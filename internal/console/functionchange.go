package console

import (
	"context"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/function"
)

// functionText is how the audit trail shows what of a function a change can
// touch.
type functionText struct {
	State    function.State               `json:"state"`
	Reason   string                       `json:"reason,omitempty"`
	Aliases  map[string][]function.Weight `json:"aliases,omitempty"`
	Versions int                          `json:"versions"`
}

func functionTextOf(f *function.Function) any {
	if f == nil {
		return nil
	}
	t := functionText{f.State, f.Reason, map[string][]function.Weight{}, len(f.Versions)}
	for name, a := range f.Aliases {
		t.Aliases[name] = a.Weights
	}
	return t
}

// alter makes one change of a function with its line in the trail.
func (c *Console) alter(ctx context.Context, action, object, name string, gone bool, do func(context.Context) (function.Change, error)) error {
	err := c.store.Atomic(ctx, func(ctx context.Context) error {
		done, err := do(ctx)
		if err != nil {
			return err
		}
		return c.note(ctx, action, object, functionTextOf(done.Before), functionTextOf(done.After))
	})
	if err == nil {
		c.changed(name, gone)
	}
	return err
}

func (c *Console) putAlias(ctx context.Context, r *putAlias) (*out[api.FunctionDetail], error) {
	err := c.alter(ctx, "function.alias", r.Name+":"+r.Alias, r.Name, false, func(ctx context.Context) (function.Change, error) {
		return c.serverless.Functions.SetAlias(ctx, edit(ctx, r.Body.Revision), r.Name, r.Alias, r.Body.Weights)
	})
	if err != nil {
		return nil, err
	}
	return c.functionDetail(ctx, r.Name)
}

func (c *Console) deleteAlias(ctx context.Context, r *ByAlias) (*struct{}, error) {
	err := c.alter(ctx, "function.alias.delete", r.Name+":"+r.Alias, r.Name, false, func(ctx context.Context) (function.Change, error) {
		return c.serverless.Functions.DeleteAlias(ctx, edit(ctx, 0), r.Name, r.Alias)
	})
	if err != nil {
		return nil, err
	}
	return &struct{}{}, nil
}

func (c *Console) rollback(ctx context.Context, r *byNameWith[api.RollbackRequest]) (*out[api.FunctionDetail], error) {
	alias := r.Body.Alias
	if alias == "" {
		alias = function.Live
	}
	err := c.alter(ctx, "function.rollback", r.Name+":"+alias, r.Name, false, func(ctx context.Context) (function.Change, error) {
		return c.serverless.Functions.Rollback(ctx, edit(ctx, r.Body.Revision), r.Name, alias)
	})
	if err != nil {
		return nil, err
	}
	return c.functionDetail(ctx, r.Name)
}

func (c *Console) setFunctionState(ctx context.Context, r *byNameWith[api.FunctionStateRequest]) (*out[api.FunctionDetail], error) {
	off := r.Body.State == function.Disabled
	action := "function.enable"
	if off {
		action = "function.disable"
	}
	err := c.alter(ctx, action, r.Name, r.Name, off, func(ctx context.Context) (function.Change, error) {
		if off {
			return c.serverless.Functions.Disable(ctx, edit(ctx, r.Body.Revision), r.Name, r.Body.Reason)
		}
		return c.serverless.Functions.Enable(ctx, edit(ctx, r.Body.Revision), r.Name)
	})
	if err != nil {
		return nil, err
	}
	return c.functionDetail(ctx, r.Name)
}

func (c *Console) deleteFunction(ctx context.Context, r *ByName) (*struct{}, error) {
	err := c.alter(ctx, "function.delete", r.Name, r.Name, true, func(ctx context.Context) (function.Change, error) {
		done, err := c.serverless.Functions.Delete(ctx, edit(ctx, 0), r.Name)
		if err == nil {
			err = c.serverless.Models.Forget(ctx, r.Name)
		}
		return done, err
	})
	if err != nil {
		return nil, err
	}
	return &struct{}{}, nil
}

func (c *Console) deleteVersion(ctx context.Context, r *ByVersion) (*struct{}, error) {
	object := function.Ref{Name: r.Name, Version: r.Version}.String()
	err := c.alter(ctx, "function.version.delete", object, r.Name, false, func(ctx context.Context) (function.Change, error) {
		return c.serverless.Functions.DeleteVersion(ctx, edit(ctx, 0), r.Name, r.Version)
	})
	if err != nil {
		return nil, err
	}
	return &struct{}{}, nil
}
