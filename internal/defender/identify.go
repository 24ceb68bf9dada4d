package defender

import (
	"context"
	"fmt"
	"os"
	"time"

	"redoubt.dev/redoubt/internal/fileid"
	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/sensor"
)

// identityWait bounds how long the sightings of a cgroup wait for its workload
// to be told by the engine. It is paid once per unknown cgroup, by nobody else:
// who is not known by then counts as the node itself until somebody says
// otherwise.
const identityWait = 2 * time.Second

const (
	// maxStrangers bounds the cgroups remembered as nobody's; a full table is
	// emptied, and each then waits once more.
	maxStrangers = 4096
	// maxParked bounds the sightings that wait for an owner, all cgroups
	// together. Where it is reached a cgroup counts as the node's at once.
	maxParked = 1 << 15
)

// parking keeps, in order, the sightings of cgroups whose owner is on its way,
// or whose image is still being looked at.
type parking struct {
	waiting map[uint64][]*sensor.Sighting
	total   int
}

// settled says that the wait for a cgroup's owner is over. Without an owner it
// is the node's.
type settled struct {
	cgroup uint64
	owner  *redoubt.Workload
}

// owner says whose a cgroup is; false where that is still to be told, or where
// its profile does not know its image yet.
func (d *Defender) owner(cgroup uint64) (*redoubt.Workload, bool) {
	if w, ok := d.registry.ByCgroup(cgroup); ok {
		return w, d.welcomed(w)
	}
	if d.strangers[cgroup] {
		return d.node(), true
	}
	return nil, false
}

// park keeps a sighting until its cgroup's owner is known, and has the registry
// asked at the cgroup's first.
func (d *Defender) park(ctx context.Context, s *sensor.Sighting) {
	list, waits := d.parked.waiting[s.Cgroup]
	d.parked.waiting[s.Cgroup] = append(list, s)
	d.parked.total++
	switch {
	case d.parked.total > maxParked:
		d.unpark(settled{cgroup: s.Cgroup})
	case !waits:
		go func() {
			wait, cancel := context.WithTimeout(ctx, identityWait)
			defer cancel()
			w, known := d.registry.Await(wait, s.Cgroup)
			if known {
				d.welcome(w)
			}
			select {
			case d.queue <- item{settled: &settled{s.Cgroup, w}}:
			case <-ctx.Done():
			}
		}()
	}
}

// unpark judges what waited for a cgroup's owner.
func (d *Defender) unpark(done settled) {
	list := d.parked.waiting[done.cgroup]
	delete(d.parked.waiting, done.cgroup)
	d.parked.total -= len(list)
	if len(list) == 0 {
		return // it was given up before, there were too many
	}
	if done.owner == nil {
		if len(d.strangers) >= maxStrangers {
			clear(d.strangers)
		}
		d.strangers[done.cgroup] = true
		d.log.Warn("workload unknown", "cgroup", done.cgroup, "program", list[0].Path)
		done.owner = d.node()
	}
	for _, s := range list {
		d.weigh(done.owner, s)
	}
}

// node is the workload of what nobody else owns.
func (d *Defender) node() *redoubt.Workload {
	if w, ok := d.registry.Host(); ok {
		return w
	}
	return &redoubt.Workload{WorkloadRef: hostRef(d.cfg.Node), Node: d.cfg.Node}
}

func hostRef(node redoubt.NodeID) redoubt.WorkloadRef {
	return redoubt.WorkloadRef{ID: redoubt.WorkloadID("host/" + string(node)), Kind: redoubt.KindHost, Name: string(node)}
}

// event turns a sighting into an event of w, without a verdict. Stable says
// that the program's key stands for its content, so that a rule may rest on it.
func (d *Defender) event(s *sensor.Sighting, w *redoubt.Workload) (ev *redoubt.Event, stable bool) {
	ev = &redoubt.Event{
		Time: s.Time, Node: d.cfg.Node, Kind: s.Kind, Workload: w.WorkloadRef,
		Network: s.Network, Count: max(s.Count, 1),
	}
	ev.Verdict.Enforced = s.Denied
	switch s.Kind {
	case redoubt.EventExec:
		ev.Process = d.processes.exec(s, w.Instance())
		stable = d.digest(ev.Process.File, s, w)
	case redoubt.EventExit:
		ev.Process = d.processes.exit(s, w.Instance())
		code := s.Exit
		ev.Exit = &code
	default:
		ev.Process = d.processes.find(s.PID)
		switch {
		case s.PID == 0: // an accept of a socket that listened before the sensor: nobody knows whose
			ev.Process = &redoubt.Process{}
		case ev.Process == nil:
			ev.Process = &redoubt.Process{PID: s.PID, Path: s.Path, UID: s.UID}
		}
		d.peer(ev.Network)
	}
	return ev, stable
}

// digest fills in the content digest of an executed file, or why there is none.
func (d *Defender) digest(file *redoubt.File, s *sensor.Sighting, w *redoubt.Workload) (stable bool) {
	if s.Unread {
		file.Error = "the script's file could not be told from its interpreter"
		return false
	}
	exe := fmt.Sprintf("/proc/%d/exe", s.PID)
	sum, err := d.digests.Of(s.Key.File, func() (*os.File, error) {
		f, key, err := fileid.Open(w, s.PID, s.Path)
		switch {
		case err != nil && s.Interpreter == "":
			return os.Open(exe)
		case err == nil && key != s.Key.File && s.Interpreter == "":
			// The name leads elsewhere by now; the running program does not.
			if running, xerr := os.Open(exe); xerr == nil {
				f.Close()
				return running, nil
			}
		}
		return f, err
	})
	if err != nil {
		file.Error = err.Error()
		return false
	}
	file.Digest = sum.Digest
	return sum.Stable && !s.Blind && !s.Truncated
}

// peer names the workload at the other end.
func (d *Defender) peer(c *redoubt.Connection) {
	if c == nil || !c.Remote.IsValid() {
		return
	}
	if w, ok := d.registry.ByAddress(c.Remote.Addr()); ok {
		c.Peer = w.ID
	}
}
