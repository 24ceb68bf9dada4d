package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/model"
	"redoubt.dev/redoubt/internal/profile"
)

func newModelCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "model",
		Short: "Look at what was learned of a function, enforce it, shrink its role to it",
		Long: `A function's model is what its code was seen to use and what requests to it look like. While learning,
what is new is admitted; while observing, it alerts; while enforcing, it fails. Learning ends by
itself when enough is covered; only a person starts enforcing.`,
		Example: `  redoubt function model show orders
  redoubt function model enforce orders
  redoubt function model export orders > orders-model.yaml
  redoubt apply -f orders-model.yaml
  redoubt function model adopt orders`,
	}
	cmd.AddCommand(
		showModel(), moveModel("learn", profile.Learning, "Admit what is new again, on top of what is there"),
		moveModel("observe", profile.Observing, "Alert on what is new"), moveModel("enforce", profile.Enforcing, "Make what is new fail"),
		relearnModel(), editModel("allow", "Add what a function may use"), editModel("forget", "Take an entry away"),
		exportFunctionModel(), adoptRole(),
	)
	return cmd
}

func modelLine(w io.Writer, m *model.Model) error {
	_, err := fmt.Fprintf(w, "model of %s is %s: %d entries, %d routes, %s covered after %d calls\n",
		plain(m.Function), m.State, len(m.Entries), len(m.Routes), percent(m.Coverage.Share), m.Calls)
	return err
}

// modelCommand is one that ends with a model, shown in a line.
func modelCommand(use, brief, example string, args cobra.PositionalArgs, do func(cmd *cobra.Command, c *api.Client, args []string) (model.Model, error)) *cobra.Command {
	var output *string
	cmd := &cobra.Command{
		Use: use, Short: brief, Example: example, Args: args,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := connect()
			if err != nil {
				return err
			}
			m, err := do(cmd, c, args)
			if err != nil {
				return err
			}
			return show(cmd, *output, m, func(w io.Writer, _ bool) error { return modelLine(w, &m) })
		},
	}
	output = addOutput(cmd, "text", "json", "yaml")
	return cmd
}

func moveModel(use string, to profile.State, brief string) *cobra.Command {
	return modelCommand(use+" NAME", brief, "  redoubt function model "+use+" orders", exactArgs(1, "a function's name"),
		func(cmd *cobra.Command, c *api.Client, args []string) (model.Model, error) {
			return c.SetModelState(cmd.Context(), args[0], to)
		})
}

func relearnModel() *cobra.Command {
	return modelCommand("relearn NAME", "Forget all but what people added, and learn anew", "  redoubt function model relearn orders", exactArgs(1, "a function's name"),
		func(cmd *cobra.Command, c *api.Client, args []string) (model.Model, error) {
			return c.Relearn(cmd.Context(), args[0])
		})
}

func editModel(use, brief string) *cobra.Command {
	var note string
	what, example := "KIND TARGET", "  redoubt function model allow orders egress api.example.com:443 --note \"the new bank\""
	args := exactArgs(3, "a function, a kind (egress, aws, exec, read, write, …) and a target")
	if use == "forget" {
		what, example, args = "ENTRY", "  redoubt function model forget orders 3f9a0c12", exactArgs(2, "a function and an entry's id")
	}
	cmd := modelCommand(use+" NAME "+what, brief, example, args, func(cmd *cobra.Command, c *api.Client, args []string) (model.Model, error) {
		var change api.ModelChange
		if use == "forget" {
			change.Remove = args[1:]
		} else {
			change.Add = []api.ModelEntryRequest{{Kind: function.UseKind(args[1]), Target: args[2], Note: note}}
		}
		return c.EditModel(cmd.Context(), args[0], change)
	})
	if use == "allow" {
		cmd.Flags().StringVar(&note, "note", "", "why")
	}
	return cmd
}

func showModel() *cobra.Command {
	var output *string
	cmd := &cobra.Command{
		Use:     "show NAME",
		Short:   "Show what was learned of a function",
		Example: "  redoubt function model show orders",
		Args:    exactArgs(1, "a function's name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := connect()
			if err != nil {
				return err
			}
			m, err := c.Model(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return show(cmd, *output, m, func(w io.Writer, colour bool) error {
				s := &sheet{colour: colour}
				s.model(&m)
				return s.write(w)
			})
		},
	}
	output = addOutput(cmd, "text", "json", "yaml")
	return cmd
}

func (s *sheet) model(m *model.Model) {
	s.line("function", m.Function)
	s.line("learned from", fmt.Sprintf("%d calls", m.Calls))
	s.coverage(m.State, m.Coverage)
	s.title(fmt.Sprintf("%d entries", len(m.Entries)))
	for i := range m.Entries {
		e := &m.Entries[i]
		s.item("%s  %s  (%s, %d×)", e.ID, e.String(), e.Source, e.Count)
	}
	for i := range m.Routes {
		r := &m.Routes[i]
		s.title(r.Name)
		for j := range r.Fields {
			f := &r.Fields[j]
			types, _ := f.Types.MarshalText()
			class, _ := f.Class.MarshalText()
			s.item("%s  %s %s  up to %d  (%d×)", f.Name, types, class, f.Length, f.Count)
		}
	}
}

func exportFunctionModel() *cobra.Command {
	return &cobra.Command{
		Use:     "export NAME",
		Short:   "Write a model as a document that apply reads",
		Example: "  redoubt function model export orders > orders-model.yaml",
		Args:    exactArgs(1, "a function's name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := connect()
			if err != nil {
				return err
			}
			d, err := c.ExportModel(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			_, err = io.WriteString(cmd.OutOrStdout(), plainLines(d.Source))
			return err
		},
	}
}

func adoptRole() *cobra.Command {
	var dry bool
	var output *string
	cmd := &cobra.Command{
		Use:   "adopt NAME",
		Short: "Deploy the live version again with the smallest role that covers what it used",
		Example: `  redoubt function model adopt orders --dry-run
  redoubt function model adopt orders`,
		Args: exactArgs(1, "a function's name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := connect()
			if err != nil {
				return err
			}
			p, err := c.Privileges(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if !dry && p.Proposal.Ready && len(p.Proposal.Changes) > 0 {
				if _, err := c.Adopt(cmd.Context(), args[0], api.AdoptRequest{Version: p.Version}); err != nil {
					return err
				}
			} else if !dry && !p.Proposal.Ready {
				return fault.New(fault.Conflict, "function %s: %s", args[0], p.Proposal.Why)
			}
			return show(cmd, *output, p, func(w io.Writer, _ bool) error {
				if len(p.Proposal.Changes) == 0 {
					_, err := fmt.Fprintf(w, "the role of %s is as small as what it used; %s\n", plain(args[0]), plain(p.Proposal.Why))
					return err
				}
				_, err := fmt.Fprintf(w, "%s\n%s\n", plain(strings.Join(p.Proposal.Changes, "; ")), plain(p.Proposal.Why))
				return err
			})
		},
	}
	output = addOutput(cmd, "text", "json", "yaml")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "deploy nothing, show what would change")
	return cmd
}
