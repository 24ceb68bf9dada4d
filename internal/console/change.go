package console

import (
	"context"
	"maps"
	"slices"
	"time"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"

	"redoubt.dev/redoubt/internal/api"
)

// draft is a change of the model that is not yet recorded. Its methods write
// to the record at once; the model, the stream and the defenders learn of it
// when the transaction has been committed.
type draft struct {
	c         *Console
	now       time.Time
	profiles  map[redoubt.WorkloadID]*learned // nil where deleted
	instances map[place]redoubt.Instance
	nodes     map[redoubt.NodeID]*node // nil where deleted
	orders    map[place]*redoubt.Standing
	policies  []rulebook // all of them, where repoliced
	repoliced bool
	told      map[redoubt.WorkloadID]bool // profiles their defenders are to hear of; true is at once
	urgent    map[redoubt.NodeID]bool     // defenders to tell at once
	lazy      map[redoubt.NodeID]bool     // defenders to tell soon
	messages  []api.StreamMessage
}

// change runs fold as one transaction. It is the only way anything changes, and
// changes run one at a time: what fold reads of the model holds until the end.
func (c *Console) change(ctx context.Context, fold func(context.Context, *draft) error) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	d := &draft{
		c: c, now: c.clock(),
		profiles:  map[redoubt.WorkloadID]*learned{},
		instances: map[place]redoubt.Instance{},
		nodes:     map[redoubt.NodeID]*node{},
		orders:    map[place]*redoubt.Standing{},
		told:      map[redoubt.WorkloadID]bool{},
		urgent:    map[redoubt.NodeID]bool{},
		lazy:      map[redoubt.NodeID]bool{},
	}
	if err := c.store.Atomic(ctx, func(ctx context.Context) error { return fold(ctx, d) }); err != nil {
		return err
	}
	d.tell()
	d.apply(c.model)
	c.hub.send(d.messages)
	c.watchers.wake(d.urgent, d.lazy)
	return nil
}

func (d *draft) apply(m *model) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for w, l := range d.profiles {
		if l == nil {
			delete(m.profiles, w)
			continue
		}
		m.profiles[w] = l
	}
	maps.Copy(m.instances, d.instances)
	if len(m.instances) > maxInstances {
		m.forgetStopped(len(m.instances) - maxInstances)
	}
	for id, n := range d.nodes {
		if n == nil {
			delete(m.nodes, id)
			maps.DeleteFunc(m.instances, func(at place, _ redoubt.Instance) bool { return at.node == id })
			maps.DeleteFunc(m.orders, func(at place, _ redoubt.Standing) bool { return at.node == id })
			continue
		}
		m.nodes[id] = n
	}
	for at, o := range d.orders {
		if o == nil {
			delete(m.orders, at)
			continue
		}
		m.orders[at] = *o
	}
	if d.repoliced {
		m.police(d.policies)
	}
	if len(d.urgent)+len(d.lazy) > 0 {
		m.revision++
	}
}

func (m *model) forgetStopped(n int) {
	stopped := make([]place, 0, n)
	for at, i := range m.instances {
		if !i.Running {
			stopped = append(stopped, at)
		}
	}
	slices.SortFunc(stopped, func(a, b place) int { return m.instances[a].Time.Compare(m.instances[b].Time) })
	for _, at := range stopped[:min(n, len(stopped))] {
		delete(m.instances, at)
	}
}

func (d *draft) say(kind, id string, data any) {
	d.messages = append(d.messages, api.StreamMessage{Type: kind, ID: id, Data: data})
}

// profile returns the workload's profile as this change sees it, nil if there
// is none. What it returns is to be cloned before it is changed.
func (d *draft) profile(w redoubt.WorkloadID) *learned {
	if l, ok := d.profiles[w]; ok {
		return l
	}
	return d.c.model.profiles[w] // writing is held, nobody else writes
}

// putProfile records p as the workload's profile, with a higher revision.
// urgent says that its defenders shall know at once.
func (d *draft) putProfile(ctx context.Context, p *profile.Profile, ref redoubt.WorkloadRef, urgent bool) error {
	if d.profile(p.Workload) == nil && len(d.c.model.profiles)+len(d.profiles) >= maxProfiles {
		return fault.New(fault.Limited, "there are %d profiles already; delete some before adding %s", maxProfiles, p.Workload)
	}
	p.Revision++
	if err := d.c.store.PutProfile(ctx, p, ref, d.now); err != nil {
		return err
	}
	l := &learned{p, ref, d.now}
	d.profiles[p.Workload] = l
	d.say("profile", string(p.Workload), l.summary())
	d.told[p.Workload] = d.told[p.Workload] || urgent
	return nil
}

func (d *draft) deleteProfile(ctx context.Context, w redoubt.WorkloadID) error {
	if err := d.c.store.DeleteProfile(ctx, w); err != nil {
		return err
	}
	d.profiles[w] = nil
	d.say("profile", string(w), nil)
	d.told[w] = true
	return nil
}

// tell marks the nodes that run the workloads told of.
func (d *draft) tell() {
	if len(d.told) == 0 {
		return
	}
	for _, all := range []map[place]redoubt.Instance{d.c.model.instances, d.instances} {
		for at, i := range all {
			now, told := d.told[i.ID]
			if !told || !i.Running {
				continue
			}
			if now {
				d.urgent[at.node] = true
			} else {
				d.lazy[at.node] = true
			}
		}
	}
}

func (d *draft) tellAll() {
	for id := range d.c.model.nodes {
		d.urgent[id] = true
	}
}

// putPolicy records one policy and puts it in its place in the order.
func (d *draft) putPolicy(ctx context.Context, p rulebook) (rulebook, error) {
	all := slices.DeleteFunc(slices.Clone(d.c.model.policies), func(o rulebook) bool { return o.Name == p.Name })
	if len(all) >= maxPolicies {
		return p, fault.New(fault.Limited, "there are %d policies already; delete some before adding %s", maxPolicies, p.Name)
	}
	if err := d.c.store.PutPolicy(ctx, &p.PolicySource); err != nil {
		return p, err
	}
	d.policies, d.repoliced = append(all, p), true
	d.say("policy", p.Name, nil)
	d.tellAll()
	return p, nil
}

func (d *draft) deletePolicy(ctx context.Context, name string) error {
	if err := d.c.store.DeletePolicy(ctx, name); err != nil {
		return err
	}
	d.policies = slices.DeleteFunc(slices.Clone(d.c.model.policies), func(o rulebook) bool { return o.Name == name })
	d.repoliced = true
	d.say("policy", name, nil)
	d.tellAll()
	return nil
}

func (d *draft) putOrder(ctx context.Context, o redoubt.Standing) error {
	if err := d.c.store.PutOrder(ctx, &o); err != nil {
		return err
	}
	d.orders[place{o.Node, o.Instance}] = &o
	d.urgent[o.Node] = true
	return nil
}

func (d *draft) deleteOrder(ctx context.Context, at place) error {
	if err := d.c.store.DeleteOrder(ctx, at.node, at.instance); err != nil {
		return err
	}
	d.orders[at] = nil
	d.urgent[at.node] = true
	return nil
}

// forget drops instances that stopped before a time, as Prune does in the
// record.
func (m *model) forget(before time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.instances, func(_ place, i redoubt.Instance) bool { return !i.Running && i.Time.Before(before) })
}
