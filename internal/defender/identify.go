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

// identityWait bounds how long a sighting waits for its workload to be told by
// the engine. It is paid once per unknown cgroup: who is not known by then
// counts as the node itself until somebody says otherwise.
const identityWait = 2 * time.Second

// owner says whose a cgroup is.
func (d *Defender) owner(ctx context.Context, cgroup uint64) *redoubt.Workload {
	if w, ok := d.registry.ByCgroup(cgroup); ok {
		return w
	}
	if !d.strangers[cgroup] {
		wait, cancel := context.WithTimeout(ctx, identityWait)
		defer cancel()
		if w, ok := d.registry.Await(wait, cgroup); ok {
			return w
		}
		if len(d.strangers) >= maxStrangers {
			clear(d.strangers)
		}
		d.strangers[cgroup] = true
		d.log.Warn("workload unknown", "cgroup", cgroup)
	}
	if w, ok := d.registry.Host(); ok {
		return w
	}
	return &redoubt.Workload{WorkloadRef: hostRef(d.cfg.Node), Node: d.cfg.Node}
}

// maxStrangers bounds the cgroups remembered as nobody's; a full table is
// emptied, and each then waits once more.
const maxStrangers = 4096

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
		if ev.Process == nil {
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
