package redoubt

import "time"

// NodeStatus is what a defender says of itself, every few seconds.
type NodeStatus struct {
	ID        NodeID    `json:"id"`
	Time      time.Time `json:"time"` // of this report
	Hostname  string    `json:"hostname"`
	Kernel    string    `json:"kernel"`
	Version   string    `json:"version"`
	Started   time.Time `json:"started"`
	Connected bool      `json:"connected"`           // set by the console
	Enrolment string    `json:"enrolment,omitempty"` // set by the console: which join token made it a node; empty in the console's own process
	Sensor    Coverage  `json:"sensor"`
	Engines   []Engine  `json:"engines"` // container engines, seen or missing
	Load      Load      `json:"load"`
	Workloads int       `json:"workloads"`
	Spooled   int       `json:"spooled"`        // events waiting for the console
	Gaps      []string  `json:"gaps,omitempty"` // what this node cannot see or enforce, in plain words
}

// Coverage says what a node's sensor and enforcement stand on.
type Coverage struct {
	Sensing []string  `json:"sensing"` // attached hooks
	Exec    []Backend `json:"exec"`    // ways to prevent an exec, strongest first
	Connect []Backend `json:"connect"`
	Cgroups string    `json:"cgroups"` // "v1", "hybrid" or "v2"
}

// Engine is one container engine.
type Engine struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	Error   string `json:"error,omitempty"` // why it is not watched
}

// Load is what a defender costs and has lost.
type Load struct {
	CPU      float64 `json:"cpu"`       // share of one core over the last report interval
	RSS      uint64  `json:"rss"`       // bytes
	KernelNS uint64  `json:"kernel_ns"` // run time of its kernel programs since start, reckoned from samples
	Events   uint64  `json:"events"`    // passed up by the kernel since start
	Known    uint64  `json:"known"`     // recognised in the kernel, no wake-up
	Lost     uint64  `json:"lost"`      // ring buffer full
	Dropped  uint64  `json:"dropped"`   // spool full
}
