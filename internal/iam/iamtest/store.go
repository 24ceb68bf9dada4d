// Package iamtest helps to test what needs package iam: a Store in memory.
package iamtest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"redoubt.dev/redoubt/internal/iam"
)

// Store keeps everything in memory; Fail makes every write end with an error.
type Store struct {
	mu         sync.Mutex
	fail       bool
	principals map[string]iam.Principal
	keys       map[string]iam.Key
	signers    map[string]iam.Signer
}

var _ iam.Store = (*Store)(nil)

// New makes an empty Store.
func New() *Store {
	return &Store{principals: map[string]iam.Principal{}, keys: map[string]iam.Key{}, signers: map[string]iam.Signer{}}
}

// Fail says whether writes fail from now on.
func (s *Store) Fail(yes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = yes
}

func (s *Store) write(do func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail {
		return errors.New("the disk is full")
	}
	do()
	return nil
}

func list[T any](s *Store, m map[string]T) ([]T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(m)), nil
}

// PutPrincipal inserts or replaces.
func (s *Store) PutPrincipal(_ context.Context, p *iam.Principal) error {
	return s.write(func() { s.principals[p.ID] = *p })
}

// Principals lists them.
func (s *Store) Principals(context.Context) ([]iam.Principal, error) { return list(s, s.principals) }

// PutKey inserts or replaces.
func (s *Store) PutKey(_ context.Context, k *iam.Key) error {
	return s.write(func() { s.keys[k.ID] = *k })
}

// Keys lists them.
func (s *Store) Keys(context.Context) ([]iam.Key, error) { return list(s, s.keys) }

// DeleteKey removes one.
func (s *Store) DeleteKey(_ context.Context, id string) error {
	return s.write(func() { delete(s.keys, id) })
}

// PutSigner inserts or replaces.
func (s *Store) PutSigner(_ context.Context, k *iam.Signer) error {
	return s.write(func() { s.signers[k.ID] = *k })
}

// Signers lists them.
func (s *Store) Signers(context.Context) ([]iam.Signer, error) { return list(s, s.signers) }

// DeleteSigner removes one.
func (s *Store) DeleteSigner(_ context.Context, id string) error {
	return s.write(func() { delete(s.signers, id) })
}
