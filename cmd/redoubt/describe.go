package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

var describable = []string{"workload", "event", "alert", "incident", "profile", "policy", "node", "user"}

func newDescribeCommand() *cobra.Command {
	var output *string
	cmd := &cobra.Command{
		Use:   "describe KIND ID",
		Short: "Show one thing with everything known about it",
		Long:  "Shows one thing whole. KIND is " + strings.Join(describable, ", ") + ".",
		Example: `  redoubt describe workload web
  redoubt describe profile docker/shop/web
  redoubt describe incident i3
  redoubt describe policy no-recon -o yaml`,
		Args:      exactArgs(2, "a kind and an id"),
		ValidArgs: describable,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := connect()
			if err != nil {
				return err
			}
			kind := args[0]
			if r, ok := findResource(kind); ok {
				kind = r.singular
			}
			v, text, err := describe(cmd.Context(), c, kind, args[1])
			if err != nil {
				return err
			}
			return show(cmd, *output, v, func(w io.Writer, colour bool) error {
				s := &sheet{colour: colour}
				text(s)
				return s.write(w)
			})
		},
	}
	output = addOutput(cmd, "text", "json", "yaml")
	return cmd
}

// describe fetches one thing and knows how to show it.
func describe(ctx context.Context, c *api.Client, kind, id string) (v any, show func(*sheet), err error) {
	switch kind {
	case "workload":
		w, err := c.Workload(ctx, id)
		return w, func(s *sheet) { s.wholeWorkload(&w) }, err
	case "event":
		e, err := c.Event(ctx, id)
		return e, func(s *sheet) { s.event(&e) }, err
	case "alert":
		a, err := c.Alert(ctx, id)
		return a, func(s *sheet) { s.alert(&a) }, err
	case "incident":
		i, err := c.Incident(ctx, id)
		return i, func(s *sheet) { s.incident(&i) }, err
	case "profile":
		p, err := c.Profile(ctx, id)
		return p, func(s *sheet) { s.profile(&p) }, err
	case "policy":
		d, err := c.Policy(ctx, id)
		if err != nil {
			return nil, nil, err
		}
		past, err := c.PolicyHistory(ctx, id, api.Filter{Limit: 20})
		return d, func(s *sheet) { s.policy(&d, past) }, err
	case "node":
		all, err := c.Nodes(ctx, api.Filter{})
		i := slices.IndexFunc(all, func(n redoubt.NodeStatus) bool { return string(n.ID) == id })
		if err == nil && i < 0 {
			err = fault.New(fault.NotFound, "no node %q; list them with redoubt get nodes", id)
		}
		if err != nil {
			return nil, nil, err
		}
		return all[i], func(s *sheet) { s.node(&all[i]) }, nil
	case "user":
		u, err := c.User(ctx, id)
		return u, func(s *sheet) { s.line("name", u.Name); s.line("role", u.Role); s.line("created", stamp(u.Created)) }, err
	}
	return nil, nil, fault.New(fault.Invalid, "%q is nothing that can be described; choose one of %s", kind, strings.Join(describable, ", "))
}

func (s *sheet) wholeWorkload(w *api.Workload) {
	s.workload(w.Ref)
	s.line("node", string(w.Node))
	s.line("running", fmt.Sprint(w.Running))
	if w.Isolated {
		s.paint("isolated", cell{"yes: its network is cut", bad})
	}
	s.line("started", stamp(w.Started))
	s.line("command", strings.Join(append(slices.Clone(w.Entrypoint), w.Command...), " "))
	s.line("addresses", strings.Join(w.Addresses, ", "))
	s.line("cgroup", w.Cgroup)
	s.line("alerts", fmt.Sprintf("%d open", w.Alerts))
	s.coverage(w.Profile.State, w.Profile.Coverage)
}

func (s *sheet) coverage(state profile.State, c profile.Coverage) {
	s.paint("profile", cell{string(state), stateColour(state)})
	s.line("covered", fmt.Sprintf("%s after %d observations, at least %s", percent(c.Share), c.Units, percent(c.Lower)))
	for _, m := range c.Missing {
		s.line("unseen", m)
	}
}

func (s *sheet) event(e *redoubt.Event) {
	s.line("id", e.ID)
	s.line(string(e.Kind), happened(e))
	s.line("time", stamp(e.Time))
	s.line("node", string(e.Node))
	s.workload(e.Workload)
	s.verdict(e.Verdict)
	s.chain(e.Process)
}

func (s *sheet) alert(a *redoubt.Alert) {
	s.line("id", a.ID)
	s.line("title", a.Title)
	s.line("status", strings.TrimSpace(string(a.Status)+" "+a.StatusBy))
	s.line("seen", fmt.Sprintf("%d times, first %s, last %s", a.Count, stamp(a.First), stamp(a.Time)))
	s.line("incident", a.Incident)
	s.line("event", a.Event)
	s.line("node", string(a.Node))
	s.workload(a.Workload)
	s.verdict(a.Verdict)
	s.chain(a.Process)
	if a.Network != nil {
		s.line("network", flow(a.Kind, a.Network))
	}
	s.comments(a.Comments)
}

func (s *sheet) incident(i *redoubt.Incident) {
	s.line("id", i.ID)
	s.line("title", i.Title)
	s.paint("severity", severity(i.Severity))
	s.line("status", strings.TrimSpace(string(i.Status)+" "+i.StatusBy))
	s.line("techniques", strings.Join(i.Techniques, ", "))
	s.line("alerts", strings.Join(i.Alerts, ", "))
	s.workload(i.Workload)
	s.title("timeline")
	for _, m := range i.Timeline {
		s.item("%s  %s %s", m.Time.Local().Format("15:04:05"), m.Text, m.Alert)
	}
	s.comments(i.Comments)
}

func (s *sheet) comments(all []redoubt.Comment) {
	if len(all) == 0 {
		return
	}
	s.title("comments")
	for _, c := range all {
		s.item("%s  %s: %s", stamp(c.Time), c.Author, c.Text)
	}
}

func (s *sheet) profile(p *profile.Profile) {
	s.line("workload", string(p.Workload))
	s.line("revision", fmt.Sprint(p.Revision))
	s.coverage(p.State, p.Coverage)
	s.title(fmt.Sprintf("%d entries", len(p.Entries)))
	for i := range p.Entries {
		e := &p.Entries[i]
		s.item("%s  %s  (%s, %d×)", e.ID, e.String(), e.Source, e.Count)
	}
}

func (s *sheet) policy(d *api.PolicyDocument, past []api.PolicyRevision) {
	s.line("name", d.ID)
	s.line("revision", fmt.Sprintf("%d by %s, %s", d.Revision, d.Author, stamp(d.Time)))
	s.title("source")
	for line := range strings.Lines(d.Source) {
		s.item("%s", strings.TrimRight(line, "\r\n"))
	}
	s.title("history")
	for _, r := range past {
		s.item("revision %d  %s  by %s", r.Revision, stamp(r.Time), r.Author)
	}
}

func (s *sheet) node(n *redoubt.NodeStatus) {
	s.line("id", string(n.ID))
	s.line("host", fmt.Sprintf("%s, kernel %s, redoubt %s", n.Hostname, n.Kernel, n.Version))
	s.line("connected", fmt.Sprintf("%t, last heard %s", n.Connected, stamp(n.Time)))
	s.line("senses", strings.Join(n.Sensor.Sensing, ", "))
	s.line("exec", fmt.Sprint(n.Sensor.Exec))
	s.line("connect", fmt.Sprint(n.Sensor.Connect))
	s.line("cgroups", n.Sensor.Cgroups)
	s.line("load", fmt.Sprintf("%.1f %% of a core, %d MiB", n.Load.CPU*100, n.Load.RSS>>20))
	s.line("events", fmt.Sprintf("%d sent up, %d known, %d lost, %d dropped, %d spooled", n.Load.Events, n.Load.Known, n.Load.Lost, n.Load.Dropped, n.Spooled))
	for _, e := range n.Engines {
		s.line("engine", strings.TrimSpace(e.Name+" "+e.Version+" "+e.Error))
	}
	for _, g := range n.Gaps {
		s.paint("gap", cell{g, warning})
	}
}
