package console

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/guard"
	"redoubt.dev/redoubt/internal/policy"
	"redoubt.dev/redoubt/internal/redoubt"
)

// parsePolicy reads the one policy of a source. Its error lists every problem
// with its place in the text.
func parsePolicy(source string) (policy.Policy, error) {
	all, problems := policy.Parse([]byte(source))
	if len(problems) == 0 && len(all) != 1 {
		problems = []policy.Problem{{Line: 1, Message: fmt.Sprintf("there are %d policies in the text; send one at a time", len(all))}}
	}
	if len(problems) == 0 {
		return all[0], nil
	}
	details := make([]error, 0, len(problems))
	for _, p := range problems {
		details = append(details, &huma.ErrorDetail{Location: fmt.Sprintf("source:%d:%d", p.Line, max(1, p.Column)), Message: p.Message})
	}
	first := fmt.Sprintf("line %d: %s", problems[0].Line, problems[0].Message)
	if n := len(problems); n > 1 {
		first += fmt.Sprintf(" (and %d more)", n-1)
	}
	return policy.Policy{}, huma.NewError(http.StatusUnprocessableEntity, first, details...)
}

func (r rulebook) document() api.PolicyDocument {
	return api.PolicyDocument{ID: r.Name, Time: r.Time, Author: r.Author, Revision: r.Revision, Source: r.Source, Policy: r.policy}
}

func (c *Console) policies(_ context.Context, s *Slice) (*out[api.Page[api.PolicyDocument]], error) {
	c.model.mu.RLock()
	all := c.model.policies
	c.model.mu.RUnlock()
	from := 0
	if s.Cursor != "" {
		for from < len(all) && all[from].Name != s.Cursor {
			from++
		}
		if from == len(all) {
			return nil, fault.New(fault.Invalid, "cursor: %q is not one of this list; ask for the first page again", clip(s.Cursor, 64))
		}
	}
	page := api.Page[api.PolicyDocument]{Items: []api.PolicyDocument{}, Total: len(all)}
	for i := from; i < len(all); i++ {
		if len(page.Items) == s.Limit {
			page.Next = all[i].Name
			break
		}
		page.Items = append(page.Items, all[i].document())
	}
	return answer(page), nil
}

func (c *Console) policy(_ context.Context, r *ByName) (*out[api.PolicyDocument], error) {
	p, err := c.model.rulebook(r.Name)
	if err != nil {
		return nil, err
	}
	return answer(p.document()), nil
}

// policyHistory is ordered by revision, whatever clocks said; the cursor is
// the last revision shown.
func (c *Console) policyHistory(ctx context.Context, r *historyFilter) (*out[api.Page[api.PolicyRevision]], error) {
	all, err := c.store.PolicyHistory(ctx, r.Name)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, fault.New(fault.NotFound, "there never was a policy %q", clip(r.Name, 128))
	}
	page := api.Page[api.PolicyRevision]{Items: []api.PolicyRevision{}, Total: len(all)}
	if r.Cursor != "" {
		last, err := strconv.ParseInt(r.Cursor, 10, 64)
		if err != nil {
			return nil, fault.New(fault.Invalid, "cursor: %q is not one of this list; ask for the first page again", clip(r.Cursor, 64))
		}
		all = slices.DeleteFunc(all, func(p redoubt.PolicySource) bool { return p.Revision >= last })
	}
	if len(all) > r.Limit {
		all = all[:r.Limit]
		page.Next = strconv.FormatInt(all[r.Limit-1].Revision, 10)
	}
	for _, p := range all {
		page.Items = append(page.Items, api.PolicyRevision{ID: p.Name, Time: p.Time, Author: p.Author, Revision: p.Revision, Source: p.Source})
	}
	return answer(page), nil
}

// sourceText is how the audit trail shows a policy.
type sourceText struct {
	Source string `json:"source"`
}

func (c *Console) putPolicy(ctx context.Context, r *putPolicy) (*out[api.PolicyDocument], error) {
	p, err := parsePolicy(r.Body.Source)
	if err != nil {
		return nil, err
	}
	if p.Name != r.Name {
		return nil, fault.New(fault.Invalid, "name: the policy is called %q, the address says %q", p.Name, r.Name)
	}
	book := rulebook{PolicySource: redoubt.PolicySource{Name: p.Name, Author: requestOf(ctx).actor.User, Source: r.Body.Source}, policy: p}
	if r.Dry {
		book.Time = c.clock()
		return answer(book.document()), nil
	}
	err = c.change(ctx, func(ctx context.Context, d *draft) (err error) {
		book, err = d.writePolicy(ctx, book)
		return err
	})
	if err != nil {
		return nil, err
	}
	return answer(book.document()), nil
}

// writePolicy records a policy with its line in the trail.
func (d *draft) writePolicy(ctx context.Context, book rulebook) (rulebook, error) {
	var before any
	for _, old := range d.c.model.policies {
		if old.Name == book.Name {
			before = sourceText{old.Source}
		}
	}
	book.Time = d.now
	book, err := d.putPolicy(ctx, book)
	if err != nil {
		return book, err
	}
	return book, d.note(ctx, "policy.put", book.Name, before, sourceText{book.Source})
}

func (c *Console) deletePolicy(ctx context.Context, r *ByName) (*struct{}, error) {
	err := c.change(ctx, func(ctx context.Context, d *draft) error {
		old, err := c.model.rulebook(r.Name)
		if err != nil {
			return err
		}
		if err := d.deletePolicy(ctx, r.Name); err != nil {
			return err
		}
		return d.note(ctx, "policy.delete", r.Name, sourceText{old.Source}, nil)
	})
	if err != nil {
		return nil, err
	}
	return &struct{}{}, nil
}

// previewPolicy answers what is wrong with a policy, or what it would have
// changed.
func (c *Console) previewPolicy(ctx context.Context, r *in[api.PolicyRequest]) (*out[guard.Preview], error) {
	all, problems := policy.Parse([]byte(r.Body.Source))
	if len(problems) == 0 && len(all) != 1 {
		problems = []policy.Problem{{Line: 1, Message: fmt.Sprintf("there are %d policies in the text; send one at a time", len(all))}}
	}
	if len(problems) > 0 {
		return answer(guard.Preview{Problems: problems}), nil
	}
	p, err := c.preview(ctx, all[0])
	if err != nil {
		return nil, err
	}
	return answer(p), nil
}
