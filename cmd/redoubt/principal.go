package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"redoubt.dev/redoubt/internal/api"
)

func newPrincipalCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "principal",
		Short: "Keep those who call functions, and their keys",
		Long: `A principal is who or what calls: user/alice, role/web, key/K1. It comes in with an API key, an
access key that signs as with AWS, a password, a certificate, an ID token, or a token made of these.`,
		Example: `  redoubt principal put role/web --group frontends
  redoubt principal key create deploy --for role/web --kind access
  redoubt principal disable role/web --reason "leaked"
  redoubt token create --principal role/web --ttl 15m`,
	}
	keys := &cobra.Command{Use: "key", Short: "Make, list, disable and revoke keys", Example: "  redoubt principal key list"}
	keys.AddCommand(createKey(), listCommand("keys", "List keys", listKeys),
		principalCall("revoke", "End a key and the tokens made with it", "a key's id", "revoked", (*api.Client).DeleteKey),
		principalCall("disable", "Disable a key", "a key's id", "disabled", func(c *api.Client, ctx context.Context, id string) error {
			_, err := c.SetKeyState(ctx, id, true)
			return err
		}),
		principalCall("enable", "Enable a key again", "a key's id", "enabled", func(c *api.Client, ctx context.Context, id string) error {
			_, err := c.SetKeyState(ctx, id, false)
			return err
		}))
	cmd.AddCommand(listCommand("principals", "List principals", listPrincipals), putPrincipal(), disablePrincipal(),
		principalCall("enable", "Let a principal in again", "a principal", "enabled", func(c *api.Client, ctx context.Context, id string) error {
			_, err := c.SetPrincipalState(ctx, id, api.PrincipalStateRequest{})
			return err
		}),
		principalCall("revoke", "End a principal's tokens and temporary credentials; its keys stay", "a principal", "has no token left", func(c *api.Client, ctx context.Context, id string) error {
			_, err := c.RevokePrincipal(ctx, id)
			return err
		}),
		principalCall("delete", "Remove a principal with all its keys", "a principal", "deleted", (*api.Client).DeletePrincipal), keys)
	return cmd
}

// principalCall is a command about one principal or key that answers nothing.
func principalCall(use, brief, what, did string, do func(*api.Client, context.Context, string) error) *cobra.Command {
	example := "  redoubt principal " + use + " role/web"
	if strings.Contains(what, "key") {
		example = "  redoubt principal key " + use + " AKIA0123456789ABCDEF"
	}
	return &cobra.Command{
		Use: use + " ID", Short: brief, Example: example, Args: exactArgs(1, what),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := connect()
			if err != nil {
				return err
			}
			if err := do(c, cmd.Context(), args[0]); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", plain(args[0]), did)
			return err
		},
	}
}

func listPrincipals(ctx context.Context, c *api.Client, f api.Filter) (listing, error) {
	items, err := c.Principals(ctx, f)
	return listed(items, err, []string{"ID", "STATE", "GROUPS", "TENANT", "KEYS", "KEY USED", "COMES BY", "REASON"}, func(now time.Time, p *api.Principal) []cell {
		state := cell{"active", good}
		if p.Disabled {
			state = cell{"disabled", bad}
		}
		return []cell{text(p.ID), state, text(strings.Join(p.Groups, ",")), text(p.Tenant), count(p.Keys), text(ago(now, p.Last)), text(strings.Join(p.Sources, ",")), text(p.Reason)}
	})
}

func listKeys(ctx context.Context, c *api.Client, f api.Filter) (listing, error) {
	items, err := c.Keys(ctx, f)
	return listed(items, err, []string{"ID", "KIND", "PRINCIPAL", "NAME", "STATE", "CREATED", "EXPIRES", "LAST USED"}, func(now time.Time, k *api.AccessKey) []cell {
		state := cell{"active", good}
		switch {
		case k.Disabled:
			state = cell{"disabled", bad}
		case !k.Expires.IsZero() && now.After(k.Expires):
			state = cell{"ended", faint}
		}
		return []cell{text(k.ID), text(string(k.Kind)), text(k.Principal), text(k.Name), state, text(ago(now, k.Created)), text(ago(now, k.Expires)), text(ago(now, k.Last))}
	})
}

func putPrincipal() *cobra.Command {
	var r api.PrincipalRequest
	var output *string
	cmd := &cobra.Command{
		Use: "put ID", Short: "Make a principal or change its groups, tenant and sources; its tokens end", Args: exactArgs(1, "a principal such as role/web"),
		Example: "  redoubt principal put role/web --group frontends\n  redoubt principal put user/alice --source password --source oidc:https://login.example.com",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := connect()
			if err != nil {
				return err
			}
			p, err := c.PutPrincipal(cmd.Context(), args[0], r)
			if err != nil {
				return err
			}
			return show(cmd, *output, p, func(w io.Writer, _ bool) error {
				_, err := fmt.Fprintf(w, "principal %s written\n", plain(p.ID))
				return err
			})
		},
	}
	output = addOutput(cmd, "text", "json", "yaml")
	cmd.Flags().StringSliceVar(&r.Groups, "group", nil, "group it is in; repeat for more")
	cmd.Flags().StringVar(&r.Tenant, "tenant", "", "whose data it works on")
	cmd.Flags().StringSliceVar(&r.Sources, "source", nil, "what may speak for it: password, oidc:ISSUER, cert, workload, inside; keys always may")
	return cmd
}

func disablePrincipal() *cobra.Command {
	r := api.PrincipalStateRequest{Disabled: true}
	cmd := principalCall("disable", "End all a principal holds, at once, and let nobody in as it", "a principal", "disabled",
		func(c *api.Client, ctx context.Context, id string) error {
			_, err := c.SetPrincipalState(ctx, id, r)
			return err
		})
	cmd.Flags().StringVar(&r.Reason, "reason", "", "why, for those who wonder")
	return cmd
}

func createKey() *cobra.Command {
	var r api.AccessKeyRequest
	var output *string
	cmd := &cobra.Command{
		Use: "create NAME", Short: "Make a key; its secret is shown this once", Args: exactArgs(1, "what it is for"),
		Example: `  redoubt principal key create web --for role/web
  redoubt principal key create deploy --for role/web --kind access -o json    # for AWS SDKs`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := connect()
			if err != nil {
				return err
			}
			r.Name = args[0]
			k, err := c.CreateKey(cmd.Context(), r)
			if err != nil {
				return err
			}
			return show(cmd, *output, k, func(w io.Writer, _ bool) error {
				fmt.Fprintf(cmd.ErrOrStderr(), "key %s of %s; this is the only time its secret is shown:\n", plain(k.ID), plain(k.Principal))
				_, err := fmt.Fprintln(w, k.Secret)
				return err
			})
		},
	}
	output = addOutput(cmd, "text", "json", "yaml")
	cmd.Flags().StringVar(&r.Principal, "for", "", "principal it is of; one of its own, key/ID, where empty")
	cmd.Flags().StringVar(&r.Kind, "kind", "api", "api: sent in a header; access: signs requests as with AWS")
	cmd.Flags().IntVar(&r.Days, "days", 0, "how long it is good for; 0 has no end")
	return cmd
}
