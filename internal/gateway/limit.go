package gateway

import (
	"context"
	"time"

	"redoubt.dev/redoubt/internal/route"
)

// Limits bound what one caller and one function get, whatever the route.
// Zero bounds nothing.
type Limits struct {
	CallerRate         float64 // calls a second of one principal
	CallerConcurrent   int     // calls of one principal at once
	FunctionRate       float64 // calls a second of one function, by all callers
	FunctionConcurrent int     // calls of one function at once, waiting ones too
}

// maxCounted is how many callers are told apart at once.
const maxCounted = 16384

// limiter holds calls to the gateway's limits and those of their routes.
type limiter struct {
	limits Limits
	clock  func() time.Time
	rates  *route.Limiter
	gate   *route.Gate
	quotas *route.Quotas // nil where no store keeps counts
}

func newLimiter(l Limits, counts route.CountStore, clock func() time.Time) *limiter {
	out := &limiter{limits: l, clock: clock, rates: route.NewLimiter(maxCounted, clock), gate: route.NewGate()}
	if counts != nil {
		out.quotas = route.NewQuotas(counts, maxCounted, clock)
	}
	return out
}

// bounded is one thing a call is counted under.
type bounded struct {
	key, caller, what string
	limits            route.Limits
}

// take lets a call in or says when to come again. release must be called when
// the call has ended; r is nil where it came by no route.
func (l *limiter) take(ctx context.Context, caller, function string, r *route.Route) (release func(), err error) {
	all := [3]bounded{
		{"", caller, caller, route.Limits{Rate: l.limits.CallerRate, Concurrent: l.limits.CallerConcurrent}},
		{"function/" + function, "", "function " + function, route.Limits{RouteRate: l.limits.FunctionRate, RouteAtOnce: l.limits.FunctionConcurrent}},
	}
	n := 2
	if r != nil {
		all[2] = bounded{r.ID, caller, caller + " on " + r.String(), r.Limits}
		n = 3
	}
	var left [3]func()
	release = func() {
		for _, leave := range left {
			if leave != nil {
				leave()
			}
		}
	}
	for i, b := range all[:n] {
		if b.limits == (route.Limits{}) {
			continue
		}
		leave, ok := l.gate.Enter(b.key, b.caller, b.limits)
		if !ok {
			release()
			return nil, throttled(time.Second, "%s: as many calls are under way as may be; wait for one to end", b.what)
		}
		left[i] = leave
	}
	for _, b := range all[:n] {
		if wait, ok := l.rates.Take(b.key, b.caller, b.limits); !ok {
			release()
			return nil, throttled(wait, "%s: more calls a second than may be", b.what)
		}
	}
	if r == nil || l.quotas == nil {
		return release, nil
	}
	again, ok, err := l.quotas.Take(ctx, r.ID, caller, r.Quota)
	if err == nil && !ok {
		err = throttled(again.Sub(l.clock()), "%s on %s: the quota is used up until %s", caller, r.String(), again.Format(time.RFC3339))
	}
	if err != nil {
		release()
		return nil, err
	}
	return release, nil
}

const countEvery = 10 * time.Second

// count stores what quotas counted, until ctx ends.
func (g *Gateway) count(ctx context.Context) error {
	tick := time.NewTicker(countEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
		if q := g.limits.quotas; q != nil {
			if err := q.Flush(context.WithoutCancel(ctx)); err != nil {
				g.log.Warn("quotas not stored", "error", err)
			}
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}
