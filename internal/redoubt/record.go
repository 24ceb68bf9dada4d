package redoubt

import "time"

// Instance is a workload instance as the console remembers it. Time is its last
// change; an instance its node no longer reports is kept with Running false.
type Instance struct {
	Workload
	Time time.Time
}

// Standing is a response that stands until it is taken back: the instance on
// that node stays isolated or blocked.
type Standing struct {
	Node     NodeID
	Instance string // Workload.Instance
	Effect   Effect // isolate or block
	Reason   string
	By       string
	Time     time.Time
}

// PolicySource is the text of a policy, as its author left it. Revision grows
// with every change of that name, deletion included.
type PolicySource struct {
	Name     string
	Revision int64
	Author   string
	Time     time.Time
	Source   string // YAML
}

// Flow sums up the connections seen from one workload to another or to an
// address outside. From and To are workload ids, or "internet", "private" or
// an address for a peer nobody protects.
type Flow struct {
	From   string
	To     string
	Proto  Proto
	Port   uint16 // of the listening side
	Count  int64
	Last   time.Time
	Novel  bool // the latest was outside the profile
	Denied bool // the latest was refused
}

// Minute counts what was recorded in the minute that begins at Time.
type Minute struct {
	Time   time.Time
	Events int
	Alerts int
}

// OpenCount is how many alerts of one workload and severity are not resolved.
type OpenCount struct {
	Workload WorkloadID
	Severity Severity
	Count    int
}
