package defender

import (
	"bytes"
	"context"
	"os"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/workload"
)

const (
	statusEvery = 5 * time.Second
	firstStatus = time.Second            // after the start
	settleFor   = 100 * time.Millisecond // changes of what runs are told together
)

// statusMeter measures what this process costs between two reports.
type statusMeter struct {
	at  time.Time
	cpu time.Duration
}

// report tells the console how the node is and what runs on it.
func (d *Defender) report(ctx context.Context) error {
	tick := time.NewTicker(statusEvery)
	defer tick.Stop()
	d.outbox.SetStatus(d.nodeStatus())
	soon := time.After(firstStatus) // by then the engines have answered
	for {
		changed := d.registry.Changed()
		d.outbox.SetWorkloads(d.workloads())
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			d.outbox.SetStatus(d.nodeStatus())
		case <-soon:
			d.outbox.SetStatus(d.nodeStatus())
		case <-changed:
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(settleFor):
			}
		}
	}
}

func (d *Defender) workloads() []redoubt.Workload {
	list := d.registry.List()
	out := make([]redoubt.Workload, len(list))
	for i, w := range list {
		out[i] = *w
	}
	return out
}

func (d *Defender) nodeStatus() redoubt.NodeStatus {
	stats, out := d.cfg.Sensor.Stats(), d.outbox.Stats()
	host, _ := os.Hostname()
	s := redoubt.NodeStatus{
		ID: d.cfg.Node, Time: time.Now(), Hostname: host, Kernel: kernelRelease(), Version: d.cfg.Version,
		Started: d.started, Sensor: d.cfg.Sensor.Coverage(), Workloads: len(d.registry.List()), Spooled: out.Waiting,
		Gaps: d.cfg.Sensor.Gaps(),
		Load: redoubt.Load{
			RSS: residentBytes(), KernelNS: stats.KernelNS, Events: stats.Events, Known: stats.Known,
			Lost: stats.Lost, Dropped: out.Dropped,
		},
	}
	s.Sensor.Cgroups = d.cfg.Cgroups.Kind
	s.Load.CPU = d.status.share()
	if d.cfg.Gate != nil {
		s.Sensor.Exec = withFanotify(s.Sensor.Exec)
	} else {
		s.Gaps = append(s.Gaps, "no file gate on this kernel: a program denied by content is stopped when it starts, not when it is opened")
	}
	for _, src := range d.cfg.Sources {
		e, ok := src.(workload.Engined)
		if !ok {
			continue
		}
		engine := e.Engine()
		s.Engines = append(s.Engines, engine)
		if engine.Error != "" {
			s.Gaps = append(s.Gaps, "containers of "+engine.Name+" are not seen: "+engine.Error)
		}
	}
	s.Gaps = append(s.Gaps, d.ruleGaps()...)
	if out.Error != "" {
		s.Gaps = append(s.Gaps, "the disk refuses the event spool: "+out.Error)
	}
	if out.Damaged > 0 {
		s.Gaps = append(s.Gaps, strconv.FormatUint(out.Damaged, 10)+" bytes of the event spool were damaged; what they held is not delivered")
	}
	if n := d.registry.Refused(); n > 0 {
		s.Gaps = append(s.Gaps, strconv.FormatUint(n, 10)+" instances are not followed: too many run at once")
	}
	return s
}

// ruleGaps lists what rules want and the kernel cannot do.
func (d *Defender) ruleGaps() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var gaps []string
	for t := range d.all() {
		gaps = append(gaps, t.gaps...)
	}
	slices.Sort(gaps)
	return slices.Compact(gaps)
}

// withFanotify puts the file gate where it belongs among the ways to prevent
// an exec: after the kernel's own denial, before the kill.
func withFanotify(exec []redoubt.Backend) []redoubt.Backend {
	var out []redoubt.Backend
	for _, b := range exec {
		if b == redoubt.BackendKill {
			out = append(out, redoubt.BackendFanotify)
		}
		out = append(out, b)
	}
	if len(out) == len(exec) {
		out = append(out, redoubt.BackendFanotify)
	}
	return out
}

// share returns this process's share of one core since it was last asked.
func (m *statusMeter) share() float64 {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	now, cpu := time.Now(), time.Duration(u.Utime.Nano()+u.Stime.Nano())
	passed, used := now.Sub(m.at), cpu-m.cpu
	first := m.at.IsZero()
	m.at, m.cpu = now, cpu
	if first || passed <= 0 {
		return 0
	}
	return float64(used) / float64(passed)
}

func residentBytes() uint64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	f := bytes.Fields(b)
	if len(f) < 2 {
		return 0
	}
	pages, _ := strconv.ParseUint(string(f[1]), 10, 64)
	return pages * uint64(os.Getpagesize())
}

func kernelRelease() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(u.Release[:])
}
