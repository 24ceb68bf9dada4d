package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"redoubt.dev/redoubt/internal/access"
	"redoubt.dev/redoubt/internal/bundle"
	"redoubt.dev/redoubt/internal/console"
	"redoubt.dev/redoubt/internal/egress"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/gateway"
	"redoubt.dev/redoubt/internal/iam"
	"redoubt.dev/redoubt/internal/identity"
	"redoubt.dev/redoubt/internal/link/pki"
	"redoubt.dev/redoubt/internal/model"
	"redoubt.dev/redoubt/internal/store"
)

const gatewayListen = "127.0.0.1:8445"

type gatewayOptions struct {
	listen     string
	mqttListen string
	secrets    string
	tls12      bool
	explicit   bool // somebody chose the address
}

func (o *gatewayOptions) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.listen, "gateway-listen", gatewayListen, "address functions are called at; empty calls none from outside")
	f.StringVar(&o.mqttListen, "mqtt-listen", "", "address of the MQTT broker for sensors, over TLS; empty runs none")
	f.StringVar(&o.secrets, "secrets", "", "directory with a file for each secret that functions may be granted; functions/secrets in the state directory where empty")
	f.BoolVar(&o.tls12, "gateway-tls12", false, "let callers in that know no TLS 1.3")
}

// gatewayParts is the gateway with everything functions stand on.
//
//	callers ──HTTPS, MQTT──► gateway ──► engine (runner, sandboxes; from the first function on)
//	                            │  └───► iam, access, model, firewall
//	people ──► console ─────────┴──────► store, bundles
type gatewayParts struct {
	opts     gatewayOptions
	dir      string
	log      *slog.Logger
	store    *store.Store
	identity *identity.Identity
	bundles  *bundle.Store
	iam      *iam.Service
	access   *access.Policies
	models   *model.Book
	registry *function.Registry
	engine   *engine
	firewall firewall
	gateway  *gateway.Gateway
	cert     *pki.ServerCert
	front    net.Listener // nil where nobody calls from outside
	mqtt     net.Listener
	closed   string // why there is no front
}

// openGateway opens everything but what costs: sandboxes and the firewall's
// rules wait for the first function.
func openGateway(p *consoleParts, o gatewayOptions, authority *pki.Authority, metrics prometheus.Registerer) (g *gatewayParts, err error) {
	g = &gatewayParts{opts: o, dir: filepath.Join(p.opts.process.state, "functions"), log: p.log, store: p.store, identity: p.identity}
	defer func() {
		if err != nil {
			g.close()
			g = nil
		}
	}()
	if err := os.MkdirAll(filepath.Join(g.dir, "gateway"), 0o700); err != nil {
		return g, fmt.Errorf("make directory of functions: %w", err)
	}
	if g.opts.secrets == "" {
		g.opts.secrets = filepath.Join(g.dir, "secrets")
	}
	if g.bundles, err = bundle.Open(filepath.Join(g.dir, "code"), bundle.Limits{}); err != nil {
		return g, err
	}
	if err := g.openListeners(p, authority); err != nil {
		return g, err
	}
	ctx := context.Background()
	if err := g.openRules(ctx); err != nil {
		return g, err
	}
	ca, err := egress.OpenCA(filepath.Join(g.dir, "aws"))
	if err != nil {
		return g, err
	}
	g.engine = &engine{dir: g.dir, log: g.log, bundles: g.bundles, authority: ca, models: g.models, store: g.store, secrets: g.opts.secrets, internal: func() *gateway.Gateway { return g.gateway }, also: g.firewall.ready}
	g.gateway, err = gateway.New(ctx, gateway.Config{
		Functions: g.registry, Invoker: g.engine, IAM: g.iam, Access: g.access, Records: g.store, Queues: g.store.Queues(), Routes: g.store,
		Firewall: &g.firewall, Model: g.models, Dir: filepath.Join(g.dir, "gateway"), Counts: g.store.Quotas(), Metrics: metrics, Log: g.log,
	})
	if err != nil {
		return g, err
	}
	some, err := g.grant(ctx)
	if err != nil {
		return g, err
	}
	if some {
		g.engine.warm()
	}
	return g, nil
}

func (g *gatewayParts) openListeners(p *consoleParts, authority *pki.Authority) (err error) {
	if g.cert, err = authority.Server("gateway", hostsOf(p.opts.hosts, g.opts.listen)...); err != nil {
		return err
	}
	if g.opts.listen != "" {
		g.front, err = listen(g.opts.listen, "--gateway-listen")
		if errors.Is(err, syscall.EADDRINUSE) && !g.opts.explicit {
			g.closed, err = err.Error(), nil
		}
		if err != nil {
			return err
		}
	}
	if g.opts.mqttListen != "" {
		plain, err := listen(g.opts.mqttListen, "--mqtt-listen")
		if err != nil {
			return err
		}
		g.mqtt = tls.NewListener(plain, g.cert.TLS())
	}
	return nil
}

// openRules opens what decides about calls.
func (g *gatewayParts) openRules(ctx context.Context) (err error) {
	g.registry = function.NewRegistry(g.store, nil)
	if g.access, err = access.Open(ctx, g.store, time.Now); err != nil {
		return err
	}
	if err := g.firstPolicy(ctx); err != nil {
		return err
	}
	if g.models, err = model.Open(ctx, g.store, nil); err != nil {
		return err
	}
	sealer, err := iam.OpenSealer(filepath.Join(g.dir, "seal.key"))
	if err != nil {
		return err
	}
	issuer := "https://" + gatewayListen
	if g.front != nil {
		issuer = "https://" + g.front.Addr().String()
	}
	g.iam, err = iam.Open(ctx, iam.Config{Store: g.store, Sealer: sealer, Issuer: issuer, Log: g.log, Password: g.password, May: g.mayAssume})
	return err
}

// Whoever may deploy functions may call them, unless somebody says otherwise:
// the first policy is written once and is like any other from then on.
const (
	peopleGroup  = "console-operators"
	firstAccess  = "console-operators"
	firstComment = "Administrators and operators of this console may call every function. Change or delete it as you like."
	firstText    = `permit (
  principal in Group::"` + peopleGroup + `",
  action in [Action::"function:Invoke", Action::"function:InvokeAsync"],
  resource
);
`
)

func (g *gatewayParts) firstPolicy(ctx context.Context) error {
	past, err := g.access.Revisions(ctx, firstAccess)
	if err != nil || len(past) > 0 {
		return err
	}
	_, err = g.access.Put(ctx, identity.System, access.Document{Name: firstAccess, Description: firstComment, Cedar: firstText})
	return err
}

// password checks a console user's password for the token service.
func (g *gatewayParts) password(ctx context.Context, user, password, from string) error {
	session, _, err := g.identity.Login(ctx, user, password, from)
	if err != nil {
		return err
	}
	return g.identity.Logout(ctx, session)
}

func (g *gatewayParts) mayAssume(_ context.Context, c iam.Caller, role string) error {
	d, err := g.access.Decide(&access.Request{
		Principal: access.Principal{ID: c.Principal, Groups: c.Groups, Tenant: c.Tenant}, Action: "role:Assume", Resource: role,
		Context: access.Context{Time: time.Now(), Tenant: c.Tenant, TLS: true},
	})
	if err == nil && !d.Allow {
		err = fault.New(fault.Denied, "%s may not assume %s: no policy permits it", c.Principal, role)
	}
	return err
}

// grant makes policies of what live versions are granted and who their
// triggers let in; some says whether there are functions.
func (g *gatewayParts) grant(ctx context.Context) (some bool, err error) {
	roles := map[string]access.Grants{}
	for q := (function.Filter{Limit: 1000}); ; {
		page, next, err := g.registry.List(ctx, q)
		if err != nil {
			return some, err
		}
		for _, f := range page {
			some = true
			roles[f.Name] = grantsOf(f)
		}
		if q.Cursor = next; next == "" {
			return some, g.access.SetRoles(roles)
		}
	}
}

func grantsOf(f *function.Function) access.Grants {
	live := f.Aliases[function.Live].Weights
	if f.State != function.Active || len(live) == 0 {
		return access.Grants{}
	}
	v, ok := f.Version(live[0].Version)
	if !ok {
		return access.Grants{}
	}
	r := v.Spec.Role
	out := access.Grants{Functions: r.Functions, Buckets: r.Buckets, Queues: r.Queues, Secrets: r.Secrets}
	for _, t := range v.Spec.Triggers {
		switch {
		case t.HTTP != nil && t.HTTP.Auth == "none":
			out.Callers = append(out.Callers, iam.Anonymous)
		case t.Schedule != nil:
			out.Callers = append(out.Callers, "service/schedule")
		case t.Bucket != nil:
			out.Callers = append(out.Callers, "service/bucket/"+t.Bucket.Bucket)
		}
	}
	return out
}

// changed follows a recorded change of a function, or of routes.
func (g *gatewayParts) changed(name string, gone bool) {
	ctx := context.Background()
	if name != "" {
		grants := access.Grants{}
		f, err := g.registry.Get(ctx, name)
		if err == nil {
			grants = grantsOf(f)
		}
		if err == nil || fault.Is(err, fault.NotFound) {
			err = g.access.SetRoles(map[string]access.Grants{name: grants})
		}
		if err != nil {
			g.log.Error("grants not taken over", "function", name, "error", err)
		}
		if gone {
			g.engine.stop(name)
		} else {
			g.engine.warm()
		}
	}
	g.gateway.Refresh()
}

// serverless is what the console needs of all this.
func (g *gatewayParts) serverless() *console.Serverless {
	return &console.Serverless{
		Functions: g.registry, Bundles: g.bundles, Calls: g.store, Invoker: &inquirer{g}, Environments: g.engine, Models: g.models, Routes: g.store,
		Access: g.access, Principals: g.iam, Changed: g.changed,
		Grants: func(r function.Role) error { return egress.Validate(r.Egress, r.AWS) },
	}
}

// welcome prints where functions are called, or why they are not.
func (g *gatewayParts) welcome(out io.Writer) {
	switch {
	case g.front != nil:
		fmt.Fprintf(out, "gateway   https://%s\n", g.front.Addr())
	case g.closed != "":
		fmt.Fprintf(out, "gateway   nobody can call functions from outside: %s\n", plain(g.closed))
	}
	if off := g.engine.unable(); off != "" {
		fmt.Fprintf(out, "functions are off: %s\n", plain(off))
	}
}

func (g *gatewayParts) run(ctx context.Context) error {
	failed := func(err error) { g.log.Error("models not kept", "error", err) }
	parts := []func(context.Context) error{
		g.gateway.Run, g.engine.run,
		func(ctx context.Context) error { g.models.Run(ctx, 10*time.Second, failed); return nil },
		g.tidy,
	}
	if g.front != nil {
		parts = append(parts, func(ctx context.Context) error {
			return g.gateway.Serve(ctx, g.front, gateway.ServerConfig{Certificate: g.cert.Get, TLS12: g.opts.tls12})
		})
	}
	if g.mqtt != nil {
		parts = append(parts, func(ctx context.Context) error { return g.gateway.ServeMQTT(ctx, g.mqtt) })
	}
	return together(ctx, parts...)
}

func (g *gatewayParts) tidy(ctx context.Context) error {
	every := time.NewTicker(10 * time.Minute)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
			if err := g.iam.Tidy(ctx); err != nil && ctx.Err() == nil {
				g.log.Error("signing keys not tidied", "error", err)
			}
		}
	}
}

func (g *gatewayParts) close() {
	for _, l := range []net.Listener{g.front, g.mqtt} {
		if l != nil {
			l.Close()
		}
	}
	var errs []error
	if g.engine != nil {
		errs = append(errs, g.engine.close())
	}
	if g.bundles != nil {
		errs = append(errs, g.bundles.Close())
	}
	if err := errors.Join(errs...); err != nil {
		g.log.Error("functions not closed", "err", err)
	}
}

// secretIn reads the file of a secret.
func secretIn(dir, name string) ([]byte, error) {
	if name == "" || strings.ContainsAny(name, "/\x00") || name[0] == '.' {
		return nil, fault.New(fault.Invalid, "%q is no name of a secret", name)
	}
	raw, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.NotFound, "there is no secret %s: put it into the file %s", name, filepath.Join(dir, name))
	}
	return raw, err
}

// inquirer calls functions for people at the console, by the way all calls
// take.
type inquirer struct{ g *gatewayParts }

// Invoke implements console.Invoker.
func (i *inquirer) Invoke(ctx context.Context, c console.Invocation) (string, []byte, error) {
	token, err := i.token(ctx, c)
	if err != nil {
		return "", nil, err
	}
	return callLambda(ctx, i.g.gateway, c, token)
}

// token is one of who asks, whose groups follow its role.
func (i *inquirer) token(ctx context.Context, c console.Invocation) (string, error) {
	p, err := i.g.iam.Principal(c.Principal)
	switch {
	case fault.Is(err, fault.NotFound):
		p = iam.Principal{ID: c.Principal, Sources: []string{"password"}}
	case err != nil:
		return "", err
	}
	if groups, differ := follow(p.Groups, c.Operator); differ || p.Created.IsZero() {
		p.Groups = groups
		if _, err := i.g.iam.Put(ctx, identity.System, p); err != nil {
			return "", err
		}
	}
	who, err := i.g.iam.Act(ctx, c.Principal)
	if err != nil {
		return "", err
	}
	t, err := i.g.iam.Issue(who, iam.Ask{Audience: iam.Gateway, Life: time.Minute, Once: true})
	return t.Text.Reveal(), err
}

// follow puts the group of people who may call into groups, or takes it out.
func follow(groups []string, in bool) (out []string, differ bool) {
	for _, g := range groups {
		if g != peopleGroup {
			out = append(out, g)
		}
	}
	had := len(out) < len(groups)
	if in {
		out = append(out, peopleGroup)
	}
	return out, had != in
}

// once runs a thing in the background at most once.
type once struct {
	begin sync.Once
	wait  sync.WaitGroup
}

func (o *once) start(do func()) { o.begin.Do(func() { o.wait.Go(do) }) }
