package console

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/function"
	learning "redoubt.dev/redoubt/internal/model"
	"redoubt.dev/redoubt/internal/redoubt"
)

// mostMapped bounds how many calls a map is drawn from: the latest.
const mostMapped = 10_000

// functionMap draws caller → route → function → what it touched, from the
// calls on record and the roles in force.
func (c *Console) functionMap(ctx context.Context, f *mapFilter) (*out[api.FunctionMap], error) {
	now := c.clock()
	since, err := readTime("since", f.Since, now)
	if err != nil {
		return nil, err
	}
	m := newMapping()
	models := map[string]learning.Summary{}
	for _, s := range c.serverless.Models.List() {
		models[s.Function] = s
	}
	err = c.eachFunction(ctx, func(fn *function.Function) error {
		n := m.node("function", fn.Name)
		n.State, n.Model, n.Coverage = fn.State, models[fn.Name].State, models[fn.Name].Coverage.Share
		if v := liveVersion(fn); v != nil {
			m.grants(fn.Name, v)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	q := function.Query{Slice: redoubt.Slice{Limit: 1000}, Since: since}
	for read := 0; read < mostMapped; {
		page, next, err := c.serverless.Calls.FindInvocations(ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range page {
			m.call(&page[i])
		}
		if read += len(page); next == "" {
			break
		}
		q.Cursor = next
	}
	return answer(m.drawn(now, since)), nil
}

type mapping struct {
	nodes map[string]*api.FunctionMapNode
	edges map[[2]string]*api.FunctionMapEdge
}

func newMapping() *mapping {
	return &mapping{map[string]*api.FunctionMapNode{}, map[[2]string]*api.FunctionMapEdge{}}
}

func (m *mapping) node(kind, name string) *api.FunctionMapNode {
	id := kind + "/" + name
	n := m.nodes[id]
	if n == nil {
		n = &api.FunctionMapNode{ID: id, Kind: kind, Name: name}
		m.nodes[id] = n
	}
	return n
}

func (m *mapping) edge(from, to string) *api.FunctionMapEdge {
	e := m.edges[[2]string{from, to}]
	if e == nil {
		e = &api.FunctionMapEdge{From: from, To: to}
		m.edges[[2]string{from, to}] = e
	}
	return e
}

func (m *mapping) count(from, to string, n int64, refused bool, at time.Time) {
	e := m.edge(from, to)
	e.Count += n
	if refused {
		e.Refused += n
	}
	if at.After(e.Last) {
		e.Last = at
	}
}

func (m *mapping) call(inv *function.Invocation) {
	refused := !inv.Outcome.Reached()
	fn := m.node("function", inv.Function)
	fn.Calls++
	switch inv.Outcome {
	case function.Failed, function.TimedOut, function.Crashed:
		fn.Errors++
	}
	if len(inv.Verdicts) > 0 {
		fn.Verdicts++
	}
	caller := m.node("caller", inv.Caller)
	if name, ok := strings.CutPrefix(inv.Caller, "function/"); ok {
		delete(m.nodes, caller.ID)
		caller = m.node("function", name)
	} else {
		caller.Calls++
	}
	if inv.Route != "" {
		r := m.node("route", inv.Route)
		r.Calls++
		m.count(caller.ID, r.ID, 1, refused, inv.Time)
		m.count(r.ID, fn.ID, 1, refused, inv.Time)
	} else {
		m.count(caller.ID, fn.ID, 1, refused, inv.Time)
	}
	for _, u := range inv.Uses {
		if to := m.touched(u.Kind, u.Target); to != nil && u.Kind != function.UseFunction {
			to.Calls += int64(u.Count)
			m.count(fn.ID, to.ID, int64(u.Count), u.Refused, inv.Time)
		} else if to != nil && u.Refused {
			m.count(fn.ID, to.ID, int64(u.Count), true, inv.Time) // what was let through made a call of its own
		}
	}
}

// touched is the node of a thing used; nil for what a map need not show.
func (m *mapping) touched(kind function.UseKind, target string) *api.FunctionMapNode {
	switch kind {
	case function.UseRead, function.UseWrite, function.UseDNS:
		return nil
	case function.UseBucket:
		target, _, _ = strings.Cut(target, ":")
	case function.UseFunction:
		target, _, _ = strings.Cut(target, ":")
	}
	return m.node(string(kind), target)
}

// grants draws what a role allows, used or not.
func (m *mapping) grants(name string, v *function.Version) {
	role := &v.Spec.Role
	for kind, targets := range map[function.UseKind][]string{
		function.UseEgress: role.Egress, function.UseAWS: role.AWS, function.UseExec: role.Exec, function.UseFunction: role.Functions,
		function.UseBucket: role.Buckets, function.UseQueue: role.Queues, function.UseSecret: role.Secrets,
	} {
		for _, t := range targets {
			m.edge("function/"+name, m.touched(kind, t).ID).Granted = true
		}
	}
}

func (m *mapping) drawn(now, since time.Time) api.FunctionMap {
	d := api.FunctionMap{Time: now, Since: since, Nodes: []api.FunctionMapNode{}, Edges: []api.FunctionMapEdge{}}
	for _, n := range m.nodes {
		d.Nodes = append(d.Nodes, *n)
	}
	for _, e := range m.edges {
		d.Edges = append(d.Edges, *e)
	}
	slices.SortFunc(d.Nodes, func(a, b api.FunctionMapNode) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(d.Edges, func(a, b api.FunctionMapEdge) int {
		return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	return d
}
