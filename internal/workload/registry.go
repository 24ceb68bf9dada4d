package workload

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"sync"

	"redoubt.dev/redoubt/internal/redoubt"
)

// Bounds of a Registry. When there are too many instances the one that has
// been stopped longest makes room; where all run, the newcomer is refused and
// counted. Instances that are gone stay findable until maxGone newer ones are
// gone too, because the kernel's records arrive after the engine's. Beyond
// maxWaiters a lookup answers at once instead of waiting. Cgroups that nobody
// claimed are forgotten oldest first.
const (
	maxInstances = 10_000
	maxGone      = 4_096
	maxCgroups   = 40_000
	maxWaiters   = 1_024
)

// Registry is the picture of what runs here. It is safe for use by several
// goroutines. The workloads it hands out are shared: do not modify them.
type Registry struct {
	paths func(id uint64) (string, error) // path of a cgroup nobody has bound; may be nil

	mu       sync.RWMutex
	live     map[string]*redoubt.Workload // by instance
	order    []string                     // live, in order of first sight
	gone     map[string]*redoubt.Workload
	goneLine []string
	cgroups  map[uint64]bound
	line     []uint64 // cgroups in order of binding
	byAddr   map[netip.Addr]string
	host     string
	isolated map[string]bool
	refused  uint64
	changed  chan struct{} // closed and replaced by every change
	waiters  int
}

// bound is what a cgroup id leads to: an instance, known or not yet.
type bound struct {
	instance string
	unit     bool // a service: falls to the node where no source reports it
	host     bool // falls to the node itself
}

// NewRegistry returns an empty one. paths finds the path of a cgroup that was
// there before anyone bound it (Hierarchy.Path); nil where that is impossible.
func NewRegistry(paths func(id uint64) (string, error)) *Registry {
	return &Registry{
		paths:    paths,
		live:     map[string]*redoubt.Workload{},
		gone:     map[string]*redoubt.Workload{},
		cgroups:  map[uint64]bound{},
		byAddr:   map[netip.Addr]string{},
		isolated: map[string]bool{},
		changed:  make(chan struct{}),
	}
}

// Apply takes a change in.
func (r *Registry) Apply(c Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := c.Workload
	key := w.Instance()
	if key == "" {
		return
	}
	w.Isolated = r.isolated[key]
	r.unaddress(key)
	if c.Gone {
		r.bury(key, &w)
	} else if !r.admit(key, &w) {
		r.refused++
		return
	}
	r.tell()
}

// tell wakes whoever waits for a change.
func (r *Registry) tell() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// admit puts an instance in, making room where needed.
func (r *Registry) admit(key string, w *redoubt.Workload) bool {
	if r.live[key] == nil {
		if len(r.live) >= maxInstances && !r.evict() {
			return false
		}
		r.order = append(r.order, key)
	}
	delete(r.gone, key)
	r.live[key] = w
	if w.Kind == redoubt.KindHost {
		r.host = key
	}
	if w.CgroupID != 0 {
		r.bind(w.CgroupID, bound{instance: key})
	}
	if w.Running {
		for _, a := range w.Addresses {
			if addr, err := netip.ParseAddr(a); err == nil {
				r.byAddr[addr.Unmap()] = key
			}
		}
	}
	return true
}

// unaddress forgets an instance's addresses; another may have them by now.
func (r *Registry) unaddress(key string) {
	if w := r.live[key]; w != nil {
		for _, a := range w.Addresses {
			if addr, err := netip.ParseAddr(a); err == nil && r.byAddr[addr.Unmap()] == key {
				delete(r.byAddr, addr.Unmap())
			}
		}
	}
}

// evict drops the stopped instance first seen longest ago.
func (r *Registry) evict() bool {
	for _, key := range r.order {
		if w := r.live[key]; !w.Running {
			r.bury(key, w)
			return true
		}
	}
	return false
}

// bury moves an instance among those that are gone.
func (r *Registry) bury(key string, w *redoubt.Workload) {
	if known := r.live[key]; known != nil && w.ID == "" {
		w = known
	}
	if i := slices.Index(r.order, key); i >= 0 {
		r.order = slices.Delete(r.order, i, i+1)
	}
	delete(r.live, key)
	delete(r.isolated, key)
	if r.gone[key] == nil {
		r.goneLine = append(r.goneLine, key)
	}
	r.gone[key] = w
	for len(r.goneLine) > maxGone {
		delete(r.gone, r.goneLine[0])
		r.goneLine = r.goneLine[1:]
	}
}

// Bind says that the v2 cgroup id has this path, as the sensor saw it made.
func (r *Registry) Bind(id uint64, path string) {
	place := ParsePlace(path)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bind(id, boundOf(place))
	r.tell()
}

func boundOf(place Place) bound {
	switch {
	case place.Container != "":
		return bound{instance: place.Container}
	case place.Unit != "":
		return bound{instance: string(UnitID(place.Unit)), unit: true}
	}
	return bound{host: true}
}

func (r *Registry) bind(id uint64, b bound) {
	if _, ok := r.cgroups[id]; !ok {
		r.line = append(r.line, id)
	}
	r.cgroups[id] = b
	for len(r.line) > maxCgroups {
		delete(r.cgroups, r.line[0])
		r.line = r.line[1:]
	}
}

// ByCgroup returns whose the v2 cgroup id is, also just after its workload is
// gone. It is false while the owner is not known (yet).
func (r *Registry) ByCgroup(id uint64) (*redoubt.Workload, bool) {
	b, ok := r.owner(id)
	switch {
	case !ok:
		return nil, false
	case b.host:
		return r.Host()
	}
	return r.ByInstance(b.instance)
}

// owner returns what a cgroup is bound to, looking its path up where nobody
// has bound it.
func (r *Registry) owner(id uint64) (bound, bool) {
	r.mu.RLock()
	b, ok := r.cgroups[id]
	r.mu.RUnlock()
	if ok || r.paths == nil {
		return b, ok
	}
	path, err := r.paths(id)
	if err != nil {
		return bound{}, false
	}
	b = boundOf(ParsePlace(path))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bind(id, b)
	return b, true
}

// Await is ByCgroup for one whose workload may be on its way: it waits for it
// until ctx ends. A service that is still unknown then counts as the node.
func (r *Registry) Await(ctx context.Context, id uint64) (*redoubt.Workload, bool) {
	wait := r.mayWait()
	if wait {
		defer r.waited()
	}
	for {
		changed := r.Changed()
		if w, ok := r.ByCgroup(id); ok {
			return w, true
		}
		if !wait {
			return r.fallback(id)
		}
		select {
		case <-ctx.Done():
			return r.fallback(id)
		case <-changed:
		}
	}
}

func (r *Registry) mayWait() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiters >= maxWaiters {
		return false
	}
	r.waiters++
	return true
}

func (r *Registry) waited() {
	r.mu.Lock()
	r.waiters--
	r.mu.Unlock()
}

func (r *Registry) fallback(id uint64) (*redoubt.Workload, bool) {
	if b, ok := r.owner(id); ok && b.unit {
		return r.Host()
	}
	return nil, false
}

// ByInstance returns the workload with this instance key, also just after it
// is gone.
func (r *Registry) ByInstance(instance string) (*redoubt.Workload, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	w := cmp.Or(r.live[instance], r.gone[instance])
	return w, w != nil
}

// ByAddress returns the running workload that others reach at addr.
func (r *Registry) ByAddress(addr netip.Addr) (*redoubt.Workload, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	w := r.live[r.byAddr[addr.Unmap()]]
	return w, w != nil
}

// Host returns the node's own workload.
func (r *Registry) Host() (*redoubt.Workload, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	w := r.live[r.host]
	return w, w != nil
}

// Find returns the instances a person may mean by s, see redoubt.Workload.Matches.
func (r *Registry) Find(s string) []*redoubt.Workload {
	return slices.DeleteFunc(r.List(), func(w *redoubt.Workload) bool { return !w.Matches(s) })
}

// List returns every instance in order of first sight.
func (r *Registry) List() []*redoubt.Workload {
	r.mu.RLock()
	defer r.mu.RUnlock()
	out := make([]*redoubt.Workload, 0, len(r.order))
	for _, key := range r.order {
		out = append(out, r.live[key])
	}
	return out
}

// Isolate marks an instance as cut off or not; the mark outlives what its
// source reports.
func (r *Registry) Isolate(instance string, on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.live[instance]
	if w == nil {
		return
	}
	marked := *w
	marked.Isolated = on
	r.live[instance] = &marked
	if on {
		r.isolated[instance] = true
	} else {
		delete(r.isolated, instance)
	}
	r.tell()
}

// Changed returns a channel that the next change closes.
func (r *Registry) Changed() <-chan struct{} {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.changed
}

// Refused counts the instances there was no room for.
func (r *Registry) Refused() uint64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.refused
}
