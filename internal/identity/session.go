package identity

import (
	"context"
	"crypto/sha256"
	"time"

	"redoubt.dev/redoubt/internal/fault"
)

func tooMany(wait time.Duration) error {
	return fault.New(fault.Limited, "too many failed attempts: try again in %v", wait.Round(time.Second)+time.Second)
}

var errLogin = fault.New(fault.Unauthenticated, "user name or password is wrong")

// Login opens a session and returns its secret, for the cookie. A wrong name
// and a wrong password look alike, in words and in time. from is the address
// of who asks.
func (i *Identity) Login(ctx context.Context, name, password, from string) (Secret, Principal, error) {
	name = userName(name)
	u, old, err := i.prove(ctx, name, password, from)
	if err != nil {
		return "", Principal{}, err
	}
	if old {
		if u.Password, err = i.hasher.hash(ctx, password); err != nil {
			return "", Principal{}, err
		}
	}
	return i.enter(ctx, u, old)
}

// prove checks a password and slows down who guesses, whatever it is asked
// for. old says that the hash is weaker than today's are.
func (i *Identity) prove(ctx context.Context, name, password, from string) (u User, old bool, err error) {
	now, src := i.now(), source(from)
	who := name[:min(len(name), 80)]
	if wait := max(i.users.try(who, now), i.sources.try(src, now)); wait > 0 {
		return User{}, false, tooMany(wait)
	}
	u, err = i.store.User(ctx, name)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return User{}, false, err
	}
	if len(password) > maxPassword {
		password = "" // too long to be anybody's: do not hash it all
	}
	ok, old, err := i.hasher.check(ctx, u.Password, password)
	if err != nil {
		i.users.undo(who)
		i.sources.undo(src)
		return User{}, false, err
	}
	if !ok {
		i.log.Warn("login refused", "user", who, "from", src)
		return User{}, false, errLogin
	}
	i.users.clear(who)
	i.sources.clear(src)
	return u, old, nil
}

// enter opens the session in one transaction with what login changes.
func (i *Identity) enter(ctx context.Context, u User, renewed bool) (secret Secret, p Principal, err error) {
	err = i.store.Atomic(ctx, func(ctx context.Context) error {
		now, err := i.store.User(ctx, u.Name) // it may have changed while we hashed
		if fault.Is(err, fault.NotFound) {
			return errLogin
		}
		if err != nil {
			return err
		}
		if renewed {
			now.Password = u.Password
		}
		now.Last = i.now()
		if err := i.store.PutUser(ctx, &now); err != nil {
			return err
		}
		secret, p, err = i.begin(ctx, &now)
		return err
	})
	return secret, p, err
}

func (i *Identity) begin(ctx context.Context, u *User) (Secret, Principal, error) {
	secret := newSecret()
	s := Session{Hash: hash(secret), User: u.Name, Created: i.now(), Used: i.now()}
	if err := i.store.PutSession(ctx, &s); err != nil {
		return "", Principal{}, err
	}
	if err := i.store.TrimSessions(ctx, u.Name, mostSessions); err != nil {
		return "", Principal{}, err
	}
	return secret, principal(u, &s, secret), nil
}

func principal(u *User, s *Session, secret Secret) Principal {
	return Principal{User: u.Name, Role: u.Role, CSRF: csrf(secret), Expires: s.Created.Add(SessionWhole)}
}

// csrf is bound to the session: only who has its secret can say it.
func csrf(s Secret) string {
	h := sha256.Sum256([]byte("csrf:" + string(s)))
	return plain.EncodeToString(h[:])
}

var errSession = fault.New(fault.Unauthenticated, "the session has ended: log in again")

// Session says whose cookie this is, with the role the account has now.
func (i *Identity) Session(ctx context.Context, secret Secret) (Principal, error) {
	s, err := i.store.Session(ctx, hash(secret))
	if fault.Is(err, fault.NotFound) {
		return Principal{}, errSession
	}
	if err != nil {
		return Principal{}, err
	}
	now := i.now()
	if now.Sub(s.Created) > SessionWhole || now.Sub(s.Used) > SessionIdle {
		return Principal{}, errSession
	}
	u, err := i.store.User(ctx, s.User)
	if fault.Is(err, fault.NotFound) {
		return Principal{}, errSession
	}
	if err != nil {
		return Principal{}, err
	}
	if now.Sub(s.Used) > noted {
		s.Used = now
		if err := i.store.PutSession(ctx, &s); err != nil {
			i.log.Warn("session use unnoted", "error", err)
		}
	}
	return principal(&u, &s, secret), nil
}

// Logout ends a session; one that has ended already is no error.
func (i *Identity) Logout(ctx context.Context, secret Secret) error {
	return i.store.DeleteSession(ctx, hash(secret))
}

// CSRFHolds says whether a changing request of p may go ahead: it came with an API
// token, or it carries the session's own word.
func (p Principal) CSRFHolds(word string) bool {
	return p.Token != "" || p.CSRF != "" && same([]byte(word), []byte(p.CSRF))
}
