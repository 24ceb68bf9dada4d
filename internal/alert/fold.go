package alert

import (
	"context"
	"fmt"
	"slices"
	"time"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/redoubt"
)

// Folded is what a batch of events did: every alert and incident it touched,
// as they now are.
type Folded struct {
	Alerts    []redoubt.Alert
	Incidents []redoubt.Incident
}

// Fold adds stored events to their alerts and incidents. Events that do not
// alarm are passed over, save for what Redoubt itself did to a workload, which
// enters the timeline of a running incident. Each alert's and each incident's
// Count grows by exactly the sum of its events' counts, however the events are
// spread over batches. An error leaves the transaction to be rolled back.
func Fold(ctx context.Context, s Store, events []redoubt.Event) (Folded, error) {
	f := folder{ctx: ctx, store: s, alerts: map[string]*redoubt.Alert{}}
	for i := range events {
		ev := &events[i]
		var err error
		switch {
		case ev.Kind == redoubt.EventAction:
			err = f.action(ev)
		case Alarms(ev):
			err = f.add(ev)
		}
		if err != nil {
			return Folded{}, fmt.Errorf("fold event %s: %w", ev.ID, err)
		}
	}
	return f.write()
}

// folder holds what one batch touches, so that a burst of like events costs
// one read and one write.
type folder struct {
	ctx       context.Context
	store     Store
	alerts    map[string]*redoubt.Alert // by key
	order     []*redoubt.Alert
	incidents []*redoubt.Incident
}

func (f *folder) add(ev *redoubt.Event) error {
	in, err := f.incident(ev)
	if err != nil {
		return err
	}
	a, err := f.alert(ev, in)
	if err != nil {
		return err
	}
	count := max(ev.Count, 1)
	update(a, ev, count)
	if in == nil {
		in = &redoubt.Incident{First: ev.Time, Time: ev.Time, Workload: ev.Workload, Status: redoubt.Open, Title: a.Title}
		if err := f.store.PutIncident(f.ctx, in); err != nil {
			return err
		}
		f.incidents = append(f.incidents, in)
	}
	a.Incident = in.ID
	join(in, a, ev, count)
	return nil
}

// alert returns the alert an event belongs to, a new one with its id given.
func (f *folder) alert(ev *redoubt.Event, in *redoubt.Incident) (*redoubt.Alert, error) {
	key := Key(ev)
	a, err := f.find(key)
	if err != nil || a != nil {
		return a, err
	}
	title := Title(ev)
	if in != nil && len(in.Alerts) >= MaxAlerts {
		key, title = overflowKey(ev), fmt.Sprintf("Many more alerts of kind %s in %s", ev.Kind, plain(nameOf(ev.Workload)))
		if a, err = f.find(key); err != nil || a != nil {
			return a, err
		}
	}
	a = &redoubt.Alert{Key: key, Title: title, First: ev.Time, Time: ev.Time, Kind: ev.Kind, Status: redoubt.Open, Workload: ev.Workload, Severity: ev.Verdict.Severity}
	if err := f.store.PutAlert(f.ctx, a); err != nil {
		return nil, err
	}
	f.keep(a)
	return a, nil
}

func (f *folder) find(key string) (*redoubt.Alert, error) {
	if a := f.alerts[key]; a != nil {
		return a, nil
	}
	a, err := f.store.AlertByKey(f.ctx, key)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	f.keep(&a)
	return &a, nil
}

func (f *folder) keep(a *redoubt.Alert) {
	f.alerts[a.Key] = a
	f.order = append(f.order, a)
}

// incident returns the running incident an event belongs to, nil if none does.
func (f *folder) incident(ev *redoubt.Event) (*redoubt.Incident, error) {
	for _, in := range slices.Backward(f.incidents) {
		if in.Workload.ID == ev.Workload.ID && takes(in, ev.Time) {
			return in, nil
		}
	}
	in, err := f.store.OpenIncident(f.ctx, ev.Workload.ID, ev.Time.Add(-Window))
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	known := slices.ContainsFunc(f.incidents, func(k *redoubt.Incident) bool { return k.ID == in.ID })
	if known || !takes(&in, ev.Time) {
		return nil, nil
	}
	f.incidents = append(f.incidents, &in)
	return &in, nil
}

// takes says whether something at t is part of an incident: events may arrive
// late, so the window holds in both directions.
func takes(in *redoubt.Incident, t time.Time) bool {
	return !t.Before(in.First.Add(-Window)) && !t.After(in.Time.Add(Window)) && t.Sub(in.First) < Longest && in.Time.Sub(t) < Longest
}

// action adds what Redoubt did to a workload to its running incident.
func (f *folder) action(ev *redoubt.Event) error {
	in, err := f.incident(ev)
	if err != nil || in == nil {
		return err
	}
	text := ev.Note
	if text == "" {
		text = string(ev.Verdict.Effect)
	}
	moment(in, redoubt.Moment{Time: ev.Time, Text: plain(text), Effect: ev.Verdict.Effect, Count: max(ev.Count, 1)})
	return nil
}

func (f *folder) write() (Folded, error) {
	var out Folded
	for _, a := range f.order {
		if err := f.store.PutAlert(f.ctx, a); err != nil {
			return Folded{}, fmt.Errorf("write alert %s: %w", a.ID, err)
		}
		out.Alerts = append(out.Alerts, *a)
	}
	for _, in := range f.incidents {
		if err := f.store.PutIncident(f.ctx, in); err != nil {
			return Folded{}, fmt.Errorf("write incident %s: %w", in.ID, err)
		}
		out.Incidents = append(out.Incidents, *in)
	}
	return out, nil
}

// update adds an event to its alert and makes the latest the exemplar. What
// was resolved and happens again is open again.
func update(a *redoubt.Alert, ev *redoubt.Event, count int) {
	a.Count += count
	a.Severity = max(a.Severity, ev.Verdict.Severity)
	if ev.Time.Before(a.First) {
		a.First = ev.Time
	}
	if a.Status == redoubt.Resolved {
		a.Status, a.StatusBy = redoubt.Open, ""
		a.Comments = append(a.Comments, redoubt.Comment{Time: ev.Time, Author: "redoubt", Text: "It happened again after it was resolved."})
	}
	if ev.Time.Before(a.Time) && a.Event != "" {
		return
	}
	a.Time, a.Node, a.Workload, a.Event = ev.Time, ev.Node, ev.Workload, ev.ID
	a.Process, a.Network, a.Verdict = ev.Process, ev.Network, ev.Verdict
}
