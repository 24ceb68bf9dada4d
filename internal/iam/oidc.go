package iam

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"redoubt.dev/redoubt/internal/fault"
)

// Issuer is an OpenID Connect provider whose ID tokens are taken as proof.
type Issuer struct {
	URL      string // as in the token's iss
	Audience string // as in its aud: our client id there
	Kind     string // principals of this issuer are KIND/NAME; "user"
	Claim    string // what the name is taken from; "sub". "email" must be verified
	Groups   string // the claim that lists groups; none
	// Map gives the issuer's groups names here; those it does not name do not
	// count, so that an issuer cannot make anybody an administrator.
	Map    map[string]string
	Tenant string       // the claim that names the tenant; none
	Client *http.Client // nil is one with a timeout of 10 seconds
}

// provider is an issuer that is asked for its keys when first needed.
type provider struct {
	Issuer
	now func() time.Time

	mu       sync.Mutex
	verifier *oidc.IDTokenVerifier
	failed   time.Time
	err      error
}

const retryIssuer = 10 * time.Second

// algorithms are those with a public key: a token signed with a shared secret,
// or not at all, proves nothing here.
var algorithms = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA}

func newProvider(i Issuer, now func() time.Time) (*provider, error) {
	u, err := url.Parse(i.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Hostname() != "127.0.0.1" && u.Hostname() != "localhost" {
		return nil, fault.New(fault.Invalid, "OIDC issuer %q: give its https address", i.URL)
	}
	if i.Audience == "" {
		return nil, fault.New(fault.Invalid, "OIDC issuer %s: say which audience its tokens are for; one for everybody's would take other applications' tokens", i.URL)
	}
	if i.Kind == "" {
		i.Kind = "user"
	}
	if i.Kind != "user" && i.Kind != "role" {
		return nil, fault.New(fault.Invalid, "OIDC issuer %s: its principals can be of kind user or role, not %q", i.URL, i.Kind)
	}
	if i.Claim == "" {
		i.Claim = "sub"
	}
	if i.Client == nil {
		i.Client = &http.Client{Timeout: 10 * time.Second}
	}
	return &provider{Issuer: i, now: now}, nil
}

// ready asks the issuer for its keys, once; after a failure not again at once.
func (p *provider) ready() (*oidc.IDTokenVerifier, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.verifier != nil {
		return p.verifier, nil
	}
	if p.err != nil && p.now().Sub(p.failed) < retryIssuer {
		return nil, p.err
	}
	// The context is kept for later requests for keys: it must not be the caller's.
	found, err := oidc.NewProvider(oidc.ClientContext(context.Background(), p.Client), p.URL)
	if err != nil {
		p.failed, p.err = p.now(), fault.New(fault.Unavailable, "the issuer %s does not answer: %w", p.URL, err)
		return nil, p.err
	}
	p.verifier = found.Verifier(&oidc.Config{ClientID: p.Audience, SupportedSigningAlgs: algorithms, Now: p.now})
	return p.verifier, nil
}

// IDToken takes an ID token of one of the configured issuers.
func (s *Service) IDToken(ctx context.Context, text string) (Caller, error) {
	issuer, err := issuerOf(text)
	if err != nil {
		return Caller{}, err
	}
	i := slices.IndexFunc(s.providers, func(p *provider) bool { return p.URL == issuer })
	if i < 0 {
		return Caller{}, fault.New(fault.Unauthenticated, "ID tokens of %.200q are not taken here", issuer)
	}
	p := s.providers[i]
	verifier, err := p.ready()
	if err != nil {
		return Caller{}, err
	}
	t, err := verifier.Verify(ctx, text)
	if err != nil {
		return Caller{}, fault.New(fault.Unauthenticated, "the ID token does not hold: %w", err)
	}
	c, err := p.caller(t)
	if err != nil {
		return Caller{}, err
	}
	return s.admit(ctx, c, "oidc:"+p.URL)
}

// issuerOf reads whom a token says it is from; nothing is proven yet.
func issuerOf(text string) (string, error) {
	if len(text) > mostText {
		return "", fault.New(fault.Unauthenticated, "the ID token is longer than %d bytes", mostText)
	}
	payload, err := payloadOf(text)
	var c struct {
		Issuer string `json:"iss"`
	}
	if err != nil || json.Unmarshal(payload, &c) != nil {
		return "", fault.New(fault.Unauthenticated, "this is no ID token")
	}
	return c.Issuer, nil
}

func (p *provider) caller(t *oidc.IDToken) (Caller, error) {
	var all map[string]any
	if err := t.Claims(&all); err != nil {
		return Caller{}, fault.New(fault.Unauthenticated, "the ID token cannot be read: %w", err)
	}
	name, _ := all[p.Claim].(string)
	if verified, _ := all["email_verified"].(bool); p.Claim == "email" && !verified {
		return Caller{}, fault.New(fault.Unauthenticated, "the issuer has not verified the e-mail address %.100q", name)
	}
	c := Caller{Principal: p.Kind + "/" + name, Method: ByOIDC}
	if _, _, err := Split(c.Principal); err != nil {
		return Caller{}, fault.New(fault.Unauthenticated, "the claim %s is %.100q: that cannot name a principal", p.Claim, name)
	}
	if p.Tenant != "" {
		c.Tenant, _ = all[p.Tenant].(string)
	}
	groups, _ := all[p.Groups].([]any)
	for _, g := range groups {
		if name, ok := g.(string); ok && p.Map[name] != "" && len(c.Groups) < mostGroups {
			c.Groups = append(c.Groups, p.Map[name])
		}
	}
	return c, nil
}
