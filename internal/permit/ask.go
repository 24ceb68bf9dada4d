package permit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/redoubt"
)

// event is struct fanotify_event_metadata as far as it is used.
type event struct {
	mask    uint64
	fd, pid int32
}

var errLayout = errors.New("event of an unknown layout")

// parse splits what one read gave into events. Those before a malformed one
// are returned with the error.
func parse(buf []byte) (out []event, err error) {
	for len(buf) > 0 {
		if len(buf) < unix.FAN_EVENT_METADATA_LEN {
			return out, errLayout
		}
		size := binary.NativeEndian.Uint32(buf)
		if buf[4] != unix.FANOTIFY_METADATA_VERSION || size < unix.FAN_EVENT_METADATA_LEN || uint64(size) > uint64(len(buf)) {
			return out, errLayout
		}
		out = append(out, event{
			mask: binary.NativeEndian.Uint64(buf[8:]),
			fd:   int32(binary.NativeEndian.Uint32(buf[16:])),
			pid:  int32(binary.NativeEndian.Uint32(buf[20:])),
		})
		buf = buf[size:]
	}
	return out, nil
}

// read takes questions from one group until that is closed. It never waits for
// a decision, so that each question's deadline runs from when it was asked.
func (g *Gate) read(group *os.File, decide func(Question) Answer) {
	buf := make([]byte, 16<<10)
	for {
		n, err := group.Read(buf)
		if errors.Is(err, os.ErrClosed) {
			return
		}
		if err != nil {
			// The kernel has denied the one it could not open for us.
			g.c.lost.Add(1)
			g.cfg.Log.Warn("permission question lost", "error", err)
			time.Sleep(time.Millisecond)
			continue
		}
		events, err := parse(buf[:n])
		for _, e := range events {
			g.take(group, e, decide)
		}
		if err != nil {
			g.c.lost.Add(1)
			g.cfg.Log.Error("permission question unreadable", "error", err)
		}
	}
}

// take answers at once what needs no thought and hands the rest to a
// goroutine of its own.
func (g *Gate) take(group *os.File, e event, decide func(Question) Answer) {
	if e.fd < 0 {
		return
	}
	if e.mask&(unix.FAN_OPEN_EXEC_PERM|unix.FAN_OPEN_PERM) == 0 {
		g.written(e)
		return
	}
	a := &asked{gate: g, group: group, file: os.NewFile(uintptr(e.fd), "asked"), fd: e.fd}
	if e.pid == g.own {
		a.reply(true, &g.c.own)
		a.file.Close()
		return
	}
	select {
	case g.pending <- struct{}{}:
	default:
		a.reply(!g.cfg.FailClosed, &g.c.full)
		a.file.Close()
		return
	}
	go func() {
		defer func() { <-g.pending }()
		defer a.file.Close()
		a.ask(e, decide)
	}()
}

// asked is one question on its way to an answer; the first answer counts.
type asked struct {
	gate  *Gate
	group *os.File
	file  *os.File
	fd    int32
	done  atomic.Bool
}

func (a *asked) ask(e event, decide func(Question) Answer) {
	g := a.gate
	timer := time.AfterFunc(g.cfg.Deadline, func() { a.reply(!g.cfg.FailClosed, &g.c.late) })
	defer timer.Stop()
	answer, err := a.decide(e, decide)
	if err != nil {
		a.reply(!g.cfg.FailClosed, &g.c.failed)
		g.cfg.Log.Error("permission question failed", "pid", e.pid, "error", err)
		return
	}
	exec := a.group == g.execs
	if answer.Allow && answer.Remember && exec && !a.done.Load() {
		a.remember()
	}
	if answer.Allow {
		a.reply(true, &g.c.allowed)
	} else {
		a.reply(false, &g.c.denied)
	}
}

// decide turns a panic into an error: a process waits for us.
func (a *asked) decide(e event, decide func(Question) Answer) (answer Answer, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("decide panicked: %v", p)
		}
	}()
	var st unix.Stat_t
	if err := unix.Fstat(int(a.fd), &st); err != nil {
		return Answer{}, fmt.Errorf("stat file asked about: %w", err)
	}
	path, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(int(a.fd)))
	if err != nil {
		return Answer{}, fmt.Errorf("name file asked about: %w", err)
	}
	return decide(Question{
		PID:  int(e.pid),
		Path: path,
		Key: redoubt.FileKey{
			Dev:   uint64(unix.Major(st.Dev))<<20 | uint64(unix.Minor(st.Dev)),
			Ino:   st.Ino,
			Ctime: st.Ctim.Nano(),
		},
		File: a.file,
		Exec: a.group == a.gate.execs,
	}), nil
}

// reply answers the kernel and counts the answer as what it is, unless that
// has been done already.
func (a *asked) reply(allow bool, as *atomic.Uint64) {
	if !a.done.CompareAndSwap(false, true) {
		return
	}
	as.Add(1)
	var msg [8]byte
	binary.NativeEndian.PutUint32(msg[:], uint32(a.fd))
	binary.NativeEndian.PutUint32(msg[4:], unix.FAN_DENY)
	if allow {
		binary.NativeEndian.PutUint32(msg[4:], unix.FAN_ALLOW)
	}
	if _, err := a.group.Write(msg[:]); err != nil && !errors.Is(err, os.ErrClosed) {
		a.gate.cfg.Log.Error("permission answer lost", "error", err)
	}
}

// remember puts an ignore mark on the file, which the kernel drops when the
// file is written to. What is written through a mapping it does not notice, so
// the mark also asks to be told when a writer closes the file. Where it can,
// the kernel may drop marks for want of memory; older ones (before 5.19) keep
// them.
func (a *asked) remember() {
	g := a.gate
	if g.since.Add(1) > maxRemembered {
		if err := g.Forget(); err != nil {
			return
		}
	}
	add := uint(unix.FAN_MARK_ADD | unix.FAN_MARK_EVICTABLE)
	err := mark(g.execs, add, unix.FAN_CLOSE_WRITE, int(a.fd))
	if errors.Is(err, unix.EINVAL) {
		add = unix.FAN_MARK_ADD
		err = mark(g.execs, add, unix.FAN_CLOSE_WRITE, int(a.fd))
	}
	if err == nil {
		err = mark(g.execs, add|unix.FAN_MARK_IGNORED_MASK, unix.FAN_OPEN_EXEC_PERM, int(a.fd))
	}
	if err == nil {
		g.c.remembered.Add(1)
	}
}

// written forgets one file that somebody had open for writing.
func (g *Gate) written(e event) {
	defer unix.Close(int(e.fd))
	err := mark(g.execs, unix.FAN_MARK_REMOVE|unix.FAN_MARK_IGNORED_MASK, unix.FAN_OPEN_EXEC_PERM, int(e.fd))
	if err != nil && !errors.Is(err, unix.ENOENT) {
		g.cfg.Log.Warn("changed file still remembered", "error", err)
	}
	mark(g.execs, unix.FAN_MARK_REMOVE, unix.FAN_CLOSE_WRITE, int(e.fd))
}
