package gateway

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/gateway/bucket"
	"redoubt.dev/redoubt/internal/iam"
	"redoubt.dev/redoubt/internal/route"
)

// wiring is which event sources lead to which functions. It never changes;
// rewire puts another in its place.
type wiring struct {
	mark      uint64 // of what it was made from
	schedules []*schedule
	buckets   map[string][]wire[function.BucketTrigger]
	topics    []wire[function.MQTTTrigger]
	queues    []wire[function.QueueTrigger]
}

// wire leads from a trigger to its function.
type wire[T any] struct {
	function string
	name     string // of the trigger, as records have it
	trigger  T
}

const rewireEvery = 2 * time.Second

// watch keeps wiring and routes in step with what is deployed, and keeps the
// schedules, until ctx ends.
func (g *Gateway) watch(ctx context.Context) error {
	read, clock := time.NewTicker(rewireEvery), time.NewTicker(time.Second)
	defer read.Stop()
	defer clock.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-clock.C:
			g.keepSchedules(ctx)
			continue
		case <-g.fresh:
		case <-read.C:
		}
		if err := g.rewire(ctx); err != nil && ctx.Err() == nil {
			g.log.Warn("triggers not read", "error", err)
		}
	}
}

// rewire reads functions and routes and, if any changed, takes them over. The
// triggers of a function are those of the version that Live mostly points to.
func (g *Gateway) rewire(ctx context.Context) error {
	mark := fnv.New64a()
	next := &wiring{buckets: map[string][]wire[function.BucketTrigger]{}}
	var routes []route.Route
	for q := (function.Filter{Limit: 1000}); ; {
		page, cursor, err := g.cfg.Functions.List(ctx, q)
		if err != nil {
			return err
		}
		for _, f := range page {
			fmt.Fprintf(mark, "%s %d %s\n", f.Name, f.Revision, f.State)
			routes = append(routes, next.add(f)...)
		}
		if q.Cursor = cursor; cursor == "" {
			break
		}
	}
	if g.cfg.Routes != nil {
		own, err := g.cfg.Routes.Routes(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(mark, "%+v", own)
		routes = append(own, routes...)
	}
	if next.mark = mark.Sum64(); next.mark == g.wired.Load().mark {
		return nil
	}
	g.keepTime(next)
	g.wired.Store(next)
	g.routes.Swap(g.compile(routes))
	return nil
}

// add takes a function's triggers up and returns its routes.
func (w *wiring) add(f *function.Function) (routes []route.Route) {
	live := f.Aliases[function.Live]
	if f.State != function.Active || len(live.Weights) == 0 {
		return nil
	}
	v, ok := f.Version(live.Weights[0].Version)
	if !ok {
		return nil
	}
	for i, t := range v.Spec.Triggers {
		switch {
		case t.HTTP != nil:
			routes = append(routes, route.Route{
				ID: fmt.Sprintf("function-%s-%d", f.Name, i), Host: t.HTTP.Host, Method: t.HTTP.Method, Path: t.HTTP.Path,
				Target: route.Target{Function: f.Name}, Auth: route.Auth(t.HTTP.Auth), Payload: t.HTTP.Payload, Timeout: min(v.Spec.Timeout+30, 900),
			})
		case t.Schedule != nil:
			if s, err := function.ParseSchedule(t.Schedule.When); err == nil {
				w.schedules = append(w.schedules, &schedule{wire: wire[function.ScheduleTrigger]{f.Name, t.String(), *t.Schedule}, times: s})
			}
		case t.Bucket != nil:
			w.buckets[t.Bucket.Bucket] = append(w.buckets[t.Bucket.Bucket], wire[function.BucketTrigger]{f.Name, t.String(), *t.Bucket})
		case t.MQTT != nil:
			w.topics = append(w.topics, wire[function.MQTTTrigger]{f.Name, t.String(), *t.MQTT})
		case t.Queue != nil:
			w.queues = append(w.queues, wire[function.QueueTrigger]{f.Name, t.String(), *t.Queue})
		}
	}
	return routes
}

// compile makes a table. Where some routes cannot stand beside the others it
// leaves those out, the last first, and says so: one bad route must not close
// the front to all.
func (g *Gateway) compile(routes []route.Route) *route.Table {
	t, err := route.Compile(routes)
	if err == nil {
		return t
	}
	var good []route.Route
	for _, r := range routes {
		if t, err := route.Compile(append(slices.Clip(good), r)); err != nil {
			g.log.Error("route left out", "route", r.ID, "error", err)
		} else if t != nil {
			good = append(good, r)
		}
	}
	t, err = route.Compile(good)
	if err != nil {
		g.log.Error("routes not taken over", "error", err)
		return g.routes.Table()
	}
	return t
}

// event begins a call of a trigger's function, made by its source.
func (g *Gateway) event(source, who, name, trigger string) *call {
	c := g.begin(source, name)
	c.rec.Route, c.granted = trigger, true
	c.rec.Caller, c.who.Principal, c.who.Method = who, who, iam.Inside
	return c
}

// objectChanged calls the functions that wait for changes of a bucket. from is
// the call that made the change, nil where it came from outside.
func (g *Gateway) objectChanged(ctx context.Context, ch bucket.Change, who, address string, from *call) {
	for _, w := range g.wired.Load().buckets[ch.Bucket] {
		if !wants(w.trigger, ch) {
			continue
		}
		c := g.event("bucket", "service/bucket/"+ch.Bucket, w.function, w.name)
		c.rec.From = address
		c.descend(from)
		c.payload = bucketEvent(ch, who, c.rec.ID, address, w.name)
		if err := g.accept(ctx, c); err != nil {
			g.log.Warn("bucket event refused", "bucket", ch.Bucket, "function", w.function, "error", err)
		}
	}
}

func wants(t function.BucketTrigger, ch bucket.Change) bool {
	kind := "created"
	if ch.Removed {
		kind = "removed"
	}
	events := t.Events
	if len(events) == 0 {
		events = []string{"created"}
	}
	return slices.Contains(events, kind) && strings.HasPrefix(ch.Object.Key, t.Prefix) && strings.HasSuffix(ch.Object.Key, t.Suffix)
}

// descend makes c one that another call led to.
func (c *call) descend(from *call) {
	if from != nil {
		c.rec.Parent = from.rec.ID
		c.trace = trace{root: from.trace.root, depth: from.trace.depth + 1}
		c.rec.Tenant = from.rec.Tenant
		c.who.Tenant = from.rec.Tenant
	}
}
