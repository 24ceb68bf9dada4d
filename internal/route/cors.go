package route

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// CORS is what a route lets pages of other origins do. It binds browsers
// alone: it is no authorization.
type CORS struct {
	Origins     []string `json:"origins" yaml:"origins"`                             // https://shop.example.com, https://*.example.com, *
	Methods     []string `json:"methods,omitempty" yaml:"methods,omitempty"`         // the path's own where empty
	Headers     []string `json:"headers,omitempty" yaml:"headers,omitempty"`         // request headers beyond the simple ones
	Expose      []string `json:"expose,omitempty" yaml:"expose,omitempty"`           // response headers scripts may read
	Credentials bool     `json:"credentials,omitempty" yaml:"credentials,omitempty"` // cookies; not with an origin of *
	MaxAge      int      `json:"max_age,omitempty" yaml:"max_age,omitempty"`         // seconds a browser remembers a preflight
}

// Preflight reports whether r asks what it may do before it does it.
func Preflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

// Preflight is what a preflight is answered with, beside status 204. Where the
// origin, the method or a header is not allowed it only holds Vary: the
// browser then refuses. allowed are the methods of the path, see Match.Allow.
func (c *CORS) Preflight(ask http.Header, allowed []string) http.Header {
	out := http.Header{"Vary": {"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"}}
	origin, ok := c.allow(ask.Get("Origin"))
	if !ok || !c.method(ask.Get("Access-Control-Request-Method"), allowed) {
		return out
	}
	wanted := split(ask.Values("Access-Control-Request-Headers"))
	for _, h := range wanted {
		if !c.header(h) {
			return out
		}
	}
	out.Set("Access-Control-Allow-Origin", origin)
	methods := c.Methods
	if len(methods) == 0 || slices.Contains(methods, "*") {
		methods = allowed
	}
	out.Set("Access-Control-Allow-Methods", strings.Join(methods, ", "))
	if len(wanted) > 0 {
		out.Set("Access-Control-Allow-Headers", strings.Join(wanted, ", "))
	}
	if c.Credentials {
		out.Set("Access-Control-Allow-Credentials", "true")
	}
	if c.MaxAge > 0 {
		out.Set("Access-Control-Max-Age", strconv.Itoa(c.MaxAge))
	}
	return out
}

// Answer is what the actual answer carries for a request of that origin. The
// gateway sets these over whatever the function set, so that a route's
// configuration is the whole truth.
func (c *CORS) Answer(origin string) http.Header {
	if c == nil {
		return nil
	}
	out := http.Header{}
	if !slices.Contains(c.Origins, "*") {
		out.Set("Vary", "Origin")
	}
	allow, ok := c.allow(origin)
	if !ok {
		return out
	}
	out.Set("Access-Control-Allow-Origin", allow)
	if c.Credentials {
		out.Set("Access-Control-Allow-Credentials", "true")
	}
	if len(c.Expose) > 0 {
		out.Set("Access-Control-Expose-Headers", strings.Join(c.Expose, ", "))
	}
	return out
}

// allow returns the value for an origin that may. Credentials and * never meet,
// even where nobody validated.
func (c *CORS) allow(origin string) (string, bool) {
	if c == nil || origin == "" || len(origin) > 300 || strings.ContainsAny(origin, " ,\r\n") {
		return "", false
	}
	for _, o := range c.Origins {
		if o == "*" && !c.Credentials {
			return "*", true
		}
		if o != "*" && o != "null" && originMatches(o, origin) {
			return origin, true
		}
	}
	return "", false
}

// originMatches compares whole origins. A wildcard stands for one or more
// labels below its domain, never for the domain or another scheme or port.
func originMatches(pattern, origin string) bool {
	scheme, rest, wild := strings.Cut(pattern, "://*.")
	if !wild {
		return pattern == origin
	}
	host, ok := strings.CutPrefix(origin, scheme+"://")
	if !ok {
		return false
	}
	label, ok := strings.CutSuffix(host, "."+rest)
	return ok && label != "" && !strings.ContainsFunc(label, func(r rune) bool {
		return r != '-' && r != '.' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
	})
}

// method allows the configured ones, and of those only what the path takes.
func (c *CORS) method(m string, allowed []string) bool {
	if len(c.Methods) > 0 && !slices.Contains(c.Methods, "*") && !slices.Contains(c.Methods, m) {
		return false
	}
	return slices.Contains(allowed, m)
}

func (c *CORS) header(h string) bool {
	return slices.ContainsFunc(c.Headers, func(known string) bool {
		// Authorization is never part of *: the standard says so too.
		return strings.EqualFold(known, h) || known == "*" && !c.Credentials && !strings.EqualFold(h, "authorization")
	})
}

func split(values []string) []string {
	const most = 64
	var out []string
	for _, v := range values {
		for s := range strings.SplitSeq(v, ",") {
			if s = strings.TrimSpace(s); s != "" && len(out) < most {
				out = append(out, s)
			} else if s != "" {
				return append(out[:0], "too many") // which no route allows
			}
		}
	}
	return out
}
