package defender

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"redoubt.dev/redoubt/internal/link"
	"redoubt.dev/redoubt/internal/policy"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

const desiredFile = "desired.json"

// loadDesired reads what the console last wanted; nil where it never said.
func loadDesired(dir string) (*link.Desired, error) {
	b, err := os.ReadFile(filepath.Join(dir, desiredFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var d link.Desired
	if err := json.Unmarshal(b, &d); err != nil {
		return nil, fmt.Errorf("read %s: %w; it is written anew when the console is reached", desiredFile, err)
	}
	return &d, nil
}

// saveDesired keeps it for a start without a console. The file is complete or
// the one before.
func saveDesired(dir string, d *link.Desired) error {
	b, err := json.Marshal(d)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, desiredFile)
	if err := os.WriteFile(path+".new", b, 0o600); err != nil {
		return fmt.Errorf("keep desired state: %w", err)
	}
	return os.Rename(path+".new", path)
}

// watch follows what the console wants of this node, for as long as it runs.
func (d *Defender) watch(ctx context.Context) error {
	var last *link.Desired
	var kept time.Time
	for {
		err := d.cfg.Console.Watch(ctx, d.cfg.Node, func(want *link.Desired) {
			d.adopt(want)
			if last != nil && !weighty(last, want) && time.Since(kept) < keepEvery {
				return
			}
			if err := saveDesired(d.cfg.State, want); err != nil {
				d.log.Error("desired state not kept", "err", err)
				return
			}
			last, kept = want, time.Now()
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		d.log.Warn("console lost, going on with what it last wanted", "err", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Second):
		}
	}
}

// adopt takes a desired state over: policies and profiles reach the kernel
// before it returns.
func (d *Defender) adopt(want *link.Desired) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var moved []*redoubt.Workload
	before := d.desired
	d.desired = want
	if before == nil || !same(before.Policies, want.Policies) {
		d.policies, d.inForce = policy.NewSet(want.Policies), time.Now()
		moved = d.reassign()
	}
	for i := range want.Profiles {
		p := &want.Profiles[i]
		for _, t := range d.tenants[p.Workload] {
			if t.revision == p.Revision {
				continue
			}
			if t.state != p.State {
				d.inForce = time.Now()
			}
			t.rebase(p)
		}
	}
	for t := range d.all() {
		if t.stale {
			d.retune(t)
		}
	}
	for _, w := range moved {
		d.settle(d.tenantOf(w), w)
	}
	d.reorder(want.Orders)
}

func same[T any](a, b T) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return string(x) == string(y)
}

// keepEvery is how old the kept counts of profiles may become. Keeping them at
// every change would cost more than watching the node does.
const keepEvery = 30 * time.Second

// weighty says whether want differs from last in what decides: policies,
// orders, the states of profiles or what they allow.
func weighty(last, want *link.Desired) bool {
	if !same(last.Policies, want.Policies) || !same(last.Orders, want.Orders) || len(last.Profiles) != len(want.Profiles) {
		return true
	}
	before := map[redoubt.WorkloadID]*profile.Profile{}
	for i := range last.Profiles {
		before[last.Profiles[i].Workload] = &last.Profiles[i]
	}
	for i := range want.Profiles {
		p := &want.Profiles[i]
		old := before[p.Workload]
		if old == nil || old.State != p.State || len(old.Entries) != len(p.Entries) {
			return true
		}
	}
	return false
}
