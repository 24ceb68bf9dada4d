// Package permit asks before a program runs: with fanotify permission events
// it holds an exec (or, for chosen files, any open) inside a container until
// somebody has decided, and refuses with EPERM where the answer is no. It
// knows marks, questions and answers; what to answer is the caller's business.
// It marks file systems and mounts of containers only, never the node's own.
package permit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/redoubt"
)

const (
	usualDeadline = 2 * time.Second
	maxPending    = 512    // questions at once, each with an open file; one more gets the late answer
	maxRemembered = 65_536 // ignore marks; one more and all are forgotten
)

// Config says how a Gate answers when nobody does.
type Config struct {
	Log        *slog.Logger
	Deadline   time.Duration // for one question; 0 is two seconds
	FailClosed bool          // late, failed and surplus questions are denied instead of allowed
}

// Question is one exec, or one open of a file given to DenyOpen, that waits.
type Question struct {
	PID  int
	Path string // as the asking process sees it, or as the node does for the engine's own set-up
	// Key is what fstat says of File. On overlayfs that names the union's own
	// device and, for a changed file, the inode of the original: map it to the
	// file below (fileid.Real) before comparing.
	Key redoubt.FileKey
	// File is the very file, whatever its name means by now; reading it asks no
	// question. It is closed when decide returns.
	File *os.File
	Exec bool
}

// Answer decides a question. Remember lets this file run unasked until it is
// written to or Forget is called; it counts only with Allow and for an exec.
// A file somebody could change through a mapping must not be remembered.
type Answer struct {
	Allow    bool
	Remember bool
}

// Counts is what a Gate did since it was opened.
type Counts struct {
	Allowed, Denied uint64 // decided
	Late            uint64 // deadline passed
	Failed          uint64 // decide panicked, or the file could not be looked at
	Full            uint64 // too many questions at once
	Own             uint64 // this process itself
	Lost            uint64 // the kernel could not hand the question over and denied it
	Remembered      uint64
}

// Gate holds two groups of marks: execs that are asked about with the ignore
// marks of those that need not be, and files whose every open is asked about.
// It is safe for use by several goroutines.
type Gate struct {
	cfg   Config
	execs *os.File
	opens *os.File
	node  nodeMounts
	own   int32

	pending chan struct{}
	since   atomic.Int64 // ignore marks since the last Forget
	c       struct{ allowed, denied, late, failed, full, own, lost, remembered atomic.Uint64 }

	mounts *followers
}

// Open makes a Gate. fault.Unsupported where the kernel has no permission
// events for execs (before 5.0, or built without) or this process may not use
// them (CAP_SYS_ADMIN).
func Open(cfg Config) (*Gate, error) {
	if cfg.Deadline <= 0 {
		cfg.Deadline = usualDeadline
	}
	g := &Gate{cfg: cfg, own: int32(os.Getpid()), pending: make(chan struct{}, maxPending)}
	var err error
	if g.node, err = readNode(); err != nil {
		return nil, err
	}
	if g.execs, err = group(); err != nil {
		return nil, err
	}
	if g.opens, err = group(); err != nil {
		g.execs.Close()
		return nil, err
	}
	if g.mounts, err = newFollowers(); err != nil {
		g.execs.Close()
		g.opens.Close()
		return nil, err
	}
	if err := g.probe(); err != nil {
		g.Close()
		return nil, err
	}
	return g, nil
}

func group() (*os.File, error) {
	fd, err := unix.FanotifyInit(unix.FAN_CLASS_CONTENT|unix.FAN_CLOEXEC|unix.FAN_NONBLOCK|unix.FAN_UNLIMITED_QUEUE|unix.FAN_UNLIMITED_MARKS,
		unix.O_RDONLY|unix.O_LARGEFILE|unix.O_CLOEXEC)
	if err != nil {
		return nil, fault.New(fault.Unsupported, "ask about execs through fanotify: %w; it needs Linux 5.0 and CAP_SYS_ADMIN", err)
	}
	return os.NewFile(uintptr(fd), "fanotify"), nil
}

// probe finds out whether the kernel takes a mark for execs, on a file that
// nobody else can run.
func (g *Gate) probe() error {
	fd, err := unix.MemfdCreate("redoubt-probe", unix.MFD_CLOEXEC)
	if err != nil {
		return fmt.Errorf("probe fanotify: %w", err)
	}
	defer unix.Close(fd)
	if err := mark(g.execs, unix.FAN_MARK_ADD, unix.FAN_OPEN_EXEC_PERM, fd); err != nil {
		return fault.New(fault.Unsupported, "ask about execs through fanotify: %w; the kernel has no permission events for them", err)
	}
	return mark(g.execs, unix.FAN_MARK_REMOVE, unix.FAN_OPEN_EXEC_PERM, fd)
}

// mark applies to the file behind fd, which may be O_PATH.
func mark(group *os.File, flags uint, mask uint64, fd int) error {
	raw, err := group.SyscallConn()
	if err != nil {
		return err
	}
	if e := raw.Control(func(g uintptr) {
		err = unix.FanotifyMark(int(g), flags, mask, unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd))
	}); e != nil {
		return e
	}
	return err
}

// Close lets every waiting process go on: the kernel allows what nobody
// answered. Marks end with it.
func (g *Gate) Close() error {
	g.mounts.close()
	return errors.Join(g.execs.Close(), g.opens.Close())
}

// Counts returns what was done so far.
func (g *Gate) Counts() Counts {
	return Counts{
		Allowed: g.c.allowed.Load(), Denied: g.c.denied.Load(), Late: g.c.late.Load(), Failed: g.c.failed.Load(),
		Full: g.c.full.Load(), Own: g.c.own.Load(), Lost: g.c.lost.Load(), Remembered: g.c.remembered.Load(),
	}
}

// DenyOpen has every open of f asked about, not only execs of it, so that it
// can neither be given to a loader nor copied. f must have been opened through
// the container's own view of its files, as in /proc/PID/root.
func (g *Gate) DenyOpen(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	if e := raw.Control(func(fd uintptr) { err = mark(g.opens, unix.FAN_MARK_ADD, unix.FAN_OPEN_PERM, int(fd)) }); e != nil {
		return e
	}
	if err != nil {
		return fmt.Errorf("watch opens of %s: %w", f.Name(), err)
	}
	return nil
}

// AllowOpens takes back every DenyOpen.
func (g *Gate) AllowOpens() error { return flush(g.opens) }

// Forget has everything asked about again. Call it whenever an answer may have
// changed.
func (g *Gate) Forget() error {
	g.since.Store(0)
	return flush(g.execs)
}

// flush removes the inode marks of a group; marks on mounts and file systems
// stay.
func flush(group *os.File) error {
	raw, err := group.SyscallConn()
	if err != nil {
		return err
	}
	if e := raw.Control(func(g uintptr) {
		err = unix.FanotifyMark(int(g), unix.FAN_MARK_FLUSH, 0, unix.AT_FDCWD, "/")
	}); e != nil {
		return e
	}
	if err != nil {
		return fmt.Errorf("forget answers: %w", err)
	}
	return nil
}

// Run asks decide until ctx ends or the Gate is closed; decide is called from
// many goroutines. On return the Gate is closed.
func (g *Gate) Run(ctx context.Context, decide func(Question) Answer) error {
	stop := context.AfterFunc(ctx, func() { g.Close() })
	defer stop()
	var wg sync.WaitGroup
	for _, group := range []*os.File{g.execs, g.opens} {
		wg.Go(func() { g.read(group, decide) })
	}
	wg.Go(g.keep)
	wg.Wait()
	g.Close()
	return ctx.Err()
}
