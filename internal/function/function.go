package function

import (
	"time"

	"redoubt.dev/redoubt/internal/redoubt"
)

// Live is the alias every function has: what a caller gets who names none.
const Live = "live"

// State says whether a function may be called.
type State string

// The states. A disabled function answers 410 and keeps everything.
const (
	Active   State = "active"
	Disabled State = "disabled"
)

// Function is a named unit of code with all its versions. Revision grows with
// every change of it.
type Function struct {
	Name     string           `json:"name"` // see CheckName
	Revision int64            `json:"revision"`
	Last     int              `json:"last"` // highest version number ever given; none is given twice, not even after a deletion
	State    State            `json:"state"`
	Reason   string           `json:"reason,omitempty"` // why it is disabled
	By       string           `json:"by,omitempty"`     // who changed it last
	Created  time.Time        `json:"created"`
	Updated  time.Time        `json:"updated"`
	Aliases  map[string]Alias `json:"aliases"`  // always holds Live
	Versions []Version        `json:"versions"` // newest first
}

// Alias is a name for one version or, as a canary, for several with weights.
type Alias struct {
	Weights  []Weight `json:"weights"`            // percentages that add up to 100, heaviest first
	Previous []Weight `json:"previous,omitempty"` // what it was before: where rollback goes
}

// Weight gives a version a share of an alias's calls.
type Weight struct {
	Version int `json:"version"`
	Percent int `json:"percent"`
}

// Version is one deployment; it never changes.
type Version struct {
	Number  int       `json:"number"` // from 1
	Created time.Time `json:"created"`
	By      string    `json:"by"`
	Spec    Spec      `json:"spec"`
	Code    Code      `json:"code"`
}

// Code is a version's bundle as it was taken in.
type Code struct {
	Digest   redoubt.Digest `json:"digest"`   // of the unpacked tree: names, modes and contents
	Size     int64          `json:"size"`     // bytes as uploaded
	Unpacked int64          `json:"unpacked"` // bytes on disk
	Files    int            `json:"files"`
	Hints    []string       `json:"hints,omitempty"` // in plain words: oversized, runtime past its end of life, stale dependencies
}

// Workload is the id under which a function's events and model are kept.
func Workload(name string) redoubt.WorkloadID { return redoubt.WorkloadID("function/" + name) }

// Version returns the version of that number.
func (f *Function) Version(number int) (*Version, bool) {
	for i := range f.Versions {
		if f.Versions[i].Number == number {
			return &f.Versions[i], true
		}
	}
	return nil, false
}
