package gateway

import (
	"cmp"
	"context"
	"net/http"
	"net/netip"
	"strings"

	"redoubt.dev/redoubt/internal/access"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/iam"
	"redoubt.dev/redoubt/internal/route"
)

// services are what a request to the gateway may be signed for.
var services = []string{"lambda", "execute-api", "s3", "sts", "sqs"}

// authenticate establishes who sent r, as far as auth demands. What fails
// leaves nobody as the caller.
func (g *Gateway) authenticate(a *answer, r *http.Request, auth route.Auth) (iam.Caller, error) {
	who, err := g.identify(r, auth)
	if err != nil {
		who = iam.Nobody()
	}
	a.caller = who.Principal
	return who, err
}

func (g *Gateway) identify(r *http.Request, auth route.Auth) (iam.Caller, error) {
	ctx := r.Context()
	if from := insider(ctx); from != nil {
		return g.self(ctx, "function/"+from.Function, g.running(from))
	}
	if auth == route.None {
		return iam.Nobody(), nil
	}
	if auth == route.JWT {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok {
			return iam.Caller{}, fault.New(fault.Unauthenticated, "this takes an ID token of an issuer it knows, as a bearer token")
		}
		return g.cfg.IAM.WebIdentity(ctx, token)
	}
	who, err := g.cfg.IAM.Identify(ctx, r, iam.Want{Audience: iam.Gateway, Services: services, Once: g.cfg.SignOnce})
	switch {
	case err != nil:
		return iam.Caller{}, err
	case who.Principal == iam.Anonymous:
		return iam.Caller{}, fault.New(fault.Unauthenticated, "say who you are: by a token (POST /token makes one), an API key, an AWS signature or a client certificate")
	case auth == route.Key && who.Method != iam.ByKey:
		return iam.Caller{}, fault.New(fault.Unauthenticated, "this takes an API key, in the header X-Api-Key")
	}
	return who, nil
}

// self is one of our own: a function, or an event source. It works for the
// tenant of the call that led to it.
func (g *Gateway) self(ctx context.Context, principal string, from *call) (iam.Caller, error) {
	who, err := g.cfg.IAM.Self(ctx, principal)
	if err == nil && from != nil && from.rec.Tenant != "" {
		who.Tenant = from.rec.Tenant
	}
	return who, err
}

// asked is how a request came, as policies see it.
func asked(r *http.Request) access.Context {
	c := access.Context{Source: "http", TLS: r.TLS != nil, MTLS: r.TLS != nil && len(r.TLS.VerifiedChains) > 0, Bytes: max(0, r.ContentLength)}
	c.IP, _ = netip.ParseAddr(address(r.RemoteAddr))
	return c
}

// question is what the Authorizer is asked.
func (g *Gateway) question(who iam.Caller, action, resource string, c access.Context) *access.Request {
	c.Time, c.Tenant, c.Method = g.cfg.Clock(), cmp.Or(c.Tenant, who.Tenant), string(who.Method)
	return &access.Request{
		Principal: access.Principal{ID: who.Principal, Groups: who.Groups, Tenant: who.Tenant}, Action: action, Resource: resource, Context: c,
	}
}

// forbids tells a policy that says no from none that says yes.
func forbids(d access.Decision) bool { return !d.Allow && d.Policy != "" }

// permit asks whether somebody may do something other than invoke. Where it is
// granted already, by a role, only a policy that forbids it stands against it.
func (g *Gateway) permit(who iam.Caller, action, resource string, c access.Context, granted bool) error {
	d, err := g.cfg.Access.Decide(g.question(who, action, resource, c))
	switch {
	case err != nil:
		return err
	case forbids(d):
		return fault.New(fault.Denied, "%s may not do %s on %s: policy %s forbids it", who.Principal, action, resource, d.Policy)
	case !d.Allow && !granted:
		return fault.New(fault.Denied, "%s may not do %s on %s: no policy permits it", who.Principal, action, resource)
	}
	return nil
}

// login takes what an MQTT client shows: the name of a user and a password, or
// any name and an API key or token.
func (g *Gateway) login(ctx context.Context, name, secret, from string) (iam.Caller, error) {
	switch {
	case secret == "":
		return iam.Nobody(), fault.New(fault.Unauthenticated, "a client proves who it is")
	case strings.Count(secret, ".") == 2:
		return g.cfg.IAM.Verify(ctx, secret, iam.Gateway)
	}
	if who, err := g.cfg.IAM.Key(ctx, iam.Secret(secret)); err == nil {
		return who, nil
	}
	return g.cfg.IAM.Password(ctx, strings.TrimPrefix(name, "user/"), secret, address(from))
}
