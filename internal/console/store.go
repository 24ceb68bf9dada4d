package console

import (
	"context"
	"iter"
	"time"

	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

// Store is the record. All methods are safe for concurrent use. A single thing
// that is not there is an error of kind fault.NotFound; a cursor nobody made is
// fault.Invalid; a full disk is fault.Unavailable.
//
// Transactions travel in the context: inside Atomic, every call of this or any
// other domain's store (identity, audit, alert) with the context it hands out
// belongs to the one transaction, reads its writes, and is undone when fold
// returns an error.
type Store interface {
	Atomic
	Events
	Alerts
	Incidents
	Instances
	Nodes
	Profiles
	Policies
	Orders
	Flows
	Keeper
}

// Atomic makes many changes one.
type Atomic interface {
	// Atomic runs fold in one write transaction and commits when it returns
	// nil. Nested calls join the outer transaction. fold runs once; it must
	// not keep its context.
	Atomic(ctx context.Context, fold func(ctx context.Context) error) error
	// Advance notes that node's batch seq is recorded. It reports false, and
	// changes nothing, when seq is not above the highest noted before. Meant to
	// be the first call inside Atomic when a batch comes in.
	Advance(ctx context.Context, node redoubt.NodeID, seq uint64) (fresh bool, err error)
}

// Events is the stream of what the sensors saw.
type Events interface {
	// AddEvents appends events in order and fills in their ID ("e<seq>").
	AddEvents(ctx context.Context, events []redoubt.Event) error
	Event(ctx context.Context, id string) (redoubt.Event, error)
	// FindEvents returns one page, newest first, and the cursor of the next,
	// empty at the end.
	FindEvents(ctx context.Context, q redoubt.EventQuery) (page []redoubt.Event, next string, err error)
	// EachEvent yields every match, newest first, without holding them all and
	// without blocking writers; q.Slice is ignored. An error ends it.
	EachEvent(ctx context.Context, q redoubt.EventQuery) iter.Seq2[redoubt.Event, error]
	// TallyEvents counts the matches where that is cheap; known is false where
	// it is not. q.Slice is ignored.
	TallyEvents(ctx context.Context, q redoubt.EventQuery) (n int64, known bool, err error)
	CountEvents(ctx context.Context) (int64, error)
	// Minutes counts events (Event.Count summed) and first sightings of alerts
	// per minute from since to now, oldest first; empty minutes may be missing.
	Minutes(ctx context.Context, since time.Time) ([]redoubt.Minute, error)
}

// Alerts holds what deserves a person's eye.
type Alerts interface {
	// PutAlert writes a whole: an empty ID makes a new one and fills it in
	// ("a<n>"), otherwise the alert of that ID is replaced.
	PutAlert(ctx context.Context, a *redoubt.Alert) error
	Alert(ctx context.Context, id string) (redoubt.Alert, error)
	// AlertByKey returns the newest alert with that Key, resolved or not.
	AlertByKey(ctx context.Context, key string) (redoubt.Alert, error)
	FindAlerts(ctx context.Context, q redoubt.AlertQuery) (page []redoubt.Alert, next string, err error)
	EachAlert(ctx context.Context, q redoubt.AlertQuery) iter.Seq2[redoubt.Alert, error]
	// OpenAlerts counts alerts that are not resolved.
	OpenAlerts(ctx context.Context) ([]redoubt.OpenCount, error)
}

// Incidents holds the stories alerts make.
type Incidents interface {
	PutIncident(ctx context.Context, i *redoubt.Incident) error // as PutAlert, "i<n>"
	Incident(ctx context.Context, id string) (redoubt.Incident, error)
	// OpenIncident returns the workload's newest incident that is not resolved
	// and whose last alert is not before since.
	OpenIncident(ctx context.Context, w redoubt.WorkloadID, since time.Time) (redoubt.Incident, error)
	FindIncidents(ctx context.Context, q redoubt.IncidentQuery) (page []redoubt.Incident, next string, err error)
	EachIncident(ctx context.Context, q redoubt.IncidentQuery) iter.Seq2[redoubt.Incident, error]
}

// Instances holds running and recent workload instances, keyed by node and
// Workload.Instance.
type Instances interface {
	PutInstances(ctx context.Context, changed []redoubt.Instance) error // insert or replace
	Instances(ctx context.Context) ([]redoubt.Instance, error)          // all that Prune has left
}

// Nodes holds each defender's last word. Connected is not kept.
type Nodes interface {
	PutNode(ctx context.Context, s *redoubt.NodeStatus) error
	Nodes(ctx context.Context) ([]redoubt.NodeStatus, error)
	// DeleteNode forgets its status, instances, orders and highest seq; its
	// events and alerts stay.
	DeleteNode(ctx context.Context, id redoubt.NodeID) error
}

// Profiles holds the learned models, whole documents. The console is the only
// writer and keeps them in memory too.
type Profiles interface {
	PutProfile(ctx context.Context, p *profile.Profile, ref redoubt.WorkloadRef, changed time.Time) error
	DeleteProfile(ctx context.Context, w redoubt.WorkloadID) error
	// EachProfile calls use for every profile with the arguments of its last
	// PutProfile; an error from use ends it.
	EachProfile(ctx context.Context, use func(p *profile.Profile, ref redoubt.WorkloadRef, changed time.Time) error) error
}

// Policies holds the documents people write, with their history.
type Policies interface {
	// PutPolicy writes the next revision and fills it in.
	PutPolicy(ctx context.Context, p *redoubt.PolicySource) error
	DeletePolicy(ctx context.Context, name string) error
	Policies(ctx context.Context) ([]redoubt.PolicySource, error) // latest of each, by name
	// PolicyHistory returns every revision of name that has a text, newest
	// first, also of a deleted one; none is no error.
	PolicyHistory(ctx context.Context, name string) ([]redoubt.PolicySource, error)
}

// Orders holds the responses that stand, one per node and instance.
type Orders interface {
	PutOrder(ctx context.Context, o *redoubt.Standing) error // insert or replace
	DeleteOrder(ctx context.Context, node redoubt.NodeID, instance string) error
	Orders(ctx context.Context) ([]redoubt.Standing, error)
}

// Flows holds who talks to whom.
type Flows interface {
	// AddFlows adds to what is there for the same From, To, Proto and Port:
	// counts add up, Last, Novel and Denied are taken from the later one.
	AddFlows(ctx context.Context, flows []redoubt.Flow) error
	Flows(ctx context.Context, since time.Time) ([]redoubt.Flow, error) // with Last not before since
}

// Keeper keeps the record from growing without end.
type Keeper interface {
	// Prune drops, oldest first and in small transactions, events before that
	// time or above maxEvents, resolved alerts and incidents, flows and stopped
	// instances before it, and answers how many events went.
	Prune(ctx context.Context, before time.Time, maxEvents int64) (events int64, err error)
	// Size is how many bytes the record takes on disk.
	Size(ctx context.Context) (int64, error)
}
