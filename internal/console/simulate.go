package console

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"redoubt.dev/redoubt/internal/access"
	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/iam"
)

// contextOf reads how a call would come.
func (c *Console) contextOf(a *api.AccessContext) (access.Context, error) {
	got := access.Context{
		Time: a.Time, MTLS: a.MTLS, TLS: a.TLS, Route: a.Route, Stage: a.Stage, Tenant: a.Tenant, Method: a.Method, Source: a.Source, Bytes: a.Bytes,
	}
	if got.Time.IsZero() {
		got.Time = c.clock()
	}
	if a.From == "" {
		return got, nil
	}
	if p, err := netip.ParsePrefix(a.From); err == nil {
		got.IP = p.Masked().Addr()
		return got, nil
	}
	ip, err := netip.ParseAddr(a.From)
	if err != nil {
		return got, fault.New(fault.Invalid, "from: %q is neither an address nor a network such as 10.0.0.0/8", clip(a.From, 64))
	}
	got.IP = ip
	return got, nil
}

// asker is a principal as it is on record; known says whether it may come in.
func (c *Console) asker(id string) (p access.Principal, known bool) {
	if id != iam.Anonymous && !strings.Contains(id, "/") {
		id = "user/" + id
	}
	p.ID = id
	if r, err := c.serverless.Principals.Principal(id); err == nil {
		p.Groups, p.Tenant = r.Groups, r.Tenant
		return p, !r.Disabled
	}
	return p, id == iam.Anonymous
}

func actionOf(s string) string {
	if s == "" || strings.Contains(s, ":") {
		return s
	}
	return "function:" + strings.ToUpper(s[:1]) + s[1:]
}

func resourceOf(s string) string {
	if s == "" || s == "system" || strings.Contains(s, "/") {
		return s
	}
	return "function/" + s
}

func (c *Console) simulate(_ context.Context, r *in[api.SimulateRequest]) (*out[api.Simulation], error) {
	asked, err := c.contextOf(&r.Body.Context)
	if err != nil {
		return nil, err
	}
	who, known := c.asker(r.Body.Principal)
	if r.Body.Groups != nil {
		who.Groups = r.Body.Groups
	}
	if asked.Tenant == "" {
		asked.Tenant = who.Tenant
	}
	q := access.Request{Principal: who, Action: actionOf(r.Body.Action), Resource: resourceOf(r.Body.Resource), Context: asked}
	a, err := c.serverless.Access.Ask(&q)
	if err != nil {
		return nil, err
	}
	return answer(api.Simulation{Principal: who.ID, Action: q.Action, Resource: q.Resource, Known: known, Answer: a}), nil
}

func (c *Console) whoCan(_ context.Context, r *in[api.WhoCanRequest]) (*out[api.AccessList], error) {
	asked, err := c.contextOf(&r.Body.Context)
	if err != nil {
		return nil, err
	}
	got, err := c.serverless.Access.WhoCan(actionOf(r.Body.Action), resourceOf(r.Body.Resource), c.knownPrincipals(), asked)
	return accessList(got, err)
}

func (c *Console) whatCan(ctx context.Context, r *in[api.WhatCanRequest]) (*out[api.AccessList], error) {
	asked, err := c.contextOf(&r.Body.Context)
	if err != nil {
		return nil, err
	}
	resources, err := c.knownResources(ctx)
	if err != nil {
		return nil, err
	}
	who, _ := c.asker(r.Body.Principal)
	got, err := c.serverless.Access.WhatCan(who, resources, asked)
	return accessList(got, err)
}

func accessList(got []access.Access, err error) (*out[api.AccessList], error) {
	if err != nil {
		return nil, err
	}
	if got == nil {
		got = []access.Access{}
	}
	return answer(api.AccessList{Items: got}), nil
}

// knownPrincipals are those on record and those that statements name.
func (c *Console) knownPrincipals() []access.Principal {
	var all []access.Principal
	for _, p := range c.serverless.Principals.Principals() {
		if !p.Disabled {
			all = append(all, access.Principal{ID: p.ID, Groups: p.Groups, Tenant: p.Tenant})
		}
	}
	named, _ := c.serverless.Access.Named()
	for _, id := range append(named, iam.Anonymous) {
		if !slices.ContainsFunc(all, func(p access.Principal) bool { return p.ID == id }) {
			if _, err := c.serverless.Principals.Principal(id); err == nil {
				continue // disabled
			}
			all = append(all, access.Principal{ID: id})
		}
	}
	return all
}

// knownResources are the functions there are and what statements name.
func (c *Console) knownResources(ctx context.Context) ([]string, error) {
	_, all := c.serverless.Access.Named()
	err := c.eachFunction(ctx, func(fn *function.Function) error {
		all = append(all, "function/"+fn.Name)
		for alias := range fn.Aliases {
			all = append(all, "function/"+fn.Name+":"+alias)
		}
		return nil
	})
	slices.Sort(all)
	return slices.Compact(all), err
}

func (c *Console) vocabulary(ctx context.Context, _ *struct{}) (*out[api.Vocabulary], error) {
	resources, err := c.knownResources(ctx)
	if err != nil {
		return nil, err
	}
	v := api.Vocabulary{Actions: c.serverless.Access.Actions(), Principals: []string{}, Resources: resources}
	for _, p := range c.knownPrincipals() {
		v.Principals = append(v.Principals, p.ID)
	}
	slices.Sort(v.Principals)
	if v.Resources == nil {
		v.Resources = []string{}
	}
	return answer(v), nil
}

func (c *Console) lintAccess(ctx context.Context, _ *struct{}) (*out[api.AccessFindings], error) {
	var known access.Known
	for _, p := range c.serverless.Principals.Principals() {
		known.Principals = append(known.Principals, access.Principal{ID: p.ID, Groups: p.Groups, Tenant: p.Tenant})
	}
	err := c.eachFunction(ctx, func(fn *function.Function) error {
		known.Resources = append(known.Resources, "function/"+fn.Name)
		return nil
	})
	if err != nil {
		return nil, err
	}
	got := c.serverless.Access.Lint(known)
	if got == nil {
		got = []access.Finding{}
	}
	return answer(api.AccessFindings{Items: got}), nil
}
