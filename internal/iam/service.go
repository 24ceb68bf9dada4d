package iam

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/iam/sigv4"
)

// How long things last, and how much of them there may be.
const (
	Longest     = 15 * time.Minute // life of a token
	Skew        = time.Minute      // by which clocks may differ
	RotateAfter = 24 * time.Hour   // age at which Tidy replaces the signing key

	mostText       = 16 << 10 // bytes of a token or key
	mostKeys       = 10_000
	mostPrincipals = 100_000
	mostGroups     = 50
	mostOnce       = 100_000
	noted          = time.Minute // a key's use is written down at most this often
)

// Config is what a Service is made of.
type Config struct {
	Store  Store
	Sealer *Sealer
	Issuer string // the name tokens carry: the address of this installation
	Log    *slog.Logger
	Now    func() time.Time // nil is time.Now

	// Password checks a local user's password; nil where there are none.
	Password func(ctx context.Context, user, password, from string) error
	Issuers  []Issuer // whose ID tokens are taken
	Certs    Certs    // which client certificates are known
	// May says whether caller may assume role; nil lets nobody.
	May func(ctx context.Context, caller Caller, role string) error
}

// Service answers who calls. Safe for concurrent use.
type Service struct {
	c         Config
	started   time.Time
	once      *Once
	requests  *sigv4.Verifier
	providers []*provider
	verified  tokenCache

	write      sync.Mutex // of who changes a record
	mu         sync.RWMutex
	principals map[string]*Principal // values are never changed in place
	keys       map[string]*Key
	signers    []*signer // newest first
}

// Open reads the record and, where there is none, makes a signing key.
func Open(ctx context.Context, c Config) (*Service, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &Service{c: c, started: c.Now(), once: NewOnce(mostOnce, c.Now)}
	s.requests = sigv4.New(sigv4.Config{Keys: s.accessKey, Once: s.replayed, Now: c.Now})
	for _, i := range c.Issuers {
		p, err := newProvider(i, c.Now)
		if err != nil {
			return nil, err
		}
		s.providers = append(s.providers, p)
	}
	if err := c.Certs.check(); err != nil {
		return nil, err
	}
	if err := s.Refresh(ctx); err != nil {
		return nil, err
	}
	return s, s.Tidy(ctx)
}

// Refresh reads the record anew, for changes another process made.
func (s *Service) Refresh(ctx context.Context) error {
	s.write.Lock()
	defer s.write.Unlock()
	principals, err := s.c.Store.Principals(ctx)
	if err != nil {
		return err
	}
	keys, err := s.c.Store.Keys(ctx)
	if err != nil {
		return err
	}
	signers, err := s.readSigners(ctx)
	if err != nil {
		return err
	}
	byID, keyByID := map[string]*Principal{}, map[string]*Key{}
	for i := range principals {
		byID[principals[i].ID] = &principals[i]
	}
	for i := range keys {
		keyByID[keys[i].ID] = &keys[i]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.principals, s.keys, s.signers = byID, keyByID, signers
	return nil
}

// Principals lists those that are not removed, by ID.
func (s *Service) Principals() []Principal {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []Principal
	for _, id := range slices.Sorted(maps.Keys(s.principals)) {
		if p := s.principals[id]; !p.Removed {
			out = append(out, *p)
		}
	}
	return out
}

// Principal returns one, fault.NotFound where there is none.
func (s *Service) Principal(id string) (Principal, error) {
	if p := s.record(id); p != nil && !p.Removed {
		return *p, nil
	}
	return Principal{}, fault.New(fault.NotFound, "there is no principal %.160q", id)
}

// Put makes a principal or replaces its groups, tenant and sources. Whoever
// holds tokens with the old ones has to ask anew. A removed one is made again.
func (s *Service) Put(ctx context.Context, by string, p Principal) (Principal, error) {
	kind, _, err := Split(p.ID)
	if err != nil {
		return p, err
	}
	if kind == Anonymous {
		return p, fault.New(fault.Invalid, "%s is nobody: it has no record", Anonymous)
	}
	if len(p.Groups) > mostGroups {
		return p, fault.New(fault.Invalid, "%s is in %d groups: at most %d are possible", p.ID, len(p.Groups), mostGroups)
	}
	for _, g := range append(slices.Clone(p.Groups), p.Sources...) {
		if g == "" || len(g) > 256 {
			return p, fault.New(fault.Invalid, "%s: names of groups and sources have 1 to 256 bytes", p.ID)
		}
	}
	return s.change(ctx, by, p.ID, func(now *Principal) {
		now.Groups, now.Tenant, now.Sources = slices.Clone(p.Groups), p.Tenant, slices.Clone(p.Sources)
		now.Removed = false
	})
}

// Disable ends all a principal holds, at once, and lets nobody in as it.
func (s *Service) Disable(ctx context.Context, by, id, reason string) (Principal, error) {
	return s.known(ctx, by, id, func(p *Principal) { p.Disabled, p.Reason = true, reason })
}

// Enable lets it in again; what it held before stays dead.
func (s *Service) Enable(ctx context.Context, by, id string) (Principal, error) {
	return s.known(ctx, by, id, func(p *Principal) { p.Disabled, p.Reason = false, "" })
}

// Revoke ends the tokens and temporary credentials a principal holds, at once.
// Its keys stay: see DeleteKey.
func (s *Service) Revoke(ctx context.Context, by, id, reason string) (Principal, error) {
	return s.known(ctx, by, id, func(p *Principal) { p.Reason = reason })
}

// Remove takes a principal away with all it holds, keys included.
func (s *Service) Remove(ctx context.Context, by, id string) error {
	if _, err := s.known(ctx, by, id, func(p *Principal) { p.Removed = true }); err != nil {
		return err
	}
	for _, k := range s.Keys(id) {
		if err := s.DeleteKey(ctx, k.ID); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) known(ctx context.Context, by, id string, set func(*Principal)) (Principal, error) {
	if _, err := s.Principal(id); err != nil {
		return Principal{}, err
	}
	return s.change(ctx, by, id, set)
}

// change writes one principal with its next epoch.
func (s *Service) change(ctx context.Context, by, id string, set func(*Principal)) (Principal, error) {
	s.write.Lock()
	defer s.write.Unlock()
	return s.put(ctx, by, id, set)
}

// put is change for who holds the lock.
func (s *Service) put(ctx context.Context, by, id string, set func(*Principal)) (Principal, error) {
	s.mu.RLock()
	old, many := s.principals[id], len(s.principals)
	s.mu.RUnlock()
	now := s.c.Now()
	p := Principal{ID: id, Created: now}
	if old != nil {
		p = *old
	} else if many >= mostPrincipals {
		return p, fault.New(fault.Limited, "there are %d principals: no more can be made", many)
	}
	set(&p)
	p.Updated, p.By = now, by
	p.Epoch = max(p.Epoch+1, now.UnixMilli())
	if err := s.c.Store.PutPrincipal(ctx, &p); err != nil {
		return p, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.principals[id] = &p
	return p, nil
}

var errOut = fault.New(fault.Unauthenticated, "the principal is disabled, removed or revoked: ask an administrator, or log in anew")

// alive checks that what was given out in epoch still counts, and returns the
// record.
func (s *Service) alive(id string, epoch int64) (*Principal, error) {
	p := s.record(id)
	if p == nil || p.Disabled || p.Removed || p.Epoch != epoch {
		return nil, errOut
	}
	return p, nil
}

// admit makes c a caller of this moment: it is known or becomes so, source may
// speak for it, and it is not disabled.
func (s *Service) admit(ctx context.Context, c Caller, source string) (Caller, error) {
	p := s.record(c.Principal)
	if p == nil {
		var err error
		if p, err = s.register(ctx, c, source); err != nil {
			return c, err
		}
	}
	if p.Disabled || p.Removed {
		return c, errOut
	}
	if !slices.Contains(p.Sources, source) {
		return c, fault.New(fault.Denied, "%s is not known by %s: an administrator can add that source to the principal", p.ID, source)
	}
	return complete(c, p), nil
}

// register makes the record of somebody who is here for the first time.
func (s *Service) register(ctx context.Context, c Caller, source string) (*Principal, error) {
	s.write.Lock()
	defer s.write.Unlock()
	if p := s.record(c.Principal); p != nil {
		return p, nil // another call was quicker
	}
	p, err := s.put(ctx, source, c.Principal, func(p *Principal) { p.Sources = []string{source} })
	return &p, err
}

func (s *Service) record(id string) *Principal {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.principals[id]
}

// complete adds what the record says of a caller.
func complete(c Caller, p *Principal) Caller {
	c.epoch = p.Epoch
	for _, g := range p.Groups {
		if !slices.Contains(c.Groups, g) {
			c.Groups = append(c.Groups, g)
		}
	}
	if p.Tenant != "" {
		c.Tenant = p.Tenant
	}
	return c
}
