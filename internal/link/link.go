// Package link is what a console and a defender say to each other: events,
// profile growth and node status go up, policies, profiles and orders come
// down. It owns the wire format, mutual TLS, enrolment and the defender's disk
// spool. A console that runs in the same process is handed over as a Console
// directly, without a wire.
package link

import (
	"context"

	"redoubt.dev/redoubt/internal/policy"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

// Console is what a defender sees of its console.
type Console interface {
	// Push delivers a batch. A console records each (Node, Seq) once: a batch
	// whose Seq it has already recorded is answered as if new and changes
	// nothing. An error means nothing was recorded.
	Push(ctx context.Context, b *Batch) error
	// Watch calls use with the desired state at once and after every change,
	// until ctx ends or the connection breaks.
	Watch(ctx context.Context, node redoubt.NodeID, use func(*Desired)) error
}

// Batch is one delivery. Seq grows from batch to batch of a node, with gaps,
// also across restarts, a lost spool and a new enrolment: a console needs to
// remember only the highest one per node. It fits 53 bits.
type Batch struct {
	Node      redoubt.NodeID
	Seq       uint64
	Events    []redoubt.Event
	Deltas    []profile.Delta
	Workloads []redoubt.Workload  // all instances as they are now; nil where unchanged
	Status    *redoubt.NodeStatus // nil where this batch does not report it
}

// Desired is what a node is to enforce.
type Desired struct {
	Revision uint64
	Policies []policy.Policy
	Profiles []profile.Profile // of the workloads this node runs
	Orders   []Order           // standing orders for instances of this node
}

// Order is a response that stands until it is taken back.
type Order struct {
	Instance string         `json:"instance"` // redoubt.Workload.Instance
	Effect   redoubt.Effect `json:"effect"`   // isolate, or block
	Reason   string         `json:"reason"`
}
