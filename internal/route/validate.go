package route

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/net/http/httpguts"
)

var (
	nameForm     = regexp.MustCompile(`^[a-z0-9]([a-z0-9._-]{0,126}[a-z0-9])?$`)
	functionForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	aliasForm    = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)
	hostForm     = regexp.MustCompile(`^(\*\.)?([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)
	arnForm      = regexp.MustCompile(`^arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:[A-Za-z0-9_-]{1,64}(:[A-Za-z0-9_$-]{1,128})?$`)
	methods      = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
)

const (
	maxTimeout = 900
	maxBody    = 256 << 20
	maxList    = 100
)

// report takes a problem with the path of its value.
type report func(path, format string, args ...any)

// Validate names everything wrong with a route.
func Validate(r Route) []Problem {
	var out []Problem
	say := func(path, format string, args ...any) {
		if len(out) < maxProblems {
			out = append(out, Problem{Path: path, Message: fmt.Sprintf(format, args...)})
		}
	}
	r.check(say)
	r.Target.check(say)
	r.Firewall.check(say)
	r.CORS.check(say)
	r.Limits.check(say)
	if r.Quota.Day < 0 || r.Quota.Month < 0 {
		say("quota", "a quota is not negative; leave it out for no bound")
	}
	return out
}

func (r *Route) check(say report) {
	if !nameForm.MatchString(r.ID) {
		say("id", "a route's id has 1 to 128 small letters, digits, dots, dashes or underscores, not %q", clip(r.ID))
	}
	if len(r.Description) > 1024 || strings.ContainsFunc(r.Description, func(c rune) bool { return unicode.IsControl(c) && c != '\n' }) {
		say("description", "a description has at most 1024 bytes and no control characters")
	}
	if r.Stage != "" && !functionForm.MatchString(r.Stage) {
		say("stage", "a stage's name has small letters, digits and inner dashes, not %q", clip(r.Stage))
	}
	if r.Host != "" && (len(r.Host) > 253 || !hostForm.MatchString(r.Host)) {
		say("host", "%q is no host: write api.example.com, or *.example.com for all below it, without a port", clip(r.Host))
	}
	if r.Method != "" && !slices.Contains(methods, r.Method) {
		say("method", "there is no method %q: write one of %s, or leave it out for any", clip(r.Method), strings.Join(methods, ", "))
	}
	if _, err := parseTemplate(r.Path); err != nil {
		say("path", "%v", err)
	}
	oneOf(say, "auth", string(r.Auth), string(IAM), string(Key), string(JWT), string(None))
	oneOf(say, "payload", r.Payload, "2.0", "1.0")
	between(say, "timeout", int64(r.Timeout), 1, maxTimeout, "seconds")
	between(say, "max_request", r.MaxRequest, 1, maxBody, "bytes")
	between(say, "max_response", r.MaxResponse, 1, maxBody, "bytes")
}

func (t *Target) check(say report) {
	set := 0
	for _, s := range []string{t.Function, t.URL, t.Lambda} {
		if s != "" {
			set++
		}
	}
	if set != 1 {
		say("target", "a target has exactly one of function, url and lambda, this one has %d", set)
	}
	if t.Function != "" && !functionForm.MatchString(t.Function) {
		say("target.function", "a function's name has 1 to 63 small letters, digits and inner dashes, not %q", clip(t.Function))
	}
	if t.Lambda != "" && !arnForm.MatchString(t.Lambda) {
		say("target.lambda", "%q is no function's ARN: write arn:aws:lambda:REGION:ACCOUNT:function:NAME", clip(t.Lambda))
	}
	if t.URL != "" {
		u, err := url.Parse(t.URL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			say("target.url", "%q is no http or https address without credentials and query", clip(t.URL))
		}
	}
	t.checkVersions(say)
}

func (t *Target) checkVersions(say report) {
	set := 0
	for _, s := range []bool{t.Version != 0, t.Alias != "", len(t.Weights) > 0} {
		if s {
			set++
		}
	}
	if set > 0 && t.Function == "" {
		say("target", "version, alias and weights belong to a function")
	}
	if set > 1 {
		say("target", "a target has one of version, alias and weights")
	}
	if t.Version < 0 {
		say("target.version", "versions are counted from 1")
	}
	if t.Alias != "" && !aliasForm.MatchString(t.Alias) {
		say("target.alias", "an alias has letters, digits, dashes and underscores, not %q", clip(t.Alias))
	}
	sum, seen := 0, map[int]bool{}
	for i, w := range t.Weights {
		if w.Version < 1 || w.Percent < 0 || w.Percent > 100 || seen[w.Version] {
			say(fmt.Sprintf("target.weights[%d]", i), "a weight names a version from 1, each once, and 0 to 100 percent")
		}
		seen[w.Version] = true
		sum += min(max(w.Percent, 0), 100)
	}
	if len(t.Weights) > maxList {
		say("target.weights", "there are more than %d weights", maxList)
	} else if len(t.Weights) > 0 && sum != 100 {
		say("target.weights", "the percentages add up to %d, not 100", sum)
	}
}

func (f *Firewall) check(say report) {
	oneOf(say, "firewall.mode", string(f.Mode), string(FirewallOff), string(FirewallAlert), string(FirewallPrevent))
	oneOf(say, "firewall.oversize", f.Oversize, "refuse", "pass")
	between(say, "firewall.paranoia", int64(f.Paranoia), 1, 4, "")
	between(say, "firewall.threshold", int64(f.Threshold), 1, 10000, "")
	if len(f.Exclusions) > maxList {
		say("firewall.exclusions", "there are %d exclusions, at most %d are allowed; turn the firewall off instead", len(f.Exclusions), maxList)
		return
	}
	for i, e := range f.Exclusions {
		if e.Rule < 1 || e.Rule > 9_999_999 || len(e.Parameter) > 512 || len(e.Note) > 1024 {
			say(fmt.Sprintf("firewall.exclusions[%d]", i), "an exclusion has the rule's number and a parameter as verdicts name it, like ARGS:q")
		}
	}
}

func (c *CORS) check(say report) {
	if c == nil {
		return
	}
	if len(c.Origins) == 0 {
		say("cors.origins", "name the origins that may call, like https://shop.example.com, or *")
	}
	for i, o := range c.Origins {
		if !originOK(o) {
			say(fmt.Sprintf("cors.origins[%d]", i), "%q is no origin: write https://shop.example.com, https://*.example.com or *", clip(o))
		}
		if o == "*" && c.Credentials {
			say(fmt.Sprintf("cors.origins[%d]", i), "any origin with credentials would let every site act for its visitors: name the origins")
		}
		if o == "null" {
			say(fmt.Sprintf("cors.origins[%d]", i), "null is the origin of every sandboxed page: name the origins")
		}
	}
	for _, l := range []struct {
		path string
		list []string
	}{{"cors.methods", c.Methods}, {"cors.headers", c.Headers}, {"cors.expose", c.Expose}} {
		if len(l.list) > maxList {
			say(l.path, "there are more than %d", maxList)
			continue
		}
		for i, s := range l.list {
			if s == "*" && c.Credentials {
				say(fmt.Sprintf("%s[%d]", l.path, i), "* means nothing to browsers where credentials are allowed: name them")
			} else if !httpguts.ValidHeaderFieldName(s) {
				say(fmt.Sprintf("%s[%d]", l.path, i), "%q is no name of that kind", clip(s))
			}
		}
	}
	if len(c.Origins) > maxList {
		say("cors.origins", "there are more than %d origins", maxList)
	}
	if c.MaxAge < 0 || c.MaxAge > 86400 {
		say("cors.max_age", "max_age lies between 0 and 86400 seconds")
	}
}

func originOK(o string) bool {
	if o == "*" || o == "null" {
		return true
	}
	u, err := url.Parse(strings.Replace(o, "://*.", "://any.", 1))
	return err == nil && len(o) <= 300 && u.Scheme != "" && u.Host != "" && u.Path == "" && u.RawQuery == "" && u.Fragment == "" && u.User == nil &&
		strings.ToLower(o) == o && !strings.ContainsAny(u.Host, "* ,")
}

func (l *Limits) check(say report) {
	for _, v := range []struct {
		path string
		n    float64
	}{{"limits.rate", l.Rate}, {"limits.burst", float64(l.Burst)}, {"limits.concurrent", float64(l.Concurrent)}, {"limits.route_rate", l.RouteRate},
		{"limits.route_burst", float64(l.RouteBurst)}, {"limits.route_concurrent", float64(l.RouteAtOnce)}} {
		if !(v.n >= 0 && v.n <= 1e6) {
			say(v.path, "a limit lies between 0, which is none, and 1000000")
		}
	}
	if l.Burst > 0 && l.Rate == 0 || l.RouteBurst > 0 && l.RouteRate == 0 {
		say("limits", "a burst needs its rate")
	}
}

func oneOf(say report, path, got string, known ...string) {
	if got != "" && !slices.Contains(known, got) {
		say(path, "there is no %q here: write one of %s", clip(got), strings.Join(known, ", "))
	}
}

// between accepts zero too: the default.
func between(say report, path string, n, low, high int64, unit string) {
	if n != 0 && (n < low || n > high) {
		say(path, "%s", strings.TrimSpace(fmt.Sprintf("%d is outside %d to %d %s", n, low, high, unit)))
	}
}
