package main

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"redoubt.dev/redoubt/internal/api"
)

// listCommand is "list" of one command family, the same as get of its kind.
func listCommand(kind, brief string, list func(context.Context, *api.Client, api.Filter) (listing, error)) *cobra.Command {
	var output *string
	cmd := &cobra.Command{
		Use:   "list",
		Short: brief + " (the same as redoubt get " + kind + ")",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := connect()
			if err != nil {
				return err
			}
			l, err := list(cmd.Context(), c, api.Filter{})
			if err != nil {
				return err
			}
			return show(cmd, *output, l.items, func(w io.Writer, colour bool) error { return l.table(time.Now()).write(w, colour) })
		},
	}
	output = addOutput(cmd, "table", "json", "yaml")
	return cmd
}
