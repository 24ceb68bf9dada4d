package identity

import (
	"context"

	"redoubt.dev/redoubt/internal/fault"
)

// Renewal is somebody's wish for another password of their own.
type Renewal struct {
	User          string
	Current, Next string
	From          string // address of who asks
	Session       Secret // stays; empty where a token asks
}

// Renew changes a person's own password. The current one is asked for, whoever
// holds the session or token, and guesses at it are slowed down as at login:
// fault.Unauthenticated where it is wrong, fault.Limited where there were too
// many. The account's other sessions end. noted runs in the transaction that
// changes the account; its error undoes the change.
func (i *Identity) Renew(ctx context.Context, r Renewal, noted func(context.Context) error) error {
	name := userName(r.User)
	if err := checkPassword(name, r.Next); err != nil {
		return err
	}
	u, _, err := i.prove(ctx, name, r.Current, r.From)
	if err != nil {
		return err
	}
	if r.Next == r.Current {
		return fault.New(fault.Invalid, "the new password is the current one")
	}
	encoded, err := i.hasher.hash(ctx, r.Next)
	if err != nil {
		return err
	}
	return i.store.Atomic(ctx, func(ctx context.Context) error {
		now, err := i.store.User(ctx, name) // it may have changed while we hashed
		if err != nil {
			return err
		}
		if now.Password != u.Password {
			return fault.New(fault.Conflict, "the password was changed meanwhile; nothing was changed")
		}
		now.Password = encoded
		if err := i.store.PutUser(ctx, &now); err != nil {
			return err
		}
		if err := i.endOthers(ctx, name, r.Session); err != nil {
			return err
		}
		return noted(ctx)
	})
}

// endOthers ends all sessions of an account but the one given.
func (i *Identity) endOthers(ctx context.Context, name string, keep Secret) error {
	own, err := i.store.Session(ctx, hash(keep))
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	if err := i.store.TrimSessions(ctx, name, 0); err != nil || own.User != name {
		return err
	}
	return i.store.PutSession(ctx, &own)
}
