package redoubt

import "time"

// Status is where an alert or incident stands with the people who look at it.
type Status string

// The statuses.
const (
	Open         Status = "open"
	Acknowledged Status = "acknowledged"
	Resolved     Status = "resolved"
)

// Comment is a person's remark.
type Comment struct {
	Time   time.Time `json:"time"`
	Author string    `json:"author"`
	Text   string    `json:"text"`
}

// Alert stands for every event of one workload that is alike: same rule, kind,
// program and parent, or same rule and connection. Count loses none of them;
// Event is the exemplar, the latest.
type Alert struct {
	ID       string      `json:"id"`
	Time     time.Time   `json:"time"`  // last seen
	First    time.Time   `json:"first"` // first seen
	Key      string      `json:"-"`     // what alike means, see package alert
	Kind     EventKind   `json:"kind"`
	Title    string      `json:"title"`
	Node     NodeID      `json:"node"`
	Workload WorkloadRef `json:"workload"`
	Process  *Process    `json:"process,omitempty"`
	Network  *Connection `json:"network,omitempty"`
	Verdict  Verdict     `json:"verdict"`
	Severity Severity    `json:"severity"`
	Count    int         `json:"count"`
	Event    string      `json:"event"` // id of the exemplar
	Incident string      `json:"incident,omitempty"`
	Status   Status      `json:"status"`
	StatusBy string      `json:"status_by,omitempty"`
	Comments []Comment   `json:"comments,omitempty"`
}

// Incident joins the alerts of one workload that fell within a window.
type Incident struct {
	ID         string      `json:"id"`
	Time       time.Time   `json:"time"` // last alert
	First      time.Time   `json:"first"`
	Title      string      `json:"title"`
	Workload   WorkloadRef `json:"workload"`
	Severity   Severity    `json:"severity"`
	Techniques []string    `json:"techniques,omitempty"`
	Alerts     []string    `json:"alerts"`
	Count      int         `json:"count"` // events behind its alerts
	Status     Status      `json:"status"`
	StatusBy   string      `json:"status_by,omitempty"`
	Timeline   []Moment    `json:"timeline,omitempty"`
	Comments   []Comment   `json:"comments,omitempty"`
}

// Moment is one line of an incident's timeline.
type Moment struct {
	Time   time.Time `json:"time"`
	Text   string    `json:"text"`
	Alert  string    `json:"alert,omitempty"`
	Effect Effect    `json:"effect,omitempty"`
	Count  int       `json:"count,omitempty"` // events behind it
}
