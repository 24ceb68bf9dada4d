package console

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/guard"
	"redoubt.dev/redoubt/internal/redoubt"
)

func (c *Console) events(ctx context.Context, f *eventFilter) (*out[api.Page[redoubt.Event]], error) {
	q, err := f.query(c.clock())
	if err != nil {
		return nil, err
	}
	page, next, err := c.store.FindEvents(ctx, q)
	if err != nil {
		return nil, err
	}
	o := paged(page, next)
	if n, known, err := c.store.TallyEvents(ctx, q); err != nil {
		return nil, err
	} else if known {
		o.Body.Total = int(n)
	}
	return o, nil
}

func (c *Console) eventsCSV(ctx context.Context, f *eventFilter) (*huma.StreamResponse, error) {
	q, err := f.query(c.clock())
	if err != nil {
		return nil, err
	}
	return c.export("events.csv", eventColumns, converted(c.store.EachEvent(ctx, q), eventRow)), nil
}

func (c *Console) event(ctx context.Context, r *ByID) (*out[redoubt.Event], error) {
	e, err := c.store.Event(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	return answer(e), nil
}

func (c *Console) whyEvent(ctx context.Context, r *ByID) (*out[guard.Explanation], error) {
	e, err := c.store.Event(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	return answer(c.explain(&e)), nil
}
