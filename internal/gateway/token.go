package gateway

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/iam"
)

const maxTokenBody = 64 << 10

// wish is what a token request asks for, as JSON or as a form.
type wish struct {
	Audience string `json:"audience"`
	TTL      string `json:"ttl"` // 15m
	Once     bool   `json:"once"`
	Token    string `json:"token"` // an ID token or a workload's, as the proof
}

// serveToken changes a proof of who one is for a short-lived token: POST /token
// with a user's name and password (Basic), an API key, an AWS signature, a
// client certificate, or an ID token in the body.
func (g *Gateway) serveToken(a *answer, r *http.Request) {
	if err := g.token(a, r); err != nil {
		a.fail(refused(err))
	}
}

func (g *Gateway) token(a *answer, r *http.Request) error {
	if r.Method != http.MethodPost {
		return refuse("", http.StatusMethodNotAllowed, "MethodNotAllowedException", "tokens are asked for by POST")
	}
	if insider(r.Context()) != nil {
		return fault.New(fault.Denied, "code in a sandbox is known by where it asks: it gets no tokens of others")
	}
	g.bound(a, r, maxTokenBody)
	who, err := iam.Caller{}, error(nil)
	user, password, basic := r.BasicAuth()
	if r.Header.Get("Authorization") != "" && !basic || r.Header.Get("X-Api-Key") != "" {
		// A signature is over the body: it is checked before that is read.
		if who, err = g.cfg.IAM.Identify(r.Context(), r, iam.Want{Audience: iam.Gateway, Services: services, Once: true}); err != nil {
			return err
		}
	}
	w, err := readWish(r)
	if err != nil {
		return err
	}
	switch {
	case who.Principal != "":
	case basic:
		who, err = g.cfg.IAM.Password(r.Context(), user, password, address(r.RemoteAddr))
	case w.Token != "":
		who, err = g.cfg.IAM.WebIdentity(r.Context(), w.Token)
	default:
		who, err = g.cfg.IAM.Identify(r.Context(), r, iam.Want{Audience: iam.Gateway, Services: services})
	}
	if err != nil {
		return err
	}
	ask := iam.Ask{Audience: w.Audience, Once: w.Once}
	if ask.Audience == "" {
		ask.Audience = iam.Gateway
	}
	if w.TTL != "" {
		if ask.Life, err = time.ParseDuration(w.TTL); err != nil || ask.Life <= 0 {
			return fault.New(fault.Invalid, "ttl %q: write a time as 15m", clip(w.TTL, 32))
		}
	}
	a.caller = who.Principal
	t, err := g.cfg.IAM.Issue(who, ask)
	if err != nil {
		return err
	}
	a.Header().Set("Cache-Control", "no-store")
	return a.json(http.StatusOK, map[string]any{
		"access_token": t.Text.Reveal(), "token_type": "Bearer", "expires_in": int(t.Expires.Sub(g.cfg.Clock()).Seconds()), "expires": t.Expires.UTC(), "principal": who.Principal,
	})
}

func readWish(r *http.Request) (w wish, err error) {
	body, err := io.ReadAll(r.Body)
	if err != nil || len(body) == 0 {
		return w, err
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "application/x-www-form-urlencoded" {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return w, fault.New(fault.Invalid, "the body is no form")
		}
		w = wish{Audience: form.Get("audience"), TTL: form.Get("ttl"), Token: form.Get("token")}
		w.Once, _ = strconv.ParseBool(form.Get("once"))
		return w, nil
	}
	if err := json.Unmarshal(body, &w); err != nil {
		return w, fault.New(fault.Invalid, `the body is neither a form nor JSON like {"audience": %q, "ttl": "15m"}`, iam.Gateway)
	}
	return w, nil
}
