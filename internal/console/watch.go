package console

import (
	"context"
	"sync"
	"time"

	"redoubt.dev/redoubt/internal/link"
	"redoubt.dev/redoubt/internal/redoubt"
)

// settle is how long growth of a profile may wait for more of the same before
// the defenders hear of it. Policies, orders and states do not wait.
const settle = time.Second

// watchers are the defenders that wait for changes.
type watchers struct {
	mu  sync.Mutex
	all map[*watcher]redoubt.NodeID
}

// watcher holds one pending signal of each sort; further ones are the same.
type watcher struct{ urgent, lazy chan struct{} }

func (w *watchers) add(id redoubt.NodeID) *watcher {
	one := &watcher{make(chan struct{}, 1), make(chan struct{}, 1)}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all[one] = id
	return one
}

func (w *watchers) remove(one *watcher) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.all, one)
}

func (w *watchers) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.all)
}

// watches says whether a watcher of that node is there.
func (w *watchers) watches(id redoubt.NodeID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range w.all {
		if n == id {
			return true
		}
	}
	return false
}

func (w *watchers) wake(urgent, lazy map[redoubt.NodeID]bool) {
	if len(urgent)+len(lazy) == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for one, id := range w.all {
		if urgent[id] {
			signal(one.urgent)
		} else if lazy[id] {
			signal(one.lazy)
		}
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Watch implements link.Console. What use gets is shared: it must not change
// it.
func (c *Console) Watch(ctx context.Context, id redoubt.NodeID, use func(*link.Desired)) error {
	one := c.watchers.add(id)
	defer c.watchers.remove(one)
	use(c.model.desired(id))
	var due <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-c.stopped:
			return errStopped
		case <-one.lazy:
			if due == nil {
				due = time.After(settle)
			}
		case <-one.urgent:
			due = nil
			use(c.model.desired(id))
		case <-due:
			due = nil
			use(c.model.desired(id))
		}
	}
}
