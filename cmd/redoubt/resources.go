package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

// resources are all the kinds of thing get lists, a row each.
func resources() []resource {
	return []resource{
		{"workloads", "workload", []string{"workload", "kind", "state", "node", "since", "query"}, listWorkloads},
		{"events", "event", []string{"workload", "kind", "effect", "node", "since", "until", "query", "notable"}, listEvents},
		{"alerts", "alert", []string{"workload", "kind", "status", "severity", "since", "until", "query"}, listAlerts},
		{"incidents", "incident", []string{"workload", "status", "severity", "since", "until", "query"}, listIncidents},
		{"profiles", "profile", []string{"workload", "state", "since", "query"}, listProfiles},
		{"policies", "policy", nil, listPolicies},
		{"nodes", "node", nil, listNodes},
		{"users", "user", nil, listUsers},
		{"tokens", "token", nil, listTokens},
		{"audit", "audit", []string{"actor", "since", "until", "query"}, listAudit},
		{"functions", "function", []string{"state", "query"}, listFunctions},
		{"invocations", "invocation", []string{"since", "until", "query"}, listInvocations},
		{"routes", "route", nil, listRoutes},
		{"access", "access", nil, listAccess},
		{"principals", "principal", nil, listPrincipals},
		{"keys", "key", nil, listKeys},
	}
}

// listWorkloads narrows by workload, node and time here: the console's list has
// no such filters.
func listWorkloads(ctx context.Context, c *api.Client, f api.Filter) (listing, error) {
	keep := func(w *api.Workload) bool {
		return (f.Workload == "" || w.Ref.Matches(f.Workload)) && (f.Node == "" || string(w.Node) == f.Node)
	}
	items, err := narrowed(ctx, f, c.Workloads, keep, func(w *api.Workload) time.Time { return w.Time })
	heads := []string{"NAME", "KIND", "IMAGE", "STATE", "COVERED", "ALERTS", "AGE", "ID"}
	return listed(items, err, heads, func(now time.Time, w *api.Workload) []cell {
		state := cell{string(w.Profile.State), stateColour(w.Profile.State)}
		switch {
		case !w.Running:
			state = cell{"stopped", faint}
		case w.Isolated:
			state = cell{"isolated", bad}
		}
		alerts := count(w.Alerts)
		if w.Alerts > 0 {
			alerts.colour = severity(w.Worst).colour
		}
		id := w.ID
		if w.Ref.Container != "" {
			id = short(id)
		}
		return []cell{text(w.Ref.Name), text(string(w.Ref.Kind)), text(w.Ref.Image), state, text(percent(w.Profile.Coverage.Share)), alerts, text(ago(now, w.Started)), text(id)}
	})
}

// narrowed filters a list on this side: it asks for all and cuts at the limit.
func narrowed[T any](ctx context.Context, f api.Filter, list func(context.Context, api.Filter) ([]T, error), keep func(*T) bool, at func(*T) time.Time) ([]T, error) {
	since, err := sinceTime(f.Since, time.Now())
	if err != nil {
		return nil, err
	}
	items, err := list(ctx, api.Filter{Query: f.Query, Kind: f.Kind, State: f.State})
	items = slices.DeleteFunc(items, func(v T) bool { return !keep(&v) || at(&v).Before(since) })
	if f.Limit > 0 && len(items) > f.Limit {
		items = items[:f.Limit]
	}
	return items, err
}

func listEvents(ctx context.Context, c *api.Client, f api.Filter) (listing, error) {
	items, err := c.Events(ctx, f)
	heads := []string{"ID", "AGE", "KIND", "WORKLOAD", "WHAT", "EFFECT", "RULE"}
	return listed(items, err, heads, func(now time.Time, e *redoubt.Event) []cell {
		return []cell{text(e.ID), text(ago(now, e.Time)), text(string(e.Kind)), text(e.Workload.Name), text(happened(e)), effect(e.Verdict), text(e.Verdict.Rule)}
	})
}

// happened is an event in a few words.
func happened(e *redoubt.Event) string {
	var parts []string
	if e.Process != nil {
		if e.Kind == redoubt.EventExec || e.Network == nil {
			parts = append(parts, commandLine(e.Process))
		} else {
			parts = append(parts, plain(e.Process.Path))
		}
	}
	if e.Network != nil {
		parts = append(parts, flow(e.Kind, e.Network))
	}
	if e.Exit != nil {
		parts = append(parts, fmt.Sprintf("(exit %d)", *e.Exit))
	}
	if e.Note != "" {
		parts = append(parts, plain(e.Note))
	}
	if e.Count > 1 {
		parts = append(parts, fmt.Sprintf("×%d", e.Count))
	}
	return strings.Join(parts, " ")
}

func listAlerts(ctx context.Context, c *api.Client, f api.Filter) (listing, error) {
	items, err := c.Alerts(ctx, f)
	heads := []string{"ID", "AGE", "SEVERITY", "STATUS", "WORKLOAD", "TITLE", "COUNT", "INCIDENT"}
	return listed(items, err, heads, func(now time.Time, a *redoubt.Alert) []cell {
		return []cell{text(a.ID), text(ago(now, a.Time)), severity(a.Severity), text(string(a.Status)), text(a.Workload.Name), text(a.Title), count(a.Count), text(a.Incident)}
	})
}

func listIncidents(ctx context.Context, c *api.Client, f api.Filter) (listing, error) {
	items, err := c.Incidents(ctx, f)
	heads := []string{"ID", "AGE", "SEVERITY", "STATUS", "WORKLOAD", "TITLE", "ALERTS", "EVENTS"}
	return listed(items, err, heads, func(now time.Time, i *redoubt.Incident) []cell {
		return []cell{text(i.ID), text(ago(now, i.Time)), severity(i.Severity), text(string(i.Status)), text(i.Workload.Name), text(i.Title), count(len(i.Alerts)), count(i.Count)}
	})
}

func listProfiles(ctx context.Context, c *api.Client, f api.Filter) (listing, error) {
	keep := func(p *profile.Summary) bool {
		return f.Workload == "" || p.ID == f.Workload || p.Workload.Matches(f.Workload)
	}
	items, err := narrowed(ctx, f, c.Profiles, keep, func(p *profile.Summary) time.Time { return p.Time })
	heads := []string{"WORKLOAD", "STATE", "COVERED", "AT LEAST", "OBSERVED", "ENTRIES", "CHANGED"}
	return listed(items, err, heads, func(now time.Time, p *profile.Summary) []cell {
		return []cell{
			text(p.ID), {string(p.State), stateColour(p.State)}, text(percent(p.Coverage.Share)), text(percent(p.Coverage.Lower)),
			count(p.Coverage.Units), count(p.Entries), text(ago(now, p.Time)),
		}
	})
}

func stateColour(s profile.State) string {
	return map[profile.State]string{profile.Learning: warning, profile.Enforcing: good, profile.Archived: faint}[s]
}

func listPolicies(ctx context.Context, c *api.Client, f api.Filter) (listing, error) {
	items, err := c.Policies(ctx, f)
	heads := []string{"NAME", "PRIORITY", "RULES", "STATE", "REVISION", "AUTHOR", "CHANGED", "DESCRIPTION"}
	return listed(items, err, heads, func(now time.Time, d *api.PolicyDocument) []cell {
		state := cell{"active", good}
		if d.Policy.Disabled {
			state = cell{"disabled", faint}
		}
		return []cell{text(d.ID), count(d.Policy.Priority), count(len(d.Policy.Rules)), state, count(d.Revision), text(d.Author), text(ago(now, d.Time)), text(d.Policy.Description)}
	})
}

func listNodes(ctx context.Context, c *api.Client, f api.Filter) (listing, error) {
	items, err := c.Nodes(ctx, f)
	heads := []string{"ID", "STATE", "SEEN", "WORKLOADS", "PREVENTS BY", "CPU", "MEMORY", "LOST", "SPOOLED", "VERSION"}
	return listed(items, err, heads, func(now time.Time, n *redoubt.NodeStatus) []cell {
		state := cell{"connected", good}
		if !n.Connected {
			state = cell{"away", bad}
		}
		lost := count(n.Load.Lost + n.Load.Dropped)
		if n.Load.Lost+n.Load.Dropped > 0 {
			lost.colour = bad
		}
		var by []string
		for _, b := range n.Sensor.Exec {
			by = append(by, string(b))
		}
		return []cell{
			text(string(n.ID)), state, text(ago(now, n.Time)), count(n.Workloads), text(strings.Join(by, ",")), text(fmt.Sprintf("%.1f%%", n.Load.CPU*100)),
			text(fmt.Sprintf("%dM", n.Load.RSS>>20)), lost, count(n.Spooled), text(n.Version),
		}
	})
}

func listUsers(ctx context.Context, c *api.Client, f api.Filter) (listing, error) {
	items, err := c.Users(ctx, f)
	return listed(items, err, []string{"NAME", "ROLE", "CREATED", "LAST LOGIN", "LOCKED"}, func(now time.Time, u *api.User) []cell {
		locked := text("")
		if u.Locked.After(now) {
			locked = cell{ago(now, u.Locked), bad}
		}
		return []cell{text(u.Name), text(u.Role), text(ago(now, u.Created)), text(ago(now, u.Last)), locked}
	})
}

func listTokens(ctx context.Context, c *api.Client, f api.Filter) (listing, error) {
	items, err := c.Tokens(ctx, f)
	return listed(items, err, []string{"ID", "NAME", "USER", "ROLE", "CREATED", "EXPIRES", "LAST USED"}, func(now time.Time, t *api.Token) []cell {
		return []cell{text(t.ID), text(t.Name), text(t.User), text(t.Role), text(ago(now, t.Created)), text(ago(now, t.Expires)), text(ago(now, t.Last))}
	})
}

func listAudit(ctx context.Context, c *api.Client, f api.Filter) (listing, error) {
	items, err := c.Audit(ctx, f)
	return listed(items, err, []string{"ID", "AGE", "ACTOR", "FROM", "ACTION", "OBJECT", "RESULT"}, func(now time.Time, e *api.AuditEntry) []cell {
		result := text(e.Result)
		if e.Result != "done" {
			result.colour = bad
		}
		return []cell{text(e.ID), text(ago(now, e.Time)), text(e.Actor), text(e.From), text(e.Action), text(e.Object), result}
	})
}
