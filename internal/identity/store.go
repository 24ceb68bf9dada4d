package identity

import (
	"context"
	"time"
)

// Store is the record identity needs. A single thing that is not there is an
// error of kind fault.NotFound. Calls with the context that Atomic hands out
// are one transaction.
type Store interface {
	Atomic(ctx context.Context, fold func(ctx context.Context) error) error

	PutUser(ctx context.Context, u *User) error // insert or replace
	User(ctx context.Context, name string) (User, error)
	Users(ctx context.Context) ([]User, error) // by name
	// DeleteUser removes the account with its sessions and tokens.
	DeleteUser(ctx context.Context, name string) error

	// PutSession adds a session, or notes its latest use.
	PutSession(ctx context.Context, s *Session) error
	Session(ctx context.Context, hash []byte) (Session, error)
	DeleteSession(ctx context.Context, hash []byte) error // none is no error
	// TrimSessions drops all but the keep sessions of user used last.
	TrimSessions(ctx context.Context, user string, keep int) error

	// PutToken adds a token, or notes its latest use.
	PutToken(ctx context.Context, t *Token) error
	Token(ctx context.Context, id string) (Token, error)
	Tokens(ctx context.Context) ([]Token, error) // newest first
	DeleteToken(ctx context.Context, id string) error

	// PutOnce adds a secret that works once.
	PutOnce(ctx context.Context, o *Once) error
	// UseOnce marks it used. It is fault.NotFound if there is none of that
	// purpose and hash, if it was used before or expired at or before now; of
	// many callers at once exactly one succeeds.
	UseOnce(ctx context.Context, purpose Purpose, hash []byte, now time.Time) error
	// DropOnce removes all unused ones of that purpose.
	DropOnce(ctx context.Context, purpose Purpose) error

	// Expire removes sessions created before started or last used before used,
	// and tokens and one-time secrets that ended before ended.
	Expire(ctx context.Context, started, used, ended time.Time) error
}

// User is a local account.
type User struct {
	Name     string    `json:"name"`
	Role     Role      `json:"role"`
	Password string    `json:"-"` // argon2id, PHC format
	Created  time.Time `json:"created"`
	Last     time.Time `json:"last,omitzero"`   // last login
	Locked   time.Time `json:"locked,omitzero"` // until then; not kept
}

// Session is a browser that logged in.
type Session struct {
	Hash    []byte // of its secret
	User    string
	Created time.Time
	Used    time.Time
}

// Token is an API token without its secret.
type Token struct {
	ID      string    `json:"id"`
	Hash    []byte    `json:"-"` // of its secret
	Name    string    `json:"name"`
	User    string    `json:"user"`
	Role    Role      `json:"role"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"`
	Last    time.Time `json:"last,omitzero"` // last use, to the minute
}

// Purpose says what a one-time secret is for.
type Purpose string

// The purposes.
const (
	ForSetup Purpose = "setup"
	ForJoin  Purpose = "join"
)

// Once is a secret that works once.
type Once struct {
	Hash    []byte
	Purpose Purpose
	By      string
	Created time.Time
	Expires time.Time
}
