package main

import (
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/fault"
)

// resource is one kind of thing that can be listed.
type resource struct {
	name, singular string
	flags          []string // the filters it knows
	list           func(ctx context.Context, c *api.Client, f api.Filter) (listing, error)
}

// listing is a list that can be written as objects and as a table.
type listing struct {
	items any // a slice; empty, not nil
	table func(now time.Time) *table
}

// listed pairs items with the row that shows each of them.
func listed[T any](items []T, err error, heads []string, row func(now time.Time, v *T) []cell) (listing, error) {
	if items == nil {
		items = []T{}
	}
	return listing{items: items, table: func(now time.Time) *table {
		t := &table{heads: heads}
		for i := range items {
			t.add(row(now, &items[i])...)
		}
		return t
	}}, err
}

func newGetCommand() *cobra.Command {
	var f api.Filter
	var output *string
	var names []string
	for _, r := range resources() {
		names = append(names, r.name)
	}
	cmd := &cobra.Command{
		Use:   "get " + strings.Join(names, "|"),
		Short: "List workloads, events, alerts and everything else",
		Long: `Lists what the console knows, newest first.

-o json prints one array, empty as [], whose objects carry id, time and, where they apply,
workload, kind, process, network and verdict. Times given to --since and --until are RFC 3339
times or durations back from now.`,
		Example: `  redoubt get alerts --status open --severity high
  redoubt get events --workload web --since 15m --kind exec
  redoubt get events --notable --since 1h     # without what is known to be good
  redoubt get events -q netstat -o json | jq -r '.[].process.path'
  redoubt get workloads --kind container
  redoubt get profiles -o yaml`,
		Args:      oneOf("kind", names),
		ValidArgs: names,
		RunE: func(cmd *cobra.Command, args []string) error {
			r, _ := findResource(args[0])
			if err := r.check(cmd.Flags()); err != nil {
				return err
			}
			c, err := connect()
			if err != nil {
				return err
			}
			l, err := r.list(cmd.Context(), c, f)
			if err != nil {
				return err
			}
			return show(cmd, *output, l.items, func(w io.Writer, colour bool) error { return l.table(time.Now()).write(w, colour) })
		},
	}
	output = addOutput(cmd, "table", "json", "yaml")
	flags := cmd.Flags()
	flags.StringVarP(&f.Workload, "workload", "w", "", "only of this workload: id, name or start of a container id")
	flags.StringVar(&f.Since, "since", "", "only newer than this, such as 15m or 2026-01-31T12:00:00Z")
	flags.StringVar(&f.Until, "until", "", "only older than this")
	flags.StringVarP(&f.Kind, "kind", "k", "", "of event: exec, listen, connect, accept, exit, …; of workload: container, service, host")
	flags.StringVar(&f.Effect, "effect", "", "alert, prevent, block, isolate or ignore")
	flags.StringVar(&f.Status, "status", "", "open, acknowledged or resolved")
	flags.StringVar(&f.Severity, "severity", "", "at least low, medium, high or critical")
	flags.StringVar(&f.State, "state", "", "learning, observing, enforcing or archived")
	flags.BoolFunc("notable", "only outside the profile, alarming, stopped, an action or a loss", func(string) error {
		f.Notable = "true"
		return nil
	})
	flags.StringVar(&f.Node, "node", "", "only of this node")
	flags.StringVar(&f.Actor, "actor", "", "only what this user did")
	flags.StringVarP(&f.Query, "query", "q", "", "only with this text in it")
	flags.IntVar(&f.Limit, "limit", 100, "at most so many; 0 is all")
	return cmd
}

// check refuses a filter the resource would silently pass over.
func (r *resource) check(flags *pflag.FlagSet) (err error) {
	flags.Visit(func(f *pflag.Flag) {
		if f.Name != "output" && f.Name != "limit" && !slices.Contains(r.flags, f.Name) {
			err = fault.New(fault.Invalid, "get %s knows no --%s; its filters are --%s", r.name, f.Name, strings.Join(append(r.flags, "limit"), ", --"))
		}
	})
	return err
}

func findResource(name string) (resource, bool) {
	for _, r := range resources() {
		if name == r.name || name == r.singular {
			return r, true
		}
	}
	return resource{}, false
}

// oneOf accepts exactly one argument, one of names or a singular of them.
func oneOf(what string, names []string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 1 {
			if _, ok := findResource(args[0]); ok {
				return nil
			}
			return fault.New(fault.Invalid, "%q is no %s; choose one of %s", args[0], what, strings.Join(names, ", "))
		}
		return fault.New(fault.Invalid, "give one %s: %s", what, strings.Join(names, ", "))
	}
}
