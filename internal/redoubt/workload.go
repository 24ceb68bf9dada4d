package redoubt

import (
	"strings"
	"time"
)

// WorkloadID names what a profile and a policy are keyed to: every replica and
// every image version of one service share it. Docker containers use
// "docker/" plus the compose project and service, else the image repository;
// systemd units use "service/NAME"; everything else on a node is "host/NODE".
type WorkloadID string

// NodeID names one protected machine.
type NodeID string

// WorkloadKind says what sort of thing runs.
type WorkloadKind string

// The kinds of workload.
const (
	KindContainer WorkloadKind = "container"
	KindService   WorkloadKind = "service"
	KindHost      WorkloadKind = "host"
)

// Digest is an algorithm-prefixed content hash, "sha256:…" in lower-case hex.
type Digest string

// Short returns the first twelve hex digits, for people.
func (d Digest) Short() string {
	_, hex, ok := strings.Cut(string(d), ":")
	if !ok {
		hex = string(d)
	}
	return hex[:min(12, len(hex))]
}

// WorkloadRef is the part of a Workload that every event carries.
type WorkloadRef struct {
	ID        WorkloadID   `json:"id"`
	Kind      WorkloadKind `json:"kind"`
	Name      string       `json:"name"`                // container, unit or host name
	Container string       `json:"container,omitempty"` // full container id
	Image     string       `json:"image,omitempty"`     // reference as the user wrote it
	Digest    Digest       `json:"digest,omitempty"`    // image id or manifest digest
}

// Workload is one running instance: a container, a systemd unit or a host.
type Workload struct {
	WorkloadRef
	Node       NodeID            `json:"node"`
	Labels     map[string]string `json:"labels,omitempty"`
	Cgroup     string            `json:"cgroup"`              // path below the v2 mount, "/" for a host
	CgroupID   uint64            `json:"cgroup_id,omitempty"` // inode of that directory; 0 until it exists
	PID        int               `json:"pid,omitempty"`       // its first process as the node sees it
	Entrypoint []string          `json:"entrypoint,omitempty"`
	Command    []string          `json:"command,omitempty"`
	Health     []string          `json:"health,omitempty"`      // health-check command, run by the engine from outside
	Cwd        string            `json:"cwd,omitempty"`         // working directory its command starts in
	SearchPath string            `json:"search_path,omitempty"` // PATH of its environment
	Exposes    []Port            `json:"exposes,omitempty"`
	Addresses  []string          `json:"addresses,omitempty"` // IPs other workloads reach it at
	Layers     []string          `json:"-"`                   // image layer directories on the node, uppermost first
	Upper      string            `json:"-"`                   // writable layer directory on the node
	Merged     string            `json:"-"`                   // where the engine mounts the union of Upper and Layers on the node
	Started    time.Time         `json:"started"`
	Running    bool              `json:"running"`
	Isolated   bool              `json:"isolated"`
}

// Instance is the key of this running instance on its node: the container id,
// or the workload id where there is just one per node.
func (w *Workload) Instance() string {
	if w.Container != "" {
		return w.Container
	}
	return string(w.ID)
}

// Matches says whether a person who typed s means this workload: its id, its
// name, or at least the first six digits of its container id.
func (w *WorkloadRef) Matches(s string) bool {
	return s == string(w.ID) || s == w.Name || len(s) >= 6 && strings.HasPrefix(w.Container, s)
}

// Port is a transport port.
type Port struct {
	Proto Proto  `json:"proto"`
	Port  uint16 `json:"port"`
}

// Proto is a transport protocol.
type Proto string

// The transport protocols the sensor sees.
const (
	TCP Proto = "tcp"
	UDP Proto = "udp"
)
