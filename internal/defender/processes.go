package defender

import (
	"bytes"
	"container/list"
	"os"
	"path"
	"strconv"
	"strings"

	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/sensor"
)

const (
	maxProcesses = 1 << 16 // remembered; the least recently used goes first
	maxAncestors = 16      // of one process's chain
	maxPaths     = 1 << 14 // of program files
	maxEnded     = 1 << 10 // remembered though they have ended, for children that outlive them
	maxPast      = 4       // programs a process was before, since children may date from then
)

// processes remembers who is whose parent, as far as execs and /proc tell.
// A Process in it is never changed once it is there, so chains are shared. It
// belongs to the goroutine that judges.
type processes struct {
	byPID map[int]*list.Element
	used  *list.List // of *remembered, most recently used first
	proc  string     // where procfs is mounted

	paths map[redoubt.FileKey]string // of programs seen running; emptied when full
	ended []*remembered              // a ring; next is the oldest once it is full
	next  int
}

type remembered struct {
	process *redoubt.Process
	owner   string // instance in which it was started; empty where only /proc told
	started uint64 // nanoseconds since boot; 0 where only /proc told

	program redoubt.FileKey // what the kernel runs: of a script, the interpreter; zero where only /proc told
	before  *remembered     // what this process was until its last exec
	ended   bool
}

func newProcesses() *processes {
	return &processes{byPID: map[int]*list.Element{}, used: list.New(), proc: "/proc", paths: map[redoubt.FileKey]string{}}
}

// exec notes that a process of an instance became another program and returns
// it with its chain of parents.
func (t *processes) exec(s *sensor.Sighting, owner string) *redoubt.Process {
	p := &redoubt.Process{
		PID: s.PID, Path: s.Path, Args: s.Args, Truncated: s.Truncated,
		UID: s.UID, Caps: s.Caps, Cwd: s.Cwd, Entered: s.Entered, Started: s.Time,
		File: &redoubt.File{Key: s.Key.File, Origin: s.Origin},
	}
	p.Parent = cut(t.parentOf(s), maxAncestors-1)
	if len(t.paths) >= maxPaths {
		clear(t.paths)
	}
	program := s.Key.File
	if s.Interpreter != "" {
		program = s.Runs
	} else {
		t.paths[program] = s.Path
	}
	t.remember(&remembered{process: p, owner: owner, started: s.Started, program: program})
	return p
}

// parentOf returns who forked a sighted process, as it was then: it may have
// ended since, or become another program. What the kernel only counts is not
// told, so that what is remembered under the parent's number may be older: the
// sighting says which file it ran.
func (t *processes) parentOf(s *sensor.Sighting) *redoubt.Process {
	if len(s.Ancestors) == 0 || s.Ancestors[0].PID != s.Parent {
		return t.find(s.Parent)
	}
	now := &s.Ancestors[0]
	if p := t.was(now); p != nil {
		return p
	}
	parent := t.find(s.Parent)
	// One that is ending has let go of its program: nobody can tell whether it
	// still was what is remembered.
	if now.File == (redoubt.FileKey{}) && parent != nil || t.runs(now) {
		return parent
	}
	t.forget(s.Parent)
	if parent = t.find(s.Parent); t.runs(now) {
		return parent
	}
	path, ok := t.paths[now.File]
	if !ok {
		path = now.Name // it is gone, and nobody saw more of it
	}
	return &redoubt.Process{PID: now.PID, Path: path, File: &redoubt.File{Key: now.File, Error: "it had ended before it was looked at"}}
}

// was returns what a process was when it ran the program that the kernel saw;
// nil where no exec of it is remembered.
func (t *processes) was(seen *sensor.Ancestor) *redoubt.Process {
	e, ok := t.byPID[seen.PID]
	if !ok || seen.File == (redoubt.FileKey{}) {
		return nil
	}
	for r := e.Value.(*remembered); r != nil; r = r.before {
		if r.program == seen.File && r.started == seen.Started {
			return r.process
		}
	}
	return nil
}

// runs says whether what is remembered of a process is what the kernel saw.
func (t *processes) runs(seen *sensor.Ancestor) bool {
	e, ok := t.byPID[seen.PID]
	if !ok {
		return false
	}
	r := e.Value.(*remembered)
	if r.ended {
		return false
	}
	if r.program != (redoubt.FileKey{}) {
		return r.program == seen.File
	}
	name := path.Base(r.process.Path)
	return name[:min(len(name), 31)] == seen.Name
}

// exit forgets a process and returns what it was; nil where it is not known to
// have been started in this instance, as an engine's helper was not.
func (t *processes) exit(s *sensor.Sighting, owner string) *redoubt.Process {
	e, ok := t.byPID[s.PID]
	if !ok {
		return nil
	}
	r := e.Value.(*remembered)
	if r.ended || r.started != 0 && s.Started != 0 && r.started != s.Started {
		return nil // the number was given to somebody else in between
	}
	t.end(r)
	if r.owner != owner {
		return nil
	}
	return r.process
}

// end keeps a process that has ended for as long as there is room.
func (t *processes) end(r *remembered) {
	r.ended = true
	if len(t.ended) < maxEnded {
		t.ended = append(t.ended, r)
		return
	}
	old := t.ended[t.next]
	t.ended[t.next] = r
	t.next = (t.next + 1) % maxEnded
	if e, ok := t.byPID[old.process.PID]; ok && e.Value == old {
		t.forget(old.process.PID)
	}
}

func (t *processes) forget(pid int) {
	if e, ok := t.byPID[pid]; ok {
		t.used.Remove(e)
		delete(t.byPID, pid)
	}
}

// find returns the process that now has this number, asking /proc about one
// that started before the sensor or never exec'd; nil where nobody knows.
func (t *processes) find(pid int) *redoubt.Process { return t.ask(pid, maxAncestors) }

func (t *processes) ask(pid, depth int) *redoubt.Process {
	if pid <= 0 || depth == 0 {
		return nil
	}
	if e, ok := t.byPID[pid]; ok && !e.Value.(*remembered).ended {
		t.used.MoveToFront(e)
		return e.Value.(*remembered).process
	}
	dir := t.proc + "/" + strconv.Itoa(pid)
	path, err := os.Readlink(dir + "/exe")
	if err != nil {
		return nil // gone, or a kernel thread
	}
	p := &redoubt.Process{PID: pid, Path: path}
	if line, err := os.ReadFile(dir + "/cmdline"); err == nil {
		p.Args = splitArgs(line)
	}
	parent := 0
	if status, err := os.ReadFile(dir + "/status"); err == nil {
		parent, p.UID = readStatus(status)
	}
	p.Parent = cut(t.ask(parent, depth-1), depth-1)
	t.remember(&remembered{process: p})
	return p
}

func (t *processes) remember(r *remembered) {
	if e, ok := t.byPID[r.process.PID]; ok {
		if old := e.Value.(*remembered); old.started == r.started && !old.ended {
			r.before = old.keep(maxPast - 1)
		}
		e.Value = r
		t.used.MoveToFront(e)
		return
	}
	t.byPID[r.process.PID] = t.used.PushFront(r)
	if t.used.Len() > maxProcesses {
		oldest := t.used.Back()
		t.used.Remove(oldest)
		delete(t.byPID, oldest.Value.(*remembered).process.PID)
	}
}

// keep returns r with at most n-1 that it was before.
func (r *remembered) keep(n int) *remembered {
	if r == nil || n <= 0 {
		return nil
	}
	c := *r
	c.before = r.before.keep(n - 1)
	return &c
}

// cut returns p with at most n ancestors counting itself, copying only what it
// must change.
func cut(p *redoubt.Process, n int) *redoubt.Process {
	if p == nil || n <= 0 {
		return nil
	}
	depth := 0
	for q := p; q != nil; q = q.Parent {
		depth++
	}
	if depth <= n {
		return p
	}
	c := *p
	c.Parent = cut(p.Parent, n-1)
	return &c
}

const maxProcArgs = 4096 // bytes of a command line taken from /proc

func splitArgs(line []byte) []string {
	line = bytes.TrimRight(line[:min(len(line), maxProcArgs)], "\x00")
	if len(line) == 0 {
		return nil
	}
	return strings.Split(string(line), "\x00")
}

// readStatus picks the parent and the effective user out of /proc/PID/status;
// zero where it says neither.
func readStatus(status []byte) (parent int, uid uint32) {
	for line := range strings.Lines(string(status)) {
		f := strings.Fields(line)
		switch {
		case len(f) > 1 && f[0] == "PPid:":
			parent, _ = strconv.Atoi(f[1])
		case len(f) > 2 && f[0] == "Uid:":
			n, _ := strconv.ParseUint(f[2], 10, 32)
			uid = uint32(n)
		}
	}
	return parent, uid
}
