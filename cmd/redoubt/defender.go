package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"redoubt.dev/redoubt/internal/defender"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/link"
	"redoubt.dev/redoubt/internal/link/pki"
	"redoubt.dev/redoubt/internal/link/spool"
	"redoubt.dev/redoubt/internal/log"
	"redoubt.dev/redoubt/internal/permit"
	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/sensor"
	"redoubt.dev/redoubt/internal/workload"
	"redoubt.dev/redoubt/internal/workload/docker"
	"redoubt.dev/redoubt/internal/workload/system"
)

type nodeID = redoubt.NodeID

type defenderOptions struct {
	process    processOptions
	node       string
	dockerHost string
	failClosed bool
	memory     int64
}

func (o *defenderOptions) addFlags(cmd *cobra.Command) {
	host, _ := os.Hostname()
	f := cmd.Flags()
	f.StringVar(&o.node, "node", strings.ToLower(host), "name of this node; an enrolled one keeps the name its console gave it")
	f.StringVar(&o.dockerHost, "docker-host", docker.DefaultHost, "socket of the Docker engine")
	f.BoolVar(&o.failClosed, "fail-closed", false, "refuse an exec that the file gate could not decide in time, or whose file it could not read, instead of letting it pass")
	f.Int64Var(&o.memory, "memory-limit", 256, "MiB the process tries to stay below")
}

func newDefenderCommand() *cobra.Command {
	var o defenderOptions
	var console, join string
	cmd := &cobra.Command{
		Use:   "defender",
		Short: "Run the defender alone: protect this node for a console elsewhere",
		Long: `Defender watches and protects this node and reports to a console over mutual TLS. The first start
needs a join token, which redoubt node join-token prints at the console; it works once and pins the
console's authority. Without its console a defender goes on enforcing and keeps events on disk.`,
		Example: `  redoubt defender --join TOKEN
  redoubt defender --console console.example.com:8444 --join TOKEN`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runDefender(cmd.Context(), o, console, join) },
	}
	addProcessFlags(cmd, &o.process)
	o.addFlags(cmd)
	cmd.Flags().StringVar(&console, "console", "", "HOST:PORT of the console's link; empty takes the one in the join token, or the last one")
	cmd.Flags().StringVar(&join, "join", "", "join token, for the first start")
	return cmd
}

func runDefender(ctx context.Context, o defenderOptions, console, join string) error {
	if err := o.process.prepare(); err != nil {
		return err
	}
	logger := log.New(os.Stderr, o.process.level, o.process.json)
	address, err := consoleAddress(o.process.state, console, join)
	if err != nil {
		return err
	}
	// A join token works once: it is not spent where the node could not run.
	if _, err := workload.FindHierarchy(); err != nil {
		return err
	}
	id, err := link.Join(ctx, link.JoinConfig{Dir: filepath.Join(o.process.state, "node"), Token: join, Address: address, Hostname: o.node, Version: version})
	if err != nil {
		return err
	}
	client := link.NewClient(link.ClientConfig{Address: address, Identity: id, Version: version, Log: logger})
	node, err := openDefender(o, client, id.Node())
	if err != nil {
		return err
	}
	defer node.close()
	logger.Info("defender started", "node", string(id.Node()), "console", address)
	return together(ctx, node.run)
}

// consoleAddress finds out where the console is and remembers it for the next
// start.
func consoleAddress(state, flag, join string) (string, error) {
	file := filepath.Join(state, "console")
	address := strings.TrimPrefix(flag, "https://")
	if address == "" && join != "" {
		t, err := pki.ParseJoinToken(join)
		if err != nil {
			return "", err
		}
		address = t.Address
	}
	if address == "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return "", fault.New(fault.Invalid, "this node does not know its console yet: give --join TOKEN, made there with redoubt node join-token")
		}
		return strings.TrimSpace(string(b)), nil
	}
	if err := os.WriteFile(file, []byte(address+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("remember the console's address: %w", err)
	}
	return address, nil
}

// defenderParts is a defender with everything it stands on.
type defenderParts struct {
	log      *slog.Logger
	sensor   *sensor.Sensor
	gate     *permit.Gate
	spool    *spool.Spool
	defender *defender.Defender
}

func openDefender(o defenderOptions, console link.Console, node nodeID) (p *defenderParts, err error) {
	p = &defenderParts{log: log.New(os.Stderr, o.process.level, o.process.json)}
	defer func() {
		if err != nil {
			p.close()
			p = nil
		}
	}()
	debug.SetMemoryLimit(o.memory << 20)
	hierarchy, err := workload.FindHierarchy()
	if err != nil {
		return p, err
	}
	if p.sensor, err = sensor.Open(sensor.Config{Logger: p.log, CgroupRoot: hierarchy.V2}); err != nil {
		if os.Getuid() != 0 {
			return p, fault.New(fault.Denied, "watch the kernel: %w; run as root, or with the capabilities that docs/SECURITY.md lists", err)
		}
		return p, err
	}
	if p.gate, err = permit.Open(permit.Config{Log: p.log, FailClosed: o.failClosed}); err != nil {
		if !fault.Is(err, fault.Unsupported) {
			return p, err
		}
		p.log.Warn("no file gate on this kernel", "err", err)
	}
	if p.spool, err = spool.Open(spool.Config{Dir: filepath.Join(o.process.state, "spool")}); err != nil {
		return p, err
	}
	engine := docker.New(docker.Config{Host: o.dockerHost, Node: node, Cgroups: hierarchy, Log: p.log})
	host, _ := os.Hostname()
	cfg := defender.Config{
		Node: node, State: o.process.state, Version: version, Console: console, Spool: p.spool, Sensor: p.sensor,
		Sources: []workload.Source{engine, system.New(system.Config{Node: node, Hostname: host, Cgroups: hierarchy})},
		Stopper: engine, FailClosed: o.failClosed, Cgroups: hierarchy, Log: p.log,
	}
	if p.gate != nil {
		cfg.Gate = p.gate
	}
	p.defender = defender.New(cfg)
	return p, nil
}

func (p *defenderParts) run(ctx context.Context) error { return p.defender.Run(ctx) }

// close takes everything out of the kernel.
func (p *defenderParts) close() {
	var errs []error
	if p.gate != nil {
		if err := p.gate.Close(); !errors.Is(err, os.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if p.sensor != nil {
		errs = append(errs, p.sensor.Close())
	}
	if p.spool != nil {
		errs = append(errs, p.spool.Close())
	}
	if err := errors.Join(errs...); err != nil {
		p.log.Error("defender not closed", "err", err)
	}
}
