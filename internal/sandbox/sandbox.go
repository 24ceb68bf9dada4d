package sandbox

import (
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/fault"
)

// Sandbox is one running program and its surroundings. Its methods are safe
// for concurrent use, and after its end they do nothing or say so.
type Sandbox struct {
	host    *Host
	spec    Spec
	slot    int
	group   *group
	pid     int
	pidfd   int
	tmp     int // the root of its /tmp
	sockets []any
	reports *net.UnixConn // of the launcher
	readers sync.WaitGroup
	pipes   []*os.File
	execs   *supervisor

	attached atomic.Bool
	killed   atomic.Bool

	mu   sync.Mutex // of what follows, and against use after the end
	over bool
	exit Exit
	last Usage
	done chan struct{}
}

// Exit is how a program ended.
type Exit struct {
	Code   int  // as it said itself; -1 where a signal ended it
	Signal int  // 0 where it ended by itself
	OOM    bool // it, or one of its children, wanted more memory than it has
	Killed bool // by Kill
}

// Usage is what a sandbox used so far, or in all if it has ended.
type Usage struct {
	CPU        time.Duration
	Memory     int64 // bytes, /tmp apart
	MemoryPeak int64 // bytes, the most there were, /tmp as it is now apart
	Pids       int
	Tmp        int64 // bytes in /tmp
}

// PID is the program's process id on the host.
func (s *Sandbox) PID() int { return s.pid }

// CgroupID is the kernel's number of the sandbox's version 2 control group,
// by which kernel sensors know it; 0 where the machine has no version 2.
func (s *Sandbox) CgroupID() uint64 { return s.group.id }

// Listener is the socket of Spec.Ports[i], which must be TCP. It is the
// sandbox's own: who connects to it is the program. It closes with the sandbox.
func (s *Sandbox) Listener(i int) net.Listener { return s.sockets[i].(net.Listener) }

// PacketConn is the socket of Spec.Ports[i], which must be UDP.
func (s *Sandbox) PacketConn(i int) net.PacketConn { return s.sockets[i].(net.PacketConn) }

// Done is closed when the program has ended and nothing of it is left.
func (s *Sandbox) Done() <-chan struct{} { return s.done }

// Exit says how the program ended; zero before Done.
func (s *Sandbox) Exit() Exit {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.exit
}

// Usage says what was used so far.
func (s *Sandbox) Usage() Usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return s.last
	}
	u, _ := s.measure()
	return u
}

func (s *Sandbox) measure() (Usage, bool) {
	u, oom := s.group.usage()
	var st unix.Statfs_t
	if unix.Fstatfs(s.tmp, &st) == nil {
		u.Tmp = int64(st.Blocks-st.Bfree) * st.Bsize
	}
	u.Memory, u.MemoryPeak = max(0, u.Memory-u.Tmp), max(0, u.MemoryPeak-u.Tmp)
	return u, oom
}

// ResetPeak makes MemoryPeak start anew, as for the next invocation. On
// version 2 it needs Linux 6.12.
func (s *Sandbox) ResetPeak() error {
	return s.alive("reset peak of", func() error { return s.group.resetPeak() })
}

// Freeze stops every process of the sandbox and returns when they stand
// still. Sockets stay open; clocks run on.
func (s *Sandbox) Freeze() error {
	return s.alive("freeze", func() error { return s.group.freeze(true) })
}

// Thaw undoes Freeze.
func (s *Sandbox) Thaw() error {
	return s.alive("thaw", func() error { return s.group.freeze(false) })
}

func (s *Sandbox) alive(act string, f func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return fault.New(fault.Unavailable, "%s sandbox %s: it has ended", act, s.spec.ID)
	}
	if err := f(); err != nil {
		return fault.New(fault.Internal, "%s sandbox %s: %w", act, s.spec.ID, err)
	}
	return nil
}

// Kill ends the program and all it started, and waits until nothing is left.
func (s *Sandbox) Kill() {
	s.signal()
	<-s.done
}

func (s *Sandbox) signal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return
	}
	s.killed.Store(true)
	if s.pidfd >= 0 {
		_ = unix.PidfdSendSignal(s.pidfd, unix.SIGKILL, nil, 0)
	} else {
		_ = unix.Kill(s.pid, unix.SIGKILL) // its own until release
	}
	s.group.kill()
}

const chunk = 32 << 10

// read carries what the program prints to Spec.Output.
func (s *Sandbox) read(stream int, r *os.File) {
	s.pipes = append(s.pipes, r)
	s.readers.Go(func() {
		b := make([]byte, chunk)
		for {
			n, err := r.Read(b)
			if n > 0 {
				s.spec.Output(stream, b[:n])
			}
			if err != nil {
				return
			}
		}
	})
}

// drainLimit is how long what was printed last may take to be taken.
const drainLimit = 2 * time.Second

// ended clears everything up after the program. No process of the sandbox is
// left when its first is gone: the kernel ends a pid namespace as a whole.
func (s *Sandbox) ended(status unix.WaitStatus) {
	s.mu.Lock()
	u, oom := s.measure()
	u.Pids = 0
	s.over, s.last = true, u
	s.exit = Exit{Code: status.ExitStatus(), OOM: oom, Killed: s.killed.Load()}
	if status.Signaled() {
		s.exit.Signal = int(status.Signal())
	}
	s.mu.Unlock()
	s.release()
	close(s.done)
}

// reap lets go of the PID and waits until the kernel has. From here on it may
// be another's.
func (s *Sandbox) reap() {
	if s.reports == nil {
		return
	}
	_ = s.reports.CloseWrite()
	_ = s.reports.SetReadDeadline(time.Now().Add(drainLimit))
	_, _ = s.reports.Read(make([]byte, 1))
	_ = s.reports.Close()
}

// drain reads what was printed last. Whoever takes it too slowly loses it.
func (s *Sandbox) drain() {
	read := make(chan struct{})
	go func() { s.readers.Wait(); close(read) }()
	select {
	case <-read:
	case <-time.After(drainLimit):
	}
	for _, r := range s.pipes {
		_ = r.Close()
	}
}

// release gives back what the sandbox held, started or not.
func (s *Sandbox) release() {
	s.mu.Lock()
	execs := s.execs
	s.mu.Unlock()
	execs.close()
	closeAll(s.sockets)
	s.drain()
	if s.pidfd >= 0 {
		unix.Close(s.pidfd)
	}
	s.reap()
	if s.tmp >= 0 {
		unix.Close(s.tmp)
	}
	if s.group != nil {
		if err := s.group.remove(); err != nil {
			s.host.log.Error("a sandbox's control group stays", "sandbox", s.spec.ID, "error", err)
		}
	}
	s.host.free(s.spec.ID, s.slot)
}

// keep takes a started sandbox into the books; false where the host is
// closing and will not look there again.
func (h *Host) keep(s *Sandbox) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, starting := h.sandboxes[s.spec.ID]; starting {
		h.sandboxes[s.spec.ID] = s
	} // else it has ended already
	return !h.closed
}
