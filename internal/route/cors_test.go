package route

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func ask(origin, method, headers string) http.Header {
	h := http.Header{"Origin": {origin}, "Access-Control-Request-Method": {method}}
	if headers != "" {
		h.Set("Access-Control-Request-Headers", headers)
	}
	return h
}

func TestS1_PreflightsAllowWhatTheRouteSays(t *testing.T) {
	c := &CORS{Origins: []string{"https://shop.example.com", "https://*.app.example.com"}, Headers: []string{"Content-Type", "X-Trace"}, Credentials: true, MaxAge: 600}
	open := &CORS{Origins: []string{"*"}, Headers: []string{"*"}}
	allowed := []string{"GET", "OPTIONS", "POST"}
	for name, x := range map[string]struct {
		c      *CORS
		ask    http.Header
		origin string // allowed, empty for none
	}{
		"origin":                    {c, ask("https://shop.example.com", "POST", "content-type, x-trace"), "https://shop.example.com"},
		"below the wildcard":        {c, ask("https://a.b.app.example.com", "GET", ""), "https://a.b.app.example.com"},
		"the wildcard's own":        {c, ask("https://app.example.com", "GET", ""), ""},
		"begins alike":              {c, ask("https://shop.example.com.evil.com", "GET", ""), ""},
		"ends alike":                {c, ask("https://evilapp.example.com", "GET", ""), ""},
		"credentials in the origin": {c, ask("https://evil.com#.app.example.com", "GET", ""), ""},
		"other scheme":              {c, ask("http://shop.example.com", "GET", ""), ""},
		"other port":                {c, ask("https://shop.example.com:8443", "GET", ""), ""},
		"null":                      {c, ask("null", "GET", ""), ""},
		"method the path lacks":     {c, ask("https://shop.example.com", "DELETE", ""), ""},
		"header not named":          {c, ask("https://shop.example.com", "GET", "authorization"), ""},
		"any":                       {open, ask("https://evil.com", "GET", "x-any"), "*"},
		"any, with authorization":   {open, ask("https://evil.com", "GET", "authorization"), ""},
		"any and credentials":       {&CORS{Origins: []string{"*"}, Credentials: true}, ask("https://evil.com", "GET", ""), ""},
		"none":                      {nil, ask("https://evil.com", "GET", ""), ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := x.c.Preflight(x.ask, allowed)
			if got.Get("Access-Control-Allow-Origin") != x.origin || got.Get("Vary") == "" {
				t.Errorf("got %v", got)
			}
			if x.origin == "" && len(got) != 1 {
				t.Errorf("a refusal says %v", got)
			}
		})
	}
}

func TestS1_AnswersCarryTheSame(t *testing.T) {
	c := &CORS{Origins: []string{"https://a.com"}, Expose: []string{"X-Id"}, Credentials: true}
	want := http.Header{"Vary": {"Origin"}, "Access-Control-Allow-Origin": {"https://a.com"}, "Access-Control-Allow-Credentials": {"true"}, "Access-Control-Expose-Headers": {"X-Id"}}
	if d := cmp.Diff(want, c.Answer("https://a.com")); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(http.Header{"Vary": {"Origin"}}, c.Answer("https://b.com")); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(http.Header{"Access-Control-Allow-Origin": {"*"}}, (&CORS{Origins: []string{"*"}}).Answer("https://b.com")); d != "" {
		t.Error(d)
	}
	if got := (*CORS)(nil).Answer("https://b.com"); len(got) != 0 {
		t.Errorf("without rules: %v", got)
	}
}

func TestPreflightIsToldFromOptions(t *testing.T) {
	r, _ := http.NewRequest("OPTIONS", "http://h/", nil)
	if Preflight(r) {
		t.Error("a plain OPTIONS was taken for one")
	}
	r.Header = ask("https://a.com", "GET", "")
	if !Preflight(r) {
		t.Error("not recognised")
	}
}
