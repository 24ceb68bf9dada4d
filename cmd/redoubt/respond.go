package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"redoubt.dev/redoubt/internal/api"
)

func newIsolateCommand() *cobra.Command {
	return respond("isolate", "isolate", "Cut a workload's network; it lives on",
		"Cuts all traffic of one workload, in both directions. Its processes go on, so that they can\nbe looked at; other workloads do not notice. Undo it with redoubt release.", "is isolated")
}

func newReleaseCommand() *cobra.Command {
	return respond("release", "release", "Give an isolated workload its network back",
		"Takes isolate back, and lets a stopped workload be started again.", "is released")
}

func newStopCommand() *cobra.Command {
	return respond("stop", "block", "Stop a workload through its engine",
		"Stops the workload, and again if it comes back, until redoubt release.", "is stopped")
}

func respond(use, action, brief, long, done string) *cobra.Command {
	var reason string
	var output *string
	cmd := &cobra.Command{
		Use:     use + " WORKLOAD",
		Short:   brief,
		Long:    long + "\n\nWORKLOAD is a name, a container id or the start of one, or a workload id.",
		Example: fmt.Sprintf("  redoubt %s web --reason 'see incident i3'", use),
		Args:    exactArgs(1, "a workload"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := connect()
			if err != nil {
				return err
			}
			w, err := c.Act(cmd.Context(), args[0], api.ActionRequest{Action: action, Reason: reason})
			if err != nil {
				return err
			}
			return show(cmd, *output, w, func(out io.Writer, _ bool) error {
				_, err := fmt.Fprintf(out, "%s %s\n", plain(w.Ref.Name), done)
				return err
			})
		},
	}
	output = addOutput(cmd, "text", "json", "yaml")
	cmd.Flags().StringVar(&reason, "reason", "", "kept in the audit trail and shown to others")
	return cmd
}
