package sandbox

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/fault"
)

const (
	codeDir  = "/var/task"
	layerDir = "/opt"
)

// Attach moves mounts into a running stem: code at /var/task, layers at /opt.
// It can be done once, all of it or nothing to rely on: kill the stem where it
// fails.
func (s *Sandbox) Attach(mounts ...Mount) error {
	if !s.spec.Stem {
		return fault.New(fault.Invalid, "attach to sandbox %s: it is no stem", s.spec.ID)
	}
	for _, m := range mounts {
		if err := m.check(); err != nil {
			return err
		}
		if m.Target != codeDir && m.Target != layerDir && !strings.HasPrefix(m.Target, codeDir+"/") && !strings.HasPrefix(m.Target, layerDir+"/") {
			return fault.New(fault.Invalid, "attach to sandbox %s: %s is neither %s nor %s", s.spec.ID, m.Target, codeDir, layerDir)
		}
	}
	if !s.attached.CompareAndSwap(false, true) {
		return fault.New(fault.Conflict, "attach to sandbox %s: it was claimed already", s.spec.ID)
	}
	return s.alive("attach to", func() error {
		_, err := call(func() (struct{}, error) { return struct{}{}, s.attach(mounts) })
		return err
	})
}

// attach runs on a thread of its own, which ends in the sandbox's namespace.
func (s *Sandbox) attach(mounts []Mount) error {
	// Of a process not waited for yet: the number cannot be another's.
	ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/mnt", s.pid))
	if err != nil {
		return err
	}
	defer ns.Close()
	var fds []int
	defer func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}()
	for _, m := range mounts {
		fd, _, err := m.clone()
		if err != nil {
			return err
		}
		fds = append(fds, fd)
	}
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("part from the process's root: %w", err)
	}
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("enter its mounts: %w", err)
	}
	for i, m := range mounts {
		if err := unix.MoveMount(fds[i], "", unix.AT_FDCWD, m.Target, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
			return fmt.Errorf("mount %s at %s: %w", m.Source, m.Target, err)
		}
	}
	return nil
}
