package main

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/sandbox/plan"
)

const (
	readFS  = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	writeFS = unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_SOCK |
		unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_MAKE_SYM
	deviceFS = unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK

	pathRule = 1 // LANDLOCK_RULE_PATH_BENEATH
	portRule = 2 // LANDLOCK_RULE_NET_PORT

	interpreters = 4 // how far a chain of #! lines is followed, as in the kernel
)

// ruleset makes the Landlock rules, seen from inside the finished root. Right
// by right, what the kernel's ABI does not know is left out.
func ruleset(r *plan.Rules) (fd int, err error) {
	if r.ABI == 0 {
		return -1, nil
	}
	write := uint64(writeFS)
	attr := unix.LandlockRulesetAttr{}
	if r.ABI >= 2 {
		write |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if r.ABI >= 3 {
		write |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	attr.Handled_access_fs = readFS | write | deviceFS | unix.LANDLOCK_ACCESS_FS_EXECUTE
	if r.ABI >= 5 {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	size := uintptr(8)
	if r.ABI >= 4 {
		size = 16
		if r.Net {
			attr.Handled_access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
		}
	}
	if r.ABI >= 6 {
		size = 24
		attr.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
	}
	n, _, no := syscall.RawSyscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), size, 0)
	if no != 0 {
		return -1, no
	}
	rs := rules{fd: int(n), handled: attr.Handled_access_fs}
	rs.tree("/", readFS)
	for _, d := range r.Write {
		rs.tree(d, readFS|write)
	}
	for _, d := range r.Devices {
		rs.tree(d, unix.LANDLOCK_ACCESS_FS_READ_FILE|unix.LANDLOCK_ACCESS_FS_WRITE_FILE|unix.LANDLOCK_ACCESS_FS_TRUNCATE|unix.LANDLOCK_ACCESS_FS_IOCTL_DEV)
	}
	for _, d := range r.Trees {
		rs.tree(d, readFS|unix.LANDLOCK_ACCESS_FS_EXECUTE)
	}
	for _, f := range r.Exec {
		rs.program(f, interpreters)
	}
	if attr.Handled_access_net != 0 {
		for _, p := range r.Ports {
			rs.port(p)
		}
	}
	return rs.fd, rs.err
}

type rules struct {
	fd      int
	handled uint64
	err     error // the first
}

func (r *rules) add(kind uintptr, rule unsafe.Pointer) {
	_, _, no := syscall.RawSyscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(r.fd), kind, uintptr(rule), 0, 0, 0)
	if no != 0 && r.err == nil {
		r.err = no
	}
}

// tree allows access at and below a path. What is not there gets no rule: the
// less is said, the less is allowed.
func (r *rules) tree(path string, access uint64) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	rule := unix.LandlockPathBeneathAttr{Allowed_access: access & r.handled, Parent_fd: int32(fd)}
	r.add(pathRule, unsafe.Pointer(&rule))
}

func (r *rules) port(n uint64) {
	rule := struct{ access, port uint64 }{unix.LANDLOCK_ACCESS_NET_CONNECT_TCP, n}
	r.add(portRule, unsafe.Pointer(&rule))
}

// program allows one file to be started, and whoever the kernel opens to do
// it: the loader an ELF file names, the interpreter a script names.
func (r *rules) program(path string, depth int) {
	r.tree(path, unix.LANDLOCK_ACCESS_FS_READ_FILE|unix.LANDLOCK_ACCESS_FS_EXECUTE)
	if depth == 0 {
		return
	}
	if by := interpreter(path); by != "" {
		r.program(by, depth-1)
	}
}
