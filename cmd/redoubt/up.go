package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/oklog/run"
	"github.com/spf13/cobra"

	"redoubt.dev/redoubt/internal/redoubt"
)

func newUpCommand() *cobra.Command {
	var c consoleOptions
	var d defenderOptions
	var g gatewayOptions
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Protect this machine: console, defender and gateway in one process",
		Long: `Up starts a console, a defender and a gateway for functions in one process, with an embedded database
and no outside service. It finds the containers, services and processes of this machine, learns what they do and
alerts on the rest; nothing is refused until you say so, and nothing is restarted.

The first start prints a link with which the first administrator is made; it works once. Without a
container engine it protects the host's own processes and says what it does not see. Where it cannot
sandbox functions, it says why and does all else.`,
		Example: `  redoubt up
  redoubt up --listen 0.0.0.0:8443 --host console.example.com
  redoubt up --state ./state --token-file ./token      # for scripts: an administrator's API token`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			g.explicit = cmd.Flags().Changed("gateway-listen")
			c.gateway = &g
			return up(cmd.Context(), c, d, cmd.OutOrStdout())
		},
	}
	addProcessFlags(cmd, &c.process)
	c.addFlags(cmd)
	d.addFlags(cmd)
	g.addFlags(cmd)
	return cmd
}

// up runs all roles; the defender is handed the console itself, without a
// wire, but spools to disk all the same.
//
//	defender ──Push, Watch──► console ──► people
//	other defenders ──link──►
func up(ctx context.Context, c consoleOptions, d defenderOptions, out io.Writer) error {
	console, err := openConsole(c)
	if err != nil {
		return err
	}
	defer console.close()
	d.process = c.process
	node, err := openDefender(d, console.console, redoubt.NodeID(d.node))
	if err != nil {
		return err
	}
	defer node.close()
	if err := console.welcome(ctx, out); err != nil {
		return err
	}
	return together(ctx, console.run, node.run)
}

// together runs parts until ctx ends or the first of them does, then ends the
// others.
func together(ctx context.Context, parts ...func(ctx context.Context) error) error {
	var g run.Group
	for _, part := range parts {
		ctx, cancel := context.WithCancel(ctx)
		g.Add(func() error { return part(ctx) }, func(error) { cancel() })
	}
	if err := g.Run(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// processOptions are those of every long-lived role.
type processOptions struct {
	state string
	level string
	json  bool
}

func addProcessFlags(cmd *cobra.Command, p *processOptions) {
	f := cmd.Flags()
	f.StringVar(&p.state, "state", "/var/lib/redoubt", "directory for everything that is kept; made 0700")
	f.StringVar(&p.level, "log-level", "info", "debug, info, warn or error")
	f.BoolVar(&p.json, "log-json", false, "log JSON lines instead of text")
}

// prepare makes the state directory.
func (p *processOptions) prepare() error {
	if err := os.MkdirAll(p.state, 0o700); err != nil {
		return fmt.Errorf("make state directory: %w; choose another with --state", err)
	}
	return nil
}
