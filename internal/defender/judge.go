package defender

import (
	"context"
	"time"

	"redoubt.dev/redoubt/internal/guard"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/sensor"
	"redoubt.dev/redoubt/internal/workload"
)

const (
	tallyEvery = 2 * time.Second  // how old the counts of known-good events may be
	sendEvery  = time.Second      // how long a new entry waits before the console is told
	countEvery = 10 * time.Second // how long mere counts wait
)

// judge takes everything that happens in one order and says what it means.
func (d *Defender) judge(ctx context.Context) error {
	tally := time.NewTicker(tallyEvery)
	defer tally.Stop()
	send := time.NewTicker(sendEvery)
	defer send.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case it := <-d.queue:
			d.take(ctx, it)
		case now := <-tally.C:
			d.tally(now)
		case <-send.C:
			d.sendGrowth()
		}
	}
}

func (d *Defender) take(ctx context.Context, it item) {
	switch {
	case it.sighting != nil:
		d.sighted(ctx, it.sighting)
	case it.change != nil:
		d.lived(it.change)
	case it.refusal != nil:
		d.refused(it.refusal)
	case it.settled != nil:
		d.unpark(*it.settled)
	}
}

// sighted judges one record of the sensor.
func (d *Defender) sighted(ctx context.Context, s *sensor.Sighting) {
	switch s.Kind {
	case sensor.CgroupBorn:
		d.registry.Bind(s.Cgroup, s.Path)
		d.born(s.Cgroup)
		return
	case sensor.CgroupGone:
		return
	}
	if _, waits := d.parked.waiting[s.Cgroup]; waits {
		d.park(ctx, s)
		return
	}
	w, known := d.owner(s.Cgroup)
	if !known {
		d.park(ctx, s)
		return
	}
	d.weigh(w, s)
}

// weigh judges a sighting of a workload and carries the verdict out.
func (d *Defender) weigh(w *redoubt.Workload, s *sensor.Sighting) {
	if s.Runtime && w.Kind == redoubt.KindContainer {
		// The engine's own set-up in the node's file system, not the container's.
		d.cfg.Sensor.Resume(s.PID)
		return
	}
	ev, stable := d.event(s, w)
	if ev.Kind == redoubt.EventExit && ev.Process == nil {
		return // its exec was not worth sending either
	}
	d.mu.Lock()
	t := d.tenantOf(w)
	l := d.lifeOf(t, w, s.Time)
	d.decide(t, l, ev)
	if !s.Held && s.Denied == "" && s.Time.Before(d.inForce) {
		past(&ev.Verdict)
	}
	if stable || s.Kind != redoubt.EventExec {
		d.remember(t, ev, s)
	}
	d.mu.Unlock()
	d.regret(ev, s)
	d.act(l, ev, s)
	d.outbox.Add(*ev)
}

// regret tells of what the kernel refused although profile and policies allow
// it, as its rules may be older than they are: a workload that fails for it
// must not fail in silence.
func (d *Defender) regret(ev *redoubt.Event, s *sensor.Sighting) {
	if s.Denied == "" || guard.Alarms(ev.Verdict) {
		return
	}
	v := &ev.Verdict
	v.Effect, v.Severity = redoubt.EffectPrevent, redoubt.High
	v.Reason = "refused by a kernel rule, although it is allowed now: " + v.Reason
	d.log.Warn("allowed act was refused", "workload", string(ev.Workload.ID), "kind", string(ev.Kind), "by", string(s.Denied))
}

// born has the file gate ask about a new container's execs from the first one
// on, where anything may be refused in its workload.
func (d *Defender) born(cgroup uint64) {
	w, ok := d.registry.ByCgroup(cgroup)
	if !ok || d.cfg.Gate == nil || w.Kind != redoubt.KindContainer || w.Merged == "" {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.tenantOf(w).strict() {
		d.warn("file gate not closed before the start", d.cfg.Gate.Watch(w.Merged))
	}
}

// decide judges an event and lets the profile learn from it. The lock is held.
func (d *Defender) decide(t *tenant, l *life, ev *redoubt.Event) {
	if ev.Kind == redoubt.EventListen {
		t.serves(l, ev.Process.Path)
	}
	enforced := ev.Verdict.Enforced
	ev.Verdict = guard.Decide(ev, t.learner.Matcher(), t.state, d.policies, d.context(t, l, ev))
	ev.Verdict.Enforced = enforced
	out := t.learner.Observe(ev, guard.Learns(ev.Verdict))
	t.grown = t.grown || out.New
	t.urgent = t.urgent || out.New
	switch {
	case out.Entry != "" && !guard.Alarms(ev.Verdict):
		ev.Verdict.Entry = out.Entry
	case out.Refused != "" && ev.Workload.Kind != redoubt.KindHost:
		// What may not be learned is as new as it would be were learning over.
		ev.Verdict = guard.Decide(ev, t.learner.Matcher(), profile.Observing, d.policies, d.context(t, l, ev))
		ev.Verdict.Enforced, ev.Verdict.Reason = enforced, out.Refused
	}
}

// past makes an alert of a verdict that would refuse or stop something. What
// came up late, because alike ones were told together, happened before the rule
// was in force: nobody is punished for it.
func past(v *redoubt.Verdict) {
	switch v.Effect {
	case redoubt.EffectPrevent, redoubt.EffectBlock, redoubt.EffectIsolate:
		v.Effect = redoubt.EffectAlert
		v.Reason += "; it happened before this was in force"
	}
}

func (d *Defender) context(t *tenant, l *life, ev *redoubt.Event) guard.Context {
	c := t.context(l, ev.Time)
	c.Names = append(t.names(ev.Process), d.loaded(t, l, ev.Process)...)
	return c
}

// profileOf returns the console's profile of a workload, or a new one.
func (d *Defender) profileOf(id redoubt.WorkloadID) *profile.Profile {
	if d.desired != nil {
		for i := range d.desired.Profiles {
			if d.desired.Profiles[i].Workload == id {
				return &d.desired.Profiles[i]
			}
		}
	}
	return &profile.Profile{Workload: id, State: profile.Learning, Since: time.Now()}
}

// tally adds what the kernel counted to the profiles.
func (d *Defender) tally(now time.Time) {
	tallies := d.cfg.Sensor.AllTallies()
	here := map[string]bool{}
	for _, w := range d.registry.List() {
		here[w.Instance()] = true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for t := range d.all() {
		t.bury(here, now)
		d.closeLate(t)
		for _, n := range tallies[t.slot] {
			if id, ok := t.bound[keyOf(n)]; ok {
				t.learner.Tally(id, n.Count, n.Units, now)
			}
		}
	}
}

// closeLate tries the file gate again on instances whose first process was not
// to be found when they were told of. The lock is held.
func (d *Defender) closeLate(t *tenant) {
	if d.cfg.Gate == nil || !t.strict() {
		return
	}
	for _, l := range t.lives {
		if l.gated == 0 {
			d.guardFiles(t, l)
		}
	}
}

// sendGrowth tells the console what the profiles have learned.
func (d *Defender) sendGrowth() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for t := range d.all() {
		if !t.urgent && time.Since(t.told) < countEvery {
			continue
		}
		t.urgent, t.told = false, time.Now()
		if delta, ok := t.learner.Take(); ok {
			d.outbox.AddDeltas(delta)
		}
	}
}

// lived follows an instance's life.
func (d *Defender) lived(c *workload.Change) {
	w := &c.Workload
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.tenantOf(w)
	l := t.lives[w.Instance()]
	switch {
	case c.Gone || !w.Running:
		if c.Gone {
			d.leave(t, w)
		}
		if l == nil {
			break
		}
		delete(t.lives, w.Instance())
		d.note(t, l.workload, redoubt.EventStop, time.Now())
	case l == nil:
		d.found(t, w)
	default:
		l.workload = w
		d.guardFiles(t, l)
		d.obey(l)
	}
}

// note records that an instance started or stopped. The lock is held.
func (d *Defender) note(t *tenant, w *redoubt.Workload, kind redoubt.EventKind, at time.Time) {
	ev := redoubt.Event{Time: at, Node: d.cfg.Node, Kind: kind, Workload: w.WorkloadRef, Count: 1}
	t.learner.Observe(&ev, false)
	d.outbox.Add(ev)
}
