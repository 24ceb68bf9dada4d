package defender

import (
	"context"
	"fmt"
	"time"

	"redoubt.dev/redoubt/internal/guard"
	"redoubt.dev/redoubt/internal/guard/kernel"
	"redoubt.dev/redoubt/internal/link"
	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/sensor"
)

// stopGrace is what a blocked container gets to end by itself.
const stopGrace = 2 * time.Second

// act carries a verdict out, as far as the kernel has not done it already, and
// notes in the verdict what was done.
func (d *Defender) act(l *life, ev *redoubt.Event, s *sensor.Sighting) {
	v := &ev.Verdict
	switch v.Effect {
	case redoubt.EffectPrevent:
		if v.Enforced == "" && ev.Kind == redoubt.EventExec {
			d.end(ev, s)
		}
	case redoubt.EffectBlock:
		if v.Enforced == "" && ev.Kind == redoubt.EventExec {
			d.end(ev, s)
		}
		d.block(l, ev)
	case redoubt.EffectIsolate:
		if s.Held {
			d.warn("process not resumed", d.cfg.Sensor.Resume(s.PID))
		}
		d.isolate(l, fmt.Sprintf("%s: %s", v.Rule, v.Reason))
		v.Enforced = redoubt.BackendCgroup
	default:
		if s.Held {
			d.warn("process not resumed", d.cfg.Sensor.Resume(s.PID))
		}
	}
}

// release ends or lets go a process that an earlier defender held.
func (d *Defender) release(ev *redoubt.Event, s *sensor.Sighting) {
	if e := ev.Verdict.Effect; e == redoubt.EffectPrevent || e == redoubt.EffectBlock {
		d.end(ev, s)
		return
	}
	d.warn("process not resumed", d.cfg.Sensor.Resume(s.PID))
}

// end kills a process that must not run. One that was held has not run an
// instruction; another has, and the event says so.
func (d *Defender) end(ev *redoubt.Event, s *sensor.Sighting) {
	if err := d.cfg.Sensor.Kill(s.PID); err != nil {
		ev.Note = "it had ended before it could be stopped"
		return
	}
	ev.Verdict.Enforced = redoubt.BackendKill
	if !s.Held {
		ev.Note = "it had started before it was stopped; the next one will not start"
	}
}

// block stops the workload's container. The engine is asked in the background:
// it takes seconds, and events wait for nobody.
func (d *Defender) block(l *life, ev *redoubt.Event) {
	if d.cfg.Stopper == nil || l.workload.Container == "" {
		ev.Note = "only containers can be blocked; the process was stopped instead"
		return
	}
	ev.Verdict.Enforced = redoubt.BackendEngine
	d.stop(l.workload.WorkloadRef, ev.Verdict.Rule)
}

// stop has the engine stop a container, once at a time.
func (d *Defender) stop(w redoubt.WorkloadRef, why string) {
	if _, busy := d.stopping.LoadOrStore(w.Container, true); busy {
		return
	}
	go func() {
		defer d.stopping.Delete(w.Container)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		note := "stopped: " + why
		if err := d.cfg.Stopper.Stop(ctx, w.Container, stopGrace); err != nil {
			d.log.Error("container not stopped", "container", w.Container, "err", err)
			note = "could not be stopped: " + err.Error()
		}
		d.outbox.Add(d.deed(w, note))
	}()
}

// isolate cuts an instance's network.
func (d *Defender) isolate(l *life, why string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cut(l, true, why)
}

// cut isolates or releases. The lock is held.
func (d *Defender) cut(l *life, on bool, why string) {
	if l.cut == on {
		return
	}
	act, note := d.cfg.Sensor.Isolate, "isolated: "+why
	if !on {
		act, note = d.cfg.Sensor.Unisolate, "released"
	}
	if err := act(l.workload.Cgroup); err != nil {
		d.log.Error("network not cut or released", "workload", string(l.workload.ID), "err", err)
		note = "could not be " + note + ": " + err.Error()
	} else {
		l.cut = on
		d.registry.Isolate(l.workload.Instance(), on)
	}
	d.outbox.Add(d.deed(l.workload.WorkloadRef, note))
}

func (d *Defender) deed(w redoubt.WorkloadRef, note string) redoubt.Event {
	return redoubt.Event{Time: time.Now(), Node: d.cfg.Node, Kind: redoubt.EventAction, Workload: w, Note: note, Count: 1}
}

// reorder carries standing orders out and takes back those that are gone. The
// lock is held.
func (d *Defender) reorder(orders []link.Order) {
	before := d.orders
	d.orders = make(map[string]link.Order, len(orders))
	for _, o := range orders {
		d.orders[o.Instance] = o
	}
	for t := range d.all() {
		for _, l := range t.lives {
			if _, was := before[l.workload.Instance()]; was {
				if _, is := d.orders[l.workload.Instance()]; !is {
					d.cut(l, false, "")
				}
			}
			d.obey(l)
		}
	}
}

// obey carries out the order that stands for an instance. The lock is held.
func (d *Defender) obey(l *life) {
	o, ok := d.orders[l.workload.Instance()]
	switch {
	case !ok:
	case o.Effect == redoubt.EffectIsolate:
		d.cut(l, true, o.Reason)
	case o.Effect == redoubt.EffectBlock && d.cfg.Stopper != nil && l.workload.Container != "":
		d.stop(l.workload.WorkloadRef, o.Reason)
	}
}

// remember gives the kernel the answer to exactly what was just judged, so that
// it need not ask again. What is alerted on is not remembered: it is to be seen
// each time. The lock is held.
func (d *Defender) remember(t *tenant, ev *redoubt.Event, s *sensor.Sighting) {
	if t.slot == 0 {
		return
	}
	var key ruleKey
	var set func() error
	switch {
	case ev.Kind == redoubt.EventExec:
		k, action, ok := kernel.Exact(s, ev.Verdict)
		if !ok {
			return
		}
		key.exec = k
		set = func() error { return d.cfg.Sensor.SetExec(t.slot, k, action) }
	case guard.Alarms(ev.Verdict) || t.byProgram[ev.Kind]:
		return
	case ev.Kind == redoubt.EventConnect:
		key.connect = connectKey(ev.Network)
		set = func() error { return d.cfg.Sensor.SetConnect(t.slot, key.connect, sensor.Allow) }
	case ev.Kind == redoubt.EventListen || ev.Kind == redoubt.EventAccept:
		key.listen = redoubt.Port{Proto: ev.Network.Proto, Port: ev.Network.Local.Port()}
		set = func() error { return d.cfg.Sensor.SetListen(t.slot, key.listen, sensor.Allow) }
	default:
		return
	}
	if !s.Known {
		if err := set(); err != nil {
			d.log.Debug("kernel rule not set", "err", err) // the kernel asks again; nothing is lost
			return
		}
	}
	if ev.Verdict.Entry != "" && len(t.bound) < sensor.MaxRules {
		t.bound[key] = ev.Verdict.Entry
	}
}

func connectKey(c *redoubt.Connection) sensor.ConnectKey {
	return sensor.ConnectKey{Proto: c.Proto, Addr: c.Remote.Addr().As16(), Bits: 128, Port: c.Remote.Port()}
}

// keyOf names the rule a tally is of.
func keyOf(n sensor.Tally) ruleKey {
	switch {
	case n.Exec != nil:
		return ruleKey{exec: *n.Exec}
	case n.Connect != nil:
		return ruleKey{connect: *n.Connect}
	case n.Listen != nil:
		return ruleKey{listen: *n.Listen}
	}
	return ruleKey{}
}

func (d *Defender) warn(what string, err error) {
	if err != nil {
		d.log.Warn(what, "err", err)
	}
}
