// Package policy is what a person writes: documents of ordered rules, each
// with a scope, conditions and an effect, of which the first that matches
// decides. It parses, validates with line numbers, prints and matches; it does
// not carry anything out.
package policy

import "redoubt.dev/redoubt/internal/redoubt"

// Policy is one document.
type Policy struct {
	Name        string `json:"name" yaml:"name"`
	Description string `json:"description,omitempty" yaml:"description,omitempty"`
	Priority    int    `json:"priority" yaml:"priority,omitempty"` // lower goes first; equal ones by name
	Disabled    bool   `json:"disabled,omitempty" yaml:"disabled,omitempty"`
	Scope       Scope  `json:"scope" yaml:"scope,omitempty"`
	Rules       []Rule `json:"rules" yaml:"rules"`
}

// Scope selects workloads; empty selects all, lists are alternatives, fields
// must all hold. Patterns are globs in which * does not stop at a slash.
type Scope struct {
	Workloads []string               `json:"workloads,omitempty" yaml:"workloads,omitempty"` // id or name
	Kinds     []redoubt.WorkloadKind `json:"kinds,omitempty" yaml:"kinds,omitempty"`
	Images    []string               `json:"images,omitempty" yaml:"images,omitempty"`
	Labels    map[string]string      `json:"labels,omitempty" yaml:"labels,omitempty"`
	Nodes     []string               `json:"nodes,omitempty" yaml:"nodes,omitempty"`
}

// Rule has exactly one of Exec, Listen, Connect or Novel.
type Rule struct {
	Name    string         `json:"name" yaml:"name"`
	Exec    *Exec          `json:"exec,omitempty" yaml:"exec,omitempty"`
	Listen  *Listen        `json:"listen,omitempty" yaml:"listen,omitempty"`
	Connect *Connect       `json:"connect,omitempty" yaml:"connect,omitempty"`
	Novel   *Novel         `json:"novel,omitempty" yaml:"novel,omitempty"`
	Effect  redoubt.Effect `json:"effect" yaml:"effect"`
	Note    string         `json:"note,omitempty" yaml:"note,omitempty"`
}

// Exec matches programs. Fields must all hold; in a list any one.
type Exec struct {
	Paths   []string         `json:"paths,omitempty" yaml:"paths,omitempty"` // globs; a denied path is denied by its content wherever it is copied
	Digests []redoubt.Digest `json:"digests,omitempty" yaml:"digests,omitempty"`
	Parents []string         `json:"parents,omitempty" yaml:"parents,omitempty"` // globs
	Args    []string         `json:"args,omitempty" yaml:"args,omitempty"`       // globs, each must match some argument
	Origins []redoubt.Origin `json:"origins,omitempty" yaml:"origins,omitempty"`
	Entered *bool            `json:"entered,omitempty" yaml:"entered,omitempty"` // came from outside, as docker exec does
}

// Listen matches new listening sockets.
type Listen struct {
	Ports []uint16      `json:"ports,omitempty" yaml:"ports,omitempty"`
	Proto redoubt.Proto `json:"proto,omitempty" yaml:"proto,omitempty"`
	Paths []string      `json:"paths,omitempty" yaml:"paths,omitempty"`
}

// Connect matches outbound connections.
type Connect struct {
	To    []string      `json:"to,omitempty" yaml:"to,omitempty"` // prefixes, addresses, workload ids, "loopback", "private", "public"
	Ports []uint16      `json:"ports,omitempty" yaml:"ports,omitempty"`
	Proto redoubt.Proto `json:"proto,omitempty" yaml:"proto,omitempty"`
	Paths []string      `json:"paths,omitempty" yaml:"paths,omitempty"`
}

// Novel matches whatever the workload's profile does not hold.
type Novel struct {
	Kinds []redoubt.EventKind `json:"kinds,omitempty" yaml:"kinds,omitempty"` // exec, listen, connect; empty is all
}
