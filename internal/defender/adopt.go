package defender

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/fileid"
	"redoubt.dev/redoubt/internal/guard"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/sensor"
)

const (
	maxAdopted = 4096    // processes of one instance that were there before us
	maxSockets = 1 << 16 // lines of a socket table that are read
)

// lifeOf returns the instance's life, opening it at its first sighting. The
// lock is held.
func (d *Defender) lifeOf(t *tenant, w *redoubt.Workload, at time.Time) *life {
	if l := t.lives[w.Instance()]; l != nil {
		return l
	}
	if old(w, d.started) {
		return d.found(t, w)
	}
	l := t.life(w, at)
	d.note(t, w, redoubt.EventStart, at)
	return l
}

// old says whether an instance was running before this defender.
func old(w *redoubt.Workload, started time.Time) bool {
	return w.Kind != redoubt.KindContainer || !w.Started.IsZero() && w.Started.Before(started)
}

// found takes in an instance that runs. One that ran before us is learned from
// what it is doing now: its processes and its listening sockets. The lock is
// held.
func (d *Defender) found(t *tenant, w *redoubt.Workload) *life {
	l := t.life(w, time.Now())
	if !old(w, d.started) {
		d.note(t, w, redoubt.EventStart, l.since)
		d.guardFiles(t, l)
		d.obey(l)
		return l
	}
	l.adopted = true
	if w.Kind == redoubt.KindHost {
		l.listening = true
		return l // a node does everything; it is learned as it goes
	}
	byInode := map[uint64]*redoubt.Process{}
	for _, pid := range pidsOf(d.cfg.Cgroups.V2, w.Cgroup) {
		p := d.processes.find(pid)
		if p == nil {
			continue
		}
		running := *p
		running.File, running.Entered = d.running(w, pid, p.Path), visits(pid)
		ev := redoubt.Event{
			Time: l.since, Node: d.cfg.Node, Kind: redoubt.EventExec, Workload: w.WorkloadRef, Count: 1,
			Process: &running, Note: "was running before the defender",
		}
		d.decideFound(t, l, &ev)
		if heldAtExec(pid) {
			ev.Note = "was held when an earlier defender ended"
			d.release(&ev, &sensor.Sighting{PID: pid, Held: true})
		}
		d.outbox.Add(ev)
		for _, inode := range socketsOf(pid) {
			byInode[inode] = &running
		}
	}
	for _, s := range listeners(w.PID) {
		p := byInode[s.inode]
		if p == nil {
			continue
		}
		ev := redoubt.Event{
			Time: l.since, Node: d.cfg.Node, Kind: redoubt.EventListen, Workload: w.WorkloadRef, Count: 1, Process: p,
			Network: &redoubt.Connection{Proto: s.proto, Local: s.local}, Note: "was listening before the defender",
		}
		d.decide(t, l, &ev)
		d.outbox.Add(ev)
	}
	d.guardFiles(t, l)
	d.obey(l)
	return l
}

// decideFound judges a process that was there before us. How it was started is
// gone: daemons write over their arguments, fork workers that never exec'd, and
// lose their parents. So a program that the profile holds is known, whatever it
// shows; and nothing is learned from arguments that were written over.
func (d *Defender) decideFound(t *tenant, l *life, ev *redoubt.Event) {
	v := guard.Decide(ev, t.learner.Matcher(), t.state, d.policies, d.context(t, l, ev))
	if !strings.HasPrefix(v.Rule, guard.RuleProfile) {
		d.decide(t, l, ev)
		return
	}
	e, held := t.learner.Matcher().Program(ev.Process)
	switch {
	case v.Rule == guard.RuleProfile && v.Effect == redoubt.EffectIgnore:
		d.decide(t, l, ev)
	case held && !ev.Process.Entered:
		ev.Verdict = redoubt.Verdict{
			Effect: redoubt.EffectIgnore, Rule: guard.RuleProfile, Entry: e.ID,
			Reason: "the profile holds this program; how it was started before the defender is not known",
		}
	case t.state == profile.Learning && overwritten(ev.Process.Args):
		v.Effect, v.Reason = redoubt.EffectIgnore, "it wrote over its arguments, so nothing is learned from them"
		ev.Verdict = v
	default:
		d.decide(t, l, ev)
	}
}

// overwritten says whether a command line is a title that a daemon gave itself,
// such as "nginx: worker process": one string with blanks, where arguments were.
func overwritten(args []string) bool {
	return len(args) > 0 && strings.Contains(strings.TrimSpace(args[0]), " ")
}

// running identifies the program a process runs now.
func (d *Defender) running(w *redoubt.Workload, pid int, path string) *redoubt.File {
	f, key, err := fileid.Open(w, pid, path)
	if err != nil {
		return &redoubt.File{Origin: redoubt.OriginImage, Error: err.Error()}
	}
	f.Close()
	file := &redoubt.File{Key: key, Origin: redoubt.OriginImage}
	if w.Upper != "" && strings.HasPrefix(f.Name(), w.Upper+"/") {
		file.Origin = redoubt.OriginWritten
	}
	sum, err := d.digests.Of(key, func() (*os.File, error) {
		f, _, err := fileid.Open(w, pid, path)
		return f, err
	})
	if err != nil {
		file.Error = err.Error()
		return file
	}
	file.Digest = sum.Digest
	return file
}

// pidsOf lists the processes in a cgroup and those below it.
func pidsOf(mount, cgroup string) []int {
	var pids []int
	root := filepath.Join(mount, cgroup)
	filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return nil
		}
		list, err := os.ReadFile(filepath.Join(path, "cgroup.procs"))
		if err != nil {
			return nil
		}
		for _, f := range strings.Fields(string(list)) {
			if pid, err := strconv.Atoi(f); err == nil && len(pids) < maxAdopted {
				pids = append(pids, pid)
			}
		}
		return nil
	})
	return pids
}

// socketsOf lists the inodes of the sockets a process has open.
func socketsOf(pid int) []uint64 {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	fds, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var inodes []uint64
	for _, fd := range fds {
		to, err := os.Readlink(filepath.Join(dir, fd.Name()))
		if err != nil {
			continue
		}
		number, ok := strings.CutPrefix(to, "socket:[")
		if !ok {
			continue
		}
		if n, err := strconv.ParseUint(strings.TrimSuffix(number, "]"), 10, 64); err == nil {
			inodes = append(inodes, n)
		}
	}
	return inodes
}

type listener struct {
	proto redoubt.Proto
	local netip.AddrPort
	inode uint64
}

// listeners reads the listening TCP and bound UDP sockets of the network
// namespace a process lives in.
func listeners(pid int) []listener {
	var out []listener
	for _, table := range []struct {
		file  string
		proto redoubt.Proto
		state string // of a socket that takes what comes
	}{{"tcp", redoubt.TCP, "0A"}, {"tcp6", redoubt.TCP, "0A"}, {"udp", redoubt.UDP, "07"}, {"udp6", redoubt.UDP, "07"}} {
		f, err := os.Open(fmt.Sprintf("/proc/%d/net/%s", pid, table.file))
		if err != nil {
			continue
		}
		sc := bufio.NewScanner(f)
		for n := 0; sc.Scan() && n < maxSockets; n++ {
			if l, ok := parseListener(sc.Text(), table.state); ok {
				l.proto = table.proto
				out = append(out, l)
			}
		}
		f.Close()
	}
	return out
}

// parseListener reads one line of /proc/net/tcp and its like.
func parseListener(line, state string) (listener, bool) {
	f := strings.Fields(line)
	if len(f) < 10 || f[3] != state {
		return listener{}, false
	}
	host, port, ok := strings.Cut(f[1], ":")
	raw, err := hex.DecodeString(host)
	if !ok || err != nil || len(raw) != 4 && len(raw) != 16 {
		return listener{}, false
	}
	for i := 0; i < len(raw); i += 4 { // the kernel prints words in its own byte order
		binary.BigEndian.PutUint32(raw[i:], binary.NativeEndian.Uint32(raw[i:]))
	}
	addr, _ := netip.AddrFromSlice(raw)
	p, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return listener{}, false
	}
	inode, err := strconv.ParseUint(f[9], 10, 64)
	if err != nil {
		return listener{}, false
	}
	return listener{local: netip.AddrPortFrom(addr.Unmap(), uint16(p)), inode: inode}, true
}
