package store

import (
	"context"
	"encoding/json"
	"fmt"

	"redoubt.dev/redoubt/internal/iam"
)

// PutPrincipal inserts or replaces by ID.
func (s *Store) PutPrincipal(ctx context.Context, p *iam.Principal) error {
	doc, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode principal: %w", err)
	}
	return s.change(ctx, func(t *tx) error {
		return t.exec("INSERT INTO principals (id, doc) VALUES (?, ?) ON CONFLICT DO UPDATE SET doc = excluded.doc", p.ID, doc)
	})
}

// Principals returns all, removed ones too, by ID.
func (s *Store) Principals(ctx context.Context) ([]iam.Principal, error) {
	return documents[iam.Principal](s, ctx, "principals", "SELECT doc FROM principals ORDER BY id")
}

// PutKey inserts or replaces by ID.
func (s *Store) PutKey(ctx context.Context, k *iam.Key) error {
	doc, err := json.Marshal(k)
	if err != nil {
		return fmt.Errorf("encode key: %w", err)
	}
	return s.change(ctx, func(t *tx) error {
		return t.exec(`INSERT INTO access_keys (id, hash, sealed, doc) VALUES (?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET hash = excluded.hash, sealed = excluded.sealed, doc = excluded.doc`, k.ID, nonNil(k.Hash), nonNil(k.Sealed), doc)
	})
}

// Keys returns all, by ID.
func (s *Store) Keys(ctx context.Context) ([]iam.Key, error) {
	return scanned(s, ctx, func(scan func(...any) error) (k iam.Key, err error) {
		var hash, sealed, doc []byte
		if err := scan(&hash, &sealed, &doc); err != nil {
			return k, err
		}
		k, err = readDoc[iam.Key](doc)
		k.Hash, k.Sealed = orNil(hash), orNil(sealed)
		return k, err
	}, "keys", "SELECT hash, sealed, doc FROM access_keys ORDER BY id")
}

func orNil(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

// DeleteKey removes a key; none is no error.
func (s *Store) DeleteKey(ctx context.Context, id string) error {
	return s.change(ctx, func(t *tx) error { return t.exec("DELETE FROM access_keys WHERE id = ?", id) })
}

// PutSigner inserts or replaces by ID.
func (s *Store) PutSigner(ctx context.Context, k *iam.Signer) error {
	return s.change(ctx, func(t *tx) error {
		return t.exec(`INSERT INTO signers (id, public, sealed, created, retired) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET public = excluded.public, sealed = excluded.sealed, created = excluded.created, retired = excluded.retired`,
			k.ID, nonNil(k.Public), nonNil(k.Sealed), nanos(k.Created), nanos(k.Retired))
	})
}

// Signers returns all, by ID.
func (s *Store) Signers(ctx context.Context) ([]iam.Signer, error) {
	return scanned(s, ctx, func(scan func(...any) error) (k iam.Signer, err error) {
		var created, retired int64
		err = scan(&k.ID, &k.Public, &k.Sealed, &created, &retired)
		k.Public, k.Sealed = orNil(k.Public), orNil(k.Sealed)
		k.Created, k.Retired = fromNanos(created), fromNanos(retired)
		return k, err
	}, "signers", "SELECT id, public, sealed, created, retired FROM signers ORDER BY id")
}

// DeleteSigner removes a signer; none is no error.
func (s *Store) DeleteSigner(ctx context.Context, id string) error {
	return s.change(ctx, func(t *tx) error { return t.exec("DELETE FROM signers WHERE id = ?", id) })
}
