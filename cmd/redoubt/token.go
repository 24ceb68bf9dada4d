package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/fault"
)

func newTokenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make, list and revoke API tokens; make short-lived tokens that call functions",
		Long: `API tokens let scripts and pipelines into the console. A token has at most its maker's role and
always ends. With --principal, create makes another kind instead: a token of at most 15 minutes with
which that principal calls functions at the gateway; it cannot be listed, and ends with revoke of
its principal.`,
		Example: `  redoubt token create ci --role auditor --days 30
  redoubt token create --principal role/web --ttl 15m
  redoubt token list
  redoubt token revoke t4`,
	}
	cmd.AddCommand(createToken(), listCommand("tokens", "List API tokens", listTokens), revokeToken())
	return cmd
}

func createToken() *cobra.Command {
	var r api.TokenRequest
	var short api.AccessTokenRequest
	var principal string
	var output *string
	cmd := &cobra.Command{
		Use:   "create NAME | create --principal P",
		Short: "Make an API token, or a principal's short-lived one; its secret is shown this once",
		Example: `  export REDOUBT_TOKEN=$(redoubt token create ci --role auditor)
  curl -H "Authorization: Bearer $(redoubt token create --principal role/web --ttl 15m)" https://127.0.0.1:8445/orders`,
		Args: func(cmd *cobra.Command, args []string) error {
			n, what := 1, "a name"
			if principal != "" {
				n, what = 0, "a name or a principal, not both"
			}
			return exactArgs(n, what)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := tokenFlags(cmd, principal != ""); err != nil {
				return err
			}
			c, err := connect()
			if err != nil {
				return err
			}
			if principal != "" {
				return createAccessToken(cmd, c, principal, short, *output)
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
	cmd.Flags().StringVarP(&principal, "principal", "p", "", "make a token with which this principal calls functions: user/alice, role/web, …")
	cmd.Flags().StringVar(&short.TTL, "ttl", "15m", "with --principal: how long it is good for, at most 15m")
	cmd.Flags().StringVar(&short.Audience, "audience", "", "with --principal: whom it is for; the gateway where empty")
	cmd.Flags().BoolVar(&short.Once, "once", false, "with --principal: it works for one call")
	return cmd
}

// tokenFlags refuses flags of the kind of token that is not made.
func tokenFlags(cmd *cobra.Command, short bool) error {
	other := []string{"ttl", "audience", "once"}
	if short {
		other = []string{"role", "days"}
	}
	for _, f := range other {
		if cmd.Flags().Changed(f) {
			if short {
				return fault.New(fault.Invalid, "--%s is about API tokens; leave it out with --principal", f)
			}
			return fault.New(fault.Invalid, "--%s is about a principal's token: give --principal", f)
		}
	}
	return nil
}

func createAccessToken(cmd *cobra.Command, c *api.Client, principal string, r api.AccessTokenRequest, output string) error {
	t, err := c.CreateAccessToken(cmd.Context(), principal, r)
	if err != nil {
		return err
	}
	return show(cmd, output, t, func(w io.Writer, _ bool) error {
		fmt.Fprintf(cmd.ErrOrStderr(), "token of %s for %s, good until %s:\n", plain(t.Principal), plain(t.Audience), stamp(t.Expires))
		_, err := fmt.Fprintln(w, t.Secret)
		return err
	})
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
