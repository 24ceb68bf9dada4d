package gateway

import (
	"context"
	"time"

	"redoubt.dev/redoubt/internal/function"
)

// schedule is when a function is called next.
type schedule struct {
	wire[function.ScheduleTrigger]
	times function.Schedule
	next  time.Time
}

// keepTime gives the schedules of a new wiring the next times of those that
// stay as they are, so that a deployment does not put off what was about to
// come.
func (g *Gateway) keepTime(next *wiring) {
	type key struct{ function, when string }
	old := map[key]time.Time{}
	for _, s := range g.wired.Load().schedules {
		old[key{s.function, s.trigger.When}] = s.next
	}
	now := g.cfg.Clock()
	for _, s := range next.schedules {
		if s.next = old[key{s.function, s.trigger.When}]; s.next.IsZero() {
			s.next = s.times.Next(now)
		}
	}
}

// keepSchedules calls the functions whose times have come. Times that passed
// while the gateway was not there are not made up for.
func (g *Gateway) keepSchedules(ctx context.Context) {
	now := g.cfg.Clock()
	for _, s := range g.wired.Load().schedules {
		if s.next.IsZero() || now.Before(s.next) {
			continue
		}
		g.fire(ctx, s)
		s.next = s.times.Next(now)
	}
}

func (g *Gateway) fire(ctx context.Context, s *schedule) {
	c := g.event("schedule", "service/schedule/"+s.function, s.function, s.name)
	c.payload = []byte(s.trigger.Input)
	if s.trigger.Input == "" {
		c.payload = scheduleEvent(c.rec.ID, s.trigger.When, s.next)
	}
	if err := g.accept(ctx, c); err != nil {
		g.log.Warn("scheduled call refused", "function", s.function, "error", err)
	}
}
