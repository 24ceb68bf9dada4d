package sandbox

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// question is the kernel's struct seccomp_notif, answer its response.
type question struct {
	id    uint64
	pid   uint32
	flags uint32
	call  int32
	arch  uint32
	at    uint64
	args  [6]uint64
}

type answer struct {
	id    uint64
	value int64
	err   int32
	flags uint32
}

const proceed = 1 // SECCOMP_USER_NOTIF_FLAG_CONTINUE

// supervisor decides about every exec of one sandbox. The first is init
// becoming the program. Where it refuses, nothing can race: the kernel never
// sees the path. Where it agrees, the kernel reads the path anew, and the rules
// of Landlock hold what it then finds to the same files. If the supervisor is
// gone, the kernel refuses.
type supervisor struct {
	s       *Sandbox
	file    *os.File
	first   bool
	granted map[identity]bool // nil before the first question
}

type identity struct{ dev, ino uint64 }

func (s *Sandbox) supervise(fd int) {
	_ = unix.SetNonblock(fd, true) // for the runtime's poller; reading never blocks, see next
	v := &supervisor{s: s, file: os.NewFile(uintptr(fd), "execs")}
	s.mu.Lock()
	s.execs = v
	s.mu.Unlock()
	go v.run()
}

func (v *supervisor) close() {
	if v == nil {
		return
	}
	// Without waiting: OnExec may be what ends the sandbox.
	v.file.Close()
}

func (v *supervisor) run() {
	conn, err := v.file.SyscallConn()
	if err != nil {
		return
	}
	for {
		var q question
		over := false
		err := conn.Read(func(fd uintptr) bool {
			var ready bool
			ready, over = next(int(fd), &q)
			return ready || over
		})
		if err != nil || over {
			return
		}
		a := v.decide(&q)
		_ = conn.Control(func(fd uintptr) {
			_, _, _ = unix.Syscall(unix.SYS_IOCTL, fd, unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&a)))
		})
	}
}

// next takes a question if there is one; over means there will be none. It
// looks before it takes, because taking waits.
func next(fd int, q *question) (ready, over bool) {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	if n, err := unix.Poll(p, 0); err != nil || n == 0 {
		return false, false
	}
	if p[0].Revents&unix.POLLIN == 0 {
		return false, p[0].Revents&unix.POLLHUP != 0
	}
	_, _, no := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(q)))
	return no == 0, false
}

func (v *supervisor) decide(q *question) answer {
	a := answer{id: q.id, flags: proceed}
	if !v.first {
		v.first = true
		return a
	}
	e, id, no := v.inspect(q)
	if no == 0 && !v.allow(&e, id) {
		no = unix.EPERM
	}
	if no != 0 {
		return answer{id: q.id, err: -int32(no)}
	}
	return a
}

// allow asks the grant, then whoever wants to hear.
func (v *supervisor) allow(e *Exec, id identity) bool {
	spec := &v.s.spec
	e.Allowed = slices.Contains(spec.Exec, anything) || v.granted[id]
	if !e.Allowed {
		e.Why = "the program is not among those granted"
	}
	if spec.OnExec == nil {
		return e.Allowed
	}
	return spec.OnExec(*e) && e.Allowed
}

// inspect reads what the process says it wants to start, and finds the file
// that is now. What is not there is told so, for searches along a PATH.
func (v *supervisor) inspect(q *question) (Exec, identity, unix.Errno) {
	pid := int(q.pid)
	e := Exec{PID: pid}
	proc := "/proc/" + strconv.Itoa(pid)
	name, argv, at, flags := q.args[0], q.args[1], int64(unix.AT_FDCWD), uint64(0)
	if q.call == unix.SYS_EXECVEAT {
		at, name, argv, flags = int64(int32(q.args[0])), q.args[1], q.args[2], q.args[4]
	}
	text, err := readText(pid, name, maxPathText)
	if err != nil {
		return e, identity{}, unix.EFAULT
	}
	e.Args = readArgs(pid, argv)
	root, err := unix.Open(proc+"/root", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return e, identity{}, unix.EPERM
	}
	defer unix.Close(root)
	if v.granted == nil {
		v.granted = v.grants(root)
	}
	id, where, no := find(proc, root, text, at, flags)
	e.Path = printable(where)
	return e, id, no
}

// grants are the files Spec.Exec names.
func (v *supervisor) grants(root int) map[identity]bool {
	out := map[identity]bool{}
	for _, p := range v.s.spec.Exec {
		if p == anything {
			continue
		}
		if id, no := lookup(root, p); no == 0 {
			out[id] = true
		}
	}
	return out
}

// find resolves a path as the process would.
func find(proc string, root int, text string, at int64, flags uint64) (identity, string, unix.Errno) {
	for _, self := range []string{"/proc/self/", "/proc/thread-self/"} {
		rest, ok := strings.CutPrefix(path.Clean(text), self)
		if !ok {
			continue
		}
		// Of what the kernel links there only files are followed: beyond a
		// directory, links of the sandbox's making would be resolved outside.
		number, isFile := strings.CutPrefix(rest, "fd/")
		if _, err := strconv.ParseUint(number, 10, 31); rest == "exe" || (isFile && err == nil) {
			return follow(proc + "/" + rest)
		}
		return identity{}, text, unix.EPERM
	}
	if text == "" && flags&unix.AT_EMPTY_PATH != 0 {
		return follow(fmt.Sprintf("%s/fd/%d", proc, at))
	}
	if text == "" {
		return identity{}, "", unix.ENOENT
	}
	if !path.IsAbs(text) {
		link := proc + "/cwd"
		if at != unix.AT_FDCWD {
			link = fmt.Sprintf("%s/fd/%d", proc, at)
		}
		dir, err := os.Readlink(link)
		if err != nil {
			return identity{}, text, unix.EPERM
		}
		text = path.Join(dir, text)
	}
	id, no := lookup(root, text)
	return id, text, no
}

// follow identifies what a link of the kernel's leads to, a file that may
// have no name.
func follow(link string) (identity, string, unix.Errno) {
	name, err := os.Readlink(link)
	if err != nil {
		name = link
	}
	var st unix.Stat_t
	if err := unix.Stat(link, &st); err != nil {
		return identity{}, name, unix.EPERM
	}
	return identity{st.Dev, st.Ino}, name, 0
}

func lookup(root int, name string) (identity, unix.Errno) {
	fd, err := unix.Openat2(root, name, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT})
	if err != nil {
		if err == unix.ENOENT || err == unix.ENOTDIR {
			return identity{}, err.(unix.Errno)
		}
		return identity{}, unix.EPERM
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return identity{}, unix.EPERM
	}
	return identity{st.Dev, st.Ino}, 0
}
