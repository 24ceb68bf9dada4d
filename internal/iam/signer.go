package iam

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"redoubt.dev/redoubt/internal/fault"
)

// signer is a signing key that is ready for use.
type signer struct {
	Signer
	private ed25519.PrivateKey
}

func sealedSigner(id string) string { return "signer " + id }

func (s *Service) readSigners(ctx context.Context) ([]*signer, error) {
	all, err := s.c.Store.Signers(ctx)
	if err != nil {
		return nil, err
	}
	var out []*signer
	for _, k := range all {
		seed, err := s.c.Sealer.open(sealedSigner(k.ID), k.Sealed)
		if err != nil || len(seed) != ed25519.SeedSize {
			return nil, fault.New(fault.Invalid, "signing key %s does not open with this key file: restore the file, or delete the signing keys", k.ID)
		}
		out = append(out, &signer{k, ed25519.NewKeyFromSeed(seed)})
	}
	slices.SortFunc(out, func(a, b *signer) int { return b.Created.Compare(a.Created) })
	return out, nil
}

// Rotate makes a new signing key. What the ones before signed stays good until
// it ends.
func (s *Service) Rotate(ctx context.Context) error {
	s.write.Lock()
	defer s.write.Unlock()
	return s.rotate(ctx)
}

func (s *Service) rotate(ctx context.Context) error {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	now := s.c.Now()
	next := &signer{Signer{ID: random(10), Public: public, Created: now}, private}
	next.Sealed = s.c.Sealer.seal(sealedSigner(next.ID), private.Seed())
	if err := s.c.Store.PutSigner(ctx, &next.Signer); err != nil {
		return err
	}
	list := []*signer{next}
	for _, old := range s.signerList() {
		if old.Retired.IsZero() {
			old = &signer{old.Signer, old.private}
			old.Retired = now
			if err := s.c.Store.PutSigner(ctx, &old.Signer); err != nil {
				return err
			}
		}
		list = append(list, old)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signers = list
	return nil
}

func (s *Service) signerList() []*signer {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.signers
}

// Tidy replaces a signing key that is old and forgets those whose tokens have
// all ended. Call it now and then.
func (s *Service) Tidy(ctx context.Context) error {
	s.write.Lock()
	defer s.write.Unlock()
	now := s.c.Now()
	if all := s.signerList(); len(all) == 0 || now.Sub(all[0].Created) > RotateAfter {
		if err := s.rotate(ctx); err != nil {
			return err
		}
	}
	var kept []*signer
	for _, k := range s.signerList() {
		if k.Retired.IsZero() || now.Sub(k.Retired) <= longestWorkload+Skew {
			kept = append(kept, k)
		} else if err := s.c.Store.DeleteSigner(ctx, k.ID); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signers = kept
	return nil
}

// signerOf returns the public key of that id. Only keys of this service can be
// named: what a token says of its key beyond that is not looked at.
func (s *Service) signerOf(kid string) (ed25519.PublicKey, bool) {
	for _, k := range s.signerList() {
		if k.ID == kid {
			return ed25519.PublicKey(k.Public), true
		}
	}
	return nil, false
}

// JWKS are the public keys with which others can check tokens. They cannot see
// revocations.
func (s *Service) JWKS() jose.JSONWebKeySet {
	var set jose.JSONWebKeySet
	for _, k := range s.signerList() {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: ed25519.PublicKey(k.Public), KeyID: k.ID, Algorithm: string(jose.EdDSA), Use: "sig"})
	}
	return set
}

// sign makes a JWT of type typ with the current key.
func (s *Service) sign(typ string, claims any) (string, error) {
	all := s.signerList()
	if len(all) == 0 {
		return "", fmt.Errorf("sign token: there is no signing key")
	}
	options := (&jose.SignerOptions{}).WithType(jose.ContentType(typ)).WithHeader("kid", all[0].ID)
	return signWith(all[0].private, options, claims)
}

// ends says until when something of that life, made at now, is good.
func ends(now time.Time, life, most time.Duration) (time.Time, error) {
	if life == 0 {
		life = most
	}
	if life < time.Second || life > most {
		return time.Time{}, fault.New(fault.Invalid, "lifetime %s: give 1s to %s", life, most)
	}
	return now.Add(life), nil
}
