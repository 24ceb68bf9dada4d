package defender

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/fileid"
	"redoubt.dev/redoubt/internal/guard/kernel"
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
	Watch(path string) error
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
		d.denyOpens(l, t.denied(d))
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
	for t := range d.all() {
		denied := t.denied(d)
		for _, l := range t.lives {
			d.denyOpens(l, denied)
		}
	}
}

// denied lists the files that nobody in this workload may open.
func (t *tenant) denied(d *Defender) []kernel.Located {
	if len(t.files) == 0 {
		return nil
	}
	return kernel.Denied(t.subject(d))
}

// denyOpens asks about every open of them in an instance. The lock is held.
func (d *Defender) denyOpens(l *life, denied []kernel.Located) {
	if l.gated == 0 {
		return
	}
	for i := range denied {
		d.denyOpen(l, denied[i].Path)
	}
}

func (d *Defender) denyOpen(l *life, path string) {
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
	d.welcome(w)
	key, exact, err := fileid.Real(w, q.File)
	if err != nil {
		key, exact = q.Key, false
	}
	sum, err := d.digests.Of(key, func() (*os.File, error) {
		f, _, err := fileid.Below(w, q.File)
		if f == q.File { // that one is the gate's to close
			return os.Open(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
		}
		return f, err
	})
	file := &redoubt.File{Key: key, Digest: sum.Digest, Origin: originOf(w, q.Path)}
	if err != nil {
		file.Error = err.Error()
	}
	d.mu.Lock()
	t := d.tenantOf(w)
	subject, slot := t.subject(d), t.slot
	d.mu.Unlock()
	answer := kernel.DecideOpen(subject, kernel.Opening{Path: q.Path, Digest: file.Digest, Origin: file.Origin, Exec: q.Exec})
	unread := q.Exec && file.Digest == "" && d.cfg.FailClosed
	if answer.Deny || unread {
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

// opener describes the process that is about to run a program, from /proc,
// where it is still what it was before.
func opener(pid int, path string, file *redoubt.File) *redoubt.Process {
	p := &redoubt.Process{PID: pid, Path: path, File: file, Args: upcoming(pid), Started: time.Now()}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return p
	}
	var ppid int
	ppid, p.UID = readStatus(status)
	p.Entered = entered(pid, ppid, status)
	p.Parent = newProcesses().find(ppid)
	return p
}

// execCalls are the numbers of the calls that run a program.
var execCalls = map[string]bool{strconv.Itoa(unix.SYS_EXECVE): true, strconv.Itoa(unix.SYS_EXECVEAT): true}

// upcoming reads the arguments a process has given to the execve or execveat
// it is held in. They lie in its own memory and may change until the kernel
// copies them: they are for people to read, nothing is decided on them.
func upcoming(pid int) []string {
	call, err := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", pid))
	f := strings.Fields(string(call))
	if err != nil || len(f) < 4 {
		return nil
	}
	if !execCalls[f[0]] {
		return nil
	}
	at := 2 // execve(path, argv, …)
	if f[0] == strconv.Itoa(unix.SYS_EXECVEAT) {
		at = 3
	}
	argv, err := strconv.ParseUint(strings.TrimPrefix(f[at], "0x"), 16, 64)
	mem, merr := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil || merr != nil {
		return nil
	}
	defer mem.Close()
	var args []string
	pointer, text := make([]byte, 8), make([]byte, maxProcArgs)
	for i := uint64(0); i < 64; i++ {
		if _, err := mem.ReadAt(pointer, int64(argv+8*i)); err != nil {
			break
		}
		p := binary.NativeEndian.Uint64(pointer)
		if p == 0 {
			break
		}
		n, _ := mem.ReadAt(text, int64(p))
		arg, _, whole := bytes.Cut(text[:n], []byte{0})
		args = append(args, strings.ToValidUTF8(string(arg), "\uFFFD"))
		if !whole {
			break
		}
	}
	return args
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
