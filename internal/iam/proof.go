package iam

import (
	"context"
	"crypto/tls"
	"net/http"
	"strings"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/iam/sigv4"
)

// A source of identity, as Principal.Sources names it. That of an OIDC issuer
// is "oidc:" and its address.
const (
	fromPassword = "password"
	fromCert     = "cert"
	fromWorkload = "workload"
	fromInside   = "inside"
)

// Password takes a local user's password. from is the address of who asks.
func (s *Service) Password(ctx context.Context, user, password, from string) (Caller, error) {
	if s.c.Password == nil {
		return Caller{}, fault.New(fault.Unsupported, "this installation has no local users")
	}
	id := "user/" + strings.ToLower(strings.TrimSpace(user))
	if _, _, err := Split(id); err != nil {
		return Caller{}, fault.New(fault.Unauthenticated, "the user name or the password is wrong")
	}
	if err := s.c.Password(ctx, strings.TrimPrefix(id, "user/"), password, from); err != nil {
		return Caller{}, err
	}
	return s.admit(ctx, Caller{Principal: id, Method: ByPassword}, fromPassword)
}

// Self is another part of this process, or a function it runs: it is who it
// says it is, so the name must never come from outside.
func (s *Service) Self(ctx context.Context, principal string) (Caller, error) {
	kind, _, err := Split(principal)
	if err != nil {
		return Caller{}, err
	}
	if kind != "function" && kind != "service" {
		return Caller{}, fault.New(fault.Invalid, "%s is neither a function nor a service: it has to prove who it is", principal)
	}
	return s.admit(ctx, Caller{Principal: principal, Method: Inside}, fromInside)
}

// Act is any known principal, for an administrator who makes a token for it:
// who calls this has checked that the person is one.
func (s *Service) Act(ctx context.Context, principal string) (Caller, error) {
	if _, _, err := Split(principal); err != nil {
		return Caller{}, err
	}
	p, err := s.Principal(principal)
	if err != nil {
		return Caller{}, err
	}
	if p.Disabled {
		return Caller{}, errOut
	}
	return complete(Caller{Principal: principal, Method: Inside}, &p), nil
}

// Want is what a call demands of its proof.
type Want struct {
	Audience string // of a token
	Services []string
	Once     bool // a signature must not work twice
}

// Identify says who sent a request: by its signature, its bearer token, its API
// key or its client certificate, in this order. With none of them it is
// Nobody. A proof that is there and does not hold is an error, and so are two.
func (s *Service) Identify(ctx context.Context, r *http.Request, want Want) (Caller, error) {
	bearer, isBearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	key := r.Header.Get("X-Api-Key")
	signed := sigv4.Signed(r)
	if some := count(signed, isBearer, key != ""); some > 1 || some == 1 && len(r.Header.Values("Authorization")) > 1 || len(r.Header.Values("X-Api-Key")) > 1 {
		return Caller{}, fault.New(fault.Unauthenticated, "the request carries more than one proof of its caller: send one")
	}
	switch {
	case signed:
		return s.Signature(ctx, r, sigv4.Want{Services: want.Services, Once: want.Once})
	case isBearer:
		return s.Verify(ctx, bearer, want.Audience)
	case key != "":
		return s.Key(ctx, Secret(key))
	case r.Header.Get("Authorization") != "":
		return Caller{}, fault.New(fault.Unauthenticated, "the Authorization header is neither a bearer token nor a signature: send one of them")
	}
	return s.byConnection(ctx, r.TLS)
}

func (s *Service) byConnection(ctx context.Context, state *tls.ConnectionState) (Caller, error) {
	if state == nil || len(state.PeerCertificates) == 0 || len(s.c.Certs.Rules) == 0 {
		return Nobody(), nil
	}
	return s.Cert(ctx, state)
}

func count(facts ...bool) (n int) {
	for _, f := range facts {
		if f {
			n++
		}
	}
	return n
}
