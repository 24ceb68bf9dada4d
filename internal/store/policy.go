package store

import (
	"context"
	"fmt"

	"redoubt.dev/redoubt/internal/redoubt"
)

// PutPolicy writes the next revision of p.Name and fills it in.
func (s *Store) PutPolicy(ctx context.Context, p *redoubt.PolicySource) error {
	var revision int64
	err := s.change(ctx, func(t *tx) error {
		err := t.one(`INSERT INTO policies (name, revision, author, time, deleted, source)
			VALUES (?1, (SELECT coalesce(max(revision), 0) + 1 FROM policies WHERE name = ?1), ?2, ?3, 0, ?4) RETURNING revision`,
			[]any{p.Name, p.Author, nanos(p.Time), p.Source}, &revision)
		if err != nil {
			return fmt.Errorf("write policy %q: %w", p.Name, err)
		}
		return nil
	})
	if err == nil {
		p.Revision = revision
	}
	return err
}

// DeletePolicy ends a policy; its history stays and a deletion counts as a
// revision.
func (s *Store) DeletePolicy(ctx context.Context, name string) error {
	return s.remove(ctx, "policy", name, `INSERT INTO policies (name, revision, author, time, deleted, source)
		SELECT name, revision + 1, '', ?, 1, '' FROM policies p WHERE name = ? AND deleted = 0
			AND revision = (SELECT max(revision) FROM policies WHERE name = p.name)`, nanos(s.now()), name)
}

const policyColumns = "name, revision, author, time, source"

// Policies returns the latest of each that is not deleted, by name.
func (s *Store) Policies(ctx context.Context) ([]redoubt.PolicySource, error) {
	return s.policies(ctx, "SELECT "+policyColumns+` FROM policies p WHERE deleted = 0
		AND revision = (SELECT max(revision) FROM policies WHERE name = p.name) ORDER BY name`)
}

// PolicyHistory returns every revision of name that has a text, newest first.
func (s *Store) PolicyHistory(ctx context.Context, name string) ([]redoubt.PolicySource, error) {
	return s.policies(ctx, "SELECT "+policyColumns+" FROM policies WHERE name = ? AND deleted = 0 ORDER BY revision DESC", name)
}

func (s *Store) policies(ctx context.Context, query string, args ...any) (list []redoubt.PolicySource, err error) {
	err = each(s.rows(ctx), query, args, func(scan func(...any) error) error {
		var p redoubt.PolicySource
		var at int64
		if err := scan(&p.Name, &p.Revision, &p.Author, &at, &p.Source); err != nil {
			return err
		}
		p.Time = fromNanos(at)
		list = append(list, p)
		return nil
	})
	if err != nil {
		return nil, s.explain(fmt.Errorf("read policies: %w", err))
	}
	return list, nil
}
