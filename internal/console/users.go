package console

import (
	"context"
	"slices"
	"time"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/identity"
)

func userOf(u identity.User) api.User {
	return api.User{Name: u.Name, Role: string(u.Role), Created: u.Created, Last: u.Last, Locked: u.Locked}
}

func (c *Console) users(ctx context.Context, s *Slice) (*out[api.Page[api.User]], error) {
	all, err := c.identity.Users(ctx)
	if err != nil {
		return nil, err
	}
	where := func(u identity.User) mark { return mark{u.Created, u.Name} }
	slices.SortFunc(all, func(a, b identity.User) int { return order(where(a), where(b)) })
	return cutAs(all, *s, where, userOf)
}

func (c *Console) user(ctx context.Context, r *ByName) (*out[api.User], error) {
	u, err := c.identity.User(ctx, r.Name)
	if err != nil {
		return nil, err
	}
	return answer(userOf(u)), nil
}

// accountText is how the audit trail shows an account.
type accountText struct {
	Role    identity.Role `json:"role"`
	Renewed bool          `json:"password_changed,omitempty"`
}

func (c *Console) putUser(ctx context.Context, r *byNameWith[api.UserRequest]) (*out[api.User], error) {
	var after identity.User
	err := c.store.Atomic(ctx, func(ctx context.Context) error {
		var old *identity.User
		var err error
		old, after, err = c.identity.PutUser(ctx, r.Name, identity.Role(r.Body.Role), r.Body.Password)
		if err != nil {
			return err
		}
		now := accountText{after.Role, r.Body.Password != ""}
		var before any
		if old != nil {
			before = accountText{Role: old.Role}
		}
		return c.note(ctx, "user.put", after.Name, before, now)
	})
	if err != nil {
		return nil, err
	}
	return answer(userOf(after)), nil
}

func (c *Console) deleteUser(ctx context.Context, r *ByName) (*struct{}, error) {
	err := c.store.Atomic(ctx, func(ctx context.Context) error {
		gone, err := c.identity.DeleteUser(ctx, r.Name)
		if err != nil {
			return err
		}
		return c.note(ctx, "user.delete", gone.Name, accountText{Role: gone.Role}, nil)
	})
	if err != nil {
		return nil, err
	}
	return &struct{}{}, nil
}

func tokenOf(t identity.Token) api.Token {
	return api.Token{ID: t.ID, Name: t.Name, User: t.User, Role: string(t.Role), Created: t.Created, Expires: t.Expires, Last: t.Last}
}

func (c *Console) tokens(ctx context.Context, s *Slice) (*out[api.Page[api.Token]], error) {
	who := requestOf(ctx).actor
	owner := who.User
	if who.Role.May(identity.WriteUser) {
		owner = ""
	}
	all, err := c.identity.Tokens(ctx, owner)
	if err != nil {
		return nil, err
	}
	where := func(t identity.Token) mark { return mark{t.Created, t.ID} }
	slices.SortFunc(all, func(a, b identity.Token) int { return order(where(a), where(b)) })
	return cutAs(all, *s, where, tokenOf)
}

func (c *Console) makeToken(ctx context.Context, r *in[api.TokenRequest]) (*out[api.NewToken], error) {
	var made api.NewToken
	err := c.store.Atomic(ctx, func(ctx context.Context) error {
		life := time.Duration(r.Body.Days) * 24 * time.Hour
		t, secret, err := c.identity.MakeToken(ctx, requestOf(ctx).actor.Principal, r.Body.Name, identity.Role(r.Body.Role), life)
		if err != nil {
			return err
		}
		made = api.NewToken{Token: tokenOf(t), Secret: secret.Reveal()}
		return c.note(ctx, "token.make", t.ID, nil, made.Token)
	})
	if err != nil {
		return nil, err
	}
	return answer(made), nil
}

func (c *Console) deleteToken(ctx context.Context, r *ByID) (*struct{}, error) {
	err := c.store.Atomic(ctx, func(ctx context.Context) error {
		gone, err := c.identity.DeleteToken(ctx, requestOf(ctx).actor.Principal, r.ID)
		if err != nil {
			return err
		}
		return c.note(ctx, "token.delete", gone.ID, tokenOf(gone), nil)
	})
	if err != nil {
		return nil, err
	}
	return &struct{}{}, nil
}
