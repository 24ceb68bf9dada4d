// Package profile is the learned model of one workload's normal behaviour: an
// allow-list of programs, listening sockets and connections, with an estimate
// of how much of that behaviour has been seen. It knows how to learn, compare,
// inherit, merge and explain; who acts on a deviation is package guard's
// business, and where profiles are kept is package store's.
package profile

import (
	"time"

	"redoubt.dev/redoubt/internal/redoubt"
)

// State is how far a profile has come.
type State string

// The states. Learning admits what is new; Observing alerts on it; Enforcing
// prevents it; Archived is kept for a workload that is gone.
const (
	Learning  State = "learning"
	Observing State = "observing"
	Enforcing State = "enforcing"
	Archived  State = "archived"
)

// Source says how an entry came into the profile.
type Source string

// The sources of an entry.
const (
	Seeded    Source = "seeded"    // predicted from static facts of the image
	Learned   Source = "learned"   // observed
	Inherited Source = "inherited" // carried over from an earlier image version
	Manual    Source = "manual"    // a person added it
)

// Profile is keyed to a workload; image digests are versions of it.
type Profile struct {
	Workload redoubt.WorkloadID `json:"workload"`
	State    State              `json:"state"`
	Revision int64              `json:"revision"` // raised by every change the console makes
	Since    time.Time          `json:"since"`    // of this state
	Versions []Version          `json:"versions,omitempty"`
	Entries  []Entry            `json:"entries"`
	Units    int64              `json:"units"`            // independent observations so far
	Novel    int64              `json:"novel"`            // of these, ones that showed something no other did
	Starts   int64              `json:"starts,omitempty"` // of these, starts of an instance
	Hours    Hours              `json:"hours,omitempty"`  // hours of the day in which it was watched
	Coverage Coverage           `json:"coverage"`
}

// Version is an image digest this workload has run. Looked says that the
// profile holds what its files foretell, not only that it was seen running.
type Version struct {
	Digest redoubt.Digest `json:"digest"`
	Image  string         `json:"image"`
	Since  time.Time      `json:"since"`
	Looked bool           `json:"looked,omitempty"`
}

// Entry allows one behaviour. Of the three parts exactly the one that Kind
// names is set.
type Entry struct {
	ID      string            `json:"id"`   // stable hash of what it allows
	Kind    redoubt.EventKind `json:"kind"` // exec, listen or connect
	Exec    *Exec             `json:"exec,omitempty"`
	Listen  *Listen           `json:"listen,omitempty"`
	Connect *Connect          `json:"connect,omitempty"`
	Source  Source            `json:"source"`
	First   time.Time         `json:"first,omitzero"`
	Last    time.Time         `json:"last,omitzero"`
	Count   int64             `json:"count"`          // sightings
	Units   int64             `json:"units"`          // independent observations it was part of
	Unit    string            `json:"unit,omitempty"` // the observations that showed it, joined by "+", while Units is at most 2
	Note    string            `json:"note,omitempty"`
	Expect  string            `json:"expect,omitempty"` // for a job known to be due: when, as its table says it
}

// Exec allows a program by path and content, started by a parent, with
// arguments of a shape.
type Exec struct {
	Path    string           `json:"path"`
	Digests []redoubt.Digest `json:"digests,omitempty"` // allowed contents, one per image version; empty is any content that came with the image
	Parent  string           `json:"parent,omitempty"`  // path of the parent program; empty is any inside the workload, or Outside
	Args    []string         `json:"args,omitempty"`    // argument shape, see Shape; nil is any
}

// Listen allows a listening socket.
type Listen struct {
	Proto redoubt.Proto `json:"proto"`
	Port  uint16        `json:"port"`           // 0 is any ephemeral port
	Path  string        `json:"path,omitempty"` // program; empty is any
}

// Connect allows outbound connections.
type Connect struct {
	Proto redoubt.Proto `json:"proto"`
	Peer  string        `json:"peer"` // a workload id, an address, a prefix, "loopback" or "any"
	Port  uint16        `json:"port"` // 0 is any
	Path  string        `json:"path,omitempty"`
}

// Coverage estimates how much of a workload's behaviour the profile holds.
type Coverage struct {
	Share   float64  `json:"share"`             // point estimate, 0 to 1
	Lower   float64  `json:"lower"`             // one-sided 95 % lower bound; learning ends when it passes the threshold
	Units   int64    `json:"units"`             // observations behind it
	Missing []string `json:"missing,omitempty"` // what is probably still unseen, in plain words
}
