package identity

import (
	"context"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/fault"
)

// An API token reads rdt_<id>_<secret>: scanners for leaked secrets can find
// it, and the id names it without giving it away.
const tokenPrefix = "rdt_"

var errToken = fault.New(fault.Unauthenticated, "the API token is unknown or has ended: make a new one")

// MakeToken makes an API token of at most by's role and returns it with the
// whole secret. life 0 is DefaultToken, the most LongestToken.
func (i *Identity) MakeToken(ctx context.Context, by Principal, name string, role Role, life time.Duration) (Token, Secret, error) {
	if err := checkRole(role); err != nil {
		return Token{}, "", err
	}
	if !role.Within(by.Role) {
		return Token{}, "", fault.New(fault.Denied, "a token cannot do more than you: ask for role %s", by.Role)
	}
	if name = strings.TrimSpace(name); name == "" || len(name) > 100 {
		return Token{}, "", fault.New(fault.Invalid, "token name: say in 1 to 100 bytes what it is for")
	}
	if life == 0 {
		life = DefaultToken
	}
	if life < 0 || life > LongestToken {
		return Token{}, "", fault.New(fault.Invalid, "token lifetime: at most %d days", LongestToken/(24*time.Hour))
	}
	t, whole := i.newToken(by.User, name, role)
	t.Expires = t.Created.Add(life)
	err := i.store.Atomic(ctx, func(ctx context.Context) error {
		all, err := i.Tokens(ctx, by.User)
		if err != nil {
			return err
		}
		if len(all) >= mostTokens {
			return fault.New(fault.Limited, "you have %d tokens: delete some first", len(all))
		}
		return i.store.PutToken(ctx, &t)
	})
	if err != nil {
		return Token{}, "", err
	}
	return t, whole, nil
}

// SystemToken makes an administrator's token that belongs to no account and
// does not end, for scripts on the machine itself.
func (i *Identity) SystemToken(ctx context.Context, name string) (Token, Secret, error) {
	t, whole := i.newToken(System, name, Admin)
	return t, whole, i.store.PutToken(ctx, &t)
}

func (i *Identity) newToken(user, name string, role Role) (Token, Secret) {
	secret := newSecret()
	t := Token{ID: newID(), Hash: hash(secret), Name: name, User: user, Role: role, Created: i.now()}
	return t, Secret(tokenPrefix + t.ID + "_" + string(secret))
}

// Token says whose API token this is. Its role is the token's, or the
// account's where that has become less.
func (i *Identity) Token(ctx context.Context, whole Secret) (Principal, error) {
	rest, ok := strings.CutPrefix(string(whole), tokenPrefix)
	id, secret, ok2 := strings.Cut(rest, "_")
	if !ok || !ok2 || len(whole) > 200 {
		return Principal{}, errToken
	}
	t, err := i.store.Token(ctx, id)
	if fault.Is(err, fault.NotFound) {
		return Principal{}, errToken
	}
	if err != nil {
		return Principal{}, err
	}
	now := i.now()
	if !same(t.Hash, hash(Secret(secret))) || !t.Expires.IsZero() && !now.Before(t.Expires) {
		return Principal{}, errToken
	}
	role := t.Role
	if t.User != System {
		u, err := i.store.User(ctx, t.User)
		if fault.Is(err, fault.NotFound) {
			return Principal{}, errToken
		}
		if err != nil {
			return Principal{}, err
		}
		role = least(role, u.Role)
	}
	if now.Sub(t.Last) > noted {
		t.Last = now
		if err := i.store.PutToken(ctx, &t); err != nil {
			i.log.Warn("token use unnoted", "token", t.ID, "error", err)
		}
	}
	return Principal{User: t.User, Role: role, Token: t.ID, Expires: t.Expires}, nil
}

// Tokens lists user's tokens, newest first; everybody's for "".
func (i *Identity) Tokens(ctx context.Context, user string) ([]Token, error) {
	all, err := i.store.Tokens(ctx)
	if err != nil || user == "" {
		return all, err
	}
	var own []Token
	for _, t := range all {
		if t.User == user {
			own = append(own, t)
		}
	}
	return own, nil
}

// DeleteToken ends a token: one's own, or any for who may write users.
func (i *Identity) DeleteToken(ctx context.Context, by Principal, id string) (gone Token, err error) {
	err = i.store.Atomic(ctx, func(ctx context.Context) error {
		gone, err = i.store.Token(ctx, id)
		if err == nil && gone.User != by.User && !by.Role.May(WriteUser) {
			err = fault.New(fault.NotFound, "there is no token %.40q of yours", id)
		}
		if err != nil {
			return err
		}
		return i.store.DeleteToken(ctx, id)
	})
	return gone, err
}
