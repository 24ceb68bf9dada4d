package iam

import (
	"context"
	"crypto/subtle"
	"maps"
	"slices"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/fault"
)

// An API key reads rdk_<id>_<secret>: scanners for leaked secrets can find it,
// and the id names it without giving it away.
const keyPrefix = "rdk_"

// Prefixes of access key ids, each 20 characters long as AWS's are.
const (
	longPrefix  = "RDKA" // kept until deleted
	shortPrefix = "RDKS" // temporary, with a session token
)

var errKey = fault.New(fault.Unauthenticated, "the key is unknown, disabled or has ended: make a new one")

// NewKey says what key is wanted.
type NewKey struct {
	Kind      KeyKind
	Principal string // empty is a principal of its own, key/ID
	Name      string // what it is for
	Life      time.Duration
	Groups    []string // of a principal of its own
}

// MakeKey makes a key and returns it with its secret, which nobody can see
// again: for an API key the whole text to send, for an access key the secret
// that belongs to its ID. Life 0 is no end.
func (s *Service) MakeKey(ctx context.Context, by string, n NewKey) (Key, Secret, error) {
	k := Key{Kind: n.Kind, Principal: n.Principal, Name: strings.TrimSpace(n.Name), By: by, Created: s.c.Now()}
	if k.Name == "" || len(k.Name) > 100 {
		return k, "", fault.New(fault.Invalid, "key name: say in 1 to 100 bytes what it is for")
	}
	if n.Life < 0 {
		return k, "", fault.New(fault.Invalid, "key lifetime %s: give a positive one, or none", n.Life)
	}
	if n.Life > 0 {
		k.Expires = k.Created.Add(n.Life)
	}
	var secret, whole string
	switch n.Kind {
	case APIKey:
		k.ID, secret = strings.ToLower(random(10)), strings.ToLower(random(32))
		whole = keyPrefix + k.ID + "_" + secret
		k.Hash = hash(secret)
	case AccessKey:
		k.ID, whole = longPrefix+random(10), random(30)
		k.Sealed = s.c.Sealer.seal(sealedKey(k.ID), []byte(whole))
	default:
		return k, "", fault.New(fault.Invalid, "key kind %.40q: use %s or %s", n.Kind, APIKey, AccessKey)
	}
	if err := s.ownerOf(ctx, by, &k, n.Groups); err != nil {
		return k, "", err
	}
	return k, Secret(whole), s.putKey(ctx, &k)
}

func sealedKey(id string) string { return "access key " + id }

// ownerOf finds the principal a new key speaks for, or makes the key's own.
func (s *Service) ownerOf(ctx context.Context, by string, k *Key, groups []string) error {
	if k.Principal != "" {
		if len(groups) > 0 {
			return fault.New(fault.Invalid, "groups belong to %s, not to its key: leave them out", k.Principal)
		}
		_, err := s.Principal(k.Principal)
		return err
	}
	k.Principal = "key/" + k.ID
	_, err := s.Put(ctx, by, Principal{ID: k.Principal, Groups: groups})
	return err
}

func (s *Service) putKey(ctx context.Context, k *Key) error {
	s.write.Lock()
	defer s.write.Unlock()
	s.mu.RLock()
	many, old := len(s.keys), s.keys[k.ID]
	s.mu.RUnlock()
	if old == nil && many >= mostKeys {
		return fault.New(fault.Limited, "there are %d keys: delete some first", many)
	}
	if err := s.c.Store.PutKey(ctx, k); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[k.ID] = k
	return nil
}

// Keys lists the keys of a principal, all for "", newest first.
func (s *Service) Keys(principal string) []Key {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []Key
	for _, id := range slices.Sorted(maps.Keys(s.keys)) {
		if k := s.keys[id]; principal == "" || k.Principal == principal {
			out = append(out, *k)
		}
	}
	slices.SortStableFunc(out, func(a, b Key) int { return b.Created.Compare(a.Created) })
	return out
}

// SwitchKey disables a key, or enables it again.
func (s *Service) SwitchKey(ctx context.Context, id string, disabled bool) error {
	k, ok := s.key(id)
	if !ok {
		return fault.New(fault.NotFound, "there is no key %.60q", id)
	}
	k.Disabled = disabled
	return s.putKey(ctx, &k)
}

// DeleteKey ends a key, and tokens made with it, at once.
func (s *Service) DeleteKey(ctx context.Context, id string) error {
	s.write.Lock()
	defer s.write.Unlock()
	if _, ok := s.key(id); !ok {
		return fault.New(fault.NotFound, "there is no key %.60q", id)
	}
	if err := s.c.Store.DeleteKey(ctx, id); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.keys, id)
	return nil
}

func (s *Service) key(id string) (Key, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if k := s.keys[id]; k != nil {
		return *k, true
	}
	return Key{}, false
}

func (k *Key) good(now time.Time) bool {
	return !k.Disabled && (k.Expires.IsZero() || now.Before(k.Expires))
}

// keyAlive checks that the key a token was made with is still good.
func (s *Service) keyAlive(id string) error {
	if id == "" {
		return nil
	}
	if k, ok := s.key(id); !ok || !k.good(s.c.Now()) {
		return errKey
	}
	return nil
}

// Key says whose API key this is.
func (s *Service) Key(ctx context.Context, text Secret) (Caller, error) {
	rest, ok := strings.CutPrefix(string(text), keyPrefix)
	id, secret, ok2 := strings.Cut(rest, "_")
	if !ok || !ok2 || len(text) > 200 {
		return Caller{}, errKey
	}
	k, ok := s.key(id)
	if subtle.ConstantTimeCompare(hash(secret), k.Hash) != 1 || !ok || k.Kind != APIKey || !k.good(s.c.Now()) {
		return Caller{}, errKey
	}
	return s.holder(ctx, &k, ByKey)
}

// holder is the caller who holds k, and notes its use.
func (s *Service) holder(ctx context.Context, k *Key, m Method) (Caller, error) {
	p := s.record(k.Principal)
	if p == nil || p.Disabled || p.Removed {
		return Caller{}, errOut
	}
	if now := s.c.Now(); now.Sub(k.Last) > noted {
		k.Last = now
		if err := s.putKey(ctx, k); err != nil {
			s.c.Log.WarnContext(ctx, "key use unnoted", "key", k.ID, "error", err)
		}
	}
	return complete(Caller{Principal: k.Principal, Method: m, Key: k.ID, Expires: k.Expires}, p), nil
}
