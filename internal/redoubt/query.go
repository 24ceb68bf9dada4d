package redoubt

import "time"

// Slice asks for one page of a list that is ordered newest first. Cursor is
// what the page before it ended with, opaque to everyone but its maker; Limit
// is at least 1 and at most 1000.
type Slice struct {
	Limit  int
	Cursor string
}

// EventQuery selects events. Zero fields do not filter; Since is inclusive,
// Until is not. Workload is whatever a person types: an id, a name or at least
// six digits of a container id. Text is looked for, without regard to case, in
// workload, image, program path, arguments, addresses, rule, reason and note.
// Notable leaves out what is known to be good: it keeps what lies outside the
// profile, what a rule alarms about or stops, actions and losses.
type EventQuery struct {
	Slice
	Workload     string
	Kind         EventKind
	Effect       Effect
	Node         NodeID
	Text         string
	Since, Until time.Time
	Novel        *bool
	Notable      bool
}

// AlertQuery selects alerts. The times are held against the last sighting;
// Severity is the least wanted. Workload and Text as in EventQuery, Text over
// title and comments as well.
type AlertQuery struct {
	Slice
	Workload     string
	Status       Status
	Severity     Severity
	Kind         EventKind
	Incident     string
	Text         string
	Since, Until time.Time
}

// IncidentQuery selects incidents, fields as in AlertQuery.
type IncidentQuery struct {
	Slice
	Workload     string
	Status       Status
	Severity     Severity
	Text         string
	Since, Until time.Time
}
