package function

import (
	"time"

	"redoubt.dev/redoubt/internal/redoubt"
)

// Outcome says how an invocation ended.
type Outcome string

// The outcomes. Those before Succeeded never reached the code.
const (
	Denied    Outcome = "denied"    // not authorized
	Refused   Outcome = "refused"   // the firewall, the model or a size limit said no
	Throttled Outcome = "throttled" // rate, quota or concurrency
	Gone      Outcome = "gone"      // disabled, or no such version
	Succeeded Outcome = "succeeded"
	Failed    Outcome = "failed"    // the handler answered with an error
	TimedOut  Outcome = "timeout"   // it was ended at its limit
	Crashed   Outcome = "crashed"   // the environment ended or broke the contract
	Abandoned Outcome = "abandoned" // the caller went away, or the gateway stopped, before it ended
)

// Start says what an invocation found.
type Start string

// The ways an environment can be there.
const (
	Cold    Start = "cold"    // started for this call
	Claimed Start = "claimed" // a pre-started runtime took the code
	Warm    Start = "warm"    // it had served before
)

// Invocation is the record of one call: who, what, when, how it went and what
// it used. There is one for every call that was made, refused ones included.
type Invocation struct {
	ID       string    `json:"id"` // a UUID: the request id the function and the caller see
	Time     time.Time `json:"time"`
	Function string    `json:"function"`
	Version  int       `json:"version,omitempty"`
	Alias    string    `json:"alias,omitempty"`
	Caller   string    `json:"caller"`           // principal: user/alice, role/web, function/orders, key/K1, service/bucket/photos, anonymous
	Source   string    `json:"source"`           // http, invoke, schedule, bucket, mqtt, queue, function
	From     string    `json:"from,omitempty"`   // address of the caller
	Route    string    `json:"route,omitempty"`  // "GET /orders/{id}"
	Parent   string    `json:"parent,omitempty"` // invocation that made this one
	Trace    string    `json:"trace,omitempty"`
	Tenant   string    `json:"tenant,omitempty"`
	Async    bool      `json:"async,omitempty"`
	Attempt  int       `json:"attempt,omitempty"` // from 1; above it only asynchronous ones

	Outcome  Outcome `json:"outcome"`
	Status   int     `json:"status,omitempty"` // HTTP status the caller got
	Error    string  `json:"error,omitempty"`
	Decision string  `json:"decision,omitempty"` // the access policy that decided

	Start    Start         `json:"start,omitempty"`
	Queued   time.Duration `json:"queued,omitempty"`   // waiting for a place, nanoseconds
	Init     time.Duration `json:"init,omitempty"`     // until the environment was ready
	Duration time.Duration `json:"duration,omitempty"` // in the handler
	Overhead time.Duration `json:"overhead,omitempty"` // what gateway and sandbox added to those
	Billed   time.Duration `json:"billed,omitempty"`   // Init and Duration, up to the next millisecond
	CPU      time.Duration `json:"cpu,omitempty"`
	Memory   int64         `json:"memory,omitempty"` // peak, bytes
	Limit    int64         `json:"limit,omitempty"`  // of memory, bytes
	In       int64         `json:"in"`               // bytes of the event
	Out      int64         `json:"out"`              // bytes of the answer

	Uses     []Use             `json:"uses,omitempty"`     // what it touched, most used first, at most 64
	Verdicts []redoubt.Verdict `json:"verdicts,omitempty"` // worth a person's eye
}

// UseKind says what sort of thing a function touched.
type UseKind string

// The kinds of use, each checked against the Role's field of that name.
const (
	UseEgress   UseKind = "egress"   // "host:port"
	UseDNS      UseKind = "dns"      // a name that was looked up
	UseAWS      UseKind = "aws"      // "dynamodb:PutItem table/orders"
	UseExec     UseKind = "exec"     // a path
	UseRead     UseKind = "read"     // a path
	UseWrite    UseKind = "write"    // a path
	UseFunction UseKind = "function" // a name
	UseBucket   UseKind = "bucket"   // "photos:read"
	UseQueue    UseKind = "queue"    // a name
	UseSecret   UseKind = "secret"   // a name
)

// Use is one thing a function touched, or tried to.
type Use struct {
	Kind    UseKind `json:"kind"`
	Target  string  `json:"target"`
	Count   int     `json:"count"`
	Bytes   int64   `json:"bytes,omitempty"`
	Refused bool    `json:"refused,omitempty"`
}

// Line is one line a function wrote to its output or log.
type Line struct {
	Time       time.Time `json:"time"`
	Function   string    `json:"function"`
	Version    int       `json:"version"`
	Invocation string    `json:"invocation,omitempty"`
	Text       string    `json:"text"` // at most 64 KiB; invalid UTF-8 replaced
}

// Query selects invocations, newest first; zero fields do not filter.
type Query struct {
	redoubt.Slice
	Function     string
	Version      int
	Caller       string
	Source       string
	Outcome      Outcome
	Text         string
	Since, Until time.Time
}

// Usage sums up the calls of one function, version and caller since a time.
type Usage struct {
	Function  string        `json:"function"`
	Version   int           `json:"version,omitempty"` // 0 where summed over versions
	Caller    string        `json:"caller,omitempty"`  // empty where summed over callers
	Calls     int64         `json:"calls"`
	Errors    int64         `json:"errors"`  // failed, timed out, crashed
	Refused   int64         `json:"refused"` // denied, refused, throttled, gone
	Cold      int64         `json:"cold"`
	Duration  time.Duration `json:"duration"` // summed
	Billed    time.Duration `json:"billed"`
	GBSeconds float64       `json:"gb_seconds"` // memory limit × billed
	In        int64         `json:"in"`
	Out       int64         `json:"out"`
	Last      time.Time     `json:"last"`
}
