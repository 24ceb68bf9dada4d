package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"redoubt.dev/redoubt/internal/profile"
)

func newProfileCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "profile",
		Short: "Move a profile between learning, observing and enforcing; export it",
		Long: `A profile is what a workload was learned to do. While learning, what is new is admitted;
while observing, it alerts; while enforcing, it fails. Learning ends by itself when enough is
covered; only a person starts enforcing.

WORKLOAD is a workload id, as redoubt get profiles lists them.`,
		Example: `  redoubt get profiles
  redoubt profile enforce docker/shop/web
  redoubt profile export docker/shop/web > web.yaml
  redoubt apply -f web.yaml`,
	}
	cmd.AddCommand(
		moveProfile("learn", profile.Learning, "Admit what is new again, on top of what is there"),
		moveProfile("observe", profile.Observing, "Alert on what is new"),
		moveProfile("enforce", profile.Enforcing, "Make what is new fail"),
		moveProfile("archive", profile.Archived, "Keep it for a workload that is gone"),
		exportProfile(),
	)
	return cmd
}

func moveProfile(use string, to profile.State, brief string) *cobra.Command {
	var output *string
	cmd := &cobra.Command{
		Use:     use + " WORKLOAD",
		Short:   brief,
		Example: "  redoubt profile " + use + " docker/shop/web",
		Args:    exactArgs(1, "a workload id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := connect()
			if err != nil {
				return err
			}
			p, err := c.SetProfileState(cmd.Context(), args[0], to)
			if err != nil {
				return err
			}
			return show(cmd, *output, p, func(w io.Writer, _ bool) error {
				_, err := fmt.Fprintf(w, "%s is %s: %d entries, %s covered after %d observations\n",
					plain(string(p.Workload)), p.State, len(p.Entries), percent(p.Coverage.Share), p.Coverage.Units)
				return err
			})
		},
	}
	output = addOutput(cmd, "text", "json", "yaml")
	return cmd
}

func exportProfile() *cobra.Command {
	var output *string
	cmd := &cobra.Command{
		Use:     "export WORKLOAD",
		Short:   "Write a profile as a document that apply reads",
		Example: "  redoubt profile export docker/shop/web > web.yaml",
		Args:    exactArgs(1, "a workload id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := connect()
			if err != nil {
				return err
			}
			p, err := c.Profile(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return show(cmd, *output, profileDocument{APIVersion: apiVersion, Kind: profileKind, Spec: p}, nil)
		},
	}
	output = addOutput(cmd, "yaml", "json")
	return cmd
}
