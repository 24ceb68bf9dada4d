package console

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/identity"
)

const cookieName = "redoubt_session"

var (
	errLogin  = fault.New(fault.Unauthenticated, "log in first, or send an API token as Authorization: Bearer TOKEN")
	errCSRF   = fault.New(fault.Denied, "the X-CSRF-Token header is missing or not this session's; load the page again")
	errOrigin = fault.New(fault.Denied, "this request comes from another site; changes are taken from the console's own pages only")
)

// authenticate finds out who asks and whether that role may. A change that a
// role may not make leaves a line in the audit trail.
func (c *Console) authenticate(api huma.API) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(ctx)
		needs, _ := ctx.Operation().Metadata["permission"].(identity.Permission)
		err := c.admit(r, needs)
		if err == nil {
			next(ctx)
			return
		}
		if fault.Is(err, fault.Denied) && changes(r) {
			c.noteDenied(r, ctx.Operation().OperationID)
		}
		p := problem(ctx.Context(), err)
		if p.GetStatus() == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Bearer realm="redoubt"`)
		}
		huma.WriteErr(api, ctx, p.GetStatus(), p.Error())
	}
}

func changes(r *http.Request) bool { return r.Method != http.MethodGet && r.Method != http.MethodHead }

// admit fills in the request's actor.
func (c *Console) admit(r *http.Request, needs identity.Permission) error {
	info := requestOf(r.Context())
	if needs == public {
		if changes(r) && crossSite(r) {
			return errOrigin
		}
		return nil
	}
	who, err := c.recognise(r.Context(), credentials(r))
	if err != nil {
		return err
	}
	info.actor = who
	if who.cookie != "" && changes(r) {
		if crossSite(r) {
			return errOrigin
		}
		if !who.CSRFHolds(r.Header.Get("X-CSRF-Token")) {
			return errCSRF
		}
	}
	if !may(who.Role, needs) {
		return fault.New(fault.Denied, "the role %s does not hold the permission %s", who.Role, needs)
	}
	return nil
}

// credentials reads the token or the cookie; a token goes first, because no
// other site's page can make a browser send one.
func credentials(r *http.Request) actor {
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		return actor{token: identity.Secret(strings.TrimSpace(token))}
	}
	if cookie, err := r.Cookie(cookieName); err == nil && len(cookie.Value) <= 512 {
		return actor{cookie: identity.Secret(cookie.Value)}
	}
	return actor{}
}

func (c *Console) recognise(ctx context.Context, a actor) (_ actor, err error) {
	switch {
	case a.token != "":
		a.Principal, err = c.identity.Token(ctx, a.token)
	case a.cookie != "":
		a.Principal, err = c.identity.Session(ctx, a.cookie)
	default:
		err = errLogin
	}
	return a, err
}

// stillAllowed asks again, for answers that take long.
func (c *Console) stillAllowed(ctx context.Context) bool {
	who, err := c.recognise(ctx, requestOf(ctx).actor)
	return err == nil && may(who.Role, identity.Read)
}

// crossSite says whether a browser sends this on behalf of another site's page.
func crossSite(r *http.Request) bool {
	return http.NewCrossOriginProtection().Check(r) != nil
}

// sessionCookie hands the session's secret to the browser; empty takes it back.
func sessionCookie(secret identity.Secret, until time.Time) string {
	cookie := http.Cookie{
		Name: cookieName, Value: secret.Reveal(), Path: "/", Expires: until,
		Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
	if secret == "" {
		cookie.MaxAge = -1
	}
	return cookie.String()
}
