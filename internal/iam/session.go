package iam

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/iam/sigv4"
)

// session is what the session token of temporary credentials holds, encrypted:
// nothing about them is kept here, and the epochs in it end them early.
type session struct {
	ID        string    `json:"i"`
	Secret    string    `json:"s"`
	Principal string    `json:"p"`
	Groups    []string  `json:"g,omitempty"`
	Tenant    string    `json:"t,omitempty"`
	Method    Method    `json:"m"`
	Key       string    `json:"k,omitempty"`
	Name      string    `json:"n,omitempty"`
	Via       string    `json:"v,omitempty"`
	Epoch     int64     `json:"e"`
	ViaEpoch  int64     `json:"w,omitempty"`
	Expires   time.Time `json:"x"`
}

const (
	sessionPrefix  = "rds1."
	sessionPurpose = "session token"
)

// Credentials are temporary: they sign requests as an access key does.
type Credentials struct {
	ID      string
	Secret  Secret
	Session Secret // goes along as X-Amz-Security-Token
	Expires time.Time
}

func (s *Service) credentials(c Caller, life time.Duration) (Credentials, error) {
	until := s.c.Now().Add(life)
	if !c.Expires.IsZero() && c.Expires.Before(until) {
		until = c.Expires
	}
	e := session{ID: shortPrefix + random(10), Secret: random(30), Principal: c.Principal, Groups: c.Groups, Tenant: c.Tenant, Method: c.Method,
		Key: c.Key, Name: c.Session, Via: c.Via, Epoch: c.epoch, ViaEpoch: c.viaEpoch, Expires: until}
	text, err := json.Marshal(e)
	if err != nil {
		return Credentials{}, err
	}
	sealed := sessionPrefix + base64.RawURLEncoding.EncodeToString(s.c.Sealer.seal(sessionPurpose, text))
	return Credentials{e.ID, Secret(e.Secret), Secret(sealed), until}, nil
}

// accessKey finds the secret a request is signed with.
func (s *Service) accessKey(ctx context.Context, id, token string) (sigv4.Key, error) {
	if token != "" {
		return s.sessionKey(id, token)
	}
	k, ok := s.key(id)
	if !ok || k.Kind != AccessKey || !k.good(s.c.Now()) {
		return sigv4.Key{}, sigv4.Refuse(sigv4.UnknownKey, "there is no access key %.40q, or it has ended: make a new one", id)
	}
	secret, err := s.c.Sealer.open(sealedKey(id), k.Sealed)
	if err != nil {
		return sigv4.Key{}, fault.New(fault.Internal, "access key %s does not open with this key file: restore the file, or make the key anew", id)
	}
	return sigv4.Key{Secret: string(secret), Owner: k}, nil
}

func (s *Service) sessionKey(id, token string) (sigv4.Key, error) {
	bad := func(c sigv4.Code) (sigv4.Key, error) {
		return sigv4.Key{}, sigv4.Refuse(c, "the session token has ended, or is not of this key: ask for new credentials")
	}
	text, ok := strings.CutPrefix(token, sessionPrefix)
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if !ok || err != nil || len(token) > mostText {
		return bad(sigv4.BadToken)
	}
	plain, err := s.c.Sealer.open(sessionPurpose, sealed)
	if err != nil {
		return bad(sigv4.BadToken)
	}
	var e session
	if err := json.Unmarshal(plain, &e); err != nil || e.ID != id {
		return bad(sigv4.BadToken)
	}
	if !s.c.Now().Before(e.Expires) {
		return bad(sigv4.TokenExpired)
	}
	return sigv4.Key{Secret: e.Secret, Owner: e}, nil
}

// owner is the caller a good signature was made by.
func (s *Service) owner(ctx context.Context, owner any) (Caller, error) {
	k, long := owner.(Key)
	if long {
		return s.holder(ctx, &k, BySignature)
	}
	e := owner.(session)
	if _, err := s.alive(e.Principal, e.Epoch); err != nil {
		return Caller{}, err
	}
	if e.Via != "" {
		if _, err := s.alive(e.Via, e.ViaEpoch); err != nil {
			return Caller{}, err
		}
	}
	return Caller{Principal: e.Principal, Groups: e.Groups, Tenant: e.Tenant, Method: BySignature, Key: e.Key, Session: e.Name, Via: e.Via,
		Expires: e.Expires, epoch: e.Epoch, viaEpoch: e.ViaEpoch}, s.keyAlive(e.Key)
}

func (s *Service) replayed(signature string, until time.Time) error {
	err := s.once.Use("signature "+signature, until)
	if fault.Is(err, fault.Unauthenticated) {
		return sigv4.Refuse(sigv4.Replayed, "this very request was served before: sign each call anew")
	}
	return err
}

// Signature says who signed a request with Signature Version 4. What
// sigv4.Verifier says of the request's body holds.
func (s *Service) Signature(ctx context.Context, r *http.Request, want sigv4.Want) (Caller, error) {
	result, err := s.requests.Verify(ctx, r, want)
	if err != nil {
		return Caller{}, err
	}
	return s.owner(ctx, result.Owner)
}
