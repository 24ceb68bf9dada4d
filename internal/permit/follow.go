package permit

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/fault"
)

// maxFollowed bounds the processes whose mounts are kept up to date.
const maxFollowed = 4_096

// followers waits, in one epoll set, for mount tables to change and for
// processes to end. An open mount table keeps its namespace alive, and with it
// the container's file systems, so it must be let go of when its process ends.
// The set is waited for by a thread of its own, not through the runtime's: a
// mount table tells of a change just once, and being polled through a set of
// sets spends that.
type followers struct {
	set, quit int // epoll, eventfd

	mu      sync.Mutex
	byID    map[int32]*follower // by process id
	waiting bool                // keep runs and closes set and quit when it ends
	closed  bool
}

type follower struct {
	mountinfo *os.File
	pidfd     int
}

const (
	mountsChanged int32 = iota
	processEnded
	gateClosed
)

func newFollowers() (*followers, error) {
	set, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("watch mount tables: %w", err)
	}
	quit, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(set)
		return nil, fmt.Errorf("watch mount tables: %w", err)
	}
	s := &followers{set: set, quit: quit, byID: map[int32]*follower{}}
	if err := unix.EpollCtl(set, unix.EPOLL_CTL_ADD, quit, &unix.EpollEvent{Events: unix.EPOLLIN, Pad: gateClosed}); err != nil {
		s.release()
		return nil, fmt.Errorf("watch mount tables: %w", err)
	}
	return s, nil
}

// Follow asks about execs in every mount that process pid of a container sees:
// its root, volumes and tmpfs now, and, while Run runs, others as they are
// mounted. The present ones are marked on return; errors name those that could
// not be. It ends with the process. A mount namespace made inside the
// container has mounts of its own, which are seen only where they are of a
// file system marked whole.
func (g *Gate) Follow(pid int) error {
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fault.New(fault.NotFound, "watch mounts of process %d: %w", pid, err)
	}
	ns, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", pid))
	if pid == 1 || err == nil && g.node.namespaces[ns] {
		err = fault.New(fault.Invalid, "they are the node's own")
	}
	// Not os.Open: its poller would be told of changes in our stead.
	table := -1
	if err == nil {
		table, err = unix.Open(fmt.Sprintf("/proc/%d/mountinfo", pid), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		unix.Close(pidfd)
		return fmt.Errorf("watch mounts of process %d: %w", pid, err)
	}
	f := &follower{os.NewFile(uintptr(table), "mountinfo"), pidfd}
	g.mounts.mu.Lock()
	defer g.mounts.mu.Unlock()
	if err := g.mounts.add(int32(pid), f); err != nil {
		f.close()
		return err
	}
	return g.scan(pid, f.mountinfo, unix.FAN_MARK_ADD)
}

// Unfollow ends Follow and unmarks the mounts the process still sees.
func (g *Gate) Unfollow(pid int) error {
	f := g.mounts.remove(int32(pid))
	if f == nil {
		return nil
	}
	defer f.close()
	if _, err := f.mountinfo.Seek(0, 0); err != nil {
		return nil // gone, and its mounts with it
	}
	err := g.scan(pid, f.mountinfo, unix.FAN_MARK_REMOVE)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	return err
}

// add is called with mu held.
func (s *followers) add(pid int32, f *follower) error {
	if s.byID[pid] != nil {
		s.drop(pid).close()
	}
	if s.closed {
		return fault.New(fault.Unavailable, "watch mounts of process %d: the gate is closed", pid)
	}
	if len(s.byID) >= maxFollowed {
		return fault.New(fault.Limited, "watch mounts of process %d: %d processes are watched already", pid, maxFollowed)
	}
	err := unix.EpollCtl(s.set, unix.EPOLL_CTL_ADD, int(f.mountinfo.Fd()), &unix.EpollEvent{Events: unix.EPOLLPRI, Fd: pid, Pad: mountsChanged})
	if err == nil {
		err = unix.EpollCtl(s.set, unix.EPOLL_CTL_ADD, f.pidfd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: pid, Pad: processEnded})
	}
	if err != nil {
		return fmt.Errorf("watch mounts of process %d: %w", pid, err)
	}
	s.byID[pid] = f
	return nil
}

func (s *followers) remove(pid int32) *follower {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drop(pid)
}

// drop is called with mu held.
func (s *followers) drop(pid int32) *follower {
	f := s.byID[pid]
	if f != nil {
		delete(s.byID, pid)
		unix.EpollCtl(s.set, unix.EPOLL_CTL_DEL, int(f.mountinfo.Fd()), nil)
		unix.EpollCtl(s.set, unix.EPOLL_CTL_DEL, f.pidfd, nil)
	}
	return f
}

func (f *follower) close() {
	f.mountinfo.Close()
	unix.Close(f.pidfd)
}

func (s *followers) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	for pid := range s.byID {
		s.drop(pid).close()
	}
	if s.waiting {
		unix.Write(s.quit, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	} else {
		s.release()
	}
}

func (s *followers) release() {
	unix.Close(s.set)
	unix.Close(s.quit)
}

// begin says whether keep may wait on the set.
func (s *followers) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = !s.closed
	return s.waiting
}

// end comes after the last wait.
func (s *followers) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = false
	for pid := range s.byID {
		s.drop(pid).close()
	}
	s.closed = true
	s.release()
}

// keep scans again whatever changed, until the gate is closed.
func (g *Gate) keep() {
	if !g.mounts.begin() {
		return
	}
	defer g.mounts.end()
	events := make([]unix.EpollEvent, 64)
	for {
		n, err := unix.EpollWait(g.mounts.set, events, -1)
		if err != nil && err != unix.EINTR {
			g.cfg.Log.Error("mount tables not watched", "error", err)
			return
		}
		for _, e := range events[:max(n, 0)] {
			if e.Pad == gateClosed {
				return
			}
			g.changed(e)
		}
	}
}

func (g *Gate) changed(e unix.EpollEvent) {
	if e.Pad == processEnded {
		if f := g.mounts.remove(e.Fd); f != nil {
			f.close()
		}
		return
	}
	g.mounts.mu.Lock()
	f := g.mounts.byID[e.Fd]
	var err error
	if f != nil {
		if _, err = f.mountinfo.Seek(0, 0); err == nil {
			err = g.scan(int(e.Fd), f.mountinfo, unix.FAN_MARK_ADD)
		}
	}
	g.mounts.mu.Unlock()
	if err != nil && !errors.Is(err, unix.ESRCH) && !fault.Is(err, fault.NotFound) {
		g.cfg.Log.Warn("mounts not watched", "pid", e.Fd, "error", err)
	}
}
