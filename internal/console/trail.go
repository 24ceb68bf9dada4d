package console

import (
	"context"
	"net/http"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/audit"
)

// note writes what the request's actor did into the audit trail, in ctx's
// transaction: a change without its line is not kept. before and after are
// nil for nothing.
func (c *Console) note(ctx context.Context, action, object string, before, after any) error {
	return c.noteAs(ctx, audit.Done, action, object, before, after)
}

func (d *draft) note(ctx context.Context, action, object string, before, after any) error {
	return d.c.note(ctx, action, object, before, after)
}

func (c *Console) noteAs(ctx context.Context, result audit.Result, action, object string, before, after any) error {
	r := requestOf(ctx)
	who := r.actor.User
	if who == "" && result == audit.Done {
		who = system
	}
	_, err := c.audit.Append(ctx, audit.Change{Actor: who, From: r.from, Action: action, Object: object, Result: result, Before: before, After: after})
	return err
}

// noteDenied records that somebody tried what its role may not.
func (c *Console) noteDenied(r *http.Request, operation string) {
	if err := c.noteAs(r.Context(), audit.Denied, operation, clip(r.URL.Path, 512), nil, nil); err != nil {
		requestOf(r.Context()).failure = err
	}
}

// noteFailed records a login that did not succeed.
func (c *Console) noteFailed(ctx context.Context, action, object string) {
	if err := c.noteAs(ctx, audit.Failed, action, object, nil, nil); err != nil {
		requestOf(ctx).failure = err
	}
}

func (c *Console) auditTrail(ctx context.Context, f *auditFilter) (*out[api.Page[api.AuditEntry]], error) {
	since, until, err := f.between(c.clock())
	if err != nil {
		return nil, err
	}
	text, err := readText("q", f.Q)
	if err != nil {
		return nil, err
	}
	found, next, err := c.audit.Find(ctx, audit.Query{Limit: f.Limit, Cursor: f.Cursor, Actor: f.Actor, Text: text, Since: since, Until: until})
	if err != nil {
		return nil, err
	}
	shown := make([]api.AuditEntry, 0, len(found))
	for _, e := range found {
		shown = append(shown, api.AuditEntry{
			ID: e.ID(), Time: e.Time, Actor: e.Actor, From: e.From, Action: e.Action, Object: e.Object,
			Result: string(e.Result), Before: e.Before, After: e.After, Hash: e.HashText(),
		})
	}
	return paged(shown, next), nil
}

func (c *Console) verifyAudit(ctx context.Context, _ *struct{}) (*out[api.AuditState], error) {
	s, err := c.auditState(ctx)
	if err != nil {
		return nil, err
	}
	return answer(s), nil
}

func (c *Console) auditState(ctx context.Context) (api.AuditState, error) {
	s, err := c.audit.Verify(ctx)
	return api.AuditState{Entries: s.Entries, Intact: s.Intact, Broken: s.Broken}, err
}
