package console

import (
	"context"
	"errors"
	"time"

	"redoubt.dev/redoubt/internal/redoubt"
)

// A defender reports every few seconds. One not heard of for silence raises an
// alert, looked for every patrol, so that it stands within a minute.
const (
	silence = 45 * time.Second
	patrol  = 5 * time.Second
)

const silenceRule = "console/node-silent"

// patrolNodes raises an alert for every node that has newly fallen silent.
func (c *Console) patrolNodes(ctx context.Context) error {
	var errs []error
	for _, id := range c.model.silent(c.clock()) {
		errs = append(errs, c.change(ctx, func(ctx context.Context, d *draft) error { return d.silent(ctx, id) }))
	}
	return errors.Join(errs...)
}

func (m *model) silent(now time.Time) []redoubt.NodeID {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var ids []redoubt.NodeID
	for id, n := range m.nodes {
		if !n.quiet && now.Sub(n.heard) > silence {
			ids = append(ids, id)
		}
	}
	return ids
}

func (d *draft) silent(ctx context.Context, id redoubt.NodeID) error {
	old := d.c.model.nodes[id]
	if old == nil || d.now.Sub(old.heard) <= silence { // it has spoken meanwhile
		return nil
	}
	n := *old
	n.quiet = true
	d.nodes[id] = &n
	status := n.NodeStatus
	d.say("node", string(id), status)
	e := redoubt.Event{
		Time: d.now, Node: id, Kind: redoubt.EventLoss, Workload: hostOf(id), Count: 1,
		Note: "node " + string(id) + " silent",
		Verdict: redoubt.Verdict{
			Effect: redoubt.EffectAlert, Rule: silenceRule, Severity: redoubt.High,
			Reason: "nothing heard from its defender since " + n.heard.UTC().Format(time.RFC3339) + "; what happens there is not seen until it answers, and what it keeps on disk comes later",
		},
	}
	return d.record(ctx, e, e.Note)
}

// returned closes the alert of a node that speaks again.
func (d *draft) returned(ctx context.Context, id redoubt.NodeID) error {
	a, err := d.c.silenceAlert(ctx, id)
	if err != nil || a == nil {
		return err
	}
	a.Status, a.StatusBy = redoubt.Resolved, system
	a.Comments = append(a.Comments, redoubt.Comment{Time: d.now, Author: system, Text: "node " + string(id) + " speaks again"})
	if err := d.c.store.PutAlert(ctx, a); err != nil {
		return err
	}
	d.say("alert", a.ID, *a)
	return nil
}

// silenceAlert is the open alert for the node's silence, nil if there is none.
func (c *Console) silenceAlert(ctx context.Context, id redoubt.NodeID) (*redoubt.Alert, error) {
	q := redoubt.AlertQuery{Slice: redoubt.Slice{Limit: 100}, Workload: string(hostOf(id).ID), Kind: redoubt.EventLoss}
	page, _, err := c.store.FindAlerts(ctx, q)
	if err != nil {
		return nil, err
	}
	for i := range page {
		if page[i].Verdict.Rule == silenceRule && page[i].Status != redoubt.Resolved {
			return &page[i], nil
		}
	}
	return nil, nil
}

func hostOf(id redoubt.NodeID) redoubt.WorkloadRef {
	return redoubt.WorkloadRef{ID: redoubt.WorkloadID("host/" + id), Kind: redoubt.KindHost, Name: string(id)}
}

// record stores an event of the console's own and folds it. What comes of it
// bears title, because nothing of a process or connection would name it.
func (d *draft) record(ctx context.Context, e redoubt.Event, title string) error {
	one := []redoubt.Event{e}
	if err := d.c.store.AddEvents(ctx, one); err != nil {
		return err
	}
	d.say("event", one[0].ID, one[0])
	folded, err := d.fold(ctx, one)
	if err != nil {
		return err
	}
	for _, a := range folded.Alerts {
		a.Title = title
		if err := d.c.store.PutAlert(ctx, &a); err != nil {
			return err
		}
	}
	for _, i := range folded.Incidents {
		if len(i.Alerts) > 1 {
			continue
		}
		i.Title = title
		for k := range i.Timeline {
			i.Timeline[k].Text = title
		}
		if err := d.c.store.PutIncident(ctx, &i); err != nil {
			return err
		}
	}
	return nil
}
