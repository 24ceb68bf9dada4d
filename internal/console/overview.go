package console

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

const onOverview = 10 // incidents and profiles that the first page lists

func (c *Console) overview(ctx context.Context, _ *struct{}) (*out[api.Overview], error) {
	now := c.clock()
	o := api.Overview{
		Time: now, States: map[profile.State]int{}, Alerts: map[string]int{},
		Incidents: []redoubt.Incident{}, Learning: []profile.Summary{}, Nodes: c.statuses(), Gaps: []string{},
	}
	counts, err := c.store.OpenAlerts(ctx)
	if err != nil {
		return nil, err
	}
	for _, n := range counts {
		o.Alerts[n.Severity.String()] += n.Count
	}
	if o.Incidents, err = c.pressing(ctx); err != nil {
		return nil, err
	}
	if o.Events, err = c.store.CountEvents(ctx); err != nil {
		return nil, err
	}
	if o.Rate, err = c.rate(ctx, now); err != nil {
		return nil, err
	}
	if o.Audit, err = c.audited.state(ctx, c); err != nil {
		return nil, err
	}
	c.survey(&o)
	o.Gaps = append(gapsOf(o.Nodes, now), o.Gaps...)
	if !o.Audit.Intact {
		o.Gaps = append(o.Gaps, "the audit trail's chain is broken at "+o.Audit.Broken+"; redoubt audit verify says more")
	}
	return answer(o), nil
}

// pressing lists the open incidents, most urgent first.
func (c *Console) pressing(ctx context.Context) ([]redoubt.Incident, error) {
	all := []redoubt.Incident{}
	for severity := redoubt.Critical; severity >= redoubt.Low && len(all) < onOverview; severity-- {
		q := redoubt.IncidentQuery{Slice: redoubt.Slice{Limit: 10 * onOverview}, Status: redoubt.Open, Severity: severity}
		page, _, err := c.store.FindIncidents(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, i := range page {
			if i.Severity == severity && len(all) < onOverview {
				i.Timeline = nil
				all = append(all, i)
			}
		}
	}
	return all, nil
}

// rate is the last hour, a point for every minute, also for the empty ones.
func (c *Console) rate(ctx context.Context, now time.Time) ([]api.Point, error) {
	first := now.Truncate(time.Minute).Add(-59 * time.Minute)
	minutes, err := c.store.Minutes(ctx, first)
	if err != nil {
		return nil, err
	}
	points := make([]api.Point, 60)
	for i := range points {
		points[i].Time = first.Add(time.Duration(i) * time.Minute)
	}
	for _, m := range minutes {
		if i := int(m.Time.Sub(first) / time.Minute); i >= 0 && i < len(points) {
			points[i].Events += m.Events
			points[i].Alerts += m.Alerts
		}
	}
	return points, nil
}

// survey adds what the model knows: workloads, states, coverage, and which
// workloads run without anything known of them.
func (c *Console) survey(o *api.Overview) {
	c.model.mu.RLock()
	defer c.model.mu.RUnlock()
	running := map[redoubt.WorkloadID]bool{}
	for _, i := range c.model.instances {
		if i.Running {
			running[i.ID] = true
		}
	}
	o.Workloads = len(running)
	var bare []string
	for id := range running {
		if l := c.model.profiles[id]; l == nil || l.Units == 0 && l.State == profile.Learning {
			bare = append(bare, string(id))
		}
	}
	if len(bare) > 0 {
		o.Gaps = append(o.Gaps, "nothing has been observed yet of "+enumerate(bare))
	}
	if len(c.model.profiles) >= maxProfiles {
		o.Gaps = append(o.Gaps, fmt.Sprintf("there are %d profiles: new workloads get none until some are deleted", maxProfiles))
	}
	for _, p := range c.model.policies {
		if p.unread != "" {
			o.Gaps = append(o.Gaps, "policy "+p.Name+" is not in force, because this release cannot read it: "+p.unread)
		}
	}
	total, alive := 0.0, 0
	for _, l := range c.model.profiles {
		o.States[l.State]++
		if l.State == profile.Archived {
			continue
		}
		total += l.Coverage.Lower
		alive++
		if l.State == profile.Learning {
			o.Learning = append(o.Learning, l.summary())
		}
	}
	if alive > 0 {
		o.Coverage = total / float64(alive)
	}
	slices.SortFunc(o.Learning, func(a, b profile.Summary) int {
		return cmp.Or(cmp.Compare(a.Coverage.Lower, b.Coverage.Lower), strings.Compare(a.ID, b.ID))
	})
	o.Learning = o.Learning[:min(onOverview, len(o.Learning))]
}

// gapsOf says what nobody watches right now. That there are no alerts means
// something only where there are no gaps either.
func gapsOf(nodes []redoubt.NodeStatus, now time.Time) []string {
	gaps := []string{}
	if len(nodes) == 0 {
		gaps = append(gaps, "no node is protected yet: nothing is observed")
	}
	for _, n := range nodes {
		say := func(format string, args ...any) {
			gaps = append(gaps, "node "+string(n.ID)+": "+fmt.Sprintf(format, args...))
		}
		switch {
		case n.Time.IsZero():
			say("enrolled, but has never reported")
			continue
		case !n.Connected:
			say("not connected; its last report is %s old", age(now.Sub(n.Time)))
		}
		if len(n.Sensor.Sensing) == 0 {
			say("its sensor is not attached: no process or connection is seen")
		}
		for _, e := range n.Engines {
			if e.Error != "" {
				say("%s is not watched: %s", e.Name, e.Error)
			}
		}
		if n.Load.Lost > 0 {
			say("%d events were lost in the kernel since it started", n.Load.Lost)
		}
		if n.Load.Dropped > 0 {
			say("%d events were dropped because its spool was full", n.Load.Dropped)
		}
		for _, g := range n.Gaps {
			say("%s", g)
		}
	}
	return gaps
}

func age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	}
	return fmt.Sprintf("%d h", int(d.Hours()))
}

func enumerate(names []string) string {
	slices.Sort(names)
	if len(names) > 3 {
		return strings.Join(names[:3], ", ") + fmt.Sprintf(" and %d more", len(names)-3)
	}
	return strings.Join(names, ", ")
}

// auditCache spares the overview a walk over the whole trail: a state is good
// for five minutes.
type auditCache struct {
	mu    sync.Mutex
	asked time.Time
	last  api.AuditState
}

func (a *auditCache) state(ctx context.Context, c *Console) (api.AuditState, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now := c.clock(); a.asked.IsZero() || now.Sub(a.asked) > 5*time.Minute || now.Before(a.asked) {
		s, err := c.auditState(ctx)
		if err != nil {
			return s, fault.New(fault.Of(err), "verify audit trail: %w", err)
		}
		a.asked, a.last = now, s
	}
	return a.last, nil
}
