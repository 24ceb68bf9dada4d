package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/guard"
	"redoubt.dev/redoubt/internal/profile"
)

func newWhyCommand() *cobra.Command {
	var output *string
	var allow, prevent bool
	cmd := &cobra.Command{
		Use:   "why ID",
		Short: "Explain why an event or alert got its verdict",
		Long: `Explains a verdict: the rules that were asked and what each said, the profile entry that
came nearest and how it differs, the smallest change that would allow the behaviour and the
smallest rule that would prevent it.
ID is an event (e…) or an alert (a…).`,
		Example: `  redoubt why a12
  redoubt why a12 --allow      # write that smallest change
  redoubt why a12 --prevent    # write the smallest rule that makes it fail instead`,
		Args: exactArgs(1, "an event or alert id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := connect()
			if err != nil {
				return err
			}
			x, err := why(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			if allow || prevent {
				done, err := decide(cmd.Context(), c, args[0], &x, allow)
				if err != nil {
					return err
				}
				return show(cmd, *output, done, func(w io.Writer, _ bool) error {
					_, err := fmt.Fprintln(w, "done: "+plain(done.Text))
					return err
				})
			}
			return show(cmd, *output, x, func(w io.Writer, colour bool) error {
				s := &sheet{colour: colour}
				s.explanation(&x)
				return s.write(w)
			})
		},
	}
	output = addOutput(cmd, "text", "json", "yaml")
	cmd.Flags().BoolVar(&allow, "allow", false, "write the smallest change that allows it")
	cmd.Flags().BoolVar(&prevent, "prevent", false, "write the smallest rule that makes it fail (alerts only)")
	cmd.MarkFlagsMutuallyExclusive("allow", "prevent")
	return cmd
}

func isAlert(id string) bool { return strings.HasPrefix(id, "a") }

func why(ctx context.Context, c *api.Client, id string) (guard.Explanation, error) {
	if isAlert(id) {
		return c.WhyAlert(ctx, id)
	}
	if strings.HasPrefix(id, "e") {
		return c.WhyEvent(ctx, id)
	}
	return guard.Explanation{}, fault.New(fault.Invalid, "%q is neither an event (e…) nor an alert (a…)", id)
}

// decide lets an alert's behaviour pass or makes it fail. Of an event, only
// what its profile lacks can be allowed: a rule is changed through its alert.
func decide(ctx context.Context, c *api.Client, id string, x *guard.Explanation, allow bool) (guard.Change, error) {
	switch {
	case isAlert(id) && allow:
		done, err := c.AllowAlert(ctx, id)
		return done.Applied, err
	case isAlert(id):
		done, err := c.PreventAlert(ctx, id)
		return done.Applied, err
	case !allow:
		return guard.Change{}, fault.New(fault.Invalid, "--prevent needs an alert id; find it with redoubt get alerts")
	case x.Allow == nil:
		return guard.Change{}, fault.New(fault.Conflict, "%s already passes; there is nothing to change", id)
	case x.Allow.Entry == nil:
		return guard.Change{}, fault.New(fault.Invalid, "%s is refused by a policy; allow it by its alert id, or change policy %s", id, x.Allow.Policy)
	}
	_, err := c.EditProfile(ctx, string(x.Event.Workload.ID), api.EntriesRequest{Add: []profile.Entry{*x.Allow.Entry}})
	return *x.Allow, err
}
