// Package waf judges what a request holds: a request in, a verdict out, no
// input or output of its own. Engine is the seam; its members know the rules
// (waf/coraza runs the OWASP Core Rule Set). It leaves reading bodies, routes
// and answering to the gateway, and who may call to package access.
//
// A request's body is judged as the function will read it, not as its headers
// claim: what looks like JSON is read as JSON whatever its type says. Events
// that never were HTTP (an object's key, a sensor's message, a queue's) pass
// the same rules by Event.
package waf

import (
	"context"
	"net/netip"
	"strconv"
	"strings"

	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/route"
)

// Engine inspects requests. Inspect is safe for concurrent use. An error means
// that the request was not judged: the caller decides whether it passes.
type Engine interface {
	Inspect(ctx context.Context, r *Request) (*Verdict, error)
}

// Answerer is an Engine that also reads what a function answers, for data
// that should not leave: error pages, source code, shells.
type Answerer interface {
	InspectAnswer(ctx context.Context, r *Request, a *Answer) (*Verdict, error)
}

// Field is a header line.
type Field struct{ Name, Value string }

// Request is what is inspected.
type Request struct {
	Method  string
	URI     string // as it came, with its query
	Proto   string // HTTP/1.1
	Host    string
	Header  []Field // as they came, without Host
	Remote  netip.AddrPort
	Body    []byte // read and bounded by the caller; an engine looks at the first bytes of it, up to its own limit
	Cut     bool   // Body is not all of it
	Event   bool   // never was HTTP: rules on the protocol do not count
	Setting route.Firewall
}

// Type is the request's Content-Type.
func (r *Request) Type() string { return r.field("content-type") }

// Framed reports whether the headers say where the body ends. HTTP/2 requests
// and events need not.
func (r *Request) Framed() bool {
	return r.field("content-length") != "" || r.field("transfer-encoding") != ""
}

func (r *Request) field(name string) string {
	for _, f := range r.Header {
		if strings.EqualFold(f.Name, name) {
			return f.Value
		}
	}
	return ""
}

// Answer is what a function answered.
type Answer struct {
	Status int
	Header []Field
	Body   []byte
}

// Action is what is to become of a request.
type Action string

// The actions. Alert passes the request on and tells.
const (
	Pass   Action = "pass"
	Alert  Action = "alert"
	Refuse Action = "refuse"
)

// Verdict is what the rules say of a request. The zero Verdict passes it.
type Verdict struct {
	Action    Action    `json:"action"`
	Score     int       `json:"score"`
	Threshold int       `json:"threshold"`
	Oversize  bool      `json:"oversize,omitempty"` // part of the body was not inspected
	Findings  []Finding `json:"findings,omitempty"` // worst first, at most MaxFindings; also those below the threshold
	Excluded  int       `json:"excluded,omitempty"` // matches that exclusions took away
}

// MaxFindings is how many findings a verdict keeps.
const MaxFindings = 16

// Finding is one rule that matched, with what is needed to understand it and
// to take it off where it is wrong.
type Finding struct {
	Rule      int              `json:"rule"`
	Class     Class            `json:"class"`
	Technique string           `json:"technique,omitempty"` // MITRE ATT&CK id
	Severity  redoubt.Severity `json:"severity"`
	Tags      []string         `json:"tags,omitempty"`
	Message   string           `json:"message"`
	Variable  string           `json:"variable"`  // what matched: ARGS:q, REQUEST_HEADERS:user-agent
	Excerpt   string           `json:"excerpt"`   // of its value, short, secrets masked
	Exclusion route.Exclusion  `json:"exclusion"` // what to add to the route where the request was honest
}

// Tripped reports whether the score reached the threshold, or part of the body
// could not be judged.
func (v *Verdict) Tripped() bool { return v.Action != Pass && v.Action != "" }

// Records are the verdict's findings in the words that invocations keep; nil
// where it did not trip.
func (v *Verdict) Records() []redoubt.Verdict {
	if !v.Tripped() {
		return nil
	}
	effect := redoubt.EffectAlert
	if v.Action == Refuse {
		effect = redoubt.EffectPrevent
	}
	var out []redoubt.Verdict
	for _, f := range v.Findings {
		out = append(out, redoubt.Verdict{Effect: effect, Rule: "waf/" + strconv.Itoa(f.Rule), Reason: f.Message + " in " + f.Variable + ": " + f.Excerpt,
			Technique: f.Technique, Severity: f.Severity})
	}
	if v.Oversize {
		out = append(out, redoubt.Verdict{Effect: effect, Rule: "waf/oversize", Reason: "the body is longer than the firewall reads", Severity: redoubt.Low})
	}
	return out
}
