package console

import (
	"context"
	"time"

	"redoubt.dev/redoubt/internal/access"
	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/bundle"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/iam"
	learning "redoubt.dev/redoubt/internal/model"
	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/route"
	"redoubt.dev/redoubt/internal/store"
)

// Serverless is what a console needs of functions, where it has any: all of it
// or none.
type Serverless struct {
	Functions    Functions
	Bundles      Bundles
	Calls        Calls
	Invoker      Invoker
	Environments Environments
	Models       Models
	Routes       Routes
	Access       AccessPolicies
	Principals   Principals
	// Grants says what is wrong with a role beyond its form; nil finds nothing.
	Grants func(function.Role) error
	// Changed hears of a function, or of routes for an empty name, after a
	// change was recorded; gone says that nothing of it may run on.
	Changed func(name string, gone bool)
}

// Functions is what is deployed; *function.Registry is it. In a transaction's
// context it belongs to that.
type Functions interface {
	Get(ctx context.Context, name string) (*function.Function, error)
	List(ctx context.Context, q function.Filter) (page []*function.Function, next string, err error)
	Deploy(ctx context.Context, e function.Edit, d function.Deployment) (function.Change, error)
	SetAlias(ctx context.Context, e function.Edit, name, alias string, weights []function.Weight) (function.Change, error)
	DeleteAlias(ctx context.Context, e function.Edit, name, alias string) (function.Change, error)
	Rollback(ctx context.Context, e function.Edit, name, alias string) (function.Change, error)
	Disable(ctx context.Context, e function.Edit, name, reason string) (function.Change, error)
	Enable(ctx context.Context, e function.Edit, name string) (function.Change, error)
	Delete(ctx context.Context, e function.Edit, name string) (function.Change, error)
	DeleteVersion(ctx context.Context, e function.Edit, name string, number int) (function.Change, error)
}

// Bundles keeps code; *bundle.Store is it.
type Bundles interface {
	Add(ctx context.Context, src bundle.Source) (bundle.Info, error)
	Info(d redoubt.Digest) (bundle.Info, bool)
	Path(d redoubt.Digest) (string, error)
	List() ([]bundle.Info, error)
	Remove(d redoubt.Digest, used func(redoubt.Digest) bool) error
}

// Calls is the record of what was called; *store.Store is it.
type Calls interface {
	Invocation(ctx context.Context, id string) (function.Invocation, error)
	FindInvocations(ctx context.Context, q function.Query) (page []function.Invocation, next string, err error)
	FindLines(ctx context.Context, q store.LineQuery) (page []function.Line, next string, err error)
	LinesAfter(ctx context.Context, name string, after int64, limit int) (lines []function.Line, last int64, err error)
	Usage(ctx context.Context, q store.UsageQuery) ([]store.HourUsage, error)
	PruneInvocations(ctx context.Context, before, usageBefore time.Time) (gone int64, err error)
}

// Invoker calls a function by the way all calls take, which decides and
// records.
type Invoker interface {
	// Invoke returns the call's id and the code's answer, or its error's JSON.
	// An error is a call that did not reach the code; the id may still be that
	// of its record.
	Invoke(ctx context.Context, c Invocation) (id string, payload []byte, err error)
}

// Invocation is a call a person makes through the console.
type Invocation struct {
	Principal string
	Operator  bool   // may deploy, by the role at this console
	From      string // address
	Ref       function.Ref
	Payload   []byte
	Async     bool
}

// Environments are where code runs right now.
type Environments interface {
	Status(name string) []api.Environment // of one function, or all
	Gaps() []string
	Off() string // why nothing runs here; empty where it does
}

// Models is what was learned of functions; *model.Book is it.
type Models interface {
	Get(name string) (*learning.Model, error)
	List() []learning.Summary
	Change(ctx context.Context, name string, do func(*learning.Learner) error) (*learning.Model, error)
	Replace(ctx context.Context, m *learning.Model) error
	Forget(ctx context.Context, name string) error
}

// Routes are those people made; route.Store is it.
type Routes interface {
	Routes(ctx context.Context) ([]route.Route, error)
	PutRoutes(ctx context.Context, routes []route.Route) error
	DeleteRoute(ctx context.Context, id string) error
}

// AccessPolicies decide who may call what; *access.Policies is it. Its changes
// are made in a transaction's context and nowhere else.
type AccessPolicies interface {
	Documents(ctx context.Context) ([]access.Document, error)
	Revisions(ctx context.Context, name string) ([]access.Document, error)
	Put(ctx context.Context, by string, d access.Document) (access.Document, error)
	Delete(ctx context.Context, name string) error
	Refresh(ctx context.Context) error
	Check(d *access.Document) []access.Problem
	Statements(d *access.Document) ([]*access.Statement, []access.Problem)
	Read(name string, source []byte) ([]access.Document, []access.Problem)
	FromIAM(source []byte, o access.Import) (access.Document, []access.IAMProblem)
	Ask(r *access.Request) (access.Answer, error)
	WhoCan(action, resource string, known []access.Principal, c access.Context) ([]access.Access, error)
	WhatCan(p access.Principal, resources []string, c access.Context) ([]access.Access, error)
	Lint(known access.Known) []access.Finding
	Named() (principals, resources []string)
	Actions() []string
}

// Principals are who calls; *iam.Service is it. It writes by itself, so it
// must not be called inside a transaction, which it might wait for.
type Principals interface {
	Principals() []iam.Principal
	Principal(id string) (iam.Principal, error)
	Put(ctx context.Context, by string, p iam.Principal) (iam.Principal, error)
	Disable(ctx context.Context, by, id, reason string) (iam.Principal, error)
	Enable(ctx context.Context, by, id string) (iam.Principal, error)
	Revoke(ctx context.Context, by, id, reason string) (iam.Principal, error)
	Remove(ctx context.Context, by, id string) error
	Keys(principal string) []iam.Key
	MakeKey(ctx context.Context, by string, n iam.NewKey) (iam.Key, iam.Secret, error)
	SwitchKey(ctx context.Context, id string, disabled bool) error
	DeleteKey(ctx context.Context, id string) error
	Act(ctx context.Context, principal string) (iam.Caller, error)
	Issue(c iam.Caller, ask iam.Ask) (iam.Token, error)
}

var errNoFunctions = fault.New(fault.Unsupported, "this console has no functions: they run where redoubt up does; ask the console of such a machine")

// served lets a request through where there are functions.
func served[I, O any](c *Console, h func(context.Context, *I) (*O, error)) func(context.Context, *I) (*O, error) {
	return func(ctx context.Context, i *I) (*O, error) {
		if c.serverless == nil {
			return nil, errNoFunctions
		}
		return h(ctx, i)
	}
}

// changed tells of a recorded change.
func (c *Console) changed(name string, gone bool) {
	if c.serverless.Changed != nil {
		c.serverless.Changed(name, gone)
	}
}

// edit is who changes a function, having seen a revision of it.
func edit(ctx context.Context, revision int64) function.Edit {
	return function.Edit{By: actorName(ctx), Revision: revision}
}

func actorName(ctx context.Context) string { return requestOf(ctx).actor.User }
