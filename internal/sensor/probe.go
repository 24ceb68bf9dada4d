package sensor

import (
	"errors"
	"fmt"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// tryExec starts a file that is no program: the kernel asks its security
// modules and then refuses the format, so nothing runs.
func tryExec() error {
	fd, err := unix.MemfdCreate("redoubt-probe", unix.MFD_CLOEXEC)
	if err != nil {
		return fmt.Errorf("make a file to try: %w", err)
	}
	defer unix.Close(fd)
	if _, err := unix.Write(fd, []byte("no program\n")); err != nil {
		return fmt.Errorf("write a file to try: %w", err)
	}
	err = exec.Command(fmt.Sprintf("/proc/self/fd/%d", fd)).Start()
	if err == nil || errors.Is(err, syscall.ENOEXEC) || errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM) {
		return nil
	}
	return fmt.Errorf("try an exec: %w", err)
}
