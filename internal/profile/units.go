package profile

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/redoubt"
)

// An observation, or unit, is one independent look at a workload:
//
//   - the start of an instance, until it first listens or has started nothing
//     for ten seconds;
//   - afterwards a process that a long-lived one starts, with its descendants;
//   - each connection that a long-lived process makes or takes, per entry at
//     most once a second.
const (
	startQuiet = 10 * time.Second
	longLived  = time.Minute // a process older than this starts units of its own
	unitGap    = time.Second
)

const (
	maxInstances = 4096 // of one workload on one node; when full any one is forgotten
	maxProcesses = 8192 // remembered per instance; when full the old ones are forgotten, then any
)

// units follows the instances of one workload and says which observation an
// event belongs to. Forgetting a process only makes its next child a unit of
// its own.
type units struct {
	instances map[string]*instance
}

type instance struct {
	start    string    // unit of the start phase
	quiet    time.Time // when the start phase ends unless something is started
	starting bool
	procs    map[int]*proc
}

type proc struct {
	unit  string
	since time.Time
}

// unit is where an event belongs.
type unit struct {
	id    string
	opens bool // the event is the first of its unit
	start bool // the unit is the start of an instance
	alone bool // a long-lived process's connection: a unit by itself
}

func newUnits() *units { return &units{instances: make(map[string]*instance)} }

func instanceKey(w *redoubt.WorkloadRef) string {
	if w.Container != "" {
		return w.Container
	}
	return string(w.ID)
}

// assign takes every event of the workload, in order.
func (u *units) assign(ev *redoubt.Event) unit {
	key := instanceKey(&ev.Workload)
	in := u.instances[key]
	switch ev.Kind {
	case redoubt.EventStart:
		u.instances[key] = u.begin(key, ev.Time)
		return unit{}
	case redoubt.EventStop:
		delete(u.instances, key)
		return unit{}
	case redoubt.EventExit:
		if in != nil && ev.Process != nil {
			delete(in.procs, ev.Process.PID)
		}
		return unit{}
	}
	if in == nil {
		in = u.begin(key, ev.Time)
		in.starting = ev.Kind == redoubt.EventExec && ev.Workload.Kind != redoubt.KindHost && byEngine(ev.Process)
		u.instances[key] = in
	}
	if in.starting && ev.Time.After(in.quiet) {
		in.starting = false
	}
	if ev.Kind == redoubt.EventExec {
		return in.exec(key, ev)
	}
	return in.socket(ev)
}

func (u *units) begin(key string, t time.Time) *instance {
	if len(u.instances) >= maxInstances {
		for k := range u.instances {
			delete(u.instances, k)
			break
		}
	}
	short := path.Base(key)
	return &instance{
		start: fmt.Sprintf("%s/start/%d", short[:min(12, len(short))], t.UnixMilli()),
		quiet: t.Add(startQuiet), starting: true, procs: make(map[int]*proc),
	}
}

// byEngine reports whether a container engine or the init system started p,
// which is how instances begin.
func byEngine(p *redoubt.Process) bool {
	if p == nil || p.Entered {
		return false
	}
	if p.Parent == nil {
		return true
	}
	name := path.Base(p.Parent.Path)
	return slices.ContainsFunc([]string{"containerd-shim", "runc", "crun", "conmon", "systemd", "dockerd"}, func(s string) bool {
		return strings.HasPrefix(name, s)
	})
}

func (in *instance) exec(key string, ev *redoubt.Event) unit {
	p := ev.Process
	if p == nil {
		return unit{}
	}
	if in.starting && !entered(p) {
		opens := len(in.procs) == 0
		in.quiet = ev.Time.Add(startQuiet)
		in.remember(p.PID, in.start, ev.Time)
		return unit{id: in.start, opens: opens, start: true}
	}
	if own := in.procs[p.PID]; own != nil && own.unit != in.start && ev.Time.Sub(own.since) < longLived {
		return unit{id: own.unit} // the same process, as another program
	}
	if at := in.parent(p.Parent, ev.Time); at != nil {
		in.remember(p.PID, at.unit, ev.Time)
		return unit{id: at.unit}
	}
	short := path.Base(key)
	id := fmt.Sprintf("%s/%d/%d", short[:min(12, len(short))], p.PID, ev.Time.UnixMilli())
	in.remember(p.PID, id, ev.Time)
	return unit{id: id, opens: true}
}

func entered(p *redoubt.Process) bool {
	for ; p != nil; p = p.Parent {
		if p.Entered {
			return true
		}
	}
	return false
}

// parent finds the nearest known process of the chain; nil if that one is
// long-lived or none is known.
func (in *instance) parent(p *redoubt.Process, now time.Time) *proc {
	for ; p != nil; p = p.Parent {
		if at := in.procs[p.PID]; at != nil {
			if at.unit == in.start || now.Sub(at.since) >= longLived {
				return nil
			}
			return at
		}
	}
	return nil
}

func (in *instance) remember(pid int, unit string, now time.Time) {
	if _, ok := in.procs[pid]; !ok && len(in.procs) >= maxProcesses {
		for k, p := range in.procs {
			if now.Sub(p.since) >= longLived {
				delete(in.procs, k)
			}
		}
		for k := range in.procs {
			if len(in.procs) < maxProcesses {
				break
			}
			delete(in.procs, k)
		}
	}
	in.procs[pid] = &proc{unit: unit, since: now}
}

func (in *instance) socket(ev *redoubt.Event) unit {
	if in.starting && ev.Kind != redoubt.EventAccept && !entered(ev.Process) {
		if ev.Kind == redoubt.EventListen {
			in.starting = false
		}
		return unit{id: in.start, start: true}
	}
	// A server opens its sockets together: the rest still belongs to the start.
	if ev.Kind == redoubt.EventListen && !in.starting && !ev.Time.After(in.quiet) && in.startedBy(ev.Process) {
		return unit{id: in.start, start: true}
	}
	if ev.Kind != redoubt.EventAccept {
		if at := in.parent(ev.Process, ev.Time); at != nil {
			return unit{id: at.unit}
		}
	}
	return unit{alone: true}
}

func (in *instance) startedBy(p *redoubt.Process) bool {
	for ; p != nil; p = p.Parent {
		if at := in.procs[p.PID]; at != nil {
			return at.unit == in.start
		}
	}
	return false
}
