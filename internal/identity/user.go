package identity

import (
	"context"

	"redoubt.dev/redoubt/internal/fault"
)

// Users lists the accounts by name, with how long each is locked.
func (i *Identity) Users(ctx context.Context) ([]User, error) {
	users, err := i.store.Users(ctx)
	for n := range users {
		users[n].Locked = i.users.until(users[n].Name, i.now())
	}
	return users, err
}

// User returns one account.
func (i *Identity) User(ctx context.Context, name string) (User, error) {
	u, err := i.store.User(ctx, userName(name))
	u.Locked = i.users.until(u.Name, i.now())
	return u, err
}

// PutUser makes an account or changes it; an empty password keeps the old one.
// A new password ends the account's sessions and its lock. It returns the
// account before, nil if there was none, and after. The last administrator
// cannot lose its role: fault.Conflict.
func (i *Identity) PutUser(ctx context.Context, name string, role Role, password string) (before *User, after User, err error) {
	name = userName(name)
	if err := checkName(name); err != nil {
		return nil, User{}, err
	}
	if err := checkRole(role); err != nil {
		return nil, User{}, err
	}
	encoded := ""
	if password != "" {
		if err := checkPassword(name, password); err != nil {
			return nil, User{}, err
		}
		if encoded, err = i.hasher.hash(ctx, password); err != nil {
			return nil, User{}, err
		}
	}
	err = i.store.Atomic(ctx, func(ctx context.Context) error {
		before, after, err = i.change(ctx, name, role, encoded)
		return err
	})
	if err != nil {
		return nil, User{}, err
	}
	if encoded != "" {
		i.users.clear(name)
	}
	return before, after, nil
}

func (i *Identity) change(ctx context.Context, name string, role Role, encoded string) (before *User, after User, err error) {
	users, err := i.store.Users(ctx)
	if err != nil {
		return nil, User{}, err
	}
	for n := range users {
		if users[n].Name == name {
			before = &users[n]
		}
	}
	switch {
	case before != nil:
		after = *before
	case encoded == "":
		return nil, User{}, fault.New(fault.Invalid, "a new account needs a password")
	case len(users) >= mostUsers:
		return nil, User{}, fault.New(fault.Limited, "there are %d accounts, the most there can be", len(users))
	default:
		after = User{Name: name, Created: i.now()}
	}
	after.Role = role
	if before != nil && role != Admin && lastAdmin(users, name) {
		return nil, User{}, fault.New(fault.Conflict, "%s is the last administrator: make another one first", name)
	}
	if encoded != "" {
		after.Password = encoded
		if err := i.store.TrimSessions(ctx, name, 0); err != nil {
			return nil, User{}, err
		}
	}
	return before, after, i.store.PutUser(ctx, &after)
}

// DeleteUser removes an account with its sessions and tokens and returns what
// it was. The last administrator stays: fault.Conflict.
func (i *Identity) DeleteUser(ctx context.Context, name string) (gone User, err error) {
	name = userName(name)
	err = i.store.Atomic(ctx, func(ctx context.Context) error {
		if gone, err = i.store.User(ctx, name); err != nil {
			return err
		}
		users, err := i.store.Users(ctx)
		if err != nil {
			return err
		}
		if lastAdmin(users, name) {
			return fault.New(fault.Conflict, "%s is the last administrator: make another one first", name)
		}
		return i.store.DeleteUser(ctx, name)
	})
	return gone, err
}

func lastAdmin(users []User, name string) bool {
	others, is := 0, false
	for _, u := range users {
		if u.Role != Admin {
			continue
		}
		if u.Name == name {
			is = true
		} else {
			others++
		}
	}
	return is && others == 0
}
