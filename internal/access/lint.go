package access

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// Finding is something about a statement that a person should look at.
type Finding struct {
	Check   string `json:"check"`
	Severe  bool   `json:"severe,omitempty"` // it gives more than was likely meant
	Policy  string `json:"policy"`
	Message string `json:"message"`
}

// Known are the principals and resources there are. What is nil is not checked.
type Known struct {
	Principals []Principal
	Resources  []string
}

// check is one of Lint's: what it says of a statement, empty where all is well.
type check struct {
	name   string
	severe bool
	look   func(x *linter, s *Statement) string
}

var checks = []check{
	{"everything", true, func(_ *linter, s *Statement) string {
		return when(!s.Forbid && wideWho(s) && wideWhat(s) && wideWhere(s), "it permits everybody everything")
	}},
	{"anonymous", true, func(_ *linter, s *Statement) string {
		p, named := s.ast().Principal.(ast.ScopeTypeEq)
		anon := named && p.Entity.Type == "Anonymous"
		return when(!s.Forbid && (wideWho(s) || anon), "it permits callers who prove nothing: name principals, or say in a condition who is meant")
	}},
	{"any-action", true, func(_ *linter, s *Statement) string {
		return when(!s.Forbid && wideWhat(s), "it permits every action, also those that will be added: list the ones that are needed")
	}},
	{"any-resource", true, func(_ *linter, s *Statement) string {
		return when(!s.Forbid && wideWhere(s), "it permits this on every resource: name those that are meant")
	}},
	{"all-of-a-kind", false, func(_ *linter, s *Statement) string {
		a, in := s.ast().Action.(ast.ScopeTypeIn)
		return when(!s.Forbid && in && strings.HasSuffix(string(a.Entity.ID), ":*"), "it permits all actions of that kind, deleting and changing included")
	}},
	{"any-secret", true, func(x *linter, s *Statement) string {
		return when(!s.Forbid && !wideWhat(s) && x.has(s, "secret:Read") && (wideWhere(s) || isType(s.ast().Resource, "Secret")), "it permits reading every secret")
	}},
	{"any-role", true, func(x *linter, s *Statement) string {
		return when(!s.Forbid && !wideWhat(s) && x.has(s, "role:Assume") && (wideWhere(s) || isType(s.ast().Resource, "Role")), "it permits becoming any role, and so all that any of them may do")
	}},
	{"policy-writer", true, func(x *linter, s *Statement) string {
		return when(!s.Forbid && !wideWhat(s) && x.has(s, "access:Configure"), "it permits changing policies, and so everything: only administrators should")
	}},
	{"deploy-and-grant", true, func(x *linter, s *Statement) string {
		return when(!s.Forbid && !wideWhat(s) && x.has(s, "function:Deploy") && x.besides(s, "function:Grant"), "together with what else is permitted, it lets code of one's own run with any rights: let others give a function its role")
	}},
	{"deploy-into-rights", false, func(x *linter, s *Statement) string { return x.deployInto(s) }},
	{"shadowed", false, func(x *linter, s *Statement) string {
		return x.covered(s, true, "it never permits anything: %s forbids all of it")
	}},
	{"redundant", false, func(x *linter, s *Statement) string {
		return x.covered(s, false, "%s permits all of it already")
	}},
	{"unknown-principal", false, func(x *linter, s *Statement) string { return x.unknownPrincipal(s) }},
	{"unknown-resource", false, func(x *linter, s *Statement) string { return x.unknownResource(s) }},
}

// Lint looks at all statements that are loaded.
func (e *Engine) Lint(known Known) []Finding {
	x := &linter{l: e.l, all: e.now.Load().all, known: known}
	var out []Finding
	for _, s := range x.all {
		for _, c := range checks {
			if text := c.look(x, s); text != "" {
				out = append(out, Finding{c.name, c.severe, s.ID, text})
			}
		}
	}
	return out
}

type linter struct {
	l     *language
	all   []*Statement
	known Known
}

func when(yes bool, text string) string {
	if yes {
		return text
	}
	return ""
}

func isAll(scope any) bool { _, ok := scope.(ast.ScopeTypeAll); return ok }

func isType(scope any, t types.EntityType) bool {
	is, ok := scope.(ast.ScopeTypeIs)
	return ok && is.Type == t
}

// wideWho: neither scope nor condition says who; wideWhere the same of what on.
func wideWho(s *Statement) bool   { return isAll(s.ast().Principal) && !s.mentions("principal") }
func wideWhat(s *Statement) bool  { return isAll(s.ast().Action) && !s.mentions("action") }
func wideWhere(s *Statement) bool { return isAll(s.ast().Resource) && !s.mentions("resource") }

func (s *Statement) mentions(variable types.String) (yes bool) {
	s.each(func(n ast.IsNode) {
		v, ok := n.(ast.NodeTypeVariable)
		yes = yes || ok && v.Name == variable
	})
	return yes
}

func (x *linter) has(s *Statement, action string) bool {
	return s.actions&x.l.bits[actionUID(action)] != 0
}

// besides: s or another permit gives the same principals that action on what s
// is about.
func (x *linter) besides(s *Statement, action string) bool {
	for _, o := range x.all {
		if !o.Forbid && x.has(o, action) && covers(o.ast().Principal, s.ast().Principal) && (covers(o.ast().Resource, s.ast().Resource) || covers(s.ast().Resource, o.ast().Resource)) {
			return true
		}
	}
	return false
}

// deployInto: code that s lets somebody deploy gets the rights the function has.
func (x *linter) deployInto(s *Statement) string {
	f := scopeEntity(s.ast().Resource)
	if s.Forbid || wideWhat(s) || f.Type != "Function" || !x.has(s, "function:Deploy") {
		return ""
	}
	for _, o := range x.all {
		if !o.Forbid && scopeEntity(o.ast().Principal) == f && x.has(o, "secret:Read") {
			return fmt.Sprintf("who deploys %s gets what its role has, as %s says", pathOf(f), o.ID)
		}
	}
	return ""
}

// covered finds an unconditional statement that leaves nothing to s.
func (x *linter) covered(s *Statement, forbid bool, format string) string {
	if s.Forbid {
		return ""
	}
	for _, o := range x.all {
		if o == s || o.Forbid != forbid || len(o.ast().Conditions) > 0 || s.actions&^o.actions != 0 {
			continue
		}
		if !covers(o.ast().Principal, s.ast().Principal) || !covers(o.ast().Resource, s.ast().Resource) {
			continue
		}
		if same := !forbid && len(s.ast().Conditions) == 0 && s.actions == o.actions && covers(s.ast().Principal, o.ast().Principal) && covers(s.ast().Resource, o.ast().Resource); same && s.ID < o.ID {
			continue // of two alike the first stays
		}
		return fmt.Sprintf(format, o.ID)
	}
	return ""
}

// covers says whether all that scope b lets through scope a does too. It may
// say no where the answer is yes.
func covers(a, b any) bool {
	if isAll(a) {
		return true
	}
	entity := scopeEntity(b)
	switch a := a.(type) {
	case ast.ScopeTypeEq:
		eq, ok := b.(ast.ScopeTypeEq)
		return ok && eq.Entity == a.Entity
	case ast.ScopeTypeIn:
		return entity == a.Entity || within(entity, a.Entity)
	case ast.ScopeTypeIs:
		eq, ok := b.(ast.ScopeTypeEq)
		in, isIn := b.(ast.ScopeTypeIsIn)
		return isType(b, a.Type) || ok && eq.Entity.Type == a.Type || isIn && in.Type == a.Type
	}
	return false
}

// within says whether one is a version of the function, or an object of the
// bucket, that the other is.
func within(inner, outer types.EntityUID) bool {
	if inner.Type != "FunctionVersion" && inner.Type != "Object" {
		return false
	}
	_, around, err := resourceUID(pathOf(inner))
	return err == nil && around == outer
}

func (x *linter) unknownPrincipal(s *Statement) string {
	uid := scopeEntity(s.ast().Principal)
	if x.known.Principals == nil || uid.Type == "" || uid.Type == "Anonymous" {
		return ""
	}
	names := make([]string, 0, len(x.known.Principals))
	for _, p := range x.known.Principals {
		if uid.Type == "Group" {
			names = append(names, p.Groups...)
		} else {
			names = append(names, p.ID)
		}
	}
	name := pathOf(uid)
	if uid.Type == "Group" {
		name = string(uid.ID)
	}
	if slices.Contains(names, name) {
		return ""
	}
	if uid.Type == "Group" {
		return fmt.Sprintf("nobody is in group %s", uid.ID)
	}
	return fmt.Sprintf("there is no %s: %s", name, nearest(name, names))
}

func (x *linter) unknownResource(s *Statement) string {
	uid := scopeEntity(s.ast().Resource)
	if x.known.Resources == nil || uid.Type == "" || uid.Type == "System" {
		return ""
	}
	if _, around, err := resourceUID(pathOf(uid)); err == nil && around.Type != "" {
		uid = around
	}
	if name := pathOf(uid); !slices.Contains(x.known.Resources, name) {
		return fmt.Sprintf("there is no %s: %s", name, nearest(name, x.known.Resources))
	}
	return ""
}

// nearest is a suggestion that does not list a whole installation.
func nearest(name string, names []string) string {
	if text := didYouMean(name, names); strings.HasPrefix(text, "did") {
		return text
	}
	return "remove the statement, or make it"
}
