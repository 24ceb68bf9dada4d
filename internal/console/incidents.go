package console

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/redoubt"
)

func (c *Console) incidents(ctx context.Context, f *incidentFilter) (*out[api.Page[redoubt.Incident]], error) {
	q, err := f.query(c.clock())
	if err != nil {
		return nil, err
	}
	page, next, err := c.store.FindIncidents(ctx, q)
	if err != nil {
		return nil, err
	}
	return paged(page, next), nil
}

func (c *Console) incidentsCSV(ctx context.Context, f *incidentFilter) (*huma.StreamResponse, error) {
	q, err := f.query(c.clock())
	if err != nil {
		return nil, err
	}
	return c.export("incidents.csv", incidentColumns, converted(c.store.EachIncident(ctx, q), incidentRow)), nil
}

func (c *Console) incident(ctx context.Context, r *ByID) (*out[redoubt.Incident], error) {
	i, err := c.store.Incident(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	return answer(i), nil
}

// triageIncident changes an incident; resolving or acknowledging it does the
// same to its alerts that are still open.
func (c *Console) triageIncident(ctx context.Context, r *byIDWith[api.TriageRequest]) (*out[redoubt.Incident], error) {
	if err := checkTriage(&r.Body); err != nil {
		return nil, err
	}
	var i redoubt.Incident
	err := c.change(ctx, func(ctx context.Context, d *draft) (err error) {
		if i, err = c.store.Incident(ctx, r.ID); err != nil {
			return err
		}
		by := requestOf(ctx).actor.User
		before, after, err := d.triage(&r.Body, by, &i.Status, &i.StatusBy, &i.Comments)
		if err != nil {
			return err
		}
		if err := d.putIncident(ctx, &i); err != nil {
			return err
		}
		if before.Status != after.Status && after.Status != redoubt.Open {
			if err := d.carry(ctx, &i, by); err != nil {
				return err
			}
		}
		return d.note(ctx, "incident.triage", i.ID, before, after)
	})
	if err != nil {
		return nil, err
	}
	return answer(i), nil
}

func (d *draft) carry(ctx context.Context, i *redoubt.Incident, by string) error {
	for _, id := range i.Alerts {
		a, err := d.c.store.Alert(ctx, id)
		if err != nil {
			return err
		}
		if a.Status == redoubt.Resolved || a.Status == i.Status {
			continue
		}
		a.Status, a.StatusBy = i.Status, by
		if err := d.putAlert(ctx, &a); err != nil {
			return err
		}
	}
	return nil
}
