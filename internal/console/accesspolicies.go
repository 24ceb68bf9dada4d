package console

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"redoubt.dev/redoubt/internal/access"
	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/fault"
)

func (c *Console) accessPolicyOf(d access.Document) api.AccessPolicy {
	statements, _ := c.serverless.Access.Statements(&d)
	return api.AccessPolicy{ID: d.Name, Document: d, Statements: len(statements)}
}

func (c *Console) accessPolicies(ctx context.Context, s *Slice) (*out[api.Page[api.AccessPolicy]], error) {
	all, err := c.serverless.Access.Documents(ctx)
	if err != nil {
		return nil, err
	}
	return cutAs(all, *s, func(d access.Document) mark { return mark{key: d.Name} }, c.accessPolicyOf)
}

func (c *Console) accessPolicy(ctx context.Context, r *ByName) (*out[api.AccessPolicy], error) {
	d, err := c.accessDocument(ctx, r.Name)
	if err != nil {
		return nil, err
	}
	return answer(c.accessPolicyOf(*d)), nil
}

func (c *Console) accessDocument(ctx context.Context, name string) (*access.Document, error) {
	all, err := c.serverless.Access.Documents(ctx)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Name == name {
			return &all[i], nil
		}
	}
	return nil, fault.New(fault.NotFound, "there is no access policy %q", clip(name, 128))
}

func (c *Console) accessHistory(ctx context.Context, r *historyFilter) (*out[api.Page[api.AccessPolicy]], error) {
	all, err := c.serverless.Access.Revisions(ctx, r.Name)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, fault.New(fault.NotFound, "there never was an access policy %q", clip(r.Name, 128))
	}
	from := 0
	if r.Cursor != "" {
		last, err := strconv.ParseInt(r.Cursor, 10, 64)
		if err != nil {
			return nil, fault.New(fault.Invalid, "cursor: %q is not one of this list; ask for the first page again", clip(r.Cursor, 64))
		}
		for from < len(all) && all[from].Revision >= last {
			from++
		}
	}
	page := api.Page[api.AccessPolicy]{Items: []api.AccessPolicy{}, Total: len(all)}
	for _, d := range all[from:] {
		if len(page.Items) == r.Limit {
			page.Next = strconv.FormatInt(page.Items[r.Limit-1].Revision, 10)
			break
		}
		page.Items = append(page.Items, c.accessPolicyOf(d))
	}
	return answer(page), nil
}

// accessText is how the audit trail shows an access policy.
type accessText struct {
	Cedar    string `json:"cedar"`
	Disabled bool   `json:"disabled,omitempty"`
}

func (c *Console) putAccess(ctx context.Context, r *putAccess) (*out[api.AccessPolicy], error) {
	d := access.Document{Name: r.Name, Description: r.Body.Description, Cedar: r.Body.Cedar, Disabled: r.Body.Disabled, Revision: r.Body.Revision}
	if problems := c.serverless.Access.Check(&d); len(problems) > 0 {
		return nil, cedarProblem(problems)
	}
	if r.Dry {
		d.Updated = c.clock()
		return answer(c.accessPolicyOf(d)), nil
	}
	err := c.alterAccess(ctx, func(ctx context.Context) error {
		var before any
		old, err := c.accessDocument(ctx, r.Name)
		switch {
		case err == nil:
			before = accessText{old.Cedar, old.Disabled}
			d.Created = old.Created
			if d.Revision == 0 {
				d.Revision = old.Revision
			}
		case !fault.Is(err, fault.NotFound):
			return err
		case d.Revision == 0:
			// The count of a deleted one goes on.
			gone, err := c.serverless.Access.Revisions(ctx, r.Name)
			if err != nil {
				return err
			}
			if len(gone) > 0 {
				d.Revision = gone[0].Revision
			}
		}
		if d, err = c.serverless.Access.Put(ctx, actorName(ctx), d); err != nil {
			return err
		}
		return c.note(ctx, "access.put", d.Name, before, accessText{d.Cedar, d.Disabled})
	})
	if err != nil {
		return nil, err
	}
	return answer(c.accessPolicyOf(d)), nil
}

// alterAccess makes a change of access policies one with its line in the
// trail; where that fails, what is decided by is what the record says.
func (c *Console) alterAccess(ctx context.Context, do func(context.Context) error) error {
	err := c.store.Atomic(ctx, do)
	if err != nil {
		if again := c.serverless.Access.Refresh(context.WithoutCancel(ctx)); again != nil {
			c.log.Error("access policies unread", "error", again)
		}
	}
	return err
}

// cedarProblem words problems of a policy with their places.
func cedarProblem(problems []access.Problem) error {
	details := make([]error, 0, len(problems))
	for _, p := range problems {
		details = append(details, &huma.ErrorDetail{Location: fmt.Sprintf("cedar:%d:%d", p.Line, max(1, p.Column)), Message: p.Message})
	}
	first := fmt.Sprintf("line %d: %s", problems[0].Line, problems[0].Message)
	if n := len(problems); n > 1 {
		first += fmt.Sprintf(" (and %d more)", n-1)
	}
	return huma.NewError(http.StatusUnprocessableEntity, first, details...)
}

func (c *Console) deleteAccess(ctx context.Context, r *ByName) (*struct{}, error) {
	err := c.alterAccess(ctx, func(ctx context.Context) error {
		old, err := c.accessDocument(ctx, r.Name)
		if err != nil {
			return err
		}
		if err := c.serverless.Access.Delete(ctx, r.Name); err != nil {
			return err
		}
		return c.note(ctx, "access.delete", r.Name, accessText{old.Cedar, old.Disabled}, nil)
	})
	if err != nil {
		return nil, err
	}
	return &struct{}{}, nil
}

// checkAccess says what a text would be, and what is wrong with it.
func (c *Console) checkAccess(_ context.Context, r *in[api.AccessCheckRequest]) (*out[api.AccessCheck], error) {
	b := &r.Body
	got := api.AccessCheck{Documents: []access.Document{}}
	if b.Format == "aws" {
		name := b.Name
		if name == "" {
			name = "imported"
		}
		d, problems := c.serverless.Access.FromIAM([]byte(b.Source), access.Import{Name: name, For: b.For, Account: b.Account})
		for _, p := range problems {
			got.Problems = append(got.Problems, api.AccessProblem{Path: p.Path, Message: p.Message})
		}
		if len(problems) == 0 {
			got.Documents = append(got.Documents, d)
		}
		return answer(got), nil
	}
	name := b.Name
	if name == "" {
		name = "unnamed"
	}
	docs, problems := c.serverless.Access.Read(name, []byte(b.Source))
	for _, p := range problems {
		got.Problems = append(got.Problems, api.AccessProblem{Line: p.Line, Column: p.Column, Message: p.Message})
	}
	if len(problems) == 0 {
		got.Documents = append(got.Documents, docs...)
	}
	return answer(got), nil
}
