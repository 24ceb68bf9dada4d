package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/sandbox/plan"
)

// startLimit bounds the time from fork to exec whatever the caller allows.
const startLimit = 30 * time.Second

// Start starts a sandbox and returns when its program runs. Where it fails
// nothing is left.
func (h *Host) Start(ctx context.Context, spec Spec) (*Sandbox, error) {
	if err := spec.complete(); err != nil {
		return nil, err
	}
	slot, err := h.reserve(spec.ID)
	if err != nil {
		return nil, err
	}
	s := &Sandbox{host: h, spec: spec, slot: slot, tmp: -1, done: make(chan struct{})}
	l := &launch{s: s, forked: make(chan error, 1)}
	if err := l.prepare(); err != nil {
		l.close()
		s.release()
		return nil, err
	}
	s.output(l.readers)
	onThread(l.run)
	err = <-l.forked
	l.close()
	if err != nil {
		l.control.Close()
		s.release()
		return nil, err
	}
	return s, s.await(ctx, l.control)
}

// launch is what a start holds until the fork.
type launch struct {
	s       *Sandbox
	plan    plan.Plan
	files   []*os.File // what the child gets, in order; the mounts follow
	mounts  []int
	readers [2]*os.File // the program's output
	control *os.File    // our end
	forked  chan error
}

func (l *launch) prepare() error {
	s, h := l.s, l.s.host
	var err error
	if s.group, err = h.groups.make(s.spec.ID, &s.spec); err != nil {
		return err
	}
	if err := l.mount(); err != nil {
		return err
	}
	h.write(&l.plan, &s.spec)
	text, err := memory("plan", l.plan.Encode(), false)
	if err != nil {
		return err
	}
	l.files = append(l.files, h.null, nil, nil, text, nil)
	for i := range 2 {
		if s.spec.Output == nil {
			l.files[1+i] = h.null
			continue
		}
		if l.readers[i], l.files[1+i], err = os.Pipe(); err != nil {
			return fmt.Errorf("make output pipe: %w", err)
		}
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("make control socket: %w", err)
	}
	l.control = os.NewFile(uintptr(pair[0]), "control")
	l.files[4] = os.NewFile(uintptr(pair[1]), "control")
	return nil
}

func (l *launch) mount() error {
	s := l.s
	tmp, err := scratch(s.spec.Tmp, s.host.id(s.slot, programID))
	if err != nil {
		return err
	}
	l.mounts, l.plan.Mounts = append(l.mounts, tmp), append(l.plan.Mounts, "/tmp/")
	// Kept for its use to be measured; it keeps no mount in the sandbox.
	if s.tmp, err = unix.FcntlInt(uintptr(tmp), unix.F_DUPFD_CLOEXEC, 0); err != nil {
		return fmt.Errorf("keep /tmp: %w", err)
	}
	for _, m := range s.spec.Mounts {
		fd, dir, err := m.clone()
		if err != nil {
			return err
		}
		target := m.Target
		if dir {
			target += "/"
		}
		l.mounts, l.plan.Mounts = append(l.mounts, fd), append(l.plan.Mounts, target)
	}
	return nil
}

// close lets go of what now belongs to the child.
func (l *launch) close() {
	for _, f := range l.files {
		if f != nil && f != l.s.host.null {
			f.Close()
		}
	}
	for _, fd := range l.mounts {
		unix.Close(fd)
	}
}

// run forks, and stays: the program follows this thread into death, so the
// thread lives as long as the program, and all end with the host.
func (l *launch) run() {
	pid, err := l.fork()
	l.forked <- err
	if err != nil {
		return
	}
	// Its number stays its own until ended has told everybody.
	for unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	// Elsewhere: this thread no longer sees the host's files.
	go l.s.ended()
}

func (l *launch) fork() (int, error) {
	s := l.s
	var err error
	if s.sockets, err = network(s.spec.Ports); err != nil {
		return 0, err
	}
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return 0, fmt.Errorf("part from the process's root: %w", err)
	}
	if err := unix.Setns(int(s.host.base.Fd()), unix.CLONE_NEWNS); err != nil {
		return 0, fmt.Errorf("enter base: %w", err)
	}
	if err := s.group.enter(); err != nil {
		return 0, err
	}
	attr := l.attributes()
	pid, err := syscall.ForkExec(fmt.Sprintf("/proc/self/fd/%d", s.host.image.Fd()), []string{"init"}, attr)
	if back := s.group.leave(); back != nil {
		s.host.log.Error("a thread stays in a sandbox's control group", "sandbox", s.spec.ID, "error", back)
	}
	if err != nil {
		return 0, fmt.Errorf("start init of sandbox %s: %w", s.spec.ID, err)
	}
	s.pid = pid
	return pid, nil
}

func (l *launch) attributes() *syscall.ProcAttr {
	s := l.s
	ids := []syscall.SysProcIDMap{
		{ContainerID: 0, HostID: int(s.host.id(s.slot, 0)), Size: 1},
		{ContainerID: programID, HostID: int(s.host.id(s.slot, programID)), Size: 1},
	}
	s.pidfd = -1
	sys := &syscall.SysProcAttr{
		Cloneflags:                 unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
		UidMappings:                ids,
		GidMappings:                ids,
		GidMappingsEnableSetgroups: true,
		Credential:                 &syscall.Credential{},
		Setsid:                     true,
		PidFD:                      &s.pidfd,
	}
	s.group.into(sys)
	files := make([]uintptr, 0, len(l.files)+len(l.mounts))
	for _, f := range l.files {
		files = append(files, f.Fd())
	}
	for _, fd := range l.mounts {
		files = append(files, uintptr(fd))
	}
	// Init is over before it could need to collect memory or a second core.
	return &syscall.ProcAttr{Env: []string{"GOGC=off", "GOMAXPROCS=1"}, Files: files, Sys: sys}
}

// id is the host's number for one of the sandbox's two ids.
func (h *Host) id(slot int, inside uint32) uint32 {
	id := h.idBase + 2*uint32(slot)
	if inside != 0 {
		id++
	}
	return id
}

// await follows init until it has become the program.
func (s *Sandbox) await(ctx context.Context, control *os.File) error {
	reason, err := s.listen(ctx, control)
	if err == nil && reason == "" && s.host.keep(s) {
		return nil
	}
	s.Kill()
	switch {
	case ctx.Err() != nil:
		return fault.New(fault.Unavailable, "start sandbox %s: %w", s.spec.ID, ctx.Err())
	case reason != "":
		return fault.New(fault.Invalid, "start sandbox %s: %s", s.spec.ID, reason)
	case err != nil:
		return fmt.Errorf("start sandbox %s: %w", s.spec.ID, err)
	}
	return fault.New(fault.Unavailable, "start sandbox %s: the host is closing", s.spec.ID)
}

// listen reads what init says: its filter's listener, then nothing, because
// the exec closes its end; or why there is no program.
func (s *Sandbox) listen(ctx context.Context, control *os.File) (reason string, err error) {
	defer control.Close()
	c, err := net.FileConn(control)
	if err != nil {
		return "", fmt.Errorf("follow init: %w", err)
	}
	defer c.Close()
	conn := c.(*net.UnixConn)
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	conn.SetDeadline(time.Now().Add(startLimit))
	text, rights := make([]byte, 4096), make([]byte, unix.CmsgSpace(4))
	for listening := false; ; {
		n, m, _, _, err := conn.ReadMsgUnix(text, rights)
		switch {
		case n == 0 && (err == nil || !errors.Is(err, os.ErrDeadlineExceeded)):
			if !listening {
				return "", errors.New("init ended without a word")
			}
			return "", nil
		case err != nil:
			return "", fmt.Errorf("follow init: %w", err)
		case m == 0:
			return strings.ToValidUTF8(string(text[:n]), "?"), nil
		}
		fd, err := descriptor(rights[:m])
		if err != nil {
			return "", err
		}
		listening = true
		s.supervise(fd)
	}
}

func descriptor(rights []byte) (int, error) {
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil || len(messages) != 1 {
		return -1, errors.New("follow init: no listener in its message")
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return -1, errors.New("follow init: no listener in its message")
	}
	unix.CloseOnExec(fds[0])
	return fds[0], nil
}
