package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/fault"
)

func newDeleteCommand() *cobra.Command {
	kinds := []string{"policy", "profile", "node", "user", "token"}
	return &cobra.Command{
		Use:   "delete KIND NAME",
		Short: "Delete a policy, profile, node, user or token",
		Long: `Deletes one thing. A workload whose profile is deleted starts learning anew; a deleted
node's certificate is refused from now on; a deleted user's sessions and tokens end.`,
		Example: `  redoubt delete policy no-recon
  redoubt delete profile docker/shop/web
  redoubt delete node edge-2`,
		Args:      exactArgs(2, "a kind ("+strings.Join(kinds, ", ")+") and a name"),
		ValidArgs: kinds,
		RunE: func(cmd *cobra.Command, args []string) error {
			kind := args[0]
			if r, ok := findResource(kind); ok {
				kind = r.singular
			}
			c, err := connect()
			if err != nil {
				return err
			}
			call := deleters(c)[kind]
			if call == nil {
				return fault.New(fault.Invalid, "%q cannot be deleted; choose one of %s", args[0], strings.Join(kinds, ", "))
			}
			if err := call(cmd.Context(), args[1]); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s %s deleted\n", kind, plain(args[1]))
			return err
		},
	}
}

func deleters(c *api.Client) map[string]func(context.Context, string) error {
	return map[string]func(context.Context, string) error{
		"policy": c.DeletePolicy, "profile": c.DeleteProfile, "node": c.DeleteNode, "user": c.DeleteUser, "token": c.DeleteToken,
	}
}
