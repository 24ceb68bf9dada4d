package api

import (
	"context"
	"net/http"

	"redoubt.dev/redoubt/internal/redoubt"
)

// Nodes lists defenders.
func (c *Client) Nodes(ctx context.Context, f Filter) ([]redoubt.NodeStatus, error) {
	return list[redoubt.NodeStatus](ctx, c, path("nodes"), f.values(), f.Limit)
}

// DeleteNode forgets a node and refuses its certificate from now on.
func (c *Client) DeleteNode(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodDelete, path("nodes", id), nil, nil, nil)
}

// CreateJoinToken makes a token with which one defender can enrol once.
func (c *Client) CreateJoinToken(ctx context.Context) (JoinToken, error) {
	return change[JoinToken](ctx, c, http.MethodPost, path("nodes", "join"), nil)
}

// Users lists local accounts.
func (c *Client) Users(ctx context.Context, f Filter) ([]User, error) {
	return list[User](ctx, c, path("users"), f.values(), f.Limit)
}

// User is one account.
func (c *Client) User(ctx context.Context, name string) (User, error) {
	return get[User](ctx, c, path("users", name))
}

// PutUser makes or changes an account.
func (c *Client) PutUser(ctx context.Context, name string, r UserRequest) (User, error) {
	return change[User](ctx, c, http.MethodPut, path("users", name), r)
}

// DeleteUser deletes an account with its sessions and tokens.
func (c *Client) DeleteUser(ctx context.Context, name string) error {
	return c.call(ctx, http.MethodDelete, path("users", name), nil, nil, nil)
}

// Tokens lists API tokens.
func (c *Client) Tokens(ctx context.Context, f Filter) ([]Token, error) {
	return list[Token](ctx, c, path("tokens"), f.values(), f.Limit)
}

// CreateToken makes an API token; the answer alone holds its secret.
func (c *Client) CreateToken(ctx context.Context, r TokenRequest) (NewToken, error) {
	return change[NewToken](ctx, c, http.MethodPost, path("tokens"), r)
}

// DeleteToken revokes a token.
func (c *Client) DeleteToken(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodDelete, path("tokens", id), nil, nil, nil)
}

// Audit lists who changed what, newest first.
func (c *Client) Audit(ctx context.Context, f Filter) ([]AuditEntry, error) {
	return list[AuditEntry](ctx, c, path("audit"), f.values(), f.Limit)
}

// VerifyAudit says whether the trail's chain holds.
func (c *Client) VerifyAudit(ctx context.Context) (AuditState, error) {
	return get[AuditState](ctx, c, path("audit", "verify"))
}
