package console

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/identity"
	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/store"
)

// keepUsage is how long it is known who called what.
const keepUsage = 400 * 24 * time.Hour

// invoke calls a function as the person who asks. Whether that person may is
// decided where all calls are, by the access policies.
func (c *Console) invoke(ctx context.Context, r *byNameWith[api.InvokeRequest]) (*out[api.Invoked], error) {
	ref := function.Ref{Name: r.Name}
	if r.Body.Qualifier != "" {
		var err error
		if ref, err = ref.Qualify(r.Body.Qualifier); err != nil {
			return nil, err
		}
	}
	payload := []byte(r.Body.Payload)
	if len(payload) == 0 {
		payload = []byte("{}") // as Lambda gives code that is called without an event
	}
	if !json.Valid(payload) {
		return nil, fault.New(fault.Invalid, `payload: it is not JSON; a text is JSON in quotes`)
	}
	info := requestOf(ctx)
	call := Invocation{Principal: "user/" + info.actor.User, Operator: info.actor.Role.May(identity.WriteFunction), From: info.from, Ref: ref, Payload: payload, Async: r.Body.Async}
	id, got, err := c.serverless.Invoker.Invoke(ctx, call)
	if err != nil {
		return nil, err
	}
	done := api.Invoked{Payload: string(got), Record: function.Invocation{ID: id, Time: c.clock(), Function: r.Name, Caller: call.Principal, Source: "invoke", Async: r.Body.Async}}
	if r.Body.Async {
		return answer(done), nil
	}
	if done.Record, err = c.recordOf(ctx, id); err != nil {
		return nil, err
	}
	done.Lines, _, err = c.serverless.Calls.FindLines(ctx, store.LineQuery{Slice: redoubt.Slice{Limit: 200}, Function: r.Name, Invocation: id})
	slices.Reverse(done.Lines)
	return answer(done), err
}

// recordOf waits a little for a record: records are written in groups, after
// the answer.
func (c *Console) recordOf(ctx context.Context, id string) (inv function.Invocation, err error) {
	for end := time.Now().Add(5 * time.Second); ; {
		inv, err = c.serverless.Calls.Invocation(ctx, id)
		if !fault.Is(err, fault.NotFound) || time.Now().After(end) {
			return inv, err
		}
		select {
		case <-ctx.Done():
			return inv, ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (c *Console) invocations(ctx context.Context, f *invocationFilter) (*out[api.Page[function.Invocation]], error) {
	q := function.Query{
		Slice: f.Slice.query(), Function: f.Function, Version: f.Version, Caller: f.Caller, Source: f.Source, Outcome: function.Outcome(f.Outcome),
	}
	var err error
	if q.Since, q.Until, err = f.between(c.clock()); err != nil {
		return nil, err
	}
	if q.Text, err = readText("q", f.Q); err != nil {
		return nil, err
	}
	found, next, err := c.serverless.Calls.FindInvocations(ctx, q)
	if err != nil {
		return nil, err
	}
	return paged(found, next), nil
}

func (c *Console) invocation(ctx context.Context, r *ByID) (*out[function.Invocation], error) {
	inv, err := c.serverless.Calls.Invocation(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	return answer(inv), nil
}

func (c *Console) lines(ctx context.Context, f *lineFilter) (*out[api.Page[function.Line]], error) {
	if err := c.theFunction(ctx, f.Name); err != nil {
		return nil, err
	}
	q := store.LineQuery{Slice: f.Slice.query(), Function: f.Name, Version: f.Version, Invocation: f.Invocation}
	var err error
	if q.Since, q.Until, err = f.between(c.clock()); err != nil {
		return nil, err
	}
	if q.Text, err = readText("q", f.Q); err != nil {
		return nil, err
	}
	found, next, err := c.serverless.Calls.FindLines(ctx, q)
	if err != nil {
		return nil, err
	}
	return paged(found, next), nil
}

func (c *Console) followLines(ctx context.Context, f *lineFollow) (*out[api.Lines], error) {
	if err := c.theFunction(ctx, f.Name); err != nil {
		return nil, err
	}
	got, last, err := c.serverless.Calls.LinesAfter(ctx, f.Name, f.After, f.Limit)
	if err != nil {
		return nil, err
	}
	if got == nil {
		got = []function.Line{}
	}
	return answer(api.Lines{Items: got, Last: last}), nil
}

func (c *Console) usage(ctx context.Context, f *usageFilter) (*out[api.Usage], error) {
	since, until, err := f.between(c.clock())
	if err != nil {
		return nil, err
	}
	q := store.UsageQuery{Function: f.Function, Caller: f.Caller, Until: until}
	if until.IsZero() { // the query has no end: this hour is not over
		until = c.clock()
	}
	if since.IsZero() {
		since = until.Add(-24 * time.Hour)
	}
	q.Since = since
	for by := range strings.SplitSeq(f.By, ",") {
		switch strings.TrimSpace(by) {
		case "":
		case "version":
			q.ByVersion = true
		case "caller":
			q.ByCaller = true
		case "hour":
			q.ByHour = true
		default:
			return nil, fault.New(fault.Invalid, "by: usage is told apart by version, caller and hour, not by %q", clip(by, 32))
		}
	}
	rows, err := c.serverless.Calls.Usage(ctx, q)
	if err != nil {
		return nil, err
	}
	got := api.Usage{Since: since, Until: until, Items: make([]api.UsageRow, 0, len(rows))}
	for _, u := range rows {
		got.Items = append(got.Items, api.UsageRow{Time: u.Time, Usage: u.Usage})
	}
	return answer(got), nil
}

func (c *Console) environments(_ context.Context, f *environmentFilter) (*out[api.Environments], error) {
	e := c.serverless.Environments
	got := api.Environments{Items: e.Status(f.Function), Gaps: e.Gaps(), Off: e.Off()}
	if got.Items == nil {
		got.Items = []api.Environment{}
	}
	if got.Gaps == nil {
		got.Gaps = []string{}
	}
	return answer(got), nil
}

// mostRead bounds how many calls are read to find out which triggers fire.
const mostRead = 5000

// findings lists what nobody seems to need. What could not be found out counts
// as needed.
func (c *Console) findings(ctx context.Context, f *findingFilter) (*out[api.Findings], error) {
	got := api.Findings{Days: f.Days, Items: []function.Finding{}}
	idle := time.Duration(f.Days) * 24 * time.Hour
	look := func(fn *function.Function) error {
		a, err := c.activity(ctx, fn, c.clock().Add(-idle))
		if err == nil {
			got.Items = append(got.Items, fn.Unused(a, idle, c.clock())...)
		}
		return err
	}
	var err error
	if f.Function == "" {
		err = c.eachFunction(ctx, look)
	} else {
		var fn *function.Function
		if fn, err = c.serverless.Functions.Get(ctx, f.Function); err == nil {
			err = look(fn)
		}
	}
	if err != nil {
		return nil, err
	}
	return answer(got), nil
}

func (c *Console) activity(ctx context.Context, fn *function.Function, since time.Time) (function.Activity, error) {
	a := function.Activity{Versions: map[int]time.Time{}, Triggers: map[string]time.Time{}}
	rows, err := c.serverless.Calls.Usage(ctx, store.UsageQuery{Function: fn.Name, Since: since, ByVersion: true, ByHour: true})
	if err != nil {
		return a, err
	}
	for _, u := range rows {
		if u.Calls <= u.Refused {
			continue
		}
		if u.Last.After(a.Versions[u.Version]) {
			a.Versions[u.Version] = u.Last
		}
		if u.Last.After(a.Last) {
			a.Last = u.Last
		}
	}
	wanted := map[string]bool{}
	for i := range fn.Versions {
		for _, t := range fn.Versions[i].Spec.Triggers {
			wanted[t.String()] = true
		}
	}
	q := function.Query{Slice: redoubt.Slice{Limit: 500}, Function: fn.Name, Since: since}
	for read := 0; len(wanted) > 0; {
		page, next, err := c.serverless.Calls.FindInvocations(ctx, q)
		if err != nil {
			return a, err
		}
		for i := range page {
			if a.Note(&page[i]); page[i].Outcome.Reached() {
				delete(wanted, page[i].Route)
			}
		}
		if read += len(page); next == "" {
			break
		}
		if read >= mostRead {
			for t := range wanted {
				a.Triggers[t] = c.clock()
			}
			break
		}
		q.Cursor = next
	}
	return a, nil
}

// pruneCalls bounds the record of calls.
func (c *Console) pruneCalls(ctx context.Context) error {
	if c.serverless == nil {
		return nil
	}
	now := c.clock()
	_, err := c.serverless.Calls.PruneInvocations(ctx, now.Add(-c.keep), now.Add(-keepUsage))
	return err
}
