package console

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/identity"
	"redoubt.dev/redoubt/internal/link"
	"redoubt.dev/redoubt/internal/redoubt"
)

func link1(events ...redoubt.Event) link.Batch { return link.Batch{Events: events} }

const password = "a quiet harbour at dawn"

// browser is what a page has after setting the console up.
type browser struct {
	cookie *http.Cookie
	csrf   string
}

func (r *rig) setUp() browser {
	r.t.Helper()
	secret, err := r.identity.SetupToken(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	a := r.ask(http.MethodPost, "/api/v1/setup", api.SetupRequest{Token: secret.Reveal(), Name: "ann", Password: password}, anonymous)
	return r.browserOf(a)
}

func (r *rig) browserOf(a answered) browser {
	r.t.Helper()
	var s api.Session
	if err := json.Unmarshal(a.body, &s); err != nil || a.StatusCode != http.StatusOK || len(a.Cookies()) != 1 {
		r.t.Fatalf("no session: %d %s, cookies %v", a.StatusCode, a.body, a.Cookies())
	}
	return browser{a.Cookies()[0], s.CSRF}
}

func (b browser) set(q *http.Request) {
	q.Header.Del("Authorization")
	q.AddCookie(&http.Cookie{Name: b.cookie.Name, Value: b.cookie.Value})
	q.Header.Set("X-CSRF-Token", b.csrf)
}

func TestX3_SetupWorksOnceWithItsToken(t *testing.T) {
	r := newRig(t)
	if s := get[api.Setup](r, "/api/v1/setup"); !s.Needed {
		t.Fatal("a new console needs no setup")
	}
	wrong := r.ask(http.MethodPost, "/api/v1/setup", api.SetupRequest{Token: "guess", Name: "eve", Password: password}, anonymous)
	if wrong.StatusCode != http.StatusUnauthorized {
		t.Fatalf("a guessed token: %d %s", wrong.StatusCode, wrong.body)
	}
	b := r.setUp()
	if c := b.cookie; !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Name != cookieName {
		t.Errorf("cookie is %+v", c)
	}
	if s := get[api.Setup](r, "/api/v1/setup"); s.Needed {
		t.Error("setup is still needed")
	}
	again := r.ask(http.MethodPost, "/api/v1/setup", api.SetupRequest{Token: "guess", Name: "eve", Password: password}, anonymous)
	if again.StatusCode != http.StatusConflict {
		t.Errorf("a second setup: %d %s", again.StatusCode, again.body)
	}
	if a := r.ask(http.MethodGet, "/api/v1/session", nil, b.set); a.StatusCode != http.StatusOK || !strings.Contains(string(a.body), `"user":"ann"`) {
		t.Errorf("session is %d %s", a.StatusCode, a.body)
	}
}

func TestCookieNeedsCSRFAndOwnOrigin(t *testing.T) {
	r := newRig(t)
	b := r.setUp()
	put := func(set func(*http.Request)) int {
		return r.ask(http.MethodPut, "/api/v1/policies/p1", api.PolicyRequest{Source: policyText("p1", "x", "alert", "/bin/nc")}, b.set, set).StatusCode
	}
	for name, c := range map[string]struct {
		set  func(*http.Request)
		want int
	}{
		"honest":       {func(*http.Request) {}, 200},
		"own origin":   {func(q *http.Request) { q.Header.Set("Origin", r.server.URL) }, 200},
		"no csrf":      {func(q *http.Request) { q.Header.Del("X-CSRF-Token") }, 403},
		"wrong csrf":   {func(q *http.Request) { q.Header.Set("X-CSRF-Token", strings.Repeat("a", len(b.csrf))) }, 403},
		"other origin": {func(q *http.Request) { q.Header.Set("Origin", "https://evil.example") }, 403},
		"cross site":   {func(q *http.Request) { q.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
		"same site":    {func(q *http.Request) { q.Header.Set("Sec-Fetch-Site", "same-site") }, 403},
	} {
		if got := put(c.set); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	// Reading needs no word, and a login from another site's page is refused.
	if a := r.ask(http.MethodGet, "/api/v1/overview", nil, b.set, func(q *http.Request) { q.Header.Del("X-CSRF-Token") }); a.StatusCode != 200 {
		t.Errorf("reading: %d", a.StatusCode)
	}
	a := r.ask(http.MethodPost, "/api/v1/session", api.LoginRequest{Name: "ann", Password: password}, anonymous, func(q *http.Request) { q.Header.Set("Origin", "https://evil.example") })
	if a.StatusCode != http.StatusForbidden {
		t.Errorf("login from another site: %d", a.StatusCode)
	}
}

func TestLogoutEndsTheSession(t *testing.T) {
	r := newRig(t)
	b := r.setUp()
	if a := r.ask(http.MethodDelete, "/api/v1/session", nil, b.set); a.StatusCode != http.StatusNoContent || a.Cookies()[0].MaxAge >= 0 {
		t.Fatalf("logout: %d %v", a.StatusCode, a.Cookies())
	}
	if a := r.ask(http.MethodGet, "/api/v1/session", nil, b.set); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("the cookie still works: %d", a.StatusCode)
	}
}

func TestLoginsAreLimitedByAddress(t *testing.T) {
	r := newRig(t)
	r.setUp()
	limited := 0
	for range loginBurst + 3 {
		if a := r.ask(http.MethodPost, "/api/v1/session", api.LoginRequest{Name: "ann", Password: password}, anonymous); a.StatusCode == http.StatusTooManyRequests {
			limited++
		}
	}
	if limited != 4 { // the setup was the first attempt
		t.Errorf("%d of %d were limited, want 4", limited, loginBurst+3)
	}
	r.advance(time.Minute)
	if a := r.ask(http.MethodPost, "/api/v1/session", api.LoginRequest{Name: "ann", Password: password}, anonymous); a.StatusCode != http.StatusOK {
		t.Errorf("a minute later: %d %s", a.StatusCode, a.body)
	}
}

func TestLimiterIsBounded(t *testing.T) {
	l := limiter{buckets: map[string]bucket{}}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 3 * loginAddresses {
		l.take("10.1."+itoa(i/256)+"."+itoa(i%256), now.Add(time.Duration(i)))
	}
	if len(l.buckets) > loginAddresses {
		t.Errorf("%d addresses are kept, at most %d", len(l.buckets), loginAddresses)
	}
	for i := range 20 { // one host has a whole /64
		if err := l.take("2001:db8::"+itoa(i+1), now); (err != nil) != (i >= loginBurst) {
			t.Errorf("attempt %d from one /64: %v", i, err)
		}
	}
}

func itoa(n int) string { return string(mustJSON(n)) }

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func TestA14_TokenLife(t *testing.T) {
	r := newRig(t)
	made := must[api.NewToken](r, http.MethodPost, "/api/v1/tokens", api.TokenRequest{Name: "ci", Role: "operator", Days: 1})
	use := func() int {
		return r.ask(http.MethodGet, "/api/v1/session", nil, bearer(made.Secret)).StatusCode
	}
	if use() != http.StatusOK {
		t.Fatal("a new token does not work")
	}
	if a := r.ask(http.MethodPost, "/api/v1/tokens", api.TokenRequest{Name: "more", Role: "admin"}, bearer(made.Secret)); a.StatusCode != http.StatusForbidden {
		t.Errorf("an operator's token made an administrator's: %d", a.StatusCode)
	}
	list := r.ask(http.MethodGet, "/api/v1/tokens", nil)
	if strings.Contains(string(list.body), made.Secret) || !strings.Contains(string(list.body), made.ID) {
		t.Errorf("the list is %s", list.body)
	}
	r.advance(25 * time.Hour)
	if got := use(); got != http.StatusUnauthorized {
		t.Errorf("a token past its day: %d", got)
	}
	other := must[api.NewToken](r, http.MethodPost, "/api/v1/tokens", api.TokenRequest{Name: "gone", Role: "auditor"})
	must[struct{}](r, http.MethodDelete, "/api/v1/tokens/"+other.ID, nil)
	if a := r.ask(http.MethodGet, "/api/v1/session", nil, bearer(other.Secret)); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("a revoked token: %d", a.StatusCode)
	}
	if a := r.ask(http.MethodGet, "/api/v1/session", nil, bearer("rdt_x_y")); a.StatusCode != http.StatusUnauthorized || a.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("an invented token: %d %v", a.StatusCode, a.Header)
	}
}

func TestUsersAreTheirAdministrators(t *testing.T) {
	r := newRig(t)
	r.setUp()
	must[api.User](r, http.MethodPut, "/api/v1/users/bob", api.UserRequest{Role: "operator", Password: password})
	if a := r.ask(http.MethodDelete, "/api/v1/users/ann", nil); a.StatusCode != http.StatusConflict {
		t.Errorf("the last administrator was deleted: %d", a.StatusCode)
	}
	must[api.User](r, http.MethodPut, "/api/v1/users/bob", api.UserRequest{Role: "auditor"})
	login := r.browserOf(r.ask(http.MethodPost, "/api/v1/session", api.LoginRequest{Name: "bob", Password: password}, anonymous))
	if a := r.ask(http.MethodPut, "/api/v1/users/bob", api.UserRequest{Role: "admin"}, login.set); a.StatusCode != http.StatusForbidden {
		t.Errorf("an auditor promoted himself: %d", a.StatusCode)
	}
	must[struct{}](r, http.MethodDelete, "/api/v1/users/bob", nil)
	if a := r.ask(http.MethodGet, "/api/v1/session", nil, login.set); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("a deleted account's session: %d", a.StatusCode)
	}
	if users := get[api.Page[api.User]](r, "/api/v1/users"); len(users.Items) != 1 || users.Items[0].Name != "ann" {
		t.Errorf("users are %+v", users.Items)
	}
	if log := r.log.String(); strings.Contains(log, password) || strings.Contains(log, r.as(identity.Admin)) {
		t.Error("a secret is in the log")
	}
}

func TestA7_EverybodyChangesTheirOwnPassword(t *testing.T) {
	r := newRig(t)
	r.setUp()
	const next = "a quiet harbour at dusk"
	change := func(b browser, current, next string) answered {
		return r.ask(http.MethodPut, "/api/v1/session/password", api.PasswordRequest{Current: current, Password: next}, b.set)
	}
	login := func(name, password string) answered {
		r.advance(time.Minute)
		return r.ask(http.MethodPost, "/api/v1/session", api.LoginRequest{Name: name, Password: password}, anonymous)
	}
	for _, role := range []string{"auditor", "operator", "admin"} {
		name := "a-" + role
		must[api.User](r, http.MethodPut, "/api/v1/users/"+name, api.UserRequest{Role: role, Password: password})
		own, other := r.browserOf(login(name, password)), r.browserOf(login(name, password))
		if a := change(own, "a wrong guess at it", next); a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(string(a.body), "current") {
			t.Errorf("%s with a wrong password: %d %s", role, a.StatusCode, a.body)
		}
		if a := change(browser{own.cookie, "x"}, password, next); a.StatusCode != http.StatusForbidden {
			t.Errorf("%s without the session's word: %d", role, a.StatusCode)
		}
		if a := change(own, password, next); a.StatusCode != http.StatusNoContent {
			t.Errorf("%s: %d %s", role, a.StatusCode, a.body)
		}
		if a := r.ask(http.MethodGet, "/api/v1/session", nil, own.set); a.StatusCode != http.StatusOK {
			t.Errorf("%s lost the session that asked: %d", role, a.StatusCode)
		}
		if a := r.ask(http.MethodGet, "/api/v1/session", nil, other.set); a.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: the other session lives: %d", role, a.StatusCode)
		}
		if a := login(name, password); a.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: the password before still works: %d", role, a.StatusCode)
		}
		if a := login(name, next); a.StatusCode != http.StatusOK {
			t.Errorf("%s: the new password: %d %s", role, a.StatusCode, a.body)
		}
	}
	results := map[string]int{}
	trail := r.ask(http.MethodGet, "/api/v1/audit?q=session.password", nil)
	var page api.Page[api.AuditEntry]
	if err := json.Unmarshal(trail.body, &page); err != nil {
		t.Fatal(err)
	}
	for _, line := range page.Items {
		results[line.Result]++
	}
	if results["done"] != 3 || results["failed"] != 3 {
		t.Errorf("the trail has %v", results)
	}
	for _, secret := range []string{password, next, "a wrong guess at it"} {
		if strings.Contains(string(trail.body)+r.log.String(), secret) {
			t.Errorf("%q is in the trail or the log", secret)
		}
	}
	if a := r.ask(http.MethodPut, "/api/v1/session/password", api.PasswordRequest{Current: password, Password: next}); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("the system's token changed a password: %d %s", a.StatusCode, a.body)
	}
}

func TestA7_GuessingOnesCurrentPasswordLocks(t *testing.T) {
	r := newRig(t)
	b := r.setUp()
	for range loginBurst {
		if a := r.ask(http.MethodPut, "/api/v1/session/password", api.PasswordRequest{Current: "a wrong guess at it", Password: "a quiet harbour at dusk"}, b.set); a.StatusCode == http.StatusTooManyRequests {
			return
		}
	}
	t.Error("it may be guessed for ever")
}
