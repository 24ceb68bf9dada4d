// Package alert folds events into alerts and alerts into incidents, so that a
// thousand like events are one line with a count of a thousand and a break-in
// is one story. It decides nothing and keeps nothing: verdicts come from
// package guard, and what it writes goes to a Store in the caller's
// transaction.
package alert

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"

	"redoubt.dev/redoubt/internal/policy"
	"redoubt.dev/redoubt/internal/redoubt"
)

const (
	// Window is how long after its last alert an incident takes in another.
	Window = 15 * time.Minute
	// Longest is how long one incident grows; after that a new one begins.
	Longest = 24 * time.Hour
	// MaxAlerts is how many different alerts one incident holds. What comes
	// after is folded into one alert for each rule and kind.
	MaxAlerts = 1000
	// MaxMoments is how many lines a timeline has; one more counts the rest.
	MaxMoments = 200
)

// ephemeral is the first port the kernel gives out by itself.
const ephemeral = 32768

// Store is where alerts and incidents are kept. All calls of one Fold belong
// to one transaction. What is not there is an error of kind fault.NotFound.
type Store interface {
	// AlertByKey returns the newest alert with that key, resolved or not.
	AlertByKey(ctx context.Context, key string) (redoubt.Alert, error)
	// PutAlert writes an alert whole and fills in the id of a new one.
	PutAlert(ctx context.Context, a *redoubt.Alert) error
	// OpenIncident returns the workload's newest unresolved incident whose
	// last alert is not before since.
	OpenIncident(ctx context.Context, w redoubt.WorkloadID, since time.Time) (redoubt.Incident, error)
	// PutIncident writes an incident whole and fills in the id of a new one.
	PutIncident(ctx context.Context, i *redoubt.Incident) error
}

// Alarms says whether an event belongs into an alert.
func Alarms(ev *redoubt.Event) bool {
	return ev.Verdict.Effect != "" && ev.Verdict.Effect != redoubt.EffectIgnore && ev.Kind != redoubt.EventAction
}

// Key says which events are alike: the same workload, rule and kind and, for
// programs, the same program and parent; for sockets, the same program and
// other end. A file written since the start is known by its content, because
// its name is the attacker's to vary.
func Key(ev *redoubt.Event) string {
	parts := []string{string(ev.Workload.ID), ev.Verdict.Rule, string(ev.Kind)}
	if ev.Kind == redoubt.EventExec {
		parts = append(parts, identity(ev.Process), parent(ev.Process))
	} else {
		parts = append(parts, program(ev.Process))
	}
	if c := ev.Network; c != nil {
		parts = append(parts, string(c.Proto))
		if ev.Kind == redoubt.EventConnect {
			parts = append(parts, peer(c), strconv.Itoa(int(c.Remote.Port())))
		} else if port := c.Local.Port(); port < ephemeral {
			parts = append(parts, strconv.Itoa(int(port)))
		}
	}
	return hash(parts)
}

// overflowKey is the key of what an incident has no room for.
func overflowKey(ev *redoubt.Event) string {
	return hash([]string{string(ev.Workload.ID), ev.Verdict.Rule, string(ev.Kind), "more"})
}

func hash(parts []string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func identity(p *redoubt.Process) string {
	if p == nil {
		return ""
	}
	if f := p.File; f != nil && f.Origin != redoubt.OriginImage && f.Digest != "" {
		return string(f.Digest)
	}
	return program(p)
}

// program is the most telling of the paths a process goes by.
func program(p *redoubt.Process) string {
	names := policy.Programs(p)
	if len(names) == 0 {
		return ""
	}
	return names[len(names)-1]
}

func parent(p *redoubt.Process) string {
	switch {
	case p == nil:
		return ""
	case p.Entered:
		return "outside"
	case p.Parent == nil:
		return ""
	}
	return program(p.Parent)
}

func peer(c *redoubt.Connection) string {
	if c.Peer != "" {
		return string(c.Peer)
	}
	return c.Remote.Addr().Unmap().String()
}
