package store

import (
	"context"
	"encoding/json"
	"fmt"

	"redoubt.dev/redoubt/internal/access"
	"redoubt.dev/redoubt/internal/fault"
)

// PutDocument adds an access policy or its next revision; fault.Conflict
// unless d.Revision is one above the latest, deleted ones counted.
func (s *Store) PutDocument(ctx context.Context, d *access.Document) error {
	doc, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("encode access policy: %w", err)
	}
	return s.change(ctx, func(t *tx) error {
		var latest int64
		if err := t.one("SELECT coalesce(max(revision), 0) FROM access_policies WHERE name = ?", []any{d.Name}, &latest); err != nil {
			return fmt.Errorf("read access policy %q: %w", d.Name, err)
		}
		if d.Revision != latest+1 {
			return fault.New(fault.Conflict, "access policy %q has revision %d, so the next is not %d: look at it again", d.Name, latest, d.Revision)
		}
		if err := t.exec("INSERT INTO access_policies (name, revision, author, time, deleted, doc) VALUES (?, ?, ?, ?, 0, ?)",
			d.Name, d.Revision, d.By, nanos(d.Updated), doc); err != nil {
			return fmt.Errorf("write access policy %q: %w", d.Name, err)
		}
		return nil
	})
}

// Documents returns the latest of each access policy that is not deleted, by
// name.
func (s *Store) Documents(ctx context.Context) ([]access.Document, error) {
	return documents[access.Document](s, ctx, "access policies", `SELECT doc FROM access_policies p WHERE deleted = 0
		AND revision = (SELECT max(revision) FROM access_policies WHERE name = p.name) ORDER BY name`)
}

// Revisions returns every revision of an access policy, newest first, deleted
// ones too.
func (s *Store) Revisions(ctx context.Context, name string) ([]access.Document, error) {
	return documents[access.Document](s, ctx, "access policies", "SELECT doc FROM access_policies WHERE name = ? ORDER BY revision DESC", name)
}

// DeleteDocument ends an access policy; its revisions stay.
func (s *Store) DeleteDocument(ctx context.Context, name string) error {
	return s.remove(ctx, "access policy", clip(name, 80), `UPDATE access_policies SET deleted = 1 WHERE name = ?1 AND deleted = 0
		AND revision = (SELECT max(revision) FROM access_policies WHERE name = ?1)`, name)
}
