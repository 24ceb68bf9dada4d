package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

func newNodeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "node",
		Short: "Add nodes and list them",
		Long: `A node is a machine with a defender. To add one, make a join token here and run the printed
command there; the token works once and pins this console's authority.`,
		Example: `  redoubt node join-token
  redoubt node list
  redoubt delete node edge-2`,
	}
	cmd.AddCommand(joinToken(), listCommand("nodes", "List nodes", listNodes))
	return cmd
}

func joinToken() *cobra.Command {
	var output *string
	cmd := &cobra.Command{
		Use:     "join-token",
		Short:   "Make a token with which one defender can enrol once",
		Example: "  ssh edge-2 \"$(redoubt node join-token)\"",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := connect()
			if err != nil {
				return err
			}
			t, err := c.CreateJoinToken(cmd.Context())
			if err != nil {
				return err
			}
			return show(cmd, *output, t, func(w io.Writer, _ bool) error {
				fmt.Fprintf(cmd.ErrOrStderr(), "run this on the new node before %s:\n", stamp(t.Expires))
				_, err := fmt.Fprintln(w, plain(t.Command))
				return err
			})
		},
	}
	output = addOutput(cmd, "text", "json", "yaml")
	return cmd
}
