package main

import (
	"github.com/spf13/cobra"

	"redoubt.dev/redoubt/internal/fault"
)

// exactArgs accepts n arguments and says what they are where they are not.
func exactArgs(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return fault.New(fault.Invalid, "%s needs %s: redoubt %s --help shows how", cmd.CommandPath(), what, cmd.Name())
		}
		return nil
	}
}
