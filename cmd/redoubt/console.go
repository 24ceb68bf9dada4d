package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"redoubt.dev/redoubt/internal/audit"
	"redoubt.dev/redoubt/internal/console"
	"redoubt.dev/redoubt/internal/identity"
	"redoubt.dev/redoubt/internal/link"
	"redoubt.dev/redoubt/internal/link/pki"
	"redoubt.dev/redoubt/internal/log"
	"redoubt.dev/redoubt/internal/store"
	"redoubt.dev/redoubt/web"
)

type consoleOptions struct {
	process    processOptions
	listen     string
	linkListen string
	hosts      []string
	tokenFile  string
	keep       time.Duration
	gateway    *gatewayOptions // nil where the console is alone
}

func (o *consoleOptions) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.listen, "listen", "127.0.0.1:8443", "address of the web UI and API")
	f.StringVar(&o.linkListen, "link-listen", "127.0.0.1:8444", "address other nodes' defenders connect to")
	f.StringSliceVar(&o.hosts, "host", nil, "name or address people and nodes reach this console by; repeat for more")
	f.StringVar(&o.tokenFile, "token-file", "", "write an administrator's API token to this file, once, mode 0600")
	f.DurationVar(&o.keep, "keep", 30*24*time.Hour, "how long events are kept")
}

func newConsoleCommand() *cobra.Command {
	var o consoleOptions
	cmd := &cobra.Command{
		Use:   "console",
		Short: "Run the console alone: API, web UI and record",
		Long: `Console keeps the record, answers people and programs, and tells defenders what to enforce. It
watches nothing itself: enrol defenders with the command that redoubt node join-token prints.`,
		Example: `  redoubt console --listen 0.0.0.0:8443 --link-listen 0.0.0.0:8444 --host console.example.com`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := openConsole(o)
			if err != nil {
				return err
			}
			defer p.close()
			if err := p.welcome(cmd.Context(), cmd.OutOrStdout()); err != nil {
				return err
			}
			return together(cmd.Context(), p.run)
		},
	}
	addProcessFlags(cmd, &o.process)
	o.addFlags(cmd)
	return cmd
}

// consoleParts is a console with its listeners open.
//
//	people ──HTTPS──► api ──► console ──► store
//	nodes ──mTLS──► link ──────┘
type consoleParts struct {
	opts     consoleOptions
	log      *slog.Logger
	store    *store.Store
	identity *identity.Identity
	console  *console.Console
	server   *http.Server
	api      net.Listener
	link     *link.Server
	nodes    net.Listener
	gateway  *gatewayParts // nil where the console is alone
}

func openConsole(o consoleOptions) (p *consoleParts, err error) {
	if err := o.process.prepare(); err != nil {
		return nil, err
	}
	p = &consoleParts{opts: o, log: log.New(os.Stderr, o.process.level, o.process.json)}
	defer func() {
		if err != nil {
			p.close()
			p = nil
		}
	}()
	if p.store, err = store.Open(filepath.Join(o.process.state, "redoubt.db"), p.log); err != nil {
		return p, err
	}
	p.identity = identity.New(identity.Config{Store: p.store, Log: p.log})
	authority, err := pki.OpenAuthority(o.process.state, time.Now)
	if err != nil {
		return p, err
	}
	apiCert, err := authority.Server("api", hostsOf(o.hosts, o.listen)...)
	if err != nil {
		return p, err
	}
	linkCert, err := authority.Server("link", hostsOf(o.hosts, o.linkListen)...)
	if err != nil {
		return p, err
	}
	if p.api, err = listen(o.listen, "--listen"); err != nil {
		return p, err
	}
	if p.nodes, err = listen(o.linkListen, "--link-listen"); err != nil {
		return p, err
	}
	ui, built := web.UI()
	if !built {
		p.log.Warn("web UI not built into this binary; run make ui and build again")
	}
	metrics := prometheus.NewRegistry()
	var serverless *console.Serverless
	if o.gateway != nil {
		if p.gateway, err = openGateway(p, *o.gateway, authority, metrics); err != nil {
			return p, err
		}
		serverless = p.gateway.serverless()
	}
	p.console, err = console.New(console.Config{
		Store: p.store, Identity: p.identity, Audit: audit.New(p.store, time.Now), UI: ui, Logger: p.log, Version: version, Registry: metrics,
		Keep: o.keep, Serverless: serverless,
		Join: func(secret string) (string, string) {
			t := pki.JoinToken{ID: rand.Text(), Secret: secret, CA: authority.Fingerprint(), Address: p.linkAddress()}.Encode()
			return t, fmt.Sprintf("redoubt defender --join %s", t)
		},
		Forgotten: func(node nodeID) { p.link.Disconnect(node) },
	})
	if err != nil {
		return p, err
	}
	p.link = link.NewServer(link.ServerConfig{
		Authority: authority, Cert: linkCert, Console: p.console, Enrol: p.console.Enrol,
		Admit: func(_ context.Context, peer pki.Peer) error { return p.console.Admit(peer.Node, peer.Enrolment) },
		Log:   p.log,
	})
	p.server = &http.Server{
		Handler: p.console.Handler(), TLSConfig: apiCert.TLS(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(p.log.Handler(), slog.LevelDebug),
	}
	return p, p.writeToken()
}

// listen opens a listener and names the flag that chose its address.
func listen(address, flag string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%w; choose another address with %s", err, flag)
	}
	return l, nil
}

// hostsOf adds the host of a listening address to the given names.
func hostsOf(names []string, address string) []string {
	host, _, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err == nil && host != "" && (ip == nil || !ip.IsUnspecified()) {
		names = append(names[:len(names):len(names)], host)
	}
	return names
}

// linkAddress is where other nodes find this console.
func (p *consoleParts) linkAddress() string {
	host, port, _ := net.SplitHostPort(p.nodes.Addr().String())
	if len(p.opts.hosts) > 0 {
		host = p.opts.hosts[0]
	} else if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		if name, err := os.Hostname(); err == nil {
			host = name
		}
	}
	return net.JoinHostPort(host, port)
}

// writeToken writes an administrator's token for scripts, unless the file is
// there already.
func (p *consoleParts) writeToken() error {
	if p.opts.tokenFile == "" {
		return nil
	}
	f, err := os.OpenFile(p.opts.tokenFile, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("write API token: %w", err)
	}
	defer f.Close()
	_, secret, err := p.identity.SystemToken(context.Background(), "token-file")
	if err == nil {
		_, err = fmt.Fprintln(f, secret.Reveal())
	}
	if err != nil {
		os.Remove(p.opts.tokenFile)
		return fmt.Errorf("write API token: %w", err)
	}
	return nil
}

// welcome prints where the console is and, as long as there is no account, how
// to make the first.
func (p *consoleParts) welcome(ctx context.Context, out io.Writer) error {
	url := "https://" + p.api.Addr().String()
	fmt.Fprintf(out, "console   %s\n", url)
	needed, err := p.identity.SetupNeeded(ctx)
	if err != nil {
		return err
	}
	if needed {
		token, err := p.identity.SetupToken(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "set up    %s/setup?token=%s\n          this link makes the first administrator and works once\n", url, token.Reveal())
	}
	if p.gateway != nil {
		p.gateway.welcome(out)
	}
	fmt.Fprintf(out, "trust     %s\n", filepath.Join(p.opts.process.state, "ca.crt"))
	return nil
}

func (p *consoleParts) run(ctx context.Context) error {
	functions := func(ctx context.Context) error { <-ctx.Done(); return nil }
	if p.gateway != nil {
		functions = p.gateway.run
	}
	return together(ctx, p.console.Run, functions,
		func(ctx context.Context) error { return p.link.Serve(ctx, p.nodes) },
		func(ctx context.Context) error {
			stop := context.AfterFunc(ctx, func() {
				grace, cancel := context.WithTimeout(context.Background(), 3*time.Second)
				defer cancel()
				if p.server.Shutdown(grace) != nil {
					p.server.Close() // event streams never end by themselves
				}
			})
			defer stop()
			if err := p.server.ServeTLS(p.api, "", ""); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
}

func (p *consoleParts) close() {
	for _, l := range []net.Listener{p.api, p.nodes} {
		if l != nil {
			l.Close()
		}
	}
	if p.gateway != nil {
		p.gateway.close()
	}
	if p.store != nil {
		if err := p.store.Close(); err != nil {
			p.log.Error("database not closed", "err", err)
		}
	}
}
