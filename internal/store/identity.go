package store

import (
	"context"
	"fmt"
	"time"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/identity"
)

// PutUser inserts or replaces an account.
func (s *Store) PutUser(ctx context.Context, u *identity.User) error {
	return s.change(ctx, func(t *tx) error {
		return t.exec(`INSERT INTO users (name, role, password, created, last) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET role = excluded.role, password = excluded.password, last = excluded.last`,
			u.Name, string(u.Role), u.Password, nanos(u.Created), nanos(u.Last))
	})
}

const userColumns = "name, role, password, created, last"

func scanUser(scan func(...any) error) (u identity.User, err error) {
	var created, last int64
	err = scan(&u.Name, &u.Role, &u.Password, &created, &last)
	u.Created, u.Last = fromNanos(created), fromNanos(last)
	return u, err
}

// User returns one account.
func (s *Store) User(ctx context.Context, name string) (identity.User, error) {
	u, err := scanUser(func(dest ...any) error {
		return s.rows(ctx).one("SELECT "+userColumns+" FROM users WHERE name = ?", []any{name}, dest...)
	})
	return u, s.missing(err, "user", clip(name, 80))
}

// Users returns all accounts, by name.
func (s *Store) Users(ctx context.Context) ([]identity.User, error) {
	return scanned(s, ctx, scanUser, "users", "SELECT "+userColumns+" FROM users ORDER BY name")
}

// DeleteUser removes the account with its sessions and tokens.
func (s *Store) DeleteUser(ctx context.Context, name string) error {
	return s.Atomic(ctx, func(ctx context.Context) error {
		if err := s.remove(ctx, "user", clip(name, 80), "DELETE FROM users WHERE name = ?", name); err != nil {
			return err
		}
		return s.change(ctx, func(t *tx) error {
			if err := t.exec("DELETE FROM sessions WHERE user = ?", name); err != nil {
				return fmt.Errorf("delete sessions: %w", err)
			}
			return t.exec("DELETE FROM tokens WHERE user = ?", name)
		})
	})
}

// PutSession adds a session, or notes its latest use.
func (s *Store) PutSession(ctx context.Context, se *identity.Session) error {
	return s.change(ctx, func(t *tx) error {
		return t.exec("INSERT INTO sessions (hash, user, created, used) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET used = excluded.used",
			se.Hash, se.User, nanos(se.Created), nanos(se.Used))
	})
}

// Session returns the session with that hash.
func (s *Store) Session(ctx context.Context, hash []byte) (identity.Session, error) {
	se := identity.Session{Hash: hash}
	var created, used int64
	err := s.rows(ctx).one("SELECT user, created, used FROM sessions WHERE hash = ?", []any{hash}, &se.User, &created, &used)
	se.Created, se.Used = fromNanos(created), fromNanos(used)
	return se, s.missing(err, "session", "")
}

// DeleteSession ends a session; none is no error.
func (s *Store) DeleteSession(ctx context.Context, hash []byte) error {
	return s.change(ctx, func(t *tx) error { return t.exec("DELETE FROM sessions WHERE hash = ?", hash) })
}

// TrimSessions drops all but the keep sessions of user used last.
func (s *Store) TrimSessions(ctx context.Context, user string, keep int) error {
	return s.change(ctx, func(t *tx) error {
		return t.exec(`DELETE FROM sessions WHERE hash IN
			(SELECT hash FROM sessions WHERE user = ? ORDER BY used DESC, created DESC LIMIT -1 OFFSET ?)`, user, keep)
	})
}

// PutToken adds a token, or notes its latest use.
func (s *Store) PutToken(ctx context.Context, k *identity.Token) error {
	return s.change(ctx, func(t *tx) error {
		return t.exec(`INSERT INTO tokens (id, hash, name, user, role, created, expires, last) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET last = excluded.last`,
			k.ID, k.Hash, k.Name, k.User, string(k.Role), nanos(k.Created), nanos(k.Expires), nanos(k.Last))
	})
}

const tokenColumns = "id, hash, name, user, role, created, expires, last"

func scanToken(scan func(...any) error) (k identity.Token, err error) {
	var created, expires, last int64
	err = scan(&k.ID, &k.Hash, &k.Name, &k.User, &k.Role, &created, &expires, &last)
	k.Created, k.Expires, k.Last = fromNanos(created), fromNanos(expires), fromNanos(last)
	return k, err
}

// Token returns one token.
func (s *Store) Token(ctx context.Context, id string) (identity.Token, error) {
	k, err := scanToken(func(dest ...any) error {
		return s.rows(ctx).one("SELECT "+tokenColumns+" FROM tokens WHERE id = ?", []any{id}, dest...)
	})
	return k, s.missing(err, "token", clip(id, 40))
}

// Tokens returns all tokens, newest first.
func (s *Store) Tokens(ctx context.Context) ([]identity.Token, error) {
	return scanned(s, ctx, scanToken, "tokens", "SELECT "+tokenColumns+" FROM tokens ORDER BY created DESC, id")
}

// DeleteToken ends a token.
func (s *Store) DeleteToken(ctx context.Context, id string) error {
	return s.remove(ctx, "token", clip(id, 40), "DELETE FROM tokens WHERE id = ?", id)
}

// PutOnce adds a secret that works once.
func (s *Store) PutOnce(ctx context.Context, o *identity.Once) error {
	return s.change(ctx, func(t *tx) error {
		return t.exec("INSERT INTO once (hash, purpose, by, created, expires, used) VALUES (?, ?, ?, ?, ?, 0)",
			o.Hash, string(o.Purpose), o.By, nanos(o.Created), nanos(o.Expires))
	})
}

// UseOnce marks it used; fault.NotFound where it cannot be used. Of many
// callers at once exactly one succeeds.
func (s *Store) UseOnce(ctx context.Context, purpose identity.Purpose, hash []byte, now time.Time) error {
	return s.change(ctx, func(t *tx) error {
		n, err := t.touch("UPDATE once SET used = max(?, 1) WHERE hash = ? AND purpose = ? AND used = 0 AND expires > ?",
			nanos(now), hash, string(purpose), nanos(now))
		if err != nil {
			return fmt.Errorf("use %s token: %w", purpose, err)
		}
		if n == 0 {
			return fault.New(fault.NotFound, "there is no such %s token", purpose)
		}
		return nil
	})
}

// DropOnce removes all unused secrets of that purpose.
func (s *Store) DropOnce(ctx context.Context, purpose identity.Purpose) error {
	return s.change(ctx, func(t *tx) error {
		return t.exec("DELETE FROM once WHERE purpose = ? AND used = 0", string(purpose))
	})
}

// Expire removes sessions created before started or last used before used, and
// tokens and one-time secrets that ended before ended.
func (s *Store) Expire(ctx context.Context, started, used, ended time.Time) error {
	return s.change(ctx, func(t *tx) error {
		if err := t.exec("DELETE FROM sessions WHERE created < ? OR used < ?", nanos(started), nanos(used)); err != nil {
			return fmt.Errorf("expire sessions: %w", err)
		}
		if err := t.exec("DELETE FROM tokens WHERE expires BETWEEN 1 AND ?", nanos(ended)); err != nil {
			return fmt.Errorf("expire tokens: %w", err)
		}
		return t.exec("DELETE FROM once WHERE expires < ?", nanos(ended))
	})
}

// scanned reads a table small enough to hold.
func scanned[T any](s *Store, ctx context.Context, read func(scan func(...any) error) (T, error), what, query string, args ...any) (list []T, err error) {
	err = each(s.rows(ctx), query, args, func(scan func(...any) error) error {
		v, err := read(scan)
		list = append(list, v)
		return err
	})
	if err != nil {
		return nil, s.explain(fmt.Errorf("read %s: %w", what, err))
	}
	return list, nil
}
