package console

import (
	"context"

	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

// merge adds what nodes have learned to their profiles and ends the learning
// that is done. A delta for a workload without a profile makes one.
func (d *draft) merge(ctx context.Context, deltas []profile.Delta) error {
	type grown struct {
		p   *profile.Profile
		ref redoubt.WorkloadRef
	}
	byID := map[redoubt.WorkloadID]*grown{}
	var order []redoubt.WorkloadID
	for i := range deltas {
		id := deltas[i].Workload
		g := byID[id]
		if g == nil {
			ref := redoubt.WorkloadRef{ID: id, Kind: kindOfID(id), Name: string(id)}
			if err := d.greet(ctx, ref); err != nil {
				return err
			}
			old := d.profile(id)
			if old == nil { // no room for another
				continue
			}
			g = &grown{copied(old.Profile), old.ref}
			byID[id] = g
			order = append(order, id)
		}
		profile.Apply(g.p, &deltas[i], d.now)
	}
	for _, id := range order {
		g := byID[id]
		promoted := g.p.Ready(d.now)
		if promoted {
			if err := profile.SetState(g.p, profile.Observing, d.now); err != nil {
				return err
			}
		}
		if err := d.growProfile(ctx, g.p, g.ref); err != nil {
			return err
		}
		if promoted {
			d.told[id] = true
			if err := d.notePromotion(ctx, g.p); err != nil {
				return err
			}
		}
	}
	return nil
}

// growProfile records a profile that observations have changed. Its defenders
// hear of it soon, and only if it allows more than before: they count by
// themselves.
func (d *draft) growProfile(ctx context.Context, p *profile.Profile, ref redoubt.WorkloadRef) error {
	before, known := d.profile(p.Workload), false
	if _, pending := d.told[p.Workload]; pending {
		known = true
	}
	if err := d.putProfile(ctx, p, ref, false); err != nil {
		return err
	}
	if !known && before != nil && allows(before.Profile) == allows(p) {
		delete(d.told, p.Workload)
	}
	return nil
}

// allows counts what a profile that only grows lets pass.
func allows(p *profile.Profile) (n int) {
	for i := range p.Entries {
		n++
		if x := p.Entries[i].Exec; x != nil {
			n += len(x.Digests)
		}
	}
	return n + len(p.Versions)
}

func (d *draft) notePromotion(ctx context.Context, p *profile.Profile) error {
	return d.note(ctx, "profile.promote", string(p.Workload), stateText{profile.Learning}, struct {
		stateText
		Coverage profile.Coverage `json:"coverage"`
	}{stateText{p.State}, p.Coverage})
}

// promote ends the learning of profiles that have become ready by the passing
// of time alone.
func (c *Console) promote(ctx context.Context) error {
	now := c.clock()
	var ready []redoubt.WorkloadID
	c.model.mu.RLock()
	for id, l := range c.model.profiles {
		if l.Ready(now) {
			ready = append(ready, id)
		}
	}
	c.model.mu.RUnlock()
	if len(ready) == 0 {
		return nil
	}
	return c.change(ctx, func(ctx context.Context, d *draft) error {
		for _, id := range ready {
			l := d.profile(id)
			if l == nil || !l.Ready(d.now) {
				continue
			}
			p := copied(l.Profile)
			if err := profile.SetState(p, profile.Observing, d.now); err != nil {
				return err
			}
			if err := d.putProfile(ctx, p, l.ref, true); err != nil {
				return err
			}
			if err := d.notePromotion(ctx, p); err != nil {
				return err
			}
		}
		return nil
	})
}
