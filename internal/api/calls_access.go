package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
)

// Routes lists the gateway's table, by id.
func (c *Client) Routes(ctx context.Context, f Filter) ([]Route, error) {
	return list[Route](ctx, c, path("routes"), f.values(), f.Limit)
}

// Route is one of them.
func (c *Client) Route(ctx context.Context, id string) (Route, error) {
	return get[Route](ctx, c, path("routes", id))
}

// WriteRoutes writes the routes of a YAML text, all or none; dry only says
// what would be written.
func (c *Client) WriteRoutes(ctx context.Context, source string, dry bool) (w RoutesWritten, err error) {
	return w, c.call(ctx, http.MethodPost, path("routes"), dryly(dry), RoutesRequest{Source: source}, &w)
}

// DeleteRoute deletes a route.
func (c *Client) DeleteRoute(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodDelete, path("routes", id), nil, nil, nil)
}

// ImportOpenAPI makes routes of an OpenAPI document.
func (c *Client) ImportOpenAPI(ctx context.Context, r OpenAPIRequest, dry bool) (w RoutesWritten, err error) {
	return w, c.call(ctx, http.MethodPost, path("openapi"), dryly(dry), r, &w)
}

// ExportOpenAPI is the table of a stage as an OpenAPI document.
func (c *Client) ExportOpenAPI(ctx context.Context, stage, host string) (d json.RawMessage, err error) {
	query := url.Values{}
	if stage != "" {
		query.Set("stage", stage)
	}
	if host != "" {
		query.Set("host", host)
	}
	return d, c.call(ctx, http.MethodGet, path("openapi"), query, nil, &d)
}

// AccessPolicies lists who may do what.
func (c *Client) AccessPolicies(ctx context.Context, f Filter) ([]AccessPolicy, error) {
	return list[AccessPolicy](ctx, c, path("access", "policies"), f.values(), f.Limit)
}

// AccessPolicy is one policy.
func (c *Client) AccessPolicy(ctx context.Context, name string) (AccessPolicy, error) {
	return get[AccessPolicy](ctx, c, path("access", "policies", name))
}

// PutAccessPolicy makes or replaces one; dry only says whether it would be
// taken.
func (c *Client) PutAccessPolicy(ctx context.Context, name string, r AccessPolicyRequest, dry bool) (p AccessPolicy, err error) {
	return p, c.call(ctx, http.MethodPut, path("access", "policies", name), dryly(dry), r, &p)
}

// DeleteAccessPolicy deletes one.
func (c *Client) DeleteAccessPolicy(ctx context.Context, name string) error {
	return c.call(ctx, http.MethodDelete, path("access", "policies", name), nil, nil, nil)
}

// CheckAccess says what a text would be as policies.
func (c *Client) CheckAccess(ctx context.Context, r AccessCheckRequest) (AccessCheck, error) {
	return change[AccessCheck](ctx, c, http.MethodPost, path("access", "check"), r)
}

// Simulate asks whether a principal may do something.
func (c *Client) Simulate(ctx context.Context, r SimulateRequest) (Simulation, error) {
	return change[Simulation](ctx, c, http.MethodPost, path("access", "simulate"), r)
}

// WhoCan asks which principals may do something.
func (c *Client) WhoCan(ctx context.Context, r WhoCanRequest) (AccessList, error) {
	return change[AccessList](ctx, c, http.MethodPost, path("access", "who-can"), r)
}

// WhatCan asks what a principal may do.
func (c *Client) WhatCan(ctx context.Context, r WhatCanRequest) (AccessList, error) {
	return change[AccessList](ctx, c, http.MethodPost, path("access", "what-can"), r)
}

// Principals lists who calls.
func (c *Client) Principals(ctx context.Context, f Filter) ([]Principal, error) {
	return list[Principal](ctx, c, path("principals"), f.values(), f.Limit)
}

// Principal is one of them.
func (c *Client) Principal(ctx context.Context, id string) (Principal, error) {
	return get[Principal](ctx, c, path("principals", id))
}

// PutPrincipal makes or changes a principal.
func (c *Client) PutPrincipal(ctx context.Context, id string, r PrincipalRequest) (Principal, error) {
	return change[Principal](ctx, c, http.MethodPut, path("principals", id), r)
}

// SetPrincipalState locks a principal out or lets it in again.
func (c *Client) SetPrincipalState(ctx context.Context, id string, r PrincipalStateRequest) (Principal, error) {
	return change[Principal](ctx, c, http.MethodPost, path("principals", id, "state"), r)
}

// RevokePrincipal ends a principal's tokens and temporary credentials.
func (c *Client) RevokePrincipal(ctx context.Context, id string) (Principal, error) {
	return change[Principal](ctx, c, http.MethodPost, path("principals", id, "revoke"), nil)
}

// DeletePrincipal removes a principal with all its keys.
func (c *Client) DeletePrincipal(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodDelete, path("principals", id), nil, nil, nil)
}

// CreateAccessToken makes a short-lived token of a principal.
func (c *Client) CreateAccessToken(ctx context.Context, id string, r AccessTokenRequest) (AccessToken, error) {
	return change[AccessToken](ctx, c, http.MethodPost, path("principals", id, "tokens"), r)
}

// Keys lists API keys and access keys, newest first.
func (c *Client) Keys(ctx context.Context, f Filter) ([]AccessKey, error) {
	return list[AccessKey](ctx, c, path("keys"), f.values(), f.Limit)
}

// CreateKey makes a key; the answer alone holds its secret.
func (c *Client) CreateKey(ctx context.Context, r AccessKeyRequest) (NewAccessKey, error) {
	return change[NewAccessKey](ctx, c, http.MethodPost, path("keys"), r)
}

// SetKeyState disables a key or enables it again.
func (c *Client) SetKeyState(ctx context.Context, id string, disabled bool) (AccessKey, error) {
	return change[AccessKey](ctx, c, http.MethodPost, path("keys", id, "state"), KeyStateRequest{Disabled: disabled})
}

// DeleteKey ends a key.
func (c *Client) DeleteKey(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodDelete, path("keys", id), nil, nil, nil)
}
