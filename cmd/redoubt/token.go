package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"redoubt.dev/redoubt/internal/api"
)

func newTokenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make, list and revoke API tokens",
		Long:  "API tokens let scripts and pipelines in. A token has at most its maker's role and always ends.",
		Example: `  redoubt token create ci --role auditor --days 30
  redoubt token list
  redoubt token revoke t4`,
	}
	cmd.AddCommand(createToken(), listCommand("tokens", "List API tokens", listTokens), revokeToken())
	return cmd
}

func createToken() *cobra.Command {
	var r api.TokenRequest
	var output *string
	cmd := &cobra.Command{
		Use:     "create NAME",
		Short:   "Make an API token; its secret is shown this once",
		Example: "  export REDOUBT_TOKEN=$(redoubt token create ci --role auditor)",
		Args:    exactArgs(1, "a name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := connect()
			if err != nil {
				return err
			}
			r.Name = args[0]
			t, err := c.CreateToken(cmd.Context(), r)
			if err != nil {
				return err
			}
			return show(cmd, *output, t, func(w io.Writer, _ bool) error {
				fmt.Fprintf(cmd.ErrOrStderr(), "token %s of role %s, good until %s; this is the only time it is shown:\n", plain(t.ID), plain(t.Role), stamp(t.Expires))
				_, err := fmt.Fprintln(w, t.Secret)
				return err
			})
		},
	}
	output = addOutput(cmd, "text", "json", "yaml")
	cmd.Flags().StringVar(&r.Role, "role", "auditor", "admin, operator or auditor")
	cmd.Flags().IntVar(&r.Days, "days", 90, "how long it is good for, at most 365")
	return cmd
}

func revokeToken() *cobra.Command {
	return &cobra.Command{
		Use:     "revoke ID",
		Short:   "End a token at once",
		Example: "  redoubt token revoke t4",
		Args:    exactArgs(1, "a token id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := connect()
			if err != nil {
				return err
			}
			if err := c.DeleteToken(cmd.Context(), args[0]); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "token %s revoked\n", plain(args[0]))
			return err
		},
	}
}
