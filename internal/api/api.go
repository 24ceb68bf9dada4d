// Package api is the shape of the console's public API: request and response
// bodies and a client for them. The console serves it, the command line and
// the web UI use nothing else.
package api

import (
	"time"

	"redoubt.dev/redoubt/internal/policy"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

// Page is one page of a list, newest first. Next is the cursor of the page
// after it, empty at the end.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"`
	Total int    `json:"total,omitempty"` // of the whole list where counting it is cheap
}

// Setup says whether the first administrator is still to be made.
type Setup struct {
	Needed bool `json:"needed"`
}

// SetupRequest makes the first administrator with the one-time token that
// `redoubt up` printed.
type SetupRequest struct {
	Token    string `json:"token"`
	Name     string `json:"name"`
	Password string `json:"password"`
}

// LoginRequest opens a session.
type LoginRequest struct {
	Name     string `json:"name"`
	Password string `json:"password"`
}

// PasswordRequest changes the password of who asks.
type PasswordRequest struct {
	Current  string `json:"current"`
	Password string `json:"password"`
}

// Session is who is asking. CSRF goes into the X-CSRF-Token header of every
// changing request that a cookie authenticates; requests with an API token
// need none.
type Session struct {
	User    string    `json:"user"`
	Role    string    `json:"role"`
	CSRF    string    `json:"csrf,omitempty"`
	Expires time.Time `json:"expires,omitzero"`
}

// User is a local account.
type User struct {
	Name    string    `json:"name"`
	Role    string    `json:"role"` // admin, operator, auditor
	Created time.Time `json:"created"`
	Last    time.Time `json:"last,omitzero"`   // last login
	Locked  time.Time `json:"locked,omitzero"` // until then
}

// UserRequest makes or changes an account; an empty Password keeps the old one.
type UserRequest struct {
	Role     string `json:"role" enum:"admin,operator,auditor"`
	Password string `json:"password,omitempty"`
}

// Token is an API token, without its secret.
type Token struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	User    string    `json:"user"`
	Role    string    `json:"role"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"`
	Last    time.Time `json:"last,omitzero"`
}

// TokenRequest asks for an API token with at most the asker's role.
type TokenRequest struct {
	Name string `json:"name"`
	Role string `json:"role" enum:"admin,operator,auditor"`
	Days int    `json:"days,omitempty" minimum:"0" maximum:"365"` // 0 is 90
}

// NewToken is the one answer that holds the secret.
type NewToken struct {
	Token
	Secret string `json:"secret"`
}

// JoinToken lets one defender enrol once.
type JoinToken struct {
	Secret  string    `json:"secret"`
	Expires time.Time `json:"expires"`
	Command string    `json:"command"` // to paste on the new node
}

// Overview is the first page: what needs attention, and how fresh and complete
// that answer is.
type Overview struct {
	Time      time.Time             `json:"time"`
	Workloads int                   `json:"workloads"`
	States    map[profile.State]int `json:"states"`    // profiles by state
	Alerts    map[string]int        `json:"alerts"`    // open alerts by severity
	Incidents []redoubt.Incident    `json:"incidents"` // open, most urgent first, at most ten
	Coverage  float64               `json:"coverage"`  // mean over profiles, 0 to 1
	Learning  []profile.Summary     `json:"learning"`  // furthest from done first, at most ten
	Nodes     []redoubt.NodeStatus  `json:"nodes"`
	Gaps      []string              `json:"gaps"`   // what nobody watches right now
	Events    int64                 `json:"events"` // stored
	Rate      []Point               `json:"rate"`   // events and alerts per minute, last hour
	Audit     AuditState            `json:"audit"`
}

// Point is one minute of a chart.
type Point struct {
	Time   time.Time `json:"time"`
	Events int       `json:"events"`
	Alerts int       `json:"alerts"`
}

// Workload is a running or recent instance with what is known about it.
type Workload struct {
	ID   string    `json:"id"`   // the instance
	Time time.Time `json:"time"` // last change
	redoubt.Workload
	Ref     redoubt.WorkloadRef `json:"workload"`
	Profile profile.Summary     `json:"profile"`
	Alerts  int                 `json:"alerts"` // open
	Worst   redoubt.Severity    `json:"worst,omitempty"`
}

// Radar is the live map.
type Radar struct {
	Time  time.Time   `json:"time"`
	Nodes []RadarNode `json:"nodes"`
	Edges []RadarEdge `json:"edges"`
}

// RadarNode is a workload, or a peer outside ("internet", "private", an address).
type RadarNode struct {
	ID        string           `json:"id"`
	Kind      string           `json:"kind"` // container, service, host, outside
	Name      string           `json:"name"`
	Image     string           `json:"image,omitempty"`
	State     profile.State    `json:"state,omitempty"`
	Coverage  float64          `json:"coverage"`
	Instances int              `json:"instances"`
	Alerts    int              `json:"alerts"`
	Worst     redoubt.Severity `json:"worst,omitempty"`
	Isolated  bool             `json:"isolated,omitempty"`
	Ports     []redoubt.Port   `json:"ports,omitempty"`
}

// RadarEdge is a flow seen between two of them.
type RadarEdge struct {
	From   string        `json:"from"`
	To     string        `json:"to"`
	Proto  redoubt.Proto `json:"proto"`
	Port   uint16        `json:"port"`
	Count  int64         `json:"count"`
	Last   time.Time     `json:"last"`
	Novel  bool          `json:"novel,omitempty"`
	Denied bool          `json:"denied,omitempty"`
}

// ActionRequest asks for a response. Release takes isolate back.
type ActionRequest struct {
	Action string `json:"action" enum:"isolate,release,block"`
	Reason string `json:"reason,omitempty"`
}

// StateRequest moves a profile to another state; Relearn adds learning to what
// is there.
type StateRequest struct {
	State profile.State `json:"state" enum:"learning,observing,enforcing,archived"`
}

// EntriesRequest adds and removes profile entries by hand.
type EntriesRequest struct {
	Add    []profile.Entry `json:"add,omitempty"`
	Remove []string        `json:"remove,omitempty"`
}

// TriageRequest changes an alert or incident.
type TriageRequest struct {
	Status  redoubt.Status `json:"status,omitempty" enum:"open,acknowledged,resolved"`
	Comment string         `json:"comment,omitempty"`
}

// PolicyDocument is a policy with its source text and history.
type PolicyDocument struct {
	ID       string        `json:"id"` // its name
	Time     time.Time     `json:"time"`
	Author   string        `json:"author"`
	Revision int64         `json:"revision"`
	Source   string        `json:"source"` // YAML
	Policy   policy.Policy `json:"policy"`
}

// PolicyRevision is one text a policy had.
type PolicyRevision struct {
	ID       string    `json:"id"` // the policy's name
	Time     time.Time `json:"time"`
	Author   string    `json:"author"`
	Revision int64     `json:"revision"`
	Source   string    `json:"source"` // YAML
}

// PolicyRequest carries one policy as YAML.
type PolicyRequest struct {
	Source string `json:"source"`
}

// AuditEntry is one change somebody made.
type AuditEntry struct {
	ID     string    `json:"id"`
	Time   time.Time `json:"time"`
	Actor  string    `json:"actor"`
	From   string    `json:"from,omitempty"` // address
	Action string    `json:"action"`
	Object string    `json:"object"`
	Result string    `json:"result"`           // done, denied or failed
	Before string    `json:"before,omitempty"` // JSON
	After  string    `json:"after,omitempty"`  // JSON
	Hash   string    `json:"hash"`
}

// AuditState says how long the trail is and whether its chain holds.
type AuditState struct {
	Entries int64  `json:"entries"`
	Intact  bool   `json:"intact"`
	Broken  string `json:"broken,omitempty"` // id of the first entry that does not fit
}

// StreamMessage is one message of GET /api/v1/stream (server-sent events):
// Type is event, alert, incident, workload, profile, node or policy, and the
// reader fetches what it wants to show again.
type StreamMessage struct {
	Type string `json:"type"`
	ID   string `json:"id"`
	Data any    `json:"data,omitempty"`
}
