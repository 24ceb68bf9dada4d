package console

import (
	"context"
	"slices"
	"strings"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

func (c *Console) profiles(_ context.Context, f *profileFilter) (*out[api.Page[profile.Summary]], error) {
	text, err := readText("q", f.Q)
	if err != nil {
		return nil, err
	}
	since, until, err := f.between(c.clock())
	if err != nil {
		return nil, err
	}
	text = strings.ToLower(text)
	var all []profile.Summary
	c.model.mu.RLock()
	for _, l := range c.model.profiles {
		words := strings.ToLower(string(l.Workload) + "\n" + l.ref.Name + "\n" + l.ref.Image)
		if f.State != "" && string(l.State) != f.State || !strings.Contains(words, text) || !within(l.changed, since, until) ||
			f.Workload != "" && string(l.Workload) != f.Workload && !l.ref.Matches(f.Workload) {
			continue
		}
		all = append(all, l.summary())
	}
	c.model.mu.RUnlock()
	where := func(s profile.Summary) mark { return mark{s.Time, s.ID} }
	slices.SortFunc(all, func(a, b profile.Summary) int { return order(where(a), where(b)) })
	return cut(all, f.Slice, where)
}

func (c *Console) profile(_ context.Context, r *ByWorkload) (*out[profile.Profile], error) {
	l, err := c.model.learned(redoubt.WorkloadID(r.Workload))
	if err != nil {
		return nil, err
	}
	return answer(*l.Profile), nil
}

// copied is a profile that may be changed: the model's own is shared.
func copied(p *profile.Profile) *profile.Profile {
	c := *p
	c.Versions = slices.Clone(p.Versions)
	c.Entries = make([]profile.Entry, len(p.Entries))
	for i := range p.Entries {
		e := p.Entries[i]
		if e.Exec != nil {
			x := *e.Exec
			x.Digests, x.Args = slices.Clone(x.Digests), slices.Clone(x.Args)
			e.Exec = &x
		}
		if e.Listen != nil {
			x := *e.Listen
			e.Listen = &x
		}
		if e.Connect != nil {
			x := *e.Connect
			e.Connect = &x
		}
		c.Entries[i] = e
	}
	return &c
}

// revise changes one profile by a person's hand, tells its defenders at once
// and writes the trail. edit gets a copy.
func (c *Console) revise(ctx context.Context, w string, action string, edit func(p *profile.Profile, d *draft) (before, after any, err error)) (*out[profile.Profile], error) {
	id := redoubt.WorkloadID(w)
	var p *profile.Profile
	err := c.change(ctx, func(ctx context.Context, d *draft) error {
		old := d.profile(id)
		if old == nil {
			return fault.New(fault.NotFound, "no profile %q; redoubt get profiles lists them", w)
		}
		p = copied(old.Profile)
		before, after, err := edit(p, d)
		if err != nil {
			return err
		}
		if err := d.putProfile(ctx, p, old.ref, true); err != nil {
			return err
		}
		return d.note(ctx, action, w, before, after)
	})
	if err != nil {
		return nil, err
	}
	return answer(*p), nil
}

type stateText struct {
	State profile.State `json:"state"`
}

func (c *Console) setState(ctx context.Context, r *byWorkloadWith[api.StateRequest]) (*out[profile.Profile], error) {
	return c.revise(ctx, r.Workload, "profile.state", func(p *profile.Profile, d *draft) (any, any, error) {
		before := stateText{p.State}
		err := profile.SetState(p, r.Body.State, d.now)
		return before, stateText{p.State}, err
	})
}

func (c *Console) editProfile(ctx context.Context, r *byWorkloadWith[api.EntriesRequest]) (*out[profile.Profile], error) {
	if len(r.Body.Add)+len(r.Body.Remove) == 0 {
		return nil, fault.New(fault.Invalid, "add, remove: give at least one entry")
	}
	return c.revise(ctx, r.Workload, "profile.edit", func(p *profile.Profile, d *draft) (any, any, error) {
		removed := entriesText{}
		for _, e := range p.Entries {
			if slices.Contains(r.Body.Remove, e.ID) {
				removed.Entries = append(removed.Entries, e)
			}
		}
		err := profile.Edit(p, r.Body.Add, r.Body.Remove, d.now)
		return removed, entriesText{r.Body.Add}, err
	})
}

// entriesText is how the audit trail shows an edit: before are the entries that
// went, after the ones that came.
type entriesText struct {
	Entries []profile.Entry `json:"entries,omitempty"`
}

// importProfile takes a document as it is, save for what only the console may
// say: ids, revision and coverage are worked out anew.
func (c *Console) importProfile(ctx context.Context, r *putProfile) (*out[profile.Profile], error) {
	p := copied(&r.Body)
	switch {
	case string(p.Workload) != r.Workload:
		return nil, fault.New(fault.Invalid, "workload: the document is about %q, the address about %q", clip(string(p.Workload), 128), r.Workload)
	case p.State == "":
		return nil, fault.New(fault.Invalid, "state: use learning, observing, enforcing or archived")
	case len(p.Entries) > profile.MaxEntries:
		return nil, fault.New(fault.Invalid, "entries: there are %d, a profile holds at most %d", len(p.Entries), profile.MaxEntries)
	}
	seen := map[string]bool{}
	for i := range p.Entries {
		e := &p.Entries[i]
		if err := e.Check(); err != nil {
			return nil, fault.New(fault.Invalid, "entries[%d]: %w", i, err)
		}
		if e.ID = e.Identify(); seen[e.ID] {
			return nil, fault.New(fault.Invalid, "entries[%d]: it allows the same as one before it", i)
		}
		seen[e.ID] = true
	}
	err := c.change(ctx, func(ctx context.Context, d *draft) error {
		ref := redoubt.WorkloadRef{ID: p.Workload, Name: r.Workload, Kind: kindOfID(p.Workload)}
		var before any
		p.Revision = 0
		if old := d.profile(p.Workload); old != nil {
			ref, before, p.Revision = old.ref, old.summary(), old.Revision
		}
		if p.Since.IsZero() {
			p.Since = d.now
		}
		p.Measure(d.now)
		if err := d.putProfile(ctx, p, ref, true); err != nil {
			return err
		}
		return d.note(ctx, "profile.import", r.Workload, before, d.profile(p.Workload).summary())
	})
	if err != nil {
		return nil, err
	}
	return answer(*p), nil
}

func kindOfID(id redoubt.WorkloadID) redoubt.WorkloadKind {
	switch kind, _, _ := strings.Cut(string(id), "/"); kind {
	case "service":
		return redoubt.KindService
	case "host":
		return redoubt.KindHost
	}
	return redoubt.KindContainer
}

// deleteProfile forgets a profile. A workload that runs gets an empty one at
// once and learns anew.
func (c *Console) deleteProfile(ctx context.Context, r *ByWorkload) (*struct{}, error) {
	id := redoubt.WorkloadID(r.Workload)
	err := c.change(ctx, func(ctx context.Context, d *draft) error {
		old := d.profile(id)
		if old == nil {
			return fault.New(fault.NotFound, "no profile %q; redoubt get profiles lists them", r.Workload)
		}
		var err error
		if d.runs(id) {
			anew := &profile.Profile{
				Workload: id, State: profile.Learning, Since: d.now, Revision: old.Revision,
				Entries: []profile.Entry{}, Versions: versionsOf(old.ref, d.now),
			}
			anew.Measure(d.now)
			err = d.putProfile(ctx, anew, old.ref, true)
		} else {
			err = d.deleteProfile(ctx, id)
		}
		if err != nil {
			return err
		}
		return d.note(ctx, "profile.delete", r.Workload, old.summary(), nil)
	})
	if err != nil {
		return nil, err
	}
	return &struct{}{}, nil
}

func (d *draft) runs(id redoubt.WorkloadID) bool {
	for _, i := range d.c.model.instances {
		if i.ID == id && i.Running {
			return true
		}
	}
	return false
}
