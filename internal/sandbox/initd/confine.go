package main

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/sandbox/plan"
)

// lastCap is beyond every capability a kernel has so far.
const lastCap = 63

// Securebits: uid 0 means nothing, and none of it can be taken back.
const securebits = 1<<0 | 1<<1 | 1<<2 | 1<<3 | 1<<5 | 1<<6 | 1<<7

// confine gives everything up, in the order in which each step still may be
// done, and ends with the filter. The thread can do nothing more than exec.
func confine(p *plan.Plan) (step string, err error) {
	rules, err := ruleset(&p.Rules)
	if err != nil {
		return "write file rules", err
	}
	if err := drop(int(p.ID)); err != nil {
		return "drop privileges", err
	}
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return "follow the host", err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return "renounce new privileges", err
	}
	// Nothing but the standard three survives the exec, whatever was inherited.
	if err := unix.CloseRange(3, ^uint(0)>>1, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return "close files", err
	}
	if rules >= 0 {
		if _, _, no := syscall.RawSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(rules), 0, 0); no != 0 {
			return "apply file rules", no
		}
	}
	if err := filter(p.Filter, p.Notify); err != nil {
		return "apply filter", err
	}
	return "", nil
}

// drop ends every capability of this thread. The raw calls matter: the
// library's act on all threads, of which only this one survives the exec.
func drop(id int) error {
	for c := range uintptr(lastCap + 1) {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil {
			if c > 0 && err == unix.EINVAL {
				break
			}
			return err
		}
	}
	if err := unix.Prctl(unix.PR_SET_SECUREBITS, securebits, 0, 0, 0); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return err
	}
	u := uintptr(id)
	if _, _, no := syscall.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0); no != 0 {
		return no
	}
	if _, _, no := syscall.RawSyscall(unix.SYS_SETRESGID, u, u, u); no != 0 {
		return no
	}
	if _, _, no := syscall.RawSyscall(unix.SYS_SETRESUID, u, u, u); no != 0 {
		return no
	}
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	return unix.Capset(&hdr, &none[0])
}

// filter installs the seccomp program; its listener goes to the host. From
// here on this thread may do only what the program allows.
func filter(prog []byte, notify bool) error {
	if len(prog) == 0 || len(prog)%8 != 0 {
		return unix.EINVAL
	}
	fprog := unix.SockFprog{Len: uint16(len(prog) / 8), Filter: (*unix.SockFilter)(unsafe.Pointer(&prog[0]))}
	if !notify {
		return seccomp(&fprog, 0, nil)
	}
	var fd int
	err := seccomp(&fprog, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER|unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &fd)
	if err == unix.EINVAL { // before Linux 5.19
		err = seccomp(&fprog, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, &fd)
	}
	if err != nil {
		return err
	}
	return unix.Sendmsg(plan.FileControl, []byte{0}, unix.UnixRights(fd), nil, unix.MSG_NOSIGNAL)
}

func seccomp(prog *unix.SockFprog, flags uintptr, fd *int) error {
	n, _, no := syscall.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(prog)))
	if no != 0 {
		return no
	}
	if fd != nil {
		*fd = int(n)
	}
	return nil
}
