package profile

import (
	"time"

	"redoubt.dev/redoubt/internal/redoubt"
)

// Summary is a profile without its entries.
type Summary struct {
	ID       string              `json:"id"` // the workload
	Workload redoubt.WorkloadRef `json:"workload"`
	State    State               `json:"state"`
	Time     time.Time           `json:"time"` // last change
	Since    time.Time           `json:"since"`
	Revision int64               `json:"revision"`
	Entries  int                 `json:"entries"`
	Coverage Coverage            `json:"coverage"`
	Versions []Version           `json:"versions,omitempty"`
}
