package console

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/link"
	"redoubt.dev/redoubt/internal/policy"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

// model is the present in memory: what the record says of profiles, instances,
// nodes, policies and orders. The console is the record's only writer, so the
// two agree after every change; lists and defenders are answered from here.
//
// What a model hands out is shared and must not be changed.
type model struct {
	mu        sync.RWMutex
	profiles  map[redoubt.WorkloadID]*learned
	instances map[place]redoubt.Instance
	nodes     map[redoubt.NodeID]*node
	policies  []rulebook // in the order they are asked
	set       *policy.Set
	orders    map[place]redoubt.Standing
	revision  uint64
}

// Bounds of the model. Past maxProfiles a new workload gets no profile and
// the overview says so; past maxInstances stopped ones are forgotten first.
const (
	maxProfiles  = 10_000
	maxInstances = 20_000
	maxPolicies  = 1_000
)

// place is where an instance runs.
type place struct {
	node     redoubt.NodeID
	instance string
}

// learned is a profile with the workload it speaks of.
type learned struct {
	*profile.Profile
	ref     redoubt.WorkloadRef
	changed time.Time
}

func (l *learned) summary() profile.Summary {
	return profile.Summary{
		ID: string(l.Workload), Workload: l.ref, State: l.State, Time: l.changed, Since: l.Since,
		Revision: l.Revision, Entries: len(l.Entries), Coverage: l.Coverage, Versions: l.Versions,
	}
}

// node is a defender's last word and when it came.
type node struct {
	redoubt.NodeStatus
	heard time.Time
	quiet bool // an alert for its silence stands
}

// rulebook is a policy with the text it was read from. One that an earlier
// release took and this one cannot read is unread: it stays, is not in force,
// and the overview says so.
type rulebook struct {
	redoubt.PolicySource
	policy policy.Policy
	unread string // why
}

// load reads the whole model from the record. Nodes get from now on the time
// a silent node gets.
func load(ctx context.Context, s Store, now time.Time) (*model, error) {
	m := &model{
		profiles:  map[redoubt.WorkloadID]*learned{},
		instances: map[place]redoubt.Instance{},
		nodes:     map[redoubt.NodeID]*node{},
		orders:    map[place]redoubt.Standing{},
		revision:  uint64(now.UnixMicro()), // above what the run before has given
	}
	err := s.EachProfile(ctx, func(p *profile.Profile, ref redoubt.WorkloadRef, changed time.Time) error {
		m.profiles[p.Workload] = &learned{p, ref, changed}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read profiles: %w", err)
	}
	instances, err := s.Instances(ctx)
	if err != nil {
		return nil, fmt.Errorf("read instances: %w", err)
	}
	for _, i := range instances {
		m.instances[place{i.Node, i.Instance()}] = i
	}
	nodes, err := s.Nodes(ctx)
	if err != nil {
		return nil, fmt.Errorf("read nodes: %w", err)
	}
	for _, n := range nodes {
		m.nodes[n.ID] = &node{NodeStatus: n, heard: now}
	}
	orders, err := s.Orders(ctx)
	if err != nil {
		return nil, fmt.Errorf("read orders: %w", err)
	}
	for _, o := range orders {
		m.orders[place{o.Node, o.Instance}] = o
	}
	sources, err := s.Policies(ctx)
	if err != nil {
		return nil, fmt.Errorf("read policies: %w", err)
	}
	for _, src := range sources {
		book := rulebook{PolicySource: src}
		if book.policy, err = parsePolicy(src.Source); err != nil {
			book.unread = err.Error()
		}
		m.policies = append(m.policies, book)
	}
	m.police(m.policies)
	return m, nil
}

// police puts policies in order and in force.
func (m *model) police(all []rulebook) {
	sortPolicies(all)
	m.policies = all
	m.set = policy.NewSet(m.documents())
}

func sortPolicies(all []rulebook) {
	slices.SortFunc(all, func(a, b rulebook) int {
		if a.policy.Priority != b.policy.Priority {
			return a.policy.Priority - b.policy.Priority
		}
		return strings.Compare(a.Name, b.Name)
	})
}

// desired is what one node is to enforce.
func (m *model) desired(id redoubt.NodeID) *link.Desired {
	m.mu.RLock()
	defer m.mu.RUnlock()
	d := &link.Desired{Revision: m.revision, Policies: m.documents()}
	for _, w := range m.workloadsOn(id) {
		if l := m.profiles[w]; l != nil {
			d.Profiles = append(d.Profiles, *l.Profile)
		}
	}
	for at, o := range m.orders {
		if at.node == id {
			d.Orders = append(d.Orders, link.Order{Instance: o.Instance, Effect: o.Effect, Reason: o.Reason})
		}
	}
	slices.SortFunc(d.Orders, func(a, b link.Order) int { return strings.Compare(a.Instance, b.Instance) })
	return d
}

// workloadsOn lists the workloads that run on a node, sorted.
func (m *model) workloadsOn(id redoubt.NodeID) []redoubt.WorkloadID {
	seen := map[redoubt.WorkloadID]bool{}
	for at, i := range m.instances {
		if at.node == id && i.Running {
			seen[i.ID] = true
		}
	}
	ids := make([]redoubt.WorkloadID, 0, len(seen))
	for w := range seen {
		ids = append(ids, w)
	}
	slices.Sort(ids)
	return ids
}

// find returns the instance a person named: the running one first, then the
// latest.
func (m *model) find(name string) (redoubt.Instance, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var best redoubt.Instance
	found := false
	for at, i := range m.instances {
		if at.instance != name && !i.Matches(name) {
			continue
		}
		if !found || better(i, best) {
			best, found = i, true
		}
	}
	if !found {
		return best, fault.New(fault.NotFound, "no workload %q; redoubt get workloads lists them", name)
	}
	return best, nil
}

func better(a, b redoubt.Instance) bool {
	if a.Running != b.Running {
		return a.Running
	}
	if !a.Time.Equal(b.Time) {
		return a.Time.After(b.Time)
	}
	return a.Instance() < b.Instance()
}

func (m *model) learned(w redoubt.WorkloadID) (*learned, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if l := m.profiles[w]; l != nil {
		return l, nil
	}
	return nil, fault.New(fault.NotFound, "no profile %q; redoubt get profiles lists them", w)
}

func (m *model) rulebook(name string) (rulebook, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, p := range m.policies {
		if p.Name == name {
			return p, nil
		}
	}
	return rulebook{}, fault.New(fault.NotFound, "no policy %q; redoubt get policies lists them", name)
}

// active is every policy, in the order they are asked.
func (m *model) active() []policy.Policy {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.documents()
}

func (m *model) documents() []policy.Policy {
	all := make([]policy.Policy, 0, len(m.policies))
	for _, p := range m.policies {
		if p.unread == "" {
			all = append(all, p.policy)
		}
	}
	return all
}
