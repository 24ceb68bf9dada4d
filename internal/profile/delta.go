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
	News     []News             `json:"news,omitempty"`
}

// News is what a node found in an image version that is new to a profile: what
// its static facts foretell, and the new contents of programs the profile
// knows. Both hold in every state, see docs/decisions.
type News struct {
	Version Version   `json:"version"`
	Seeds   []Entry   `json:"seeds,omitempty"`
	Changed []Content `json:"changed,omitempty"`
}
