package console

import (
	"context"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/identity"
)

func (c *Console) setup(ctx context.Context, _ *struct{}) (*out[api.Setup], error) {
	needed, err := c.identity.SetupNeeded(ctx)
	if err != nil {
		return nil, err
	}
	return answer(api.Setup{Needed: needed}), nil
}

func (c *Console) doSetup(ctx context.Context, r *in[api.SetupRequest]) (*sessionOut, error) {
	from := requestOf(ctx).from
	return c.open(ctx, "setup", r.Body.Name, func(ctx context.Context) (identity.Secret, identity.Principal, error) {
		return c.identity.Setup(ctx, identity.Secret(r.Body.Token), r.Body.Name, r.Body.Password, from)
	})
}

func (c *Console) login(ctx context.Context, r *in[api.LoginRequest]) (*sessionOut, error) {
	from := requestOf(ctx).from
	return c.open(ctx, "login", r.Body.Name, func(ctx context.Context) (identity.Secret, identity.Principal, error) {
		return c.identity.Login(ctx, r.Body.Name, r.Body.Password, from)
	})
}

// open begins a session and leaves a line in the trail whether it worked or
// not. Passwords are hashed here, which takes long on purpose, so no
// transaction is held meanwhile.
func (c *Console) open(ctx context.Context, action, name string, begin func(context.Context) (identity.Secret, identity.Principal, error)) (*sessionOut, error) {
	info := requestOf(ctx)
	if err := c.logins.take(info.from, c.clock()); err != nil {
		c.metrics.logins.WithLabelValues("limited").Inc()
		return nil, err
	}
	secret, who, err := begin(ctx)
	if err != nil {
		c.metrics.logins.WithLabelValues("failed").Inc()
		if fault.Is(err, fault.Unauthenticated) {
			c.noteFailed(ctx, "session."+action, clip(name, 64))
		}
		return nil, err
	}
	c.metrics.logins.WithLabelValues("done").Inc()
	info.actor = actor{Principal: who, cookie: secret}
	if err := c.note(ctx, "session."+action, who.User, nil, nil); err != nil {
		return nil, err
	}
	o := &sessionOut{SetCookie: sessionCookie(secret, who.Expires)}
	o.Body = sessionOf(who)
	return o, nil
}

func sessionOf(who identity.Principal) api.Session {
	return api.Session{User: who.User, Role: string(who.Role), CSRF: who.CSRF, Expires: who.Expires}
}

func (c *Console) whoami(ctx context.Context, _ *struct{}) (*out[api.Session], error) {
	return answer(sessionOf(requestOf(ctx).actor.Principal)), nil
}

// logout ends the session the cookie names. A token can't log out: it is
// revoked instead.
func (c *Console) logout(ctx context.Context, _ *struct{}) (*cookieOut, error) {
	who := requestOf(ctx).actor
	if who.cookie == "" {
		return nil, fault.New(fault.Invalid, "a token has no session to end; revoke it with DELETE %s/tokens/%s", apiPath, who.Token)
	}
	err := c.store.Atomic(ctx, func(ctx context.Context) error {
		if err := c.identity.Logout(ctx, who.cookie); err != nil {
			return err
		}
		return c.note(ctx, "session.logout", who.User, nil, nil)
	})
	if err != nil {
		return nil, err
	}
	return &cookieOut{SetCookie: sessionCookie("", c.clock())}, nil
}

// changePassword asks for the current password even of who has a session: a
// browser left open is not enough to take an account over.
func (c *Console) changePassword(ctx context.Context, r *in[api.PasswordRequest]) (*struct{}, error) {
	info := requestOf(ctx)
	who := info.actor
	if who.User == identity.System {
		return nil, fault.New(fault.Invalid, "this token is nobody's own and has no password")
	}
	if err := c.logins.take(info.from, c.clock()); err != nil {
		return nil, err
	}
	err := c.identity.Renew(ctx, identity.Renewal{
		User: who.User, Current: r.Body.Current, Next: r.Body.Password, From: info.from, Session: who.cookie,
	}, func(ctx context.Context) error {
		return c.note(ctx, "session.password", who.User, nil, renewedText{true})
	})
	if fault.Is(err, fault.Unauthenticated) {
		c.noteFailed(ctx, "session.password", who.User)
		return nil, fault.New(fault.Invalid, "current: this is not your current password")
	}
	if err != nil {
		return nil, err
	}
	return &struct{}{}, nil
}

// renewedText is how the audit trail shows a person's new password.
type renewedText struct {
	Renewed bool `json:"password_changed"`
}
