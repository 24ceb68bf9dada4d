package sandbox

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/sandbox/plan"
)

// launcher is the process that forks sandboxes. A fork into a user namespace
// copies the page tables of whoever forks, which in a large host takes longer
// than all else; and what is forked ends with the launcher, as it ends with us.
type launcher struct {
	image *os.File
	files []uintptr // it starts with
	home  int

	mu     sync.Mutex
	orders *net.UnixConn // nil where none runs
	pidfd  int
	ended  chan struct{}
}

func newLauncher(init []byte, base *os.File, home []*os.File, null *os.File) (*launcher, error) {
	image, err := seal(init)
	if err != nil {
		return nil, err
	}
	n := null.Fd()
	l := &launcher{image: image, home: len(home), files: []uintptr{n, n, n, 0, image.Fd(), base.Fd()}}
	for _, f := range home {
		l.files = append(l.files, f.Fd())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l, l.start()
}

// seal makes an executable file of init that nobody can change.
func seal(init []byte) (*os.File, error) {
	f, err := memory("init", init, true)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// A file open for writing cannot be executed, so it is opened once more.
	fd, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open init: %w", err)
	}
	return os.NewFile(uintptr(fd), "init"), nil
}

// start is called with mu held.
func (l *launcher) start() error {
	ours, theirs, err := packets("orders")
	if err != nil {
		return err
	}
	defer theirs.Close()
	files := append([]uintptr(nil), l.files...)
	files[plan.LauncherOrders] = theirs.Fd()
	forked, ended, pidfd := make(chan error, 1), make(chan struct{}), -1
	// The launcher follows the thread that forks it into death: it stays.
	onThread(func() {
		// By the number it has in the child: any other may be covered there.
		pid, err := syscall.ForkExec("/proc/self/fd/"+strconv.Itoa(plan.LauncherImage),
			[]string{plan.LauncherName, strconv.Itoa(l.home)}, &syscall.ProcAttr{Files: files, Sys: &syscall.SysProcAttr{Setsid: true, PidFD: &pidfd}})
		forked <- err
		for err == nil {
			if _, wait := unix.Wait4(pid, nil, 0, nil); wait != unix.EINTR {
				break
			}
		}
		close(ended)
	})
	if err := <-forked; err != nil {
		ours.Close()
		return fmt.Errorf("start launcher: %w", err)
	}
	l.orders, l.ended, l.pidfd = ours, ended, pidfd
	return nil
}

// order hands an order over, to a new launcher if the last one died.
func (l *launcher) order(o *plan.Order, files []int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	text, rights := o.Encode(), unix.UnixRights(files...)
	if l.orders != nil {
		if l.send(text, rights) == nil {
			return nil
		}
		l.stop()
	}
	if err := l.start(); err != nil {
		return err
	}
	if err := l.send(text, rights); err != nil {
		return fmt.Errorf("order from launcher: %w", err)
	}
	return nil
}

func (l *launcher) send(text, rights []byte) error {
	_ = l.orders.SetWriteDeadline(time.Now().Add(startLimit))
	_, _, err := l.orders.WriteMsgUnix(text, rights, nil)
	return err
}

// stop is called with mu held. What the launcher started ends with it.
func (l *launcher) stop() {
	if l.orders != nil {
		l.orders.Close()
		_ = unix.PidfdSendSignal(l.pidfd, unix.SIGKILL, nil, 0) // one that hangs does not see the end of its orders
		<-l.ended
		unix.Close(l.pidfd)
		l.orders = nil
	}
}

func (l *launcher) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stop()
	l.image.Close()
}
