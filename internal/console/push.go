package console

import (
	"context"
	"slices"
	"time"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/link"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

// Bounds of one batch. A defender that sends more is at fault and is told so.
const (
	maxBatchEvents    = 20_000
	maxBatchDeltas    = 5_000
	maxBatchWorkloads = 5_000
)

// Push implements link.Console. Everything in a batch and everything that
// follows from it is one transaction with the note that the batch is recorded.
func (c *Console) Push(ctx context.Context, b *link.Batch) error {
	if err := checkBatch(b); err != nil {
		return err
	}
	begun, fresh := time.Now(), false
	err := c.change(ctx, func(ctx context.Context, d *draft) (err error) {
		if fresh, err = c.store.Advance(ctx, b.Node, b.Seq); err != nil {
			return err
		}
		d.hear(b.Node)
		if !fresh {
			return nil
		}
		return d.take(ctx, b)
	})
	c.metrics.batch(b, fresh, time.Since(begun), err)
	return err
}

func checkBatch(b *link.Batch) error {
	switch {
	case b.Node == "":
		return fault.New(fault.Invalid, "batch: it names no node")
	case b.Status != nil && b.Status.ID != "" && b.Status.ID != b.Node:
		return fault.New(fault.Invalid, "batch: node %s reports the status of %s", b.Node, b.Status.ID)
	case len(b.Events) > maxBatchEvents:
		return fault.New(fault.Invalid, "batch: %d events, at most %d are taken at once", len(b.Events), maxBatchEvents)
	case len(b.Deltas) > maxBatchDeltas:
		return fault.New(fault.Invalid, "batch: %d profile deltas, at most %d are taken at once", len(b.Deltas), maxBatchDeltas)
	case len(b.Workloads) > maxBatchWorkloads:
		return fault.New(fault.Invalid, "batch: %d workloads, at most %d are taken at once", len(b.Workloads), maxBatchWorkloads)
	}
	return nil
}

// take records a batch. Instances come first, so that what follows finds its
// profile.
func (d *draft) take(ctx context.Context, b *link.Batch) error {
	if b.Status != nil {
		if err := d.putStatus(ctx, b.Node, *b.Status); err != nil {
			return err
		}
	}
	if b.Workloads != nil {
		if err := d.putInstances(ctx, b.Node, b.Workloads); err != nil {
			return err
		}
	}
	if len(b.Events) > 0 {
		if err := d.addEvents(ctx, b.Node, b.Events); err != nil {
			return err
		}
	}
	return d.merge(ctx, b.Deltas)
}

// hear notes a sign of life. It writes nothing: a node that has just spoken is
// known to have, and after a restart every node gets its time again.
func (d *draft) hear(id redoubt.NodeID) {
	old := d.c.model.nodes[id]
	if old == nil {
		return
	}
	n := *old
	n.heard = d.now
	d.nodes[id] = &n
}

func (d *draft) putStatus(ctx context.Context, id redoubt.NodeID, s redoubt.NodeStatus) error {
	s.ID, s.Enrolment = id, ""
	if old := d.c.model.nodes[id]; old != nil {
		s.Enrolment = old.Enrolment
	}
	if err := d.c.store.PutNode(ctx, &s); err != nil {
		return err
	}
	n := &node{NodeStatus: s, heard: d.now}
	if old := d.c.model.nodes[id]; old != nil {
		n.quiet = old.quiet
	}
	if n.quiet {
		n.quiet = false
		if err := d.returned(ctx, id); err != nil {
			return err
		}
	}
	d.nodes[id] = n
	s.Connected = true
	d.say("node", string(id), s)
	return nil
}

// putInstances replaces what is known to run on a node: all is the whole of it.
func (d *draft) putInstances(ctx context.Context, id redoubt.NodeID, all []redoubt.Workload) error {
	var changed []redoubt.Instance
	listed := make(map[string]bool, len(all))
	for _, w := range all {
		w.Node = id
		at := place{id, w.Instance()}
		if w.ID == "" || listed[at.instance] {
			continue
		}
		listed[at.instance] = true
		if old, known := d.c.model.instances[at]; !known || !same(&old.Workload, &w) {
			changed = append(changed, redoubt.Instance{Workload: w, Time: d.now})
		}
		if w.Running {
			if err := d.greet(ctx, w.WorkloadRef); err != nil {
				return err
			}
		}
	}
	for at, old := range d.c.model.instances {
		if at.node == id && old.Running && !listed[at.instance] {
			old.Running, old.Time = false, d.now
			changed = append(changed, old)
		}
	}
	if len(changed) == 0 {
		return nil
	}
	if err := d.c.store.PutInstances(ctx, changed); err != nil {
		return err
	}
	had := d.c.model.workloadsOn(id)
	for _, i := range changed {
		d.instances[place{id, i.Instance()}] = i
		d.say("workload", i.Instance(), nil)
		if _, there := slices.BinarySearch(had, i.ID); i.Running && !there {
			d.told[i.ID] = true // the node may not have its profile yet
		}
	}
	return nil
}

func same(a, b *redoubt.Workload) bool {
	return a.Running == b.Running && a.Isolated == b.Isolated && a.CgroupID == b.CgroupID && a.PID == b.PID &&
		a.ID == b.ID && a.Name == b.Name && a.Digest == b.Digest && a.Started.Equal(b.Started) && slices.Equal(a.Addresses, b.Addresses)
}

// greet sees to it that a workload has a profile, and that the profile knows
// the image version.
func (d *draft) greet(ctx context.Context, ref redoubt.WorkloadRef) error {
	if ref.ID == "" {
		return nil
	}
	old := d.profile(ref.ID)
	if old == nil {
		if len(d.c.model.profiles)+len(d.profiles) >= maxProfiles {
			return nil // the overview says that there are too many
		}
		p := &profile.Profile{Workload: ref.ID, State: profile.Learning, Since: d.now, Entries: []profile.Entry{}, Versions: versionsOf(ref, d.now)}
		p.Measure(d.now)
		return d.putProfile(ctx, p, ref, true)
	}
	isNew := ref.Digest != "" && !slices.ContainsFunc(old.Versions, func(v profile.Version) bool { return v.Digest == ref.Digest })
	if !isNew {
		return nil
	}
	p := *old.Profile
	p.Versions = append(slices.Clone(p.Versions), versionsOf(ref, d.now)...)
	return d.putProfile(ctx, &p, ref, true)
}

func versionsOf(ref redoubt.WorkloadRef, now time.Time) []profile.Version {
	if ref.Digest == "" {
		return nil
	}
	return []profile.Version{{Digest: ref.Digest, Image: ref.Image, Since: now}}
}

// addEvents records events and what follows from them: flows and alerts.
func (d *draft) addEvents(ctx context.Context, id redoubt.NodeID, events []redoubt.Event) error {
	events = slices.Clone(events)
	for i := range events {
		events[i].ID, events[i].Node = "", id
		events[i].Count = max(1, events[i].Count)
		if events[i].Time.IsZero() {
			events[i].Time = d.now
		}
	}
	if err := d.c.store.AddEvents(ctx, events); err != nil {
		return err
	}
	for i := range events {
		e := &events[i]
		d.say("event", e.ID, *e)
		if err := d.greet(ctx, e.Workload); err != nil {
			return err
		}
	}
	if _, err := d.fold(ctx, events); err != nil {
		return err
	}
	if flows := flowsOf(events); len(flows) > 0 {
		return d.c.store.AddFlows(ctx, flows)
	}
	return nil
}
