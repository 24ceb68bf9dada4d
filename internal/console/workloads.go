package console

import (
	"context"
	"slices"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

// trouble is what is open for one workload.
type trouble struct {
	alerts int
	worst  redoubt.Severity
}

func (c *Console) troubles(ctx context.Context) (map[redoubt.WorkloadID]trouble, error) {
	counts, err := c.store.OpenAlerts(ctx)
	if err != nil {
		return nil, err
	}
	all := map[redoubt.WorkloadID]trouble{}
	for _, n := range counts {
		t := all[n.Workload]
		all[n.Workload] = trouble{t.alerts + n.Count, max(t.worst, n.Severity)}
	}
	return all, nil
}

// present shows an instance; the caller holds the model for reading.
func (m *model) present(i redoubt.Instance, t trouble) api.Workload {
	w := api.Workload{ID: i.Instance(), Time: i.Time, Workload: i.Workload, Ref: i.WorkloadRef, Alerts: t.alerts, Worst: t.worst}
	if o, stands := m.orders[place{i.Node, i.Instance()}]; stands && o.Effect == redoubt.EffectIsolate {
		w.Isolated = true
	}
	if l := m.profiles[i.ID]; l != nil {
		w.Profile = l.summary()
	} else {
		w.Profile = profile.Summary{ID: string(i.ID), Workload: i.WorkloadRef}
	}
	return w
}

func (c *Console) workloads(ctx context.Context, f *workloadFilter) (*out[api.Page[api.Workload]], error) {
	running, err := readBool("running", f.Running)
	if err != nil {
		return nil, err
	}
	text, err := readText("q", f.Q)
	if err != nil {
		return nil, err
	}
	since, until, err := f.between(c.clock())
	if err != nil {
		return nil, err
	}
	troubles, err := c.troubles(ctx)
	if err != nil {
		return nil, err
	}
	text = strings.ToLower(text)
	c.model.mu.RLock()
	defer c.model.mu.RUnlock()
	var all []redoubt.Instance
	for _, i := range c.model.instances {
		if running != nil && i.Running != *running || f.Kind != "" && string(i.Kind) != f.Kind || !mentions(&i, text) ||
			f.Workload != "" && !i.Matches(f.Workload) || f.Node != "" && string(i.Node) != f.Node || !within(i.Time, since, until) {
			continue
		}
		if f.State != "" {
			if l := c.model.profiles[i.ID]; l == nil || string(l.State) != f.State {
				continue
			}
		}
		all = append(all, i)
	}
	where := func(i redoubt.Instance) mark { return mark{i.Time, string(i.Node) + " " + i.Instance()} }
	slices.SortFunc(all, func(a, b redoubt.Instance) int { return order(where(a), where(b)) })
	page, err := cut(all, f.Slice, where)
	if err != nil {
		return nil, err
	}
	shown := make([]api.Workload, 0, len(page.Body.Items))
	for _, i := range page.Body.Items {
		shown = append(shown, c.model.present(i, troubles[i.ID]))
	}
	return answer(api.Page[api.Workload]{Items: shown, Next: page.Body.Next, Total: page.Body.Total}), nil
}

func within(t, since, until time.Time) bool {
	return !t.Before(since) && (until.IsZero() || t.Before(until))
}

func order(a, b mark) int {
	switch {
	case a.before(b):
		return -1
	case b.before(a):
		return 1
	}
	return 0
}

func mentions(i *redoubt.Instance, text string) bool {
	if text == "" {
		return true
	}
	for _, s := range []string{string(i.ID), i.Name, i.Container, i.Image, string(i.Node)} {
		if strings.Contains(strings.ToLower(s), text) {
			return true
		}
	}
	for k, v := range i.Labels {
		if strings.Contains(strings.ToLower(k+"="+v), text) {
			return true
		}
	}
	return false
}

func (c *Console) workload(ctx context.Context, r *ByInstance) (*out[api.Workload], error) {
	i, err := c.model.find(r.Instance)
	if err != nil {
		return nil, err
	}
	troubles, err := c.troubles(ctx)
	if err != nil {
		return nil, err
	}
	c.model.mu.RLock()
	defer c.model.mu.RUnlock()
	return answer(c.model.present(i, troubles[i.ID])), nil
}

type actRequest struct {
	ByInstance
	Body api.ActionRequest
}

// act gives or takes back a standing order; the node's defender carries it
// out. Without one, isolating or blocking would only be a wish.
func (c *Console) act(ctx context.Context, r *actRequest) (*out[api.Workload], error) {
	i, err := c.model.find(r.Instance)
	if err != nil {
		return nil, err
	}
	at := place{i.Node, i.Instance()}
	err = c.change(ctx, func(ctx context.Context, d *draft) error {
		old, stands := c.model.orders[at]
		var before any
		if stands {
			before = orderText{old.Effect, old.Reason}
		}
		if r.Body.Action == "release" {
			if !stands {
				return fault.New(fault.Conflict, "%s is not isolated or blocked by the console", i.Name)
			}
			if err := d.deleteOrder(ctx, at); err != nil {
				return err
			}
			d.say("workload", i.Instance(), nil)
			return d.note(ctx, "workload.release", actObject(i), before, nil)
		}
		if i.Kind == redoubt.KindHost {
			return fault.New(fault.Invalid, "%s is a host; only containers and services can be isolated or blocked", i.Name)
		}
		o := redoubt.Standing{
			Node: i.Node, Instance: i.Instance(), Effect: redoubt.Effect(r.Body.Action), Reason: r.Body.Reason,
			By: requestOf(ctx).actor.User, Time: d.now,
		}
		if err := d.putOrder(ctx, o); err != nil {
			return err
		}
		d.say("workload", i.Instance(), nil)
		return d.note(ctx, "workload."+r.Body.Action, actObject(i), before, orderText{o.Effect, o.Reason})
	})
	if err != nil {
		return nil, err
	}
	return c.workload(ctx, &r.ByInstance)
}

// orderText is how the audit trail shows an order.
type orderText struct {
	Effect redoubt.Effect `json:"effect"`
	Reason string         `json:"reason,omitempty"`
}

func actObject(i redoubt.Instance) string { return string(i.Node) + " " + i.Instance() }
