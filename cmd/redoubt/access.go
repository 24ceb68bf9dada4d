package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"redoubt.dev/redoubt/internal/access"
	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/fault"
)

func newAccessCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "access",
		Short: "Say who may call what, and ask",
		Long: `Access policies are Cedar statements: what none permits is denied, and a forbid wins. Every answer
names the statement that decided.`,
		Example: `  redoubt access list
  redoubt access apply invoke.cedar --name web
  redoubt access simulate --principal user/alice --action invoke --resource orders:prod --from 10.0.0.0/8
  redoubt access who-can --action invoke --resource orders
  redoubt access import policy.json --for role/web       # of AWS IAM

  # invoke.cedar
  permit (principal == Role::"web", action == Action::"function:Invoke", resource in Function::"orders");`,
	}
	cmd.AddCommand(listCommand("access", "List access policies", listAccess), applyAccess(), importAccess(), deleteAccess(), simulateAccess(), whoCan(), whatCan())
	return cmd
}

func listAccess(ctx context.Context, c *api.Client, f api.Filter) (listing, error) {
	items, err := c.AccessPolicies(ctx, f)
	return listed(items, err, []string{"NAME", "STATE", "STATEMENTS", "REVISION", "AUTHOR", "CHANGED", "DESCRIPTION"}, func(now time.Time, p *api.AccessPolicy) []cell {
		state := cell{"active", good}
		if p.Disabled {
			state = cell{"disabled", faint}
		}
		return []cell{text(p.ID), state, count(p.Statements), count(p.Revision), text(p.By), text(ago(now, p.Updated)), text(p.Description)}
	})
}

// putAccess writes documents that were checked by the console.
func putAccess(cmd *cobra.Command, c *api.Client, from string, r api.AccessCheckRequest, dry bool) error {
	got, err := c.CheckAccess(cmd.Context(), r)
	if err != nil {
		return err
	}
	if len(got.Problems) > 0 {
		lines := make([]line, 0, len(got.Problems))
		for _, p := range got.Problems {
			lines = append(lines, line{p.Line, p.Path, p.Message})
		}
		return wrong("written", from, lines)
	}
	for _, d := range got.Documents {
		did := "would be written"
		if !dry {
			did = "written"
			if _, err := c.PutAccessPolicy(cmd.Context(), d.Name, accessRequest(&d), false); err != nil {
				return fmt.Errorf("access policy %s: %w", d.Name, err)
			}
		}
		fmt.Fprintf(cmd.OutOrStdout(), "access policy %s %s\n", plain(d.Name), did)
		if dry {
			fmt.Fprint(cmd.OutOrStdout(), plainLines(d.Cedar))
		}
	}
	return nil
}

func accessRequest(d *access.Document) api.AccessPolicyRequest {
	return api.AccessPolicyRequest{Cedar: d.Cedar, Description: d.Description, Disabled: d.Disabled}
}

// line is a problem and its place.
type line struct {
	number  int
	path    string
	message string
}

func (l line) String() string {
	switch {
	case l.number > 0:
		return fmt.Sprintf("line %d: %s", l.number, l.message)
	case l.path != "":
		return l.path + ": " + l.message
	}
	return l.message
}

func applyAccess() *cobra.Command {
	var r api.AccessCheckRequest
	var dry bool
	cmd := &cobra.Command{
		Use:     "apply FILE",
		Short:   "Write access policies from Cedar text, or documents of kind AccessPolicy",
		Example: "  redoubt access apply invoke.cedar --name web",
		Args:    exactArgs(1, "a file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return fileAccess(cmd, args[0], &r, dry)
		},
	}
	cmd.Flags().StringVar(&r.Name, "name", "", "of the policy, where the file is Cedar alone")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "write nothing, say what would be")
	return cmd
}

func fileAccess(cmd *cobra.Command, file string, r *api.AccessCheckRequest, dry bool) error {
	raw, err := readFile(file, cmd.InOrStdin())
	if err != nil {
		return err
	}
	c, err := connect()
	if err != nil {
		return err
	}
	r.Source = string(raw)
	return putAccess(cmd, c, file, *r, dry)
}

func importAccess() *cobra.Command {
	r := api.AccessCheckRequest{Format: "aws"}
	var dry bool
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Turn a policy of AWS IAM into an access policy; what cannot be honoured is refused",
		Example: `  redoubt access import policy.json --name web-invoke --for role/web --account 123456789012
  redoubt access import policy.json --for role/web --dry-run      # shows the Cedar`,
		Args: exactArgs(1, "a file"),
		RunE: func(cmd *cobra.Command, args []string) error { return fileAccess(cmd, args[0], &r, dry) },
	}
	f := cmd.Flags()
	f.StringVar(&r.Name, "name", "imported", "of the policy it becomes")
	f.StringVar(&r.For, "for", "", "principal it is attached to, where it names none")
	f.StringVar(&r.Account, "account", "", "AWS account whose ARNs mean this installation")
	f.BoolVar(&dry, "dry-run", false, "write nothing, show the Cedar")
	return cmd
}

func deleteAccess() *cobra.Command {
	return &cobra.Command{
		Use: "delete NAME", Short: "Delete an access policy", Example: "  redoubt access delete web", Args: exactArgs(1, "a policy's name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := connect()
			if err != nil {
				return err
			}
			if err := c.DeleteAccessPolicy(cmd.Context(), args[0]); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "access policy %s deleted\n", plain(args[0]))
			return err
		},
	}
}

// addContext gives cmd the flags that say how a call comes.
func addContext(cmd *cobra.Command, a *api.AccessContext) {
	f := cmd.Flags()
	f.StringVar(&a.From, "from", "", "address the call comes from, or a network, of which the first address is taken")
	f.StringVar(&a.Route, "route", "", "route it comes by, such as \"GET /orders/{id}\"")
	f.StringVar(&a.Source, "source", "", "http, invoke, schedule, bucket, mqtt, queue or function")
	f.StringVar(&a.Tenant, "tenant", "", "tenant it is for")
	f.BoolVar(&a.TLS, "tls", true, "it comes over TLS")
	f.BoolVar(&a.MTLS, "mtls", false, "with a client certificate")
}

func simulateAccess() *cobra.Command {
	var r api.SimulateRequest
	var output *string
	cmd := &cobra.Command{
		Use:   "simulate --principal P --action A --resource R",
		Short: "Ask whether a principal may do something; exits with 1 where not",
		Example: `  redoubt access simulate --principal user/alice --action function:Invoke --resource function/orders:prod
  redoubt access simulate --principal alice --action invoke --resource orders --from 10.0.0.7 -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := connect()
			if err != nil {
				return err
			}
			s, err := c.Simulate(cmd.Context(), r)
			if err != nil {
				return err
			}
			err = show(cmd, *output, s, func(w io.Writer, colour bool) error {
				t := &sheet{colour: colour}
				t.simulation(&s)
				return t.write(w)
			})
			if err == nil && !s.Allow {
				return fault.New(fault.Denied, "%s may not %s on %s", s.Principal, s.Action, s.Resource)
			}
			return err
		},
	}
	output = addOutput(cmd, "text", "json", "yaml")
	f := cmd.Flags()
	f.StringVarP(&r.Principal, "principal", "p", "", "user/alice, role/web, function/orders, key/K1, anonymous")
	f.StringVarP(&r.Action, "action", "a", "", "function:Invoke, bucket:Get, …; invoke alone is function:Invoke")
	f.StringVarP(&r.Resource, "resource", "r", "", "function/orders:prod, bucket/photos, …")
	f.StringSliceVar(&r.Groups, "group", nil, "groups instead of those on record")
	for _, name := range []string{"principal", "action", "resource"} {
		cobra.CheckErr(cmd.MarkFlagRequired(name))
	}
	addContext(cmd, &r.Context)
	return cmd
}

func (s *sheet) simulation(a *api.Simulation) {
	answer := cell{"denied", bad}
	if a.Allow {
		answer = cell{"allowed", good}
	}
	s.paint("answer", answer)
	s.line("question", fmt.Sprintf("may %s %s on %s", a.Principal, a.Action, a.Resource))
	if !a.Known {
		s.paint("note", cell{"the principal is not on record, or disabled: it cannot come in at all", warning})
	}
	by := a.Policy
	if by == "" {
		by = "no statement permits it"
	}
	s.line("decided by", by)
	s.line("statement", a.Statement)
	for _, e := range a.Errors {
		s.paint("failed", cell{e.Policy + ": " + e.Error, bad})
	}
	for _, ch := range a.Changes {
		what := ch.Text
		if ch.Group != "" {
			what = "join group " + ch.Group
		}
		s.line("would allow", fmt.Sprintf("%s (%s)", what, ch.Why))
	}
}

func accessTable(items []access.Access) *table {
	t := &table{heads: []string{"PRINCIPAL", "ACTION", "RESOURCE", "BY"}}
	for _, a := range items {
		t.add(text(a.Principal), text(a.Action), text(a.Resource), text(a.Policy))
	}
	return t
}

func whoCan() *cobra.Command {
	var r api.WhoCanRequest
	var output *string
	cmd := &cobra.Command{
		Use: "who-can --action A --resource R", Short: "List which principals may do something", Args: cobra.NoArgs,
		Example: "  redoubt access who-can --action invoke --resource orders",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := connect()
			if err != nil {
				return err
			}
			l, err := c.WhoCan(cmd.Context(), r)
			if err != nil {
				return err
			}
			return show(cmd, *output, l.Items, func(w io.Writer, colour bool) error { return accessTable(l.Items).write(w, colour) })
		},
	}
	output = addOutput(cmd, "table", "json", "yaml")
	cmd.Flags().StringVarP(&r.Action, "action", "a", "function:Invoke", "what they may do")
	cmd.Flags().StringVarP(&r.Resource, "resource", "r", "", "to what")
	cobra.CheckErr(cmd.MarkFlagRequired("resource"))
	addContext(cmd, &r.Context)
	return cmd
}

func whatCan() *cobra.Command {
	var r api.WhatCanRequest
	var output *string
	cmd := &cobra.Command{
		Use: "what-can --principal P", Short: "List what a principal may do", Args: cobra.NoArgs,
		Example: "  redoubt access what-can --principal role/web",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := connect()
			if err != nil {
				return err
			}
			l, err := c.WhatCan(cmd.Context(), r)
			if err != nil {
				return err
			}
			return show(cmd, *output, l.Items, func(w io.Writer, colour bool) error { return accessTable(l.Items).write(w, colour) })
		},
	}
	output = addOutput(cmd, "table", "json", "yaml")
	cmd.Flags().StringVarP(&r.Principal, "principal", "p", "", "who")
	cobra.CheckErr(cmd.MarkFlagRequired("principal"))
	addContext(cmd, &r.Context)
	return cmd
}
