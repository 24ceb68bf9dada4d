package console

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
	learning "redoubt.dev/redoubt/internal/model"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/store"
)

func (c *Console) functions(ctx context.Context, f *functionFilter) (*out[api.Page[api.Function]], error) {
	text, err := readText("q", f.Q)
	if err != nil {
		return nil, err
	}
	found, next, err := c.serverless.Functions.List(ctx, function.Filter{Limit: f.Limit, Cursor: f.Cursor, State: function.State(f.State), Text: text})
	if err != nil {
		return nil, err
	}
	view, err := c.look(ctx, "")
	if err != nil {
		return nil, err
	}
	shown := make([]api.Function, 0, len(found))
	for _, fn := range found {
		shown = append(shown, view.summary(fn))
	}
	return paged(shown, next), nil
}

func (c *Console) function(ctx context.Context, r *ByName) (*out[api.FunctionDetail], error) {
	return c.functionDetail(ctx, r.Name)
}

func (c *Console) functionDetail(ctx context.Context, name string) (*out[api.FunctionDetail], error) {
	fn, err := c.serverless.Functions.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	view, err := c.look(ctx, name)
	if err != nil {
		return nil, err
	}
	d := api.FunctionDetail{Function: view.summary(fn), Record: *fn, Hints: map[int][]string{}, Hosted: c.serverless.Environments.Status(name)}
	if d.Hosted == nil {
		d.Hosted = []api.Environment{}
	}
	for i := range fn.Versions {
		v := &fn.Versions[i]
		if hints := append(slices.Clone(v.Code.Hints), v.Hints(view.now)...); len(hints) > 0 {
			d.Hints[v.Number] = hints
		}
	}
	if v := liveVersion(fn); v != nil {
		if m, err := c.serverless.Models.Get(name); err == nil {
			d.Risks = append(d.Risks, unusedRisk(m, &v.Spec.Role, view.now)...)
		}
	}
	return answer(d), nil
}

// functionView is what is known of functions beside their record.
type functionView struct {
	now    time.Time
	recent map[string]function.Usage // of a day
	last   map[string]time.Time
	models map[string]learning.Summary
}

// look gathers it, of one function or of all for an empty name.
func (c *Console) look(ctx context.Context, name string) (*functionView, error) {
	v := &functionView{now: c.clock(), recent: map[string]function.Usage{}, last: map[string]time.Time{}, models: map[string]learning.Summary{}}
	day, err := c.serverless.Calls.Usage(ctx, store.UsageQuery{Function: name, Since: v.now.Add(-24 * time.Hour)})
	if err != nil {
		return nil, err
	}
	for _, u := range day {
		v.recent[u.Function] = u.Usage
	}
	for _, m := range c.serverless.Models.List() {
		v.models[m.Function] = m
	}
	v.last, err = c.lastCalls.merge(day, func() ([]store.HourUsage, error) { return c.serverless.Calls.Usage(ctx, store.UsageQuery{}) })
	return v, err
}

// lastCalls remembers when functions were last called, which the record can
// only tell by reading all usage there is.
type lastCalls struct {
	mu   sync.Mutex
	when map[string]time.Time
}

func (l *lastCalls) merge(recent []store.HourUsage, all func() ([]store.HourUsage, error)) (map[string]time.Time, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.when == nil {
		rows, err := all()
		if err != nil {
			return nil, err
		}
		l.when = map[string]time.Time{}
		recent = append(slices.Clone(recent), rows...)
	}
	out := make(map[string]time.Time, len(l.when))
	for _, u := range recent {
		if u.Calls > u.Refused && u.Last.After(l.when[u.Function]) {
			l.when[u.Function] = u.Last
		}
	}
	for name, t := range l.when {
		out[name] = t
	}
	return out, nil
}

// liveVersion is the version most calls of live go to; nil where it is gone.
func liveVersion(fn *function.Function) *function.Version {
	weights := fn.Aliases[function.Live].Weights
	if len(weights) == 0 {
		return nil
	}
	heaviest := slices.MaxFunc(weights, func(a, b function.Weight) int { return a.Percent - b.Percent })
	v, ok := fn.Version(heaviest.Version)
	if !ok {
		return nil
	}
	return v
}

func (f *functionView) summary(fn *function.Function) api.Function {
	u, m := f.recent[fn.Name], f.models[fn.Name]
	s := api.Function{
		ID: fn.Name, Time: fn.Updated, By: fn.By, State: fn.State, Reason: fn.Reason, Revision: fn.Revision, Newest: fn.Last,
		Live: fn.Aliases[function.Live].Weights, Last: f.last[fn.Name],
		Calls: u.Calls, Errors: u.Errors, Refused: u.Refused, Billed: u.Billed, GBSeconds: u.GBSeconds,
		Model: m.State, Coverage: m.Coverage.Share,
	}
	if s.Live == nil {
		s.Live = []function.Weight{}
	}
	v := liveVersion(fn)
	if v == nil {
		return s
	}
	s.Description, s.Runtime, s.Language, s.Memory = v.Spec.Description, v.Spec.Runtime, v.Spec.Language, v.Spec.Memory
	s.Version, s.Labels = v.Number, v.Spec.Labels
	for _, t := range v.Spec.Triggers {
		s.Triggers = append(s.Triggers, t.String())
	}
	s.Risks = f.risks(fn, v, m)
	return s
}

// risks says what a person should look at, worst first.
func (f *functionView) risks(fn *function.Function, v *function.Version, m learning.Summary) (out []string) {
	if fn.State == function.Disabled {
		return nil
	}
	for _, t := range v.Spec.Triggers {
		if t.HTTP != nil && t.HTTP.Auth == "none" {
			out = append(out, fmt.Sprintf("anybody may call it: %s asks for no proof", t))
		}
	}
	out = append(out, wideGrants(&v.Spec.Role)...)
	if secrets := secretNames(v.Spec.Env); len(secrets) > 0 {
		out = append(out, fmt.Sprintf("%s in its environment looks like a secret: grant it as one instead", strings.Join(secrets, ", ")))
	}
	out = append(append(out, v.Code.Hints...), v.Hints(f.now)...)
	if u := f.recent[fn.Name]; u.Calls >= 20 && u.Errors*10 >= u.Calls {
		out = append(out, fmt.Sprintf("%d of %d calls in the last day failed", u.Errors, u.Calls))
	}
	if m.State == profile.Observing {
		out = append(out, "its model only alerts; enforce it when the alerts are right")
	}
	return out
}

// wideGrants names what of a role reaches further than one thing.
func wideGrants(r *function.Role) (out []string) {
	for _, e := range r.Egress {
		if strings.HasPrefix(e, "*:") || e == "*" {
			out = append(out, "its role reaches every host: "+e)
		}
	}
	for _, a := range r.AWS {
		action, resource, _ := strings.Cut(a, " ")
		if strings.HasSuffix(action, "*") || resource == "*" {
			out = append(out, "its role is wide on AWS: "+a)
		}
	}
	for _, e := range r.Exec {
		if slices.Contains([]string{"/bin/sh", "/bin/bash", "/usr/bin/sh", "/usr/bin/bash", "/bin/dash", "/usr/bin/dash"}, e) {
			out = append(out, "its role may start a shell: "+e)
		}
	}
	return out
}

func secretNames(env map[string]string) (out []string) {
	for name, value := range env {
		upper := strings.ToUpper(name)
		for _, word := range []string{"SECRET", "PASSWORD", "PASSWD", "TOKEN", "API_KEY", "APIKEY", "PRIVATE_KEY"} {
			if len(value) >= 8 && strings.Contains(upper, word) {
				out = append(out, name)
				break
			}
		}
	}
	slices.Sort(out)
	return out
}

func unusedRisk(m *learning.Model, role *function.Role, now time.Time) []string {
	m.Measure(now)
	if p := m.Minimal(role, now); p.Ready && len(p.Changes) > 0 {
		return []string{fmt.Sprintf("%d grants of its role are wider than what it uses: adopt the smaller role", len(p.Changes))}
	}
	return nil
}

// theFunction is Get for those who only have to know that it is there.
func (c *Console) theFunction(ctx context.Context, name string) error {
	_, err := c.serverless.Functions.Get(ctx, name)
	return err
}

// versionOf returns a version of a function.
func versionOf(fn *function.Function, number int) (*function.Version, error) {
	if v, ok := fn.Version(number); ok {
		return v, nil
	}
	return nil, fault.New(fault.NotFound, "function %s has no version %d", fn.Name, number)
}
