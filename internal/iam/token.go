package iam

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"slices"
	"sync"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"redoubt.dev/redoubt/internal/fault"
)

// The types of token, in their header: one is never taken for the other.
const (
	accessType   = "at+jwt" // RFC 9068
	workloadType = "workload+jwt"
)

// claims are what a token says.
type claims struct {
	jwt.Claims
	Groups   []string `json:"groups,omitempty"`
	Tenant   string   `json:"tenant,omitempty"`
	Method   Method   `json:"method"`
	Key      string   `json:"key,omitempty"`
	Session  string   `json:"session,omitempty"`
	Via      string   `json:"via,omitempty"`
	Epoch    int64    `json:"epoch"`
	ViaEpoch int64    `json:"via_epoch,omitempty"`
	Once     bool     `json:"once,omitempty"`
	Made     int64    `json:"made"` // milliseconds
}

// Ask is what is wanted of a token.
type Ask struct {
	Audience string        // whom it is for: Gateway, or a name the installation uses
	Life     time.Duration // 0 is Longest
	Once     bool          // it works for one call
}

// Token is a signed token and when it ends.
type Token struct {
	Text    Secret    `json:"-"`
	ID      string    `json:"id"`
	Expires time.Time `json:"expires"`
}

// Gateway is the audience of tokens for calling functions.
const Gateway = "redoubt-gateway"

// Issue gives a caller a token. A token never outlives the proof it was made of.
func (s *Service) Issue(c Caller, ask Ask) (Token, error) {
	if c.Principal == Anonymous {
		return Token{}, fault.New(fault.Unauthenticated, "a token is for who proves to be somebody")
	}
	if ask.Audience == "" || len(ask.Audience) > 256 {
		return Token{}, fault.New(fault.Invalid, "audience: say in 1 to 256 bytes whom the token is for, as %s", Gateway)
	}
	return s.issue(accessType, c, ask, Longest)
}

func (s *Service) issue(typ string, c Caller, ask Ask, most time.Duration) (Token, error) {
	if _, err := s.alive(c.Principal, c.epoch); err != nil {
		return Token{}, err
	}
	now := s.c.Now()
	until, err := ends(now, ask.Life, most)
	if err != nil {
		return Token{}, err
	}
	if !c.Expires.IsZero() && c.Expires.Before(until) {
		until = c.Expires
	}
	t := Token{ID: random(10), Expires: until.Truncate(time.Second)}
	text, err := s.sign(typ, claims{
		Claims: jwt.Claims{
			Issuer: s.c.Issuer, Subject: c.Principal, Audience: jwt.Audience{ask.Audience}, ID: t.ID,
			Expiry: jwt.NewNumericDate(t.Expires), NotBefore: jwt.NewNumericDate(now), IssuedAt: jwt.NewNumericDate(now),
		},
		Groups: c.Groups, Tenant: c.Tenant, Method: c.Method, Key: c.Key, Session: c.Session, Via: c.Via,
		Epoch: c.epoch, ViaEpoch: c.viaEpoch, Once: ask.Once, Made: now.UnixMilli(),
	})
	t.Text = Secret(text)
	return t, err
}

func signWith(key ed25519.PrivateKey, options *jose.SignerOptions, claims any) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: key}, options)
	if err != nil {
		return "", err
	}
	return jwt.Signed(signer).Claims(claims).Serialize()
}

// Verify says whose token this is. Anything but a good token of this service
// for that audience is fault.Unauthenticated; a one-time token that cannot be
// remembered is fault.Limited.
func (s *Service) Verify(_ context.Context, text, audience string) (Caller, error) {
	return s.verify(accessType, text, audience, Longest)
}

func (s *Service) verify(typ, text, audience string, most time.Duration) (Caller, error) {
	c, err := s.read(typ, text)
	if err != nil {
		return Caller{}, err
	}
	if err := s.timely(c, audience, most); err != nil {
		return Caller{}, err
	}
	p, err := s.alive(c.Subject, c.Epoch)
	if err != nil {
		return Caller{}, err
	}
	if c.Via != "" {
		if _, err := s.alive(c.Via, c.ViaEpoch); err != nil {
			return Caller{}, err
		}
	}
	if err := s.keyAlive(c.Key); err != nil {
		return Caller{}, err
	}
	if c.Once {
		if err := s.useToken(c); err != nil {
			return Caller{}, err
		}
	}
	return Caller{Principal: p.ID, Groups: slices.Clip(c.Groups), Tenant: c.Tenant, Method: c.Method, Key: c.Key, Session: c.Session, Via: c.Via,
		Expires: c.Expiry.Time(), epoch: c.Epoch, viaEpoch: c.ViaEpoch}, nil
}

func (s *Service) useToken(c *claims) error {
	if c.Made < s.started.UnixMilli() {
		return fault.New(fault.Unauthenticated, "the one-time token was made before this process started and may have been used: make a new one")
	}
	return s.once.Use("token "+c.ID, c.Expiry.Time().Add(Skew))
}

var errToken = fault.New(fault.Unauthenticated, "the token is not one of this installation: exchange a proof for a new one")

// read checks a token's signature, or remembers that it did.
func (s *Service) read(typ, text string) (*claims, error) {
	if len(text) > mostText {
		return nil, errToken
	}
	sum := sha256.Sum256([]byte(text))
	if v, ok := s.verified.get(sum); ok && v.typ == typ {
		if _, ok := s.signerOf(v.kid); ok {
			return v.claims, nil
		}
		return nil, errToken
	}
	t, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil || len(t.Headers) != 1 {
		return nil, errToken
	}
	h := t.Headers[0]
	key, ok := s.signerOf(h.KeyID)
	if !ok || h.ExtraHeaders[jose.HeaderType] != typ {
		return nil, errToken
	}
	c := &claims{}
	if err := t.Claims(key, c); err != nil {
		return nil, errToken
	}
	s.verified.put(sum, verified{h.KeyID, typ, c})
	return c, nil
}

func (s *Service) timely(c *claims, audience string, most time.Duration) error {
	if c.Expiry == nil || c.IssuedAt == nil || c.NotBefore == nil || c.ID == "" || c.Expiry.Time().Sub(c.IssuedAt.Time()) > most {
		return errToken
	}
	err := c.ValidateWithLeeway(jwt.Expected{Issuer: s.c.Issuer, AnyAudience: jwt.Audience{audience}, Time: s.c.Now()}, Skew)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jwt.ErrExpired):
		return fault.New(fault.Unauthenticated, "the token ended at %s: exchange a proof for a new one", c.Expiry.Time().UTC().Format(time.RFC3339))
	case errors.Is(err, jwt.ErrInvalidAudience):
		return fault.New(fault.Unauthenticated, "the token is for %.100q, not for %s: ask for one of that audience", c.Audience, audience)
	case errors.Is(err, jwt.ErrNotValidYet), errors.Is(err, jwt.ErrIssuedInTheFuture):
		return fault.New(fault.Unauthenticated, "the token begins at %s, ahead of the clock here by more than %s: set the clocks", c.NotBefore.Time().UTC().Format(time.RFC3339), Skew)
	}
	return errToken
}

// tokenCache remembers tokens whose signature was good, so that a caller's
// second call does not cost another check. All else is checked every time.
type tokenCache struct {
	mu sync.RWMutex
	m  map[[32]byte]verified
}

type verified struct {
	kid, typ string
	claims   *claims
}

const mostVerified = 8192

func (t *tokenCache) get(sum [32]byte) (verified, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	v, ok := t.m[sum]
	return v, ok
}

func (t *tokenCache) put(sum [32]byte, v verified) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.m == nil {
		t.m = map[[32]byte]verified{}
	}
	for old := range t.m {
		if len(t.m) < mostVerified {
			break
		}
		delete(t.m, old)
	}
	t.m[sum] = v
}
