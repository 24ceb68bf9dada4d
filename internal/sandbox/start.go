package sandbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
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
	s := &Sandbox{host: h, spec: spec, slot: slot, tmp: -1, pidfd: -1, done: make(chan struct{})}
	l := &launch{s: s}
	err = l.prepare()
	if err == nil {
		err = l.fork(ctx)
	}
	l.close()
	if err != nil {
		s.release()
		return nil, err
	}
	go s.follow()
	if err := s.await(ctx, l.control); err != nil {
		return nil, err
	}
	return s, nil
}

// launch is what a start holds until the fork.
type launch struct {
	s       *Sandbox
	plan    plan.Plan
	network *os.File
	reply   *os.File   // the launcher's end of its reports
	files   []*os.File // what init gets, in order; the mounts follow
	mounts  []int
	control *net.UnixConn // our end of what init says
}

// prepare makes everything the fork needs. The network is half of the work and
// needs nothing of the rest.
func (l *launch) prepare() error {
	wired := make(chan error, 1)
	go func() {
		var err error
		l.s.sockets, l.network, err = network(l.s.spec.Ports)
		wired <- err
	}()
	err := l.furnish()
	return cmp.Or(err, <-wired)
}

func (l *launch) furnish() error {
	s, h := l.s, l.s.host
	var err error
	if s.group, err = h.groups.make(s.spec.ID, &s.spec); err != nil {
		return err
	}
	h.write(&l.plan, &s.spec)
	if err := l.mount(); err != nil {
		return err
	}
	b := l.plan.Encode()
	if len(b) > plan.MaxSize {
		return fault.New(fault.Limited, "start sandbox %s: arguments and environment take %d bytes, at most %d can be given", s.spec.ID, len(b), plan.MaxSize)
	}
	text, err := memory("plan", b, false)
	if err != nil {
		return err
	}
	l.files = append(l.files, h.null, h.null, h.null, text, nil)
	if s.spec.Output != nil {
		if err := l.pipes(); err != nil {
			return err
		}
	}
	if l.control, l.files[plan.FileControl], err = packets("control"); err != nil {
		return err
	}
	s.reports, l.reply, err = packets("reports")
	return err
}

// pipes lets the program's output be read.
func (l *launch) pipes() error {
	for stream := 1; stream <= 2; stream++ {
		r, w, err := os.Pipe()
		if err != nil {
			return fmt.Errorf("make output pipe: %w", err)
		}
		l.files[stream] = w
		l.s.read(stream, r)
	}
	return nil
}

// packets makes a pair of sockets: ours, and a file to give away.
func packets(name string) (*net.UnixConn, *os.File, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make %s socket: %w", name, err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), name), os.NewFile(uintptr(pair[1]), name)
	defer ours.Close()
	c, err := net.FileConn(ours)
	if err != nil {
		theirs.Close()
		return nil, nil, fmt.Errorf("make %s socket: %w", name, err)
	}
	return c.(*net.UnixConn), theirs, nil
}

func (l *launch) mount() error {
	s := l.s
	owner, mode := uint32(programID), "1777"
	if len(s.spec.Write) > 0 { // it has directories of its own there instead
		owner, mode = 0, "755"
	}
	tmp, err := scratch(s.spec.Tmp, s.host.id(s.slot, owner), mode)
	if err != nil {
		return err
	}
	l.mounts, l.plan.Mounts = append(l.mounts, tmp), append(l.plan.Mounts, "/tmp/")
	// Kept for its use to be measured; it keeps no mount in the sandbox.
	if s.tmp, err = unix.FcntlInt(uintptr(tmp), unix.F_DUPFD_CLOEXEC, 0); err != nil {
		return fmt.Errorf("keep /tmp: %w", err)
	}
	mounts := s.spec.Mounts
	if s.spec.Root != "" {
		if mounts, err = l.image(s.spec.Root); err != nil {
			return err
		}
		mounts = append(mounts, s.spec.Mounts...)
	}
	for _, m := range mounts {
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

// close lets go of what now belongs to others.
func (l *launch) close() {
	for _, f := range append(l.files, l.network, l.reply) {
		if f != nil && f != l.s.host.null {
			f.Close()
		}
	}
	for _, fd := range l.mounts {
		unix.Close(fd)
	}
	if l.s.pid == 0 && l.control != nil {
		l.control.Close()
	}
}

// fork orders the sandbox's first process and waits until there is one.
func (l *launch) fork(ctx context.Context) error {
	s := l.s
	if err := ctx.Err(); err != nil {
		return fault.New(fault.Unavailable, "start sandbox %s: %w", s.spec.ID, err)
	}
	o := plan.Order{Unified: s.group.unified != nil, Tasks: uint64(len(s.group.tasks))}
	for _, inside := range []uint32{0, programID} {
		o.IDs = append(o.IDs, plan.Pair32{Inside: uint64(inside), Outside: uint64(s.host.id(s.slot, inside))})
	}
	files := []int{int(l.reply.Fd()), int(l.network.Fd())}
	if o.Unified {
		files = append(files, int(s.group.unified.Fd()))
	}
	for _, f := range append(s.group.tasks, l.files...) {
		files = append(files, int(f.Fd()))
	}
	files = append(files, l.mounts...)
	if err := s.host.launcher.order(&o, files); err != nil {
		return fmt.Errorf("start sandbox %s: %w", s.spec.ID, err)
	}
	// Ours must be the last, so that the end of the launcher can be seen.
	l.reply.Close()
	// Not cut short by ctx: a process would be left that nobody knows of.
	_ = s.reports.SetReadDeadline(time.Now().Add(startLimit))
	r, fd, err := s.report()
	if err != nil {
		return fmt.Errorf("start sandbox %s: the launcher does not answer: %w", s.spec.ID, err)
	}
	if r.Failed != "" {
		return fault.New(fault.Internal, "start sandbox %s: %s", s.spec.ID, r.Failed)
	}
	s.pid, s.pidfd = int(r.PID), fd
	return nil
}

// report reads the launcher's next word.
func (s *Sandbox) report() (*plan.Report, int, error) {
	b, rights := make([]byte, plan.MaxOrder), make([]byte, unix.CmsgSpace(4))
	n, m, _, _, err := s.reports.ReadMsgUnix(b, rights)
	if err == nil && n == 0 {
		err = io.EOF
	}
	if err != nil {
		return nil, -1, err
	}
	fd := -1
	if m > 0 {
		if fd, err = descriptor(rights[:m]); err != nil {
			return nil, -1, err
		}
	}
	r, err := plan.DecodeReport(b[:n])
	return r, fd, err
}

// follow waits for the end of the program, or of the launcher, which takes
// all it started with it.
func (s *Sandbox) follow() {
	_ = s.reports.SetReadDeadline(time.Time{})
	status := unix.WaitStatus(unix.SIGKILL)
	if r, _, err := s.report(); err == nil {
		status = unix.WaitStatus(r.Status)
	}
	s.ended(status)
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
func (s *Sandbox) await(ctx context.Context, control *net.UnixConn) error {
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
func (s *Sandbox) listen(ctx context.Context, conn *net.UnixConn) (reason string, err error) {
	defer conn.Close()
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
