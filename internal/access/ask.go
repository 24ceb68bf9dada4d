package access

import (
	"fmt"
	"slices"
	"strings"

	cedar "github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
)

// Change is one way to allow what was denied; it was tried out.
type Change struct {
	Kind   string `json:"kind"`             // group: join one; narrow: edit a forbid; add: a new statement
	Policy string `json:"policy,omitempty"` // the statement it is about
	Group  string `json:"group,omitempty"`
	Text   string `json:"text,omitempty"` // a statement: the new one, or what the one named becomes
	Why    string `json:"why"`
}

// Answer is a decision with what would turn it.
type Answer struct {
	Decision
	Changes []Change `json:"changes,omitempty"` // all of them are needed, except where Kind is group: then the first alone
}

// Ask decides and, where the answer is no, finds the smallest change that
// makes it yes.
func (e *Engine) Ask(r *Request) (Answer, error) {
	x := e.now.Load()
	d, err := x.decide(e.l, r)
	if err != nil || d.Allow {
		return Answer{Decision: d}, err
	}
	f, err := e.l.facts(r, x.globs)
	if err != nil {
		return Answer{}, err
	}
	a := Answer{Decision: d}
	rest := x.find(f)
	for {
		d := decideBy(rest, f)
		if d.Allow {
			return a, nil
		}
		if d.Policy == "" {
			break
		}
		s := rest.byID(cedar.PolicyID(d.Policy))
		a.Changes = append(a.Changes, Change{Kind: "narrow", Policy: s.ID, Text: except(s.Text, f), Why: "it forbids this: let it leave out this principal, action and resource"})
		rest = slices.DeleteFunc(rest, func(o *Statement) bool { return o == s })
	}
	if c, ok := x.group(e.l, r); ok && len(a.Changes) == 0 {
		a.Changes = append(a.Changes, c)
	}
	text := "permit (principal == " + literal(f.request.Principal) + ", action == " + literal(f.request.Action) + ", resource == " + literal(f.request.Resource) + ");"
	a.Changes = append(a.Changes, Change{Kind: "add", Text: text, Why: "no statement permits this"})
	return a, nil
}

func literal(uid types.EntityUID) string { return string(uid.Type) + "::" + quote(string(uid.ID)) }

// except lets a forbid leave out one request.
func except(text string, f *facts) string {
	return fmt.Sprintf("%s\nunless { principal == %s && action == %s && resource == %s };", strings.TrimRight(strings.TrimSuffix(text, ";"), " \n"),
		literal(f.request.Principal), literal(f.request.Action), literal(f.request.Resource))
}

// group finds a group whose members may do what r asks.
func (x *index) group(l *language, r *Request) (Change, bool) {
	for _, s := range x.all {
		g := scopeEntity(s.ast().Principal)
		if g.Type != "Group" || s.Forbid || s.actions&l.bits[actionUID(r.Action)] == 0 {
			continue
		}
		member := *r
		member.Principal.Groups = append(slices.Clone(r.Principal.Groups), string(g.ID))
		if d, err := x.decide(l, &member); err == nil && d.Allow {
			return Change{Kind: "group", Policy: d.Policy, Group: string(g.ID), Why: fmt.Sprintf("members of group %s may do this: put %s into it", g.ID, r.Principal.ID)}, true
		}
	}
	return Change{}, false
}

// Access is one thing one principal may do.
type Access struct {
	Principal string `json:"principal"`
	Action    string `json:"action"`
	Resource  string `json:"resource"`
	Policy    string `json:"policy"`
}

// WhoCan lists which of the principals known may do action on resource, with
// the statement that lets them.
func (e *Engine) WhoCan(action, resource string, known []Principal, c Context) ([]Access, error) {
	var out []Access
	for _, p := range append(slices.Clone(known), Principal{ID: "anonymous"}) {
		d, err := e.Decide(&Request{p, action, resource, c})
		if err != nil {
			return nil, err
		}
		if d.Allow {
			out = append(out, Access{p.ID, action, resource, d.Policy})
		}
	}
	return out, nil
}

// WhatCan lists what a principal may do on the resources known.
func (e *Engine) WhatCan(p Principal, resources []string, c Context) ([]Access, error) {
	var out []Access
	for _, r := range resources {
		uid, _, err := resourceUID(r)
		if err != nil {
			return nil, err
		}
		for _, action := range e.l.actions {
			if !e.l.applies(action, uid.Type) {
				continue
			}
			d, err := e.Decide(&Request{p, action, r, c})
			if err != nil {
				return nil, err
			}
			if d.Allow {
				out = append(out, Access{p.ID, action, r, d.Policy})
			}
		}
	}
	return out, nil
}

// Named lists the principals and resources that statements name, for a list of
// those known.
func (e *Engine) Named() (principals, resources []string) {
	for _, s := range e.now.Load().all {
		p := s.ast()
		if uid := scopeEntity(p.Principal); uid.Type != "" && uid.Type != "Group" {
			principals = append(principals, pathOf(uid))
		}
		if uid := scopeEntity(p.Resource); uid.Type != "" {
			resources = append(resources, pathOf(uid))
		}
	}
	slices.Sort(principals)
	slices.Sort(resources)
	return slices.Compact(principals), slices.Compact(resources)
}
