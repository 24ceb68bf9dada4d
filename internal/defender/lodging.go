package defender

import (
	"iter"
	"maps"
	"slices"

	"redoubt.dev/redoubt/internal/policy"
	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/sensor"
)

// Instances of one workload share a tenant as long as the same policy rules
// hold for them. A policy for one container by name, by label or by image
// version parts it from its replicas: what the kernel enforces in a slot it
// enforces on all of it. Each tenant learns for itself, as two nodes would, and
// the console puts it together.

// all yields every tenant. The lock is held.
func (d *Defender) all() iter.Seq[*tenant] {
	return func(yield func(*tenant) bool) {
		for _, list := range d.tenants {
			for _, t := range list {
				if !yield(t) {
					return
				}
			}
		}
	}
}

// tenantOf returns the tenant an instance lives in, also shortly after it is
// gone, making one at first sight. The lock is held.
func (d *Defender) tenantOf(w *redoubt.Workload) *tenant {
	t := d.homes[w.Instance()]
	if t == nil || t.ref.ID != w.ID {
		t = d.lodging(w)
	}
	t.ref = w.WorkloadRef
	return t
}

// lodging finds a tenant of the workload for which the instance's rules hold,
// takes an empty one, or makes one.
func (d *Defender) lodging(w *redoubt.Workload) *tenant {
	o := d.overlayOf(w)
	list := d.tenants[w.ID]
	if i := slices.IndexFunc(list, func(t *tenant) bool { return t.overlay.Equal(o) }); i >= 0 {
		return list[i]
	}
	if i := slices.IndexFunc(list, func(t *tenant) bool { return len(t.instances) == 0 }); i >= 0 {
		list[i].overlaid(o)
		return list[i]
	}
	t := newTenant(w.WorkloadRef, d.newSlot(w.ID), d.profileOf(w.ID))
	t.overlaid(o)
	d.tenants[w.ID] = append(list, t)
	return t
}

// overlayOf returns the policy rules for an instance.
func (d *Defender) overlayOf(w *redoubt.Workload) *policy.Overlay {
	return d.policies.Overlay(w.WorkloadRef, w.Labels, d.cfg.Node)
}

// newSlot returns an unused kernel number; 0, which has no rules, when all are
// taken.
func (d *Defender) newSlot(id redoubt.WorkloadID) sensor.Slot {
	if d.slots >= sensor.MaxSlots-1 {
		d.log.Error("kernel slots used up", "workload", string(id))
		return 0
	}
	d.slots++
	return d.slots
}

// lodge notes where an instance lives and as what it is known now. An instance
// whose rules have become others than its tenant's moves.
func (d *Defender) lodge(w *redoubt.Workload) *tenant {
	key := w.Instance()
	t := d.homes[key]
	if t != nil && (t.ref.ID != w.ID || !t.overlay.Equal(d.overlayOf(w))) {
		d.move(t, w)
	}
	t = d.tenantOf(w)
	d.homes[key], t.instances[key] = t, w
	return t
}

// leave forgets an instance that is gone.
func (d *Defender) leave(t *tenant, w *redoubt.Workload) {
	delete(t.instances, w.Instance())
	delete(d.homes, w.Instance())
}

// move takes an instance from a tenant to the one that its rules now call for,
// which is left to be retuned; the instance is bound to its slot after that.
func (d *Defender) move(from *tenant, w *redoubt.Workload) {
	key := w.Instance()
	d.leave(from, w)
	l := from.lives[key]
	delete(from.lives, key)
	to := d.lodging(w)
	d.homes[key], to.instances[key], to.stale = to, w, true
	if l != nil {
		to.lives[key] = l
	}
	for _, s := range from.servers {
		to.serve(s)
	}
}

// reassign gives every tenant the rules that hold for it after policies
// changed, and moves the instances for which others do. It returns those. The
// lock is held.
func (d *Defender) reassign() (moved []*redoubt.Workload) {
	leaving := map[*redoubt.Workload]*tenant{}
	for t := range d.all() {
		o := d.policies.Overlay(t.ref, nil, d.cfg.Node)
		for i, key := range slices.Sorted(maps.Keys(t.instances)) {
			w := t.instances[key]
			if own := d.overlayOf(w); i == 0 {
				o = own
			} else if !own.Equal(o) {
				leaving[w] = t
			}
		}
		t.overlaid(o)
	}
	for w, t := range leaving {
		d.move(t, w)
		moved = append(moved, w)
	}
	return moved
}
