// Package workload knows what runs on this node and which cgroup, address and
// name belong to whom. Sources, one subpackage each, watch an engine or the
// system and say what changes; the Registry keeps the picture and answers
// whose a cgroup is. What workloads do is package sensor's business, what they
// may do is package guard's.
package workload

import (
	"context"

	"redoubt.dev/redoubt/internal/redoubt"
)

// Change is one workload as it is now, whole. Gone means that the instance no
// longer exists; of the Workload then only its identity counts.
type Change struct {
	Workload redoubt.Workload
	Gone     bool
}

// Source watches one kind of workload.
type Source interface {
	// Name is short and stable: "docker", "system".
	Name() string
	// Run reports every workload that is there and then every change, until ctx
	// ends; an engine that is missing or goes away is waited for, not an error.
	// The changes of one instance come in order and one at a time; sink may be
	// called for different instances at once, must not block for long, and owns
	// what it is given.
	Run(ctx context.Context, sink func(Change)) error
}

// Engined is implemented by sources that stand on a container engine.
type Engined interface {
	// Engine says how the engine is now; its Error is empty while it is watched.
	Engine() redoubt.Engine
}
