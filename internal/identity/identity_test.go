package identity_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/identity"
	"redoubt.dev/redoubt/internal/store"
)

const good = "a fine long sentence"

type rig struct {
	*identity.Identity
	t     *testing.T
	store *store.Store
	now   time.Time
	log   bytes.Buffer
}

func start(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, now: time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)}
	s, err := store.Open(filepath.Join(t.TempDir(), "redoubt.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	r.store = s
	r.Identity = identity.New(identity.Config{Store: s, Log: slog.New(slog.NewTextHandler(&r.log, nil)), Now: func() time.Time { return r.now }})
	return r
}

func (r *rig) user(name string, role identity.Role) identity.Principal {
	r.t.Helper()
	if _, _, err := r.PutUser(r.t.Context(), name, role, good); err != nil {
		r.t.Fatal(err)
	}
	return identity.Principal{User: name, Role: role}
}

func (r *rig) login(name, password, from string) (identity.Secret, identity.Principal, error) {
	return r.Login(r.t.Context(), name, password, from)
}

func want(t *testing.T, what string, err error, kind fault.Kind) {
	t.Helper()
	if !fault.Is(err, kind) {
		t.Errorf("%s: got %v, want %v", what, err, kind)
	}
}

func TestA7_SetupWorksOnce(t *testing.T) {
	r, ctx := start(t), context.Background()
	old, err := r.SetupToken(ctx)
	if err != nil {
		t.Fatal(err)
	}
	token, err := r.SetupToken(ctx)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = r.Setup(ctx, old, "root", good, "192.0.2.1")
	want(t, "earlier token", err, fault.Unauthenticated)
	_, _, err = r.Setup(ctx, token, "root", "short", "192.0.2.1")
	want(t, "short password", err, fault.Invalid)
	secret, p, err := r.Setup(ctx, token, " Root ", good, "192.0.2.1")
	if err != nil || p.User != "root" || p.Role != identity.Admin {
		t.Fatalf("set-up: %+v, %v", p, err)
	}
	if got, err := r.Session(ctx, secret); err != nil || got != p {
		t.Errorf("session of set-up: %+v, %v; want %+v", got, err, p)
	}
	_, _, err = r.Setup(ctx, token, "second", good, "192.0.2.1")
	want(t, "second set-up", err, fault.Conflict)
	_, err = r.SetupToken(ctx)
	want(t, "token after set-up", err, fault.Conflict)
}

func TestA7_PasswordRules(t *testing.T) {
	r := start(t)
	for password, ok := range map[string]bool{
		"elevenchars": false, "ordinary horse": true, "ordinaryhorse": true, "ünïcödé wörd": true,
		"kim.kim.kim.kim": false, "kim": false, "KIM1234567890": false,
		"password1234": false, "Passwort!!!!": false, "aaaaaaaaaaaa": false, "abcdefghijklm": false, "123456789012": false, "Qwertyuiop123": false, "redoubt12345": false,
		"\xff\xfe three bad bytes": false, strings.Repeat("long ", 51): true, strings.Repeat("long ", 52): false,
	} {
		_, _, err := r.PutUser(t.Context(), "kim", identity.Auditor, password)
		if ok && err != nil || !ok && !fault.Is(err, fault.Invalid) {
			t.Errorf("password %q: %v, want accepted: %v", password, err, ok)
		}
	}
}

func TestA7_PasswordsAreKeptAsArgon2id(t *testing.T) {
	r := start(t)
	r.user("kim", identity.Admin)
	r.user("lee", identity.Admin)
	kim, err1 := r.store.User(t.Context(), "kim")
	lee, err2 := r.store.User(t.Context(), "lee")
	if err1 != nil || err2 != nil || !strings.HasPrefix(kim.Password, "$argon2id$v=19$m=19456,t=2,p=1$") || kim.Password == lee.Password {
		t.Errorf("%q %q %v %v", kim.Password, lee.Password, err1, err2)
	}
}

func TestA7_WeakerHashIsRenewedAtLogin(t *testing.T) {
	r := start(t)
	r.user("kim", identity.Admin)
	u, err := r.store.User(t.Context(), "kim")
	if err != nil {
		t.Fatal(err)
	}
	u.Password = identity.WeakHash(good)
	if err := r.store.PutUser(t.Context(), &u); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.login("kim", good, "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	if u, err = r.store.User(t.Context(), "kim"); err != nil || !strings.Contains(u.Password, "m=19456,t=2") {
		t.Errorf("after login: %q, %v", u.Password, err)
	}
}

func TestA7_LockoutPerUserTellsNothingAboutTheUser(t *testing.T) {
	r := start(t)
	r.user("kim", identity.Admin)
	var said [2][]string
	for i, name := range []string{"kim", "nobody"} {
		for n := range 6 {
			_, _, err := r.login(name, "wrong wrong wrong", fmt.Sprintf("192.0.2.%d", i*10+n))
			said[i] = append(said[i], err.Error())
		}
		_, _, err := r.login(name, good, "198.51.100.1")
		want(t, "locked "+name, err, fault.Limited)
	}
	for n := range said[0] {
		if said[0][n] != said[1][n] {
			t.Errorf("attempt %d: %q for a user, %q for nobody", n+1, said[0][n], said[1][n])
		}
	}
	if !strings.Contains(said[0][5], "try again in") || strings.Contains(said[0][4], "try again") {
		t.Errorf("the lock does not begin with the sixth attempt: %q", said[0])
	}
	if u, err := r.User(t.Context(), "kim"); err != nil || !u.Locked.After(r.now) {
		t.Errorf("locked until %v, %v", u.Locked, err)
	}
	r.now = r.now.Add(11 * time.Second)
	if _, _, err := r.login("kim", good, "198.51.100.1"); err != nil {
		t.Errorf("after the delay: %v", err)
	}
	if _, _, err := r.login("kim", "wrong wrong wrong", "198.51.100.1"); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("one failure after a success: %v", err)
	}
}

func TestA7_LockoutDelayGrows(t *testing.T) {
	r := start(t)
	r.user("kim", identity.Admin)
	fail := func() { r.login("kim", "wrong wrong wrong", "192.0.2.1") }
	for range 5 {
		fail()
	}
	last := time.Duration(0)
	for range 12 {
		u, _ := r.User(t.Context(), "kim")
		wait := u.Locked.Sub(r.now)
		if wait < last || wait > 15*time.Minute || last == 0 && wait != 10*time.Second {
			t.Errorf("locked for %v after %v", wait, last)
		}
		last = wait
		r.now = u.Locked.Add(time.Millisecond)
		fail()
	}
	if last != 15*time.Minute {
		t.Errorf("the longest delay is %v, want 15m", last)
	}
}

func TestA7_LockoutPerSource(t *testing.T) {
	r := start(t)
	r.user("kim", identity.Admin)
	for n := range 20 {
		_, _, err := r.login(fmt.Sprintf("guess%d", n), good, fmt.Sprintf("[2001:db8::%x]:%d", n, 1000+n))
		want(t, "guess", err, fault.Unauthenticated)
	}
	_, _, err := r.login("kim", good, "2001:db8::ffff")
	want(t, "right password from a guessing network", err, fault.Limited)
	if _, _, err := r.login("kim", good, "2001:db8:0:1::1"); err != nil {
		t.Errorf("from the network next to it: %v", err)
	}
}

func TestA7_ManyGuessesAtOnceAreNotAllHeard(t *testing.T) {
	r := start(t)
	r.user("kim", identity.Admin)
	var heard atomic.Int32
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			if _, _, err := r.login("kim", "wrong wrong wrong", "192.0.2.1"); fault.Is(err, fault.Unauthenticated) {
				heard.Add(1)
			}
		})
	}
	wg.Wait()
	if heard.Load() != 5 {
		t.Errorf("%d guesses were checked, want 5", heard.Load())
	}
}

func TestA7_SessionsEnd(t *testing.T) {
	r, ctx := start(t), context.Background()
	r.user("kim", identity.Admin)
	r.user("lee", identity.Operator)
	open := func() identity.Secret {
		t.Helper()
		s, _, err := r.login("lee", good, "192.0.2.1")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	holds := func(what string, s identity.Secret, ok bool) {
		t.Helper()
		_, err := r.Session(ctx, s)
		if ok && err != nil || !ok && !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%s: %v, want it to hold: %v", what, err, ok)
		}
	}
	s := open()
	holds("new", s, true)
	holds("made up", "x"+s[1:], false)
	for range 3 {
		r.now = r.now.Add(7*time.Hour + 59*time.Minute)
		holds("in use", s, true)
	}
	r.now = r.now.Add(4 * time.Minute)
	holds("24 hours old", s, false)

	s = open()
	r.now = r.now.Add(8*time.Hour + time.Minute)
	holds("idle for 8 hours", s, false)

	s = open()
	if err := r.Logout(ctx, s); err != nil {
		t.Error(err)
	}
	holds("logged out", s, false)

	s = open()
	if _, _, err := r.PutUser(ctx, "lee", identity.Operator, "another fine sentence"); err != nil {
		t.Fatal(err)
	}
	holds("after a new password", s, false)
	if _, _, err := r.PutUser(ctx, "lee", identity.Auditor, good); err != nil {
		t.Fatal(err)
	}
	s = open()
	if p, err := r.Session(ctx, s); err != nil || p.Role != identity.Auditor {
		t.Errorf("role follows the account: %+v, %v", p, err)
	}
	if _, err := r.DeleteUser(ctx, "lee"); err != nil {
		t.Fatal(err)
	}
	holds("of a deleted account", s, false)
}

func TestA7_OwnPasswordIsRenewed(t *testing.T) {
	r, ctx := start(t), context.Background()
	r.user("kim", identity.Auditor)
	r.user("lee", identity.Admin)
	const next = "another fine sentence"
	open := func(name string) identity.Secret {
		t.Helper()
		s, _, err := r.login(name, good, "192.0.2.1")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	own, other, neighbour := open("kim"), open("kim"), open("lee")
	renew := func(current, next string, noted error) error {
		return r.Renew(ctx, identity.Renewal{User: "kim", Current: current, Next: next, From: "192.0.2.1", Session: own}, func(context.Context) error { return noted })
	}
	want(t, "wrong password", renew("wrong wrong wrong", next, nil), fault.Unauthenticated)
	want(t, "short password", renew(good, "short", nil), fault.Invalid)
	want(t, "the same again", renew(good, good, nil), fault.Invalid)
	if err := renew(good, next, errors.New("no line in the trail")); err == nil {
		t.Error("changed although it could not be noted")
	}
	for what, s := range map[string]identity.Secret{"own": own, "other": other} {
		if _, err := r.Session(ctx, s); err != nil {
			t.Errorf("after refusals the %s session: %v", what, err)
		}
	}
	if err := renew(good, next, nil); err != nil {
		t.Fatal(err)
	}
	for what, s := range map[string]identity.Secret{"own": own, "neighbour's": neighbour} {
		if _, err := r.Session(ctx, s); err != nil {
			t.Errorf("the %s session ended: %v", what, err)
		}
	}
	_, err := r.Session(ctx, other)
	want(t, "the other session", err, fault.Unauthenticated)
	_, _, err = r.login("kim", good, "192.0.2.1")
	want(t, "login with the password before", err, fault.Unauthenticated)
	if _, p, err := r.login("kim", next, "192.0.2.1"); err != nil || p.Role != identity.Auditor {
		t.Errorf("login with the new one: %+v, %v", p, err)
	}
}

// A stolen session is no way around the lockout.
func TestA7_GuessingTheCurrentPasswordLocks(t *testing.T) {
	r := start(t)
	r.user("kim", identity.Admin)
	var err error
	for range 6 {
		err = r.Renew(t.Context(), identity.Renewal{User: "kim", Current: "wrong wrong wrong", Next: "another fine sentence", From: "192.0.2.1"}, func(context.Context) error { return nil })
	}
	want(t, "sixth guess", err, fault.Limited)
	_, _, err = r.login("kim", good, "198.51.100.1")
	want(t, "login afterwards", err, fault.Limited)
	if r.login("lee", good, "198.51.100.1"); strings.Contains(r.log.String(), "wrong wrong") {
		t.Error("a guess is in the log")
	}
}

func TestA7_CSRFIsBoundToTheSession(t *testing.T) {
	r := start(t)
	r.user("kim", identity.Admin)
	_, a, err1 := r.login("kim", good, "192.0.2.1")
	s, b, err2 := r.login("kim", good, "192.0.2.1")
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	again, err := r.Session(t.Context(), s)
	if err != nil || !again.CSRFHolds(b.CSRF) || b.CSRFHolds(a.CSRF) || b.CSRFHolds("") || (identity.Principal{}).CSRFHolds("") {
		t.Errorf("csrf of another session, or none, holds (%v)", err)
	}
	if b.CSRF == s.Reveal() {
		t.Error("the csrf word is the session's secret")
	}
}

func TestA12_RolesAndPermissions(t *testing.T) {
	all := []identity.Permission{identity.Read, identity.ReadAudit, identity.Triage, identity.Respond, identity.WriteProfile, identity.WritePolicy, identity.WriteToken, identity.WriteUser, identity.WriteNode}
	for role, held := range map[identity.Role]string{
		identity.Auditor:  "110000000",
		identity.Operator: "111111100",
		identity.Admin:    "111111111",
		"":                "000000000",
		"root":            "000000000",
	} {
		got := ""
		for _, p := range all {
			got += map[bool]string{true: "1", false: "0"}[role.May(p)]
		}
		if got != held {
			t.Errorf("%q holds %s, want %s", role, got, held)
		}
		if role.May("no.such.permission") {
			t.Errorf("%q holds a permission nobody has", role)
		}
	}
}

func TestA12_TheLastAdministratorStays(t *testing.T) {
	r, ctx := start(t), context.Background()
	r.user("kim", identity.Admin)
	_, err := r.DeleteUser(ctx, "kim")
	want(t, "delete the last", err, fault.Conflict)
	_, _, err = r.PutUser(ctx, "kim", identity.Operator, "")
	want(t, "demote the last", err, fault.Conflict)
	r.user("lee", identity.Admin)
	if _, _, err = r.PutUser(ctx, "kim", identity.Operator, ""); err != nil {
		t.Errorf("demote one of two: %v", err)
	}
	_, _, err = r.PutUser(ctx, "new", identity.Operator, "")
	want(t, "account without password", err, fault.Invalid)
	for _, name := range []string{"", "a b", "-x", "system", strings.Repeat("x", 65), "ü", "a/b"} {
		_, _, err = r.PutUser(ctx, name, identity.Operator, good)
		want(t, "name "+name, err, fault.Invalid)
	}
	_, _, err = r.PutUser(ctx, "new", "root", good)
	want(t, "unknown role", err, fault.Invalid)
}

func TestA14_TokensActWithTheWeakerRoleUntilTheyEnd(t *testing.T) {
	r, ctx := start(t), context.Background()
	r.user("kim", identity.Admin)
	lee := r.user("lee", identity.Operator)
	_, _, err := r.MakeToken(ctx, lee, "ci", identity.Admin, 0)
	want(t, "more than one's own role", err, fault.Denied)
	_, _, err = r.MakeToken(ctx, lee, "ci", identity.Operator, 366*24*time.Hour)
	want(t, "too long a life", err, fault.Invalid)
	tok, secret, err := r.MakeToken(ctx, lee, "ci", identity.Operator, 24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	p, err := r.Token(ctx, secret)
	if err != nil || p.User != "lee" || p.Role != identity.Operator || p.Token != tok.ID || !p.CSRFHolds("") {
		t.Errorf("%+v, %v", p, err)
	}
	for _, s := range []identity.Secret{"", "rdt_", "rdt__", "rdt_" + identity.Secret(tok.ID), secret[:len(secret)-1], secret + "x", "Bearer " + secret, identity.Secret(strings.Repeat("rdt_x", 1000))} {
		_, err := r.Token(ctx, s)
		want(t, "token "+s.Reveal()[:min(9, len(s))], err, fault.Unauthenticated)
	}
	if _, _, err := r.PutUser(ctx, "lee", identity.Auditor, ""); err != nil {
		t.Fatal(err)
	}
	if p, err := r.Token(ctx, secret); err != nil || p.Role != identity.Auditor {
		t.Errorf("after a demotion: %+v, %v", p, err)
	}
	r.now = r.now.Add(24 * time.Hour)
	_, err = r.Token(ctx, secret)
	want(t, "expired", err, fault.Unauthenticated)
	if err := r.Tidy(ctx); err != nil {
		t.Fatal(err)
	}
	if list, err := r.Tokens(ctx, ""); err != nil || len(list) != 0 {
		t.Errorf("left after tidying: %v, %v", list, err)
	}
}

func TestA14_TokensAreRevokedByTheirOwnerOrAnAdministrator(t *testing.T) {
	r, ctx := start(t), context.Background()
	kim, lee := r.user("kim", identity.Admin), r.user("lee", identity.Operator)
	_, sys, err := r.SystemToken(ctx, "first start")
	if err != nil {
		t.Fatal(err)
	}
	if p, err := r.Token(ctx, sys); err != nil || p.Role != identity.Admin || p.User != identity.System {
		t.Errorf("system token: %+v, %v", p, err)
	}
	mine, _, err1 := r.MakeToken(ctx, lee, "lee's", identity.Auditor, 0)
	other, secret, err2 := r.MakeToken(ctx, kim, "kim's", identity.Admin, 0)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	_, err = r.DeleteToken(ctx, lee, other.ID)
	want(t, "somebody else's token", err, fault.NotFound)
	if gone, err := r.DeleteToken(ctx, kim, mine.ID); err != nil || gone.Name != "lee's" {
		t.Errorf("administrator: %+v, %v", gone, err)
	}
	if list, err := r.Tokens(ctx, "kim"); err != nil || len(list) != 1 {
		t.Errorf("kim's tokens: %v, %v", list, err)
	}
	r.user("max", identity.Admin)
	if _, err := r.DeleteUser(ctx, "kim"); err != nil {
		t.Fatal(err)
	}
	_, err = r.Token(ctx, secret)
	want(t, "token of a deleted account", err, fault.Unauthenticated)
}

func TestJoinTokenWorksOnce(t *testing.T) {
	r, ctx := start(t), context.Background()
	secret, until, err := r.JoinToken(ctx, "kim", time.Hour)
	if err != nil || !until.Equal(r.now.Add(time.Hour)) {
		t.Fatal(until, err)
	}
	var used, refused atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			switch err := r.UseJoin(ctx, secret); {
			case err == nil:
				used.Add(1)
			case fault.Is(err, fault.Unauthenticated):
				refused.Add(1)
			}
		})
	}
	wg.Wait()
	if used.Load() != 1 || refused.Load() != 7 {
		t.Errorf("used %d times, refused %d; want 1 and 7", used.Load(), refused.Load())
	}
	late, _, err := r.JoinToken(ctx, "kim", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	setup, err := r.SetupToken(ctx)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "a token for something else", r.UseJoin(ctx, setup), fault.Unauthenticated)
	r.now = r.now.Add(time.Hour)
	want(t, "expired", r.UseJoin(ctx, late), fault.Unauthenticated)

	undone, stop := identity.Secret(""), errors.New("stop")
	if undone, _, err = r.JoinToken(ctx, "kim", 0); err != nil {
		t.Fatal(err)
	}
	if err := r.store.Atomic(ctx, func(ctx context.Context) error {
		if err := r.UseJoin(ctx, undone); err != nil {
			t.Error(err)
		}
		return stop
	}); !errors.Is(err, stop) {
		t.Fatal(err)
	}
	if err := r.UseJoin(ctx, undone); err != nil {
		t.Errorf("an enrolment that was undone used the token up: %v", err)
	}
}

func TestNoSecretIsStoredOrShown(t *testing.T) {
	r, ctx := start(t), context.Background()
	kim := r.user("kim", identity.Admin)
	session, _, err1 := r.login("kim", good, "192.0.2.1")
	_, token, err2 := r.MakeToken(ctx, kim, "ci", identity.Admin, 0)
	join, _, err3 := r.JoinToken(ctx, "kim", 0)
	r.login("kim", "not the password", "192.0.2.1")
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	kept := r.log.String()
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(r.store.Path() + suffix)
		if err != nil {
			t.Fatal(err)
		}
		kept += string(b)
	}
	_, bare, _ := strings.Cut(strings.TrimPrefix(token.Reveal(), "rdt_"), "_")
	for name, s := range map[string]string{"password": good, "wrong password": "not the password", "session": session.Reveal(), "token": bare, "join": join.Reveal()} {
		if len(s) < 10 || strings.Contains(kept, s) {
			t.Errorf("the %s is in the log or the database", name)
		}
	}
	var buf bytes.Buffer
	slog.New(slog.NewJSONHandler(&buf, nil)).Info("x", "s", session, "in", struct{ S identity.Secret }{session})
	j, err := json.Marshal(map[string]identity.Secret{"s": session})
	if err != nil {
		t.Fatal(err)
	}
	shown := buf.String() + string(j) + fmt.Sprintf("%v %s %q %#v %+v %x", session, session, session, session, struct{ S identity.Secret }{session}, session)
	if strings.Contains(shown, session.Reveal()) || strings.Contains(shown, fmt.Sprintf("%x", session.Reveal())) {
		t.Errorf("the secret shows: %s", shown)
	}
}
