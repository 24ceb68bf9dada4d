package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/model"
	"redoubt.dev/redoubt/internal/profile"
)

// uploadTime is how long an upload may take.
const uploadTime = 15 * time.Minute

// Upload sends code: a zip, a tar or a container image of size bytes, -1 where
// that is not known.
func (c *Client) Upload(ctx context.Context, code io.Reader, size int64) (b Bundle, err error) {
	ctx, cancel := context.WithTimeout(ctx, uploadTime)
	defer cancel()
	resp, err := c.sendAs(ctx, http.MethodPost, path("bundles"), "application/octet-stream", io.NopCloser(code), size)
	if err != nil {
		return b, err
	}
	defer resp.Body.Close()
	return b, c.decode(resp, &b)
}

// Functions lists functions by name.
func (c *Client) Functions(ctx context.Context, f Filter) ([]Function, error) {
	return list[Function](ctx, c, path("functions"), f.values(), f.Limit)
}

// Function is one function with its versions.
func (c *Client) Function(ctx context.Context, name string) (FunctionDetail, error) {
	return get[FunctionDetail](ctx, c, path("functions", name))
}

// Deploy makes a new version of a function; dry only says whether it would be
// taken.
func (c *Client) Deploy(ctx context.Context, name string, r DeployRequest, dry bool) (d FunctionDetail, err error) {
	return d, c.call(ctx, http.MethodPost, path("functions", name, "versions"), dryly(dry), r, &d)
}

func dryly(dry bool) url.Values {
	if dry {
		return url.Values{"dry": {"true"}}
	}
	return nil
}

// DeleteVersion deletes a version that no alias points to.
func (c *Client) DeleteVersion(ctx context.Context, name string, version int) error {
	return c.call(ctx, http.MethodDelete, path("functions", name, "versions", strconv.Itoa(version)), nil, nil, nil)
}

// PutAlias points an alias at versions.
func (c *Client) PutAlias(ctx context.Context, name, alias string, r AliasRequest) (FunctionDetail, error) {
	return change[FunctionDetail](ctx, c, http.MethodPut, path("functions", name, "aliases", alias), r)
}

// DeleteAlias deletes an alias other than live.
func (c *Client) DeleteAlias(ctx context.Context, name, alias string) error {
	return c.call(ctx, http.MethodDelete, path("functions", name, "aliases", alias), nil, nil, nil)
}

// Rollback points an alias to where it pointed before.
func (c *Client) Rollback(ctx context.Context, name string, r RollbackRequest) (FunctionDetail, error) {
	return change[FunctionDetail](ctx, c, http.MethodPost, path("functions", name, "rollback"), r)
}

// SetFunctionState takes a function out of service or puts it back.
func (c *Client) SetFunctionState(ctx context.Context, name string, r FunctionStateRequest) (FunctionDetail, error) {
	return change[FunctionDetail](ctx, c, http.MethodPost, path("functions", name, "state"), r)
}

// DeleteFunction deletes a function with all its versions.
func (c *Client) DeleteFunction(ctx context.Context, name string) error {
	return c.call(ctx, http.MethodDelete, path("functions", name), nil, nil, nil)
}

// Invoke calls a function; it may run for 15 minutes.
func (c *Client) Invoke(ctx context.Context, name string, r InvokeRequest) (i Invoked, err error) {
	ctx, cancel := context.WithTimeout(ctx, uploadTime+time.Minute)
	defer cancel()
	resp, err := c.patient().send(ctx, http.MethodPost, path("functions", name, "invocations"), nil, r)
	if err != nil {
		return i, err
	}
	defer resp.Body.Close()
	return i, c.decode(resp, &i)
}

// Invocations lists calls, newest first.
func (c *Client) Invocations(ctx context.Context, f Filter) ([]function.Invocation, error) {
	return list[function.Invocation](ctx, c, path("invocations"), f.values(), f.Limit)
}

// Invocation is one call.
func (c *Client) Invocation(ctx context.Context, id string) (function.Invocation, error) {
	return get[function.Invocation](ctx, c, path("invocations", id))
}

// Lines lists what a function printed, newest first.
func (c *Client) Lines(ctx context.Context, name string, f Filter) ([]function.Line, error) {
	return list[function.Line](ctx, c, path("functions", name, "lines"), f.values(), f.Limit)
}

// FollowLines returns what a function printed after the line of that number,
// -1 for none but the number of the last.
func (c *Client) FollowLines(ctx context.Context, name string, after int64) (l Lines, err error) {
	return l, c.call(ctx, http.MethodGet, path("functions", name, "lines", "follow"), url.Values{"after": {strconv.FormatInt(after, 10)}}, nil, &l)
}

// Usage counts calls; by is what is told apart besides functions: version,
// caller, hour, comma separated.
func (c *Client) Usage(ctx context.Context, f Filter, by string) (u Usage, err error) {
	query := f.values()
	if by != "" {
		query.Set("by", by)
	}
	return u, c.call(ctx, http.MethodGet, path("usage"), query, nil, &u)
}

// Findings lists what was not needed for so many days.
func (c *Client) Findings(ctx context.Context, name string, days int) (f Findings, err error) {
	query := url.Values{"days": {strconv.Itoa(days)}}
	if name != "" {
		query.Set("function", name)
	}
	return f, c.call(ctx, http.MethodGet, path("findings"), query, nil, &f)
}

// Environments lists where code runs.
func (c *Client) Environments(ctx context.Context) (Environments, error) {
	return get[Environments](ctx, c, path("environments"))
}

// FunctionMap is who calls what, and what that touches.
func (c *Client) FunctionMap(ctx context.Context) (FunctionMap, error) {
	return get[FunctionMap](ctx, c, path("map"))
}

// Model is what was learned of a function.
func (c *Client) Model(ctx context.Context, name string) (model.Model, error) {
	return get[model.Model](ctx, c, path("functions", name, "model"))
}

// ExportModel is the same as a document of kind FunctionModel.
func (c *Client) ExportModel(ctx context.Context, name string) (ModelDocument, error) {
	return get[ModelDocument](ctx, c, path("functions", name, "model", "document"))
}

// ImportModel replaces it by such a document.
func (c *Client) ImportModel(ctx context.Context, name string, d ModelDocument) (model.Model, error) {
	return change[model.Model](ctx, c, http.MethodPut, path("functions", name, "model"), d)
}

// SetModelState moves a model to another state.
func (c *Client) SetModelState(ctx context.Context, name string, s profile.State) (model.Model, error) {
	return change[model.Model](ctx, c, http.MethodPost, path("functions", name, "model", "state"), StateRequest{State: s})
}

// Relearn forgets what was learned, but for what people added.
func (c *Client) Relearn(ctx context.Context, name string) (model.Model, error) {
	return change[model.Model](ctx, c, http.MethodPost, path("functions", name, "model", "relearn"), nil)
}

// EditModel adds and removes entries by hand.
func (c *Client) EditModel(ctx context.Context, name string, r ModelChange) (model.Model, error) {
	return change[model.Model](ctx, c, http.MethodPost, path("functions", name, "model", "entries"), r)
}

// Privileges compare a function's role with what was used of it.
func (c *Client) Privileges(ctx context.Context, name string) (Privileges, error) {
	return get[Privileges](ctx, c, path("functions", name, "privileges"))
}

// Adopt deploys a version again with the smallest role.
func (c *Client) Adopt(ctx context.Context, name string, r AdoptRequest) (FunctionDetail, error) {
	return change[FunctionDetail](ctx, c, http.MethodPost, path("functions", name, "privileges", "adopt"), r)
}

// patient is c for answers that take long to begin.
func (c *Client) patient() *Client {
	slow, ok := c.http.Transport.(*http.Transport)
	if !ok {
		return c
	}
	slow = slow.Clone()
	slow.ResponseHeaderTimeout = 0
	p := *c
	h := *c.http
	h.Transport = slow
	p.http = &h
	return &p
}

// sendAs sends a body as it is.
func (c *Client) sendAs(ctx context.Context, method, path, media string, body io.ReadCloser, size int64) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	r.ContentLength = size
	return c.patient().do(r, media)
}
