package console

import (
	"context"
	"iter"
	"time"

	"redoubt.dev/redoubt/internal/alert"
	"redoubt.dev/redoubt/internal/guard"
	"redoubt.dev/redoubt/internal/policy"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

// Bounds of a preview: how far back and over how many events it replays.
const (
	previewSpan   = 7 * 24 * time.Hour
	previewEvents = 50_000
	previewTime   = 10 * time.Second
)

// fold adds stored events to their alerts and incidents.
func (d *draft) fold(ctx context.Context, events []redoubt.Event) (alert.Folded, error) {
	folded, err := alert.Fold(ctx, d.c.store, events)
	for _, a := range folded.Alerts {
		d.say("alert", a.ID, a)
		d.say("workload", string(a.Workload.ID), nil)
	}
	for _, i := range folded.Incidents {
		d.say("incident", i.ID, nil)
	}
	return folded, err
}

// known is what deciding about an event needs, as it is today.
func (m *model) known(e *redoubt.Event) guard.Known {
	m.mu.RLock()
	defer m.mu.RUnlock()
	k := guard.Known{State: profile.Learning}
	if l := m.profiles[e.Workload.ID]; l != nil {
		k.Matcher, k.State = profile.Compile(l.Profile), l.State
		for i := range l.Entries {
			x := l.Entries[i].Listen
			if x == nil || l.Entries[i].Count == 0 {
				continue
			}
			k.Context.Listening = true
			if x.Path != "" {
				k.Context.Servers = append(k.Context.Servers, x.Path)
			}
		}
	}
	instance := e.Workload.Container
	if instance == "" {
		instance = string(e.Workload.ID)
	}
	if i, ok := m.instances[place{e.Node, instance}]; ok {
		k.Context.Labels, k.Context.Health = i.Labels, i.Health
	}
	return k
}

func (m *model) policySet() *policy.Set {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.set
}

func (c *Console) explain(e *redoubt.Event) guard.Explanation {
	k := c.model.known(e)
	return guard.Explain(e, k.Matcher, k.State, c.model.policySet(), k.Context)
}

// preview replays recent events against the policies with p among them.
func (c *Console) preview(ctx context.Context, p policy.Policy) (guard.Preview, error) {
	select {
	case c.previews <- struct{}{}:
		defer func() { <-c.previews }()
	case <-ctx.Done():
		return guard.Preview{}, ctx.Err()
	}
	after := []policy.Policy{p}
	for _, other := range c.model.active() {
		if other.Name != p.Name {
			after = append(after, other)
		}
	}
	now := c.clock()
	ctx, cancel := context.WithTimeout(ctx, previewTime)
	defer cancel()
	var failed error
	events := recent(c.store.EachEvent(ctx, redoubt.EventQuery{Since: now.Add(-previewSpan)}), func(err error) {
		if ctx.Err() == nil { // out of time is no failure: the answer says how far it went
			failed = err
		}
	})
	seen := map[place]guard.Known{}
	shown := guard.PreviewOf(c.model.policySet(), policy.NewSet(after), events, func(e *redoubt.Event) guard.Known {
		at := place{e.Node, string(e.Workload.ID) + " " + e.Workload.Container}
		k, ok := seen[at]
		if !ok {
			k = c.model.known(e)
			if len(seen) < maxProfiles {
				seen[at] = k
			}
		}
		return k
	})
	return shown, failed
}

// recent yields the judged ones of at most previewEvents events.
func recent(all iter.Seq2[redoubt.Event, error], fail func(error)) iter.Seq[redoubt.Event] {
	return func(yield func(redoubt.Event) bool) {
		n := 0
		for e, err := range all {
			if err != nil {
				fail(err)
				return
			}
			if !profile.Judges(e.Kind) {
				continue
			}
			if n++; n > previewEvents || !yield(e) {
				return
			}
		}
	}
}
