package console

import (
	"context"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/guard"
	"redoubt.dev/redoubt/internal/redoubt"
)

// Bounds of what people write below an alert or incident.
const (
	maxComment  = 4096
	maxComments = 500
)

func (c *Console) alerts(ctx context.Context, f *alertFilter) (*out[api.Page[redoubt.Alert]], error) {
	q, err := f.query(c.clock())
	if err != nil {
		return nil, err
	}
	page, next, err := c.store.FindAlerts(ctx, q)
	if err != nil {
		return nil, err
	}
	return paged(page, next), nil
}

func (c *Console) alertsCSV(ctx context.Context, f *alertFilter) (*huma.StreamResponse, error) {
	q, err := f.query(c.clock())
	if err != nil {
		return nil, err
	}
	return c.export("alerts.csv", alertColumns, converted(c.store.EachAlert(ctx, q), alertRow)), nil
}

func (c *Console) alert(ctx context.Context, r *ByID) (*out[redoubt.Alert], error) {
	a, err := c.store.Alert(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	return answer(a), nil
}

func (c *Console) whyAlert(ctx context.Context, r *ByID) (*out[guard.Explanation], error) {
	a, err := c.store.Alert(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	e, err := c.exemplar(ctx, &a)
	if err != nil {
		return nil, err
	}
	return answer(c.explain(&e)), nil
}

// exemplar is the event an alert stands on; rebuilt from the alert itself when
// the record no longer holds it.
func (c *Console) exemplar(ctx context.Context, a *redoubt.Alert) (redoubt.Event, error) {
	e, err := c.store.Event(ctx, a.Event)
	if fault.Is(err, fault.NotFound) {
		return redoubt.Event{
			ID: a.Event, Time: a.Time, Node: a.Node, Kind: a.Kind, Workload: a.Workload,
			Process: a.Process, Network: a.Network, Count: a.Count, Verdict: a.Verdict,
		}, nil
	}
	return e, err
}

func checkTriage(t *api.TriageRequest) error {
	t.Comment = strings.TrimSpace(t.Comment)
	switch {
	case t.Status == "" && t.Comment == "":
		return fault.New(fault.Invalid, "status, comment: give one of them")
	case len(t.Comment) > maxComment:
		return fault.New(fault.Invalid, "comment: it is %d bytes long, at most %d are kept", len(t.Comment), maxComment)
	}
	return nil
}

// triage is the part of an alert or incident that people change; the audit
// trail shows it before and after.
type triage struct {
	Status  redoubt.Status `json:"status"`
	Comment string         `json:"comment,omitempty"`
}

// triage changes status and comments of an alert or incident.
func (d *draft) triage(t *api.TriageRequest, by string, status *redoubt.Status, statusBy *string, comments *[]redoubt.Comment) (before, after triage, err error) {
	before = triage{Status: *status}
	if t.Status != "" && t.Status != *status {
		*status, *statusBy = t.Status, by
	}
	if t.Comment != "" {
		if len(*comments) >= maxComments {
			return before, after, fault.New(fault.Limited, "comment: there are %d already", maxComments)
		}
		*comments = append(*comments, redoubt.Comment{Time: d.now, Author: by, Text: t.Comment})
	}
	return before, triage{*status, t.Comment}, nil
}

func (c *Console) triageAlert(ctx context.Context, r *byIDWith[api.TriageRequest]) (*out[redoubt.Alert], error) {
	if err := checkTriage(&r.Body); err != nil {
		return nil, err
	}
	var a redoubt.Alert
	err := c.change(ctx, func(ctx context.Context, d *draft) (err error) {
		if a, err = c.store.Alert(ctx, r.ID); err != nil {
			return err
		}
		before, after, err := d.triage(&r.Body, requestOf(ctx).actor.User, &a.Status, &a.StatusBy, &a.Comments)
		if err != nil {
			return err
		}
		if err := d.putAlert(ctx, &a); err != nil {
			return err
		}
		return d.note(ctx, "alert.triage", a.ID, before, after)
	})
	if err != nil {
		return nil, err
	}
	return answer(a), nil
}

func (d *draft) putAlert(ctx context.Context, a *redoubt.Alert) error {
	if err := d.c.store.PutAlert(ctx, a); err != nil {
		return err
	}
	d.say("alert", a.ID, *a)
	return nil
}

func (d *draft) putIncident(ctx context.Context, i *redoubt.Incident) error {
	if err := d.c.store.PutIncident(ctx, i); err != nil {
		return err
	}
	d.say("incident", i.ID, nil)
	return nil
}

// resolve ends an alert with a remark, and its incident with the last of its
// alerts.
func (d *draft) resolve(ctx context.Context, a *redoubt.Alert, text string) error {
	a.Status, a.StatusBy = redoubt.Resolved, requestOf(ctx).actor.User
	if err := d.remark(ctx, a, text); err != nil || a.Incident == "" {
		return err
	}
	i, err := d.c.store.Incident(ctx, a.Incident)
	if fault.Is(err, fault.NotFound) || err == nil && i.Status == redoubt.Resolved {
		return nil
	}
	if err != nil {
		return err
	}
	for _, id := range i.Alerts {
		other, err := d.c.store.Alert(ctx, id)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		if err == nil && other.Status != redoubt.Resolved {
			return nil
		}
	}
	i.Status, i.StatusBy = redoubt.Resolved, a.StatusBy
	return d.putIncident(ctx, &i)
}

func (d *draft) remark(ctx context.Context, a *redoubt.Alert, text string) error {
	if len(a.Comments) < maxComments {
		a.Comments = append(a.Comments, redoubt.Comment{Time: d.now, Author: requestOf(ctx).actor.User, Text: text})
	}
	return d.putAlert(ctx, a)
}
