package route

import (
	"context"
	"encoding/json"
	"time"
)

// Route is one entry of the table. Zero fields get the defaults given.
type Route struct {
	ID          string          `json:"id" yaml:"id"`
	Description string          `json:"description,omitempty" yaml:"description,omitempty"`
	Stage       string          `json:"stage,omitempty" yaml:"stage,omitempty"`   // "live"
	Host        string          `json:"host,omitempty" yaml:"host,omitempty"`     // api.example.com, *.example.com; any where empty
	Method      string          `json:"method,omitempty" yaml:"method,omitempty"` // any where empty
	Path        string          `json:"path" yaml:"path"`                         // /orders/{id}, /files/{rest...}
	Target      Target          `json:"target" yaml:"target"`
	Auth        Auth            `json:"auth,omitempty" yaml:"auth,omitempty"`                 // iam
	Payload     string          `json:"payload,omitempty" yaml:"payload,omitempty"`           // "2.0" or "1.0"; 2.0
	Timeout     int             `json:"timeout,omitempty" yaml:"timeout,omitempty"`           // seconds, 30; at most 900
	MaxRequest  int64           `json:"max_request,omitempty" yaml:"max_request,omitempty"`   // bytes of a body, 6 MiB
	MaxResponse int64           `json:"max_response,omitempty" yaml:"max_response,omitempty"` // bytes of a body, 6 MiB
	CORS        *CORS           `json:"cors,omitempty" yaml:"cors,omitempty"`                 // none where nil: browsers of other origins stay out
	Limits      Limits          `json:"limits,omitzero" yaml:"limits,omitempty"`
	Quota       Quota           `json:"quota,omitzero" yaml:"quota,omitempty"`
	Compress    bool            `json:"compress,omitempty" yaml:"compress,omitempty"`
	Firewall    Firewall        `json:"firewall,omitzero" yaml:"firewall,omitempty"`
	Schema      json.RawMessage `json:"schema,omitempty" yaml:"-"` // an OpenAPI document of this one operation: requests that break it are refused
}

// Live is the stage of routes that name none.
const Live = "live"

// Auth says how callers of a route show who they are.
type Auth string

// The ways. None lets anyone in: access policies still see an anonymous caller.
const (
	IAM  Auth = "iam"
	Key  Auth = "key"
	JWT  Auth = "jwt"
	None Auth = "none"
)

// Target is where a route's requests go: to a function here, to a URL, or to a
// function on AWS. Exactly one of Function, URL and Lambda is set.
type Target struct {
	Function string   `json:"function,omitempty" yaml:"function,omitempty"`
	Version  int      `json:"version,omitempty" yaml:"version,omitempty"` // one version, or
	Alias    string   `json:"alias,omitempty" yaml:"alias,omitempty"`     // what an alias points to ("live" where nothing is said), or
	Weights  []Weight `json:"weights,omitempty" yaml:"weights,omitempty"` // a canary of this route alone
	URL      string   `json:"url,omitempty" yaml:"url,omitempty"`         // http or https; the request's path is added to it
	Lambda   string   `json:"lambda,omitempty" yaml:"lambda,omitempty"`   // arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]
}

// Weight gives a version a share of a route's requests.
type Weight struct {
	Version int `json:"version" yaml:"version"`
	Percent int `json:"percent" yaml:"percent"` // all add up to 100
}

// Pick returns the version a request goes to, 0 for whatever Alias points to.
// Requests with the same n get the same one: a caller's hash keeps callers on
// one side of a canary, a random n spreads them.
func (t *Target) Pick(n uint64) int {
	if len(t.Weights) == 0 {
		return t.Version
	}
	at := int(n % 100)
	for _, w := range t.Weights {
		if at -= w.Percent; at < 0 {
			return w.Version
		}
	}
	return t.Weights[len(t.Weights)-1].Version
}

// Limits bound how often a route is called; zero does not limit.
type Limits struct {
	Rate        float64 `json:"rate,omitempty" yaml:"rate,omitempty"`               // requests a second of one caller
	Burst       int     `json:"burst,omitempty" yaml:"burst,omitempty"`             // at once, after a pause; Rate rounded up
	Concurrent  int     `json:"concurrent,omitempty" yaml:"concurrent,omitempty"`   // requests of one caller under way
	RouteRate   float64 `json:"route_rate,omitempty" yaml:"route_rate,omitempty"`   // of all callers together
	RouteBurst  int     `json:"route_burst,omitempty" yaml:"route_burst,omitempty"` // RouteRate rounded up
	RouteAtOnce int     `json:"route_concurrent,omitempty" yaml:"route_concurrent,omitempty"`
}

// Quota is how many requests one caller or key has; zero does not limit. Days
// and months are UTC.
type Quota struct {
	Day   int64 `json:"day,omitempty" yaml:"day,omitempty"`
	Month int64 `json:"month,omitempty" yaml:"month,omitempty"`
}

const (
	defaultTimeout = 30
	defaultBody    = 6 << 20 // what Lambda takes
)

// Limit is the time a request may take.
func (r *Route) Limit() time.Duration { return time.Duration(r.Timeout) * time.Second }

// String names the route as records do: "GET /orders/{id}".
func (r *Route) String() string {
	if r.Method == "" {
		return "ANY " + r.Path
	}
	return r.Method + " " + r.Path
}

// withDefaults fills what was left out.
func (r Route) withDefaults() Route {
	def(&r.Stage, Live)
	def(&r.Auth, IAM)
	def(&r.Payload, "2.0")
	def(&r.Timeout, defaultTimeout)
	def(&r.MaxRequest, defaultBody)
	def(&r.MaxResponse, defaultBody)
	def(&r.Firewall.Mode, FirewallAlert)
	def(&r.Firewall.Paranoia, 1)
	def(&r.Firewall.Threshold, 5)
	def(&r.Firewall.Oversize, "refuse")
	if r.Target.Function != "" && r.Target.Version == 0 && len(r.Target.Weights) == 0 {
		def(&r.Target.Alias, Live)
	}
	return r
}

func def[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}

// Store keeps routes. PutRoutes replaces those of the same ids and adds the
// others, all or none; DeleteRoute of one that is gone is fault.NotFound.
type Store interface {
	Routes(ctx context.Context) ([]Route, error)
	PutRoutes(ctx context.Context, routes []Route) error
	DeleteRoute(ctx context.Context, id string) error
}
