package profile

import "redoubt.dev/redoubt/internal/redoubt"

// Delta is what one node has added to a profile since it last said so. Counts
// are increments, so deltas of many nodes add up in any order.
type Delta struct {
	Workload redoubt.WorkloadID `json:"workload"`
	Version  *Version           `json:"version,omitempty"` // first seen here
	Entries  []Entry            `json:"entries,omitempty"` // each whole, with increments in Count and Units
	Units    int64              `json:"units"`
	Starts   int64              `json:"starts,omitempty"`
	Hours    Hours              `json:"hours,omitempty"`
}
