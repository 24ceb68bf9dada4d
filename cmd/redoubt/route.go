package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/fault"
)

func newRouteCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "route",
		Short: "List, write, import and export the gateway's routes",
		Long: `A route leads requests of a host, method and path to a function, a version of it, or elsewhere.
Functions make their own routes with HTTP triggers.`,
		Example: `  redoubt route list
  redoubt route apply routes.yaml
  redoubt route import openapi.json --function orders
  redoubt route export > openapi.json`,
	}
	cmd.AddCommand(listCommand("routes", "List routes", listRoutes), applyRoutes(), deleteRoute(), importRoutes(), exportRoutes())
	return cmd
}

func listRoutes(ctx context.Context, c *api.Client, f api.Filter) (listing, error) {
	items, err := c.Routes(ctx, f)
	heads := []string{"ID", "STAGE", "HOST", "METHOD", "PATH", "TO", "AUTH", "FIREWALL", "OWNER"}
	return listed(items, err, heads, func(_ time.Time, r *api.Route) []cell {
		method, auth, firewall, stage := r.Method, string(r.Auth), string(r.Firewall.Mode), r.Stage
		for _, d := range []struct {
			v  *string
			or string
		}{{&method, "any"}, {&auth, "iam"}, {&firewall, "alert"}, {&stage, "live"}} {
			if *d.v == "" {
				*d.v = d.or
			}
		}
		open := text(auth)
		if auth == "none" {
			open.colour = warning
		}
		return []cell{text(r.ID), text(stage), text(r.Host), text(method), text(r.Path), text(target(r)), open, text(firewall), text(r.Owner)}
	})
}

// target is where a route leads, in a few words.
func target(r *api.Route) string {
	t := &r.Target
	switch {
	case t.URL != "":
		return t.URL
	case t.Lambda != "":
		return t.Lambda
	case t.Version > 0:
		return fmt.Sprintf("%s:%d", t.Function, t.Version)
	case t.Alias != "":
		return t.Function + ":" + t.Alias
	case len(t.Weights) > 0:
		return fmt.Sprintf("%s (%d versions)", t.Function, len(t.Weights))
	}
	return t.Function
}

// written reports routes, or fails with all that is wrong with them.
func written(cmd *cobra.Command, from string, w *api.RoutesWritten, dry bool) error {
	for _, n := range w.Notes {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s: %s\n", plain(from), plain(orDash(n.Where)), plain(n.Text))
	}
	if len(w.Problems) > 0 {
		return wrong("written", from, w.Problems)
	}
	if len(w.Routes) == 0 {
		return fault.New(fault.Invalid, "%s holds no route", from)
	}
	did := "written"
	if dry {
		did = "would be written"
	}
	for i := range w.Routes {
		fmt.Fprintf(cmd.OutOrStdout(), "route %s %s: %s\n", plain(w.Routes[i].ID), did, plain(w.Routes[i].String()))
	}
	return nil
}

func applyRoutes() *cobra.Command {
	var dry bool
	cmd := &cobra.Command{
		Use:     "apply FILE",
		Short:   "Write the routes of a file, all or none",
		Example: "  redoubt route apply routes.yaml\n  redoubt route apply - --dry-run < routes.yaml",
		Args:    exactArgs(1, "a file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			raw, err := readFile(args[0], cmd.InOrStdin())
			if err != nil {
				return err
			}
			c, err := connect()
			if err != nil {
				return err
			}
			w, err := c.WriteRoutes(cmd.Context(), string(raw), dry)
			if err != nil {
				return err
			}
			return written(cmd, args[0], &w, dry)
		},
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "write nothing, say what would be")
	return cmd
}

func deleteRoute() *cobra.Command {
	return &cobra.Command{
		Use: "delete ID", Short: "Delete a route", Example: "  redoubt route delete orders-get", Args: exactArgs(1, "a route's id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := connect()
			if err != nil {
				return err
			}
			if err := c.DeleteRoute(cmd.Context(), args[0]); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "route %s deleted\n", plain(args[0]))
			return err
		},
	}
}

func importRoutes() *cobra.Command {
	var r api.OpenAPIRequest
	var dry bool
	cmd := &cobra.Command{
		Use:     "import FILE",
		Short:   "Make routes of an OpenAPI 3 document, all or none",
		Example: "  redoubt route import openapi.json --function orders\n  redoubt route import openapi.yaml --dry-run",
		Args:    exactArgs(1, "a file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			raw, err := readFile(args[0], cmd.InOrStdin())
			if err != nil {
				return err
			}
			c, err := connect()
			if err != nil {
				return err
			}
			r.Source = string(raw)
			w, err := c.ImportOpenAPI(cmd.Context(), r, dry)
			if err != nil {
				return err
			}
			return written(cmd, args[0], &w, dry)
		},
	}
	f := cmd.Flags()
	f.StringVar(&r.Function, "function", "", "target of operations that name none")
	f.StringVar(&r.Host, "host", "", "of all routes; the document's first server where empty")
	f.StringVar(&r.Stage, "stage", "", "of all routes; live where empty")
	f.BoolVar(&r.Lambda, "lambda", false, "leave API Gateway's integrations on AWS")
	f.BoolVar(&dry, "dry-run", false, "write nothing, say what would be")
	return cmd
}

func exportRoutes() *cobra.Command {
	var stage, host string
	cmd := &cobra.Command{
		Use: "export", Short: "Write the routes of a stage as an OpenAPI document", Example: "  redoubt route export > openapi.json", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := connect()
			if err != nil {
				return err
			}
			d, err := c.ExportOpenAPI(cmd.Context(), stage, host)
			if err != nil {
				return err
			}
			return writeJSON(cmd.OutOrStdout(), d)
		},
	}
	cmd.Flags().StringVar(&stage, "stage", "", "live where empty")
	cmd.Flags().StringVar(&host, "host", "", "only of this host")
	return cmd
}
