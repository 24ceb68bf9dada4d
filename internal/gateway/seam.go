package gateway

import (
	"context"
	"time"

	"redoubt.dev/redoubt/internal/access"
	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/model"
	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/route"
	"redoubt.dev/redoubt/internal/runner"
)

// Functions is what is deployed; *function.Registry is it.
type Functions interface {
	// Resolve finds the version that ref means; pick chooses by weight. What is
	// not there is fault.NotFound, what is disabled a *function.GoneError.
	Resolve(ctx context.Context, ref function.Ref, pick float64) (*function.Function, *function.Version, error)
	List(ctx context.Context, q function.Filter) (page []*function.Function, next string, err error)
}

// Invoker runs code; *runner.Runner is one.
type Invoker interface {
	Invoke(ctx context.Context, c *runner.Call) (*runner.Result, error)
}

// Authorizer says whether a principal may do something; *access.Engine is it.
// An error is no permission.
type Authorizer interface {
	Decide(r *access.Request) (access.Decision, error)
}

// Model knows what a function's requests look like; *model.Book is it.
type Model interface {
	// JudgeRequest compares a request with what was learned, before it runs. A
	// verdict whose effect is EffectPrevent or more refuses it.
	JudgeRequest(name string, r *model.Request) redoubt.Verdict
	// Learn is told of every call that ran, and says what was unusual about it.
	Learn(v *function.Version, inv *function.Invocation, r *model.Request) []redoubt.Verdict
}

// Records keeps invocations and what functions printed.
type Records interface {
	// AddInvocations appends; an ID that is there already is left as it is.
	AddInvocations(ctx context.Context, all []function.Invocation) error
}

// Queues is the durable store behind queues and asynchronous calls. A full
// disk is fault.Unavailable.
type Queues interface {
	// Send adds a message; one with that ID in that queue is left as it is.
	Send(ctx context.Context, m *function.Message) error
	// Receive hands out up to max messages that are due at now, oldest first,
	// raises their Attempts and sets Due to the end of the lease.
	Receive(ctx context.Context, queue string, max int, now time.Time, lease time.Duration) ([]function.Message, error)
	// Keep stores m's Due, Attempts and Attributes; one that is gone is
	// fault.NotFound.
	Keep(ctx context.Context, m *function.Message) error
	// Delete removes a message; false if it was gone.
	Delete(ctx context.Context, queue, id string) (bool, error)
	// States sums up the queues whose names begin with prefix.
	States(ctx context.Context, prefix string) ([]function.QueueState, error)
	// Release ends every lease of queues with that prefix: whoever held them
	// is gone.
	Release(ctx context.Context, prefix string) error
}

// Routes are those a person made, besides the ones functions ask for
// themselves; a route.Store is it.
type Routes interface {
	Routes(ctx context.Context) ([]route.Route, error)
}
