package defender

import (
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

func TestLivesOfInstancesThatAreGoneAreForgotten(t *testing.T) {
	now := time.Now()
	ref := redoubt.WorkloadRef{ID: "docker/web", Kind: redoubt.KindContainer}
	tn := newTenant(ref, 1, &profile.Profile{Workload: ref.ID, State: profile.Learning})
	for name, age := range map[string]time.Duration{"running": time.Hour, "gone": time.Hour, "not told of yet": time.Second} {
		tn.life(&redoubt.Workload{WorkloadRef: redoubt.WorkloadRef{ID: ref.ID, Container: name}}, now.Add(-age))
	}
	tn.bury(map[string]bool{"running": true}, now)
	if len(tn.lives) != 2 || tn.lives["gone"] != nil {
		t.Errorf("%d lives are left", len(tn.lives))
	}
}
