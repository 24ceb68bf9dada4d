package defender

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/fileid"
	"redoubt.dev/redoubt/internal/guard"
	"redoubt.dev/redoubt/internal/permit"
	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/sensor"
	"redoubt.dev/redoubt/internal/workload"
)

// refusal is an exec, or an open of a denied program, that the file gate
// turned away. The judge makes an event of it.
type refusal struct {
	at       time.Time
	workload *redoubt.Workload
	process  *redoubt.Process
	exec     bool
}

// Gate is package permit's, as far as a Defender uses it.
type Gate interface {
	Run(ctx context.Context, decide func(permit.Question) permit.Answer) error
	Follow(pid int) error
	Unfollow(pid int) error
	DenyOpen(f *os.File) error
	AllowOpens() error
	Forget() error
	Counts() permit.Counts
}

// guardFiles has an instance's mounts asked about while something may be
// refused in it. The lock is held.
func (d *Defender) guardFiles(t *tenant, l *life) {
	if d.cfg.Gate == nil || l.workload.Kind != redoubt.KindContainer {
		return
	}
	wanted := t.strict() && l.workload.PID != 0
	switch {
	case wanted && l.gated != l.workload.PID:
		if err := d.cfg.Gate.Follow(l.workload.PID); err != nil {
			d.log.Warn("file gate not closed", "workload", string(t.ref.ID), "err", err)
			return
		}
		l.gated = l.workload.PID
	case !wanted && l.gated != 0:
		d.warn("file gate not opened", d.cfg.Gate.Unfollow(l.gated))
		l.gated = 0
	}
}

// forgetAnswers has the gate ask again, after rules changed, and asks about
// every open of what is denied. The lock is held.
func (d *Defender) forgetAnswers() {
	if d.cfg.Gate == nil {
		return
	}
	d.warn("file gate keeps old answers", errors.Join(d.cfg.Gate.Forget(), d.cfg.Gate.AllowOpens()))
	for _, t := range d.tenants {
		if len(t.files) == 0 {
			continue
		}
		denied := guard.Denied(t.subject(d))
		for _, l := range t.lives {
			for i := range denied {
				d.denyOpen(l, denied[i].Path)
			}
		}
	}
}

func (d *Defender) denyOpen(l *life, path string) {
	if l.gated == 0 {
		return
	}
	f, err := os.Open(fmt.Sprintf("/proc/%d/root%s", l.gated, path))
	if err != nil {
		return // not in this instance
	}
	defer f.Close()
	d.warn("opens of a denied program not watched", d.cfg.Gate.DenyOpen(f))
}

// refused makes an event of what the gate turned away.
func (d *Defender) refused(r *refusal) {
	ev := redoubt.Event{
		Time: r.at, Node: d.cfg.Node, Kind: redoubt.EventExec, Workload: r.workload.WorkloadRef,
		Process: r.process, Count: 1, Verdict: redoubt.Verdict{Enforced: redoubt.BackendFanotify},
	}
	if !r.exec {
		ev.Note = "opened, not executed: to be copied or given to a loader"
	}
	d.mu.Lock()
	t := d.tenantOf(r.workload)
	l := d.lifeOf(t, r.workload, r.at)
	d.decide(t, l, &ev)
	d.mu.Unlock()
	if ev.Verdict.Effect == redoubt.EffectBlock {
		d.block(l, &ev)
	}
	d.outbox.Add(ev)
}

// runGate answers the file gate until ctx ends.
func (d *Defender) runGate(ctx context.Context) error {
	return d.cfg.Gate.Run(ctx, func(q permit.Question) permit.Answer { return d.answer(ctx, q) })
}

// answer decides one question. It is called from many goroutines and must not
// wait for the judge: whoever asks is held meanwhile.
func (d *Defender) answer(ctx context.Context, q permit.Question) permit.Answer {
	w := d.askedBy(q.PID)
	if w == nil || w.Kind != redoubt.KindContainer {
		return permit.Answer{Allow: true} // the engine at work in a container's files
	}
	key, exact, err := fileid.Real(w, q.File)
	if err != nil {
		key, exact = q.Key, false
	}
	sum, err := d.digests.Of(key, func() (*os.File, error) {
		return os.Open(fmt.Sprintf("/proc/self/fd/%d", q.File.Fd()))
	})
	file := &redoubt.File{Key: key, Digest: sum.Digest, Origin: originOf(w, q.Path)}
	if err != nil {
		file.Error = err.Error()
	}
	d.mu.Lock()
	t := d.tenants[w.ID]
	if t == nil {
		d.mu.Unlock()
		return permit.Answer{Allow: true}
	}
	subject, slot := t.subject(d), t.slot
	d.mu.Unlock()
	answer := guard.DecideOpen(subject, guard.Opening{Path: q.Path, Digest: file.Digest, Origin: file.Origin, Exec: q.Exec})
	if answer.Deny {
		select {
		case d.queue <- item{refusal: &refusal{at: time.Now(), workload: w, process: opener(q.PID, q.Path, file), exec: q.Exec}}:
		case <-ctx.Done():
		}
		return permit.Answer{}
	}
	if q.Exec && exact && sum.Stable && slot != 0 {
		d.warn("kernel rule not set", d.cfg.Sensor.SetExec(slot, sensor.ExecKey{File: key}, answer.Action))
	}
	return permit.Answer{Allow: true, Remember: answer.Remember && exact && sum.Stable}
}

// askedBy says whose process asks; nil for the node's own.
func (d *Defender) askedBy(pid int) *redoubt.Workload {
	path, err := d.cfg.Cgroups.OfProcess(pid)
	if err != nil {
		return nil
	}
	place := workload.ParsePlace(path)
	if place.Container == "" {
		return nil
	}
	w, _ := d.registry.ByInstance(place.Container)
	return w
}

// opener describes the process that is about to run a program, from /proc: it
// is still its parent's image.
func opener(pid int, path string, file *redoubt.File) *redoubt.Process {
	p := &redoubt.Process{PID: pid, Path: path, File: file}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return p
	}
	var ppid int
	ppid, p.UID = readStatus(status)
	p.Entered = entered(pid, ppid, status)
	if p.Entered {
		p.Parent = newProcesses().find(ppid)
	} else {
		p.Parent = newProcesses().find(pid)
	}
	return p
}

// entered says whether a process came into its container from outside: its
// parent lives in another cgroup, and it is not the container's first.
func entered(pid, ppid int, status []byte) bool {
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "NSpid:" && f[len(f)-1] == "1" {
			return false
		}
	}
	own, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil {
		return false
	}
	parent, err := os.ReadFile("/proc/" + strconv.Itoa(ppid) + "/cgroup")
	return err == nil && string(own) != string(parent)
}

func originOf(w *redoubt.Workload, path string) redoubt.Origin {
	if w.Upper == "" {
		return redoubt.OriginImage
	}
	if _, err := os.Lstat(w.Upper + path); err == nil {
		return redoubt.OriginWritten
	}
	return redoubt.OriginImage
}
