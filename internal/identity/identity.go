package identity

import (
	"context"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/fault"
)

// How long things last.
const (
	SessionIdle   = 8 * time.Hour
	SessionWhole  = 24 * time.Hour
	DefaultToken  = 90 * 24 * time.Hour
	LongestToken  = 365 * 24 * time.Hour
	SetupLifetime = 24 * time.Hour
	JoinLifetime  = 24 * time.Hour
	noted         = time.Minute // a use is written down at most this often
)

// Bounds on what one account may have.
const (
	mostSessions = 20
	mostTokens   = 100
	mostUsers    = 1000
)

// System is who made what no account made, as the token that the first start
// writes for scripts. No account can have this name.
const System = "system"

// Principal is who is asking.
type Principal struct {
	User    string
	Role    Role
	Token   string    // id of the API token, empty for a session
	CSRF    string    // what a session's changing requests must carry, empty for a token
	Expires time.Time // zero for never
}

// Config is what an Identity is made of.
type Config struct {
	Store Store
	Log   *slog.Logger
	Now   func() time.Time // nil is time.Now
}

// Identity answers who is asking. Safe for concurrent use.
type Identity struct {
	store   Store
	log     *slog.Logger
	now     func() time.Time
	hasher  *hasher
	users   *lockout
	sources *lockout
}

// New makes an Identity.
func New(c Config) *Identity {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Identity{store: c.Store, log: c.Log, now: c.Now, hasher: newHasher(), users: newLockout(userFailures), sources: newLockout(sourceFailures)}
}

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._@-]{0,63}$`)

// userName is the one spelling of a name.
func userName(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

func checkName(name string) error {
	if !nameForm.MatchString(name) {
		return fault.New(fault.Invalid, "user name %.80q: use 1 to 64 of a-z 0-9 . _ @ -, beginning with a letter or digit", name)
	}
	if name == System {
		return fault.New(fault.Invalid, "user name %q is taken by Redoubt itself: choose another", name)
	}
	return nil
}

func checkRole(r Role) error {
	if !r.Valid() {
		return fault.New(fault.Invalid, "role %.40q: use admin, operator or auditor", string(r))
	}
	return nil
}

// SetupNeeded says whether there is no account yet.
func (i *Identity) SetupNeeded(ctx context.Context) (bool, error) {
	users, err := i.store.Users(ctx)
	return len(users) == 0, err
}

// SetupToken makes the one-time secret with which the first administrator is
// made; earlier ones stop working. fault.Conflict once there is an account.
func (i *Identity) SetupToken(ctx context.Context) (secret Secret, err error) {
	err = i.store.Atomic(ctx, func(ctx context.Context) error {
		if err := i.unset(ctx); err != nil {
			return err
		}
		if err := i.store.DropOnce(ctx, ForSetup); err != nil {
			return err
		}
		secret, _, err = i.once(ctx, ForSetup, System, SetupLifetime)
		return err
	})
	return secret, err
}

func (i *Identity) unset(ctx context.Context) error {
	needed, err := i.SetupNeeded(ctx)
	if err == nil && !needed {
		err = fault.New(fault.Conflict, "set-up is done: log in with an account")
	}
	return err
}

// Setup makes the first administrator and logs it in. from is the address of
// who asks.
func (i *Identity) Setup(ctx context.Context, token Secret, name, password, from string) (Secret, Principal, error) {
	name = userName(name)
	if err := checkName(name); err != nil {
		return "", Principal{}, err
	}
	if err := checkPassword(name, password); err != nil {
		return "", Principal{}, err
	}
	if wait := i.sources.try(source(from), i.now()); wait > 0 {
		return "", Principal{}, tooMany(wait)
	}
	encoded, err := i.hasher.hash(ctx, password)
	if err != nil {
		return "", Principal{}, err
	}
	u := User{Name: name, Role: Admin, Password: encoded, Created: i.now(), Last: i.now()}
	var secret Secret
	var p Principal
	err = i.store.Atomic(ctx, func(ctx context.Context) error {
		if err := i.unset(ctx); err != nil {
			return err
		}
		if err := i.useOnce(ctx, ForSetup, token); err != nil {
			return err
		}
		if err := i.store.PutUser(ctx, &u); err != nil {
			return err
		}
		secret, p, err = i.begin(ctx, &u)
		return err
	})
	if err != nil {
		return "", Principal{}, err
	}
	i.sources.clear(source(from))
	return secret, p, nil
}

// JoinToken makes a secret with which one defender can enrol once; life 0 is
// JoinLifetime.
func (i *Identity) JoinToken(ctx context.Context, by string, life time.Duration) (Secret, time.Time, error) {
	if life <= 0 || life > JoinLifetime {
		life = JoinLifetime
	}
	return i.once(ctx, ForJoin, by, life)
}

// UseJoin takes a join token. It works once; anything else is
// fault.Unauthenticated.
func (i *Identity) UseJoin(ctx context.Context, token Secret) error {
	return i.useOnce(ctx, ForJoin, token)
}

func (i *Identity) once(ctx context.Context, purpose Purpose, by string, life time.Duration) (Secret, time.Time, error) {
	s := newSecret()
	o := Once{Hash: hash(s), Purpose: purpose, By: by, Created: i.now(), Expires: i.now().Add(life)}
	return s, o.Expires, i.store.PutOnce(ctx, &o)
}

func (i *Identity) useOnce(ctx context.Context, purpose Purpose, s Secret) error {
	err := i.store.UseOnce(ctx, purpose, hash(s), i.now())
	if fault.Is(err, fault.NotFound) {
		return fault.New(fault.Unauthenticated, "this %s token is unknown, expired or was used before: ask for a new one", purpose)
	}
	return err
}

// Tidy removes sessions, tokens and one-time secrets that ended. Call it now
// and then.
func (i *Identity) Tidy(ctx context.Context) error {
	now := i.now()
	return i.store.Expire(ctx, now.Add(-SessionWhole), now.Add(-SessionIdle), now)
}
