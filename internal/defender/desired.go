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
	for {
		err := d.cfg.Console.Watch(ctx, d.cfg.Node, func(want *link.Desired) {
			d.adopt(want)
			if err := saveDesired(d.cfg.State, want); err != nil {
				d.log.Error("desired state not kept", "err", err)
			}
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
	before := d.desired
	d.desired = want
	now := time.Now()
	if before == nil || !same(before.Policies, want.Policies) {
		d.policies = policy.NewSet(want.Policies)
		for _, t := range d.tenants {
			t.overlaid(d.overlayOf(t))
		}
	}
	for i := range want.Profiles {
		p := &want.Profiles[i]
		t := d.tenants[p.Workload]
		if t == nil || t.revision == p.Revision {
			continue
		}
		t.rebase(p, now)
	}
	for _, t := range d.tenants {
		if t.stale {
			d.retune(t)
		}
	}
	d.reorder(want.Orders)
}

func same(a, b []policy.Policy) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return string(x) == string(y)
}
