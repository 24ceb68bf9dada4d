package console

import (
	"context"
	"slices"
	"time"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/audit"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/iam"
)

// recorded writes the line of a change that cannot join a transaction before
// it is made: what cannot be recorded is not done. One that fails then gets a
// second line that says so.
func (c *Console) recorded(ctx context.Context, action, object string, before, after any, do func() error) error {
	if err := c.note(ctx, action, object, before, after); err != nil {
		return err
	}
	err := do()
	if err != nil {
		if again := c.noteAs(ctx, audit.Failed, action, object, before, after); again != nil {
			c.log.Error("audit failed", "action", action, "object", object, "error", again)
		}
	}
	return err
}

// principalText is how the audit trail shows a principal.
type principalText struct {
	Groups   []string `json:"groups,omitempty"`
	Tenant   string   `json:"tenant,omitempty"`
	Sources  []string `json:"sources,omitempty"`
	Disabled bool     `json:"disabled,omitempty"`
	Reason   string   `json:"reason,omitempty"`
}

func principalTextOf(p iam.Principal) principalText {
	return principalText{p.Groups, p.Tenant, p.Sources, p.Disabled, p.Reason}
}

func (c *Console) principalOf(p iam.Principal) api.Principal {
	keys := c.serverless.Principals.Keys(p.ID)
	shown := api.Principal{Principal: p, Keys: len(keys)}
	for _, k := range keys {
		if k.Last.After(shown.Last) {
			shown.Last = k.Last
		}
	}
	return shown
}

func (c *Console) principals(_ context.Context, s *Slice) (*out[api.Page[api.Principal]], error) {
	return cutAs(c.serverless.Principals.Principals(), *s, func(p iam.Principal) mark { return mark{key: p.ID} }, c.principalOf)
}

func (c *Console) principal(_ context.Context, r *ByPrincipal) (*out[api.Principal], error) {
	p, err := c.serverless.Principals.Principal(r.ID)
	if err != nil {
		return nil, err
	}
	return answer(c.principalOf(p)), nil
}

func (c *Console) putPrincipal(ctx context.Context, r *byPrincipalWith[api.PrincipalRequest]) (*out[api.Principal], error) {
	if _, _, err := iam.Split(r.ID); err != nil {
		return nil, err
	}
	want := iam.Principal{ID: r.ID, Groups: r.Body.Groups, Tenant: r.Body.Tenant, Sources: r.Body.Sources}
	var before any
	if old, err := c.serverless.Principals.Principal(r.ID); err == nil {
		before = principalTextOf(old)
	}
	err := c.recorded(ctx, "principal.put", r.ID, before, principalTextOf(want), func() (err error) {
		want, err = c.serverless.Principals.Put(ctx, actorName(ctx), want)
		return err
	})
	if err != nil {
		return nil, err
	}
	return answer(c.principalOf(want)), nil
}

func (c *Console) setPrincipalState(ctx context.Context, r *byPrincipalWith[api.PrincipalStateRequest]) (*out[api.Principal], error) {
	p, err := c.serverless.Principals.Principal(r.ID)
	if err != nil {
		return nil, err
	}
	before, after := principalTextOf(p), principalTextOf(p)
	after.Disabled, after.Reason = r.Body.Disabled, r.Body.Reason
	action := "principal.enable"
	if r.Body.Disabled {
		action = "principal.disable"
	}
	err = c.recorded(ctx, action, r.ID, before, after, func() (err error) {
		if r.Body.Disabled {
			p, err = c.serverless.Principals.Disable(ctx, actorName(ctx), r.ID, r.Body.Reason)
		} else {
			p, err = c.serverless.Principals.Enable(ctx, actorName(ctx), r.ID)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return answer(c.principalOf(p)), nil
}

// revokePrincipal ends its tokens and temporary credentials.
func (c *Console) revokePrincipal(ctx context.Context, r *ByPrincipal) (*out[api.Principal], error) {
	p, err := c.serverless.Principals.Principal(r.ID)
	if err != nil {
		return nil, err
	}
	err = c.recorded(ctx, "principal.revoke", r.ID, nil, nil, func() (err error) {
		p, err = c.serverless.Principals.Revoke(ctx, actorName(ctx), r.ID, "revoked by "+actorName(ctx))
		return err
	})
	if err != nil {
		return nil, err
	}
	return answer(c.principalOf(p)), nil
}

func (c *Console) deletePrincipal(ctx context.Context, r *ByPrincipal) (*struct{}, error) {
	p, err := c.serverless.Principals.Principal(r.ID)
	if err != nil {
		return nil, err
	}
	err = c.recorded(ctx, "principal.delete", r.ID, principalTextOf(p), nil, func() error {
		return c.serverless.Principals.Remove(ctx, actorName(ctx), r.ID)
	})
	if err != nil {
		return nil, err
	}
	return &struct{}{}, nil
}

// accessToken makes a short-lived token of a principal.
func (c *Console) accessToken(ctx context.Context, r *byPrincipalWith[api.AccessTokenRequest]) (*out[api.AccessToken], error) {
	ask := iam.Ask{Audience: r.Body.Audience, Once: r.Body.Once}
	if ask.Audience == "" {
		ask.Audience = iam.Gateway
	}
	if r.Body.TTL != "" {
		var ok bool
		if ask.Life, ok = readDuration(r.Body.TTL); !ok || ask.Life <= 0 || ask.Life > iam.Longest {
			return nil, fault.New(fault.Invalid, "ttl: %q is no time of at most %s, such as 15m", clip(r.Body.TTL, 16), iam.Longest)
		}
	}
	caller, err := c.serverless.Principals.Act(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	t, err := c.serverless.Principals.Issue(caller, ask)
	if err != nil {
		return nil, err
	}
	made := api.AccessToken{ID: t.ID, Principal: caller.Principal, Audience: ask.Audience, Expires: t.Expires}
	if err := c.note(ctx, "principal.token", r.ID, nil, made); err != nil {
		return nil, err // it was shown to nobody
	}
	made.Secret = t.Text.Reveal()
	return answer(made), nil
}

func (c *Console) keys(_ context.Context, f *keyFilter) (*out[api.Page[api.AccessKey]], error) {
	return cut(c.serverless.Principals.Keys(f.Principal), f.Slice, func(k iam.Key) mark { return mark{k.Created, k.ID} })
}

func (c *Console) makeKey(ctx context.Context, r *in[api.AccessKeyRequest]) (*out[api.NewAccessKey], error) {
	k, secret, err := c.serverless.Principals.MakeKey(ctx, actorName(ctx), iam.NewKey{
		Kind: iam.KeyKind(r.Body.Kind), Principal: r.Body.Principal, Name: r.Body.Name, Life: time.Duration(r.Body.Days) * 24 * time.Hour,
	})
	if err != nil {
		return nil, err
	}
	if err := c.note(ctx, "key.make", k.ID, nil, k); err != nil {
		if gone := c.serverless.Principals.DeleteKey(context.WithoutCancel(ctx), k.ID); gone != nil {
			c.log.Error("unrecorded key not deleted", "key", k.ID, "error", gone)
		}
		return nil, err
	}
	return answer(api.NewAccessKey{AccessKey: k, Secret: secret.Reveal()}), nil
}

func (c *Console) theKey(id string) (iam.Key, error) {
	all := c.serverless.Principals.Keys("")
	if i := slices.IndexFunc(all, func(k iam.Key) bool { return k.ID == id }); i >= 0 {
		return all[i], nil
	}
	return iam.Key{}, fault.New(fault.NotFound, "there is no key %q", clip(id, 64))
}

func (c *Console) switchKey(ctx context.Context, r *byIDWith[api.KeyStateRequest]) (*out[api.AccessKey], error) {
	k, err := c.theKey(r.ID)
	if err != nil {
		return nil, err
	}
	after := k
	after.Disabled = r.Body.Disabled
	err = c.recorded(ctx, "key.switch", r.ID, k, after, func() error {
		return c.serverless.Principals.SwitchKey(ctx, r.ID, r.Body.Disabled)
	})
	if err != nil {
		return nil, err
	}
	return answer(after), nil
}

func (c *Console) deleteKey(ctx context.Context, r *ByID) (*struct{}, error) {
	k, err := c.theKey(r.ID)
	if err != nil {
		return nil, err
	}
	err = c.recorded(ctx, "key.delete", r.ID, k, nil, func() error { return c.serverless.Principals.DeleteKey(ctx, r.ID) })
	if err != nil {
		return nil, err
	}
	return &struct{}{}, nil
}
