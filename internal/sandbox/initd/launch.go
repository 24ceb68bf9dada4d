package main

import (
	"encoding/binary"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/sandbox/plan"
)

const cldExited = 1 // CLD_EXITED

// launch forks sandboxes as ordered until the host is gone. The caller holds
// the process's first thread, so that no order's ends up on it.
func launch() {
	if unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0) != nil {
		os.Exit(1)
	}
	if unix.CloseRange(3, ^uint(0)>>1, unix.CLOSE_RANGE_CLOEXEC) != nil {
		os.Exit(1)
	}
	home, _ := strconv.Atoi(os.Args[1])
	for {
		text, rights := make([]byte, plan.MaxOrder), make([]byte, unix.CmsgSpace(4*253))
		n, m, _, _, err := unix.Recvmsg(plan.LauncherOrders, text, rights, unix.MSG_CMSG_CLOEXEC)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			os.Exit(0)
		}
		order, err := plan.DecodeOrder(text[:n])
		files := received(rights[:m])
		if err != nil || len(files) < 3+int(order.Tasks) {
			closeFiles(files)
			continue
		}
		go fork(order, files, home)
	}
}

func received(rights []byte) []int {
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil || len(messages) == 0 {
		return nil
	}
	files, _ := unix.ParseUnixRights(&messages[0])
	return files
}

func closeFiles(files []int) {
	for _, fd := range files {
		unix.Close(fd)
	}
}

// fork stays until the program has ended: it follows the thread that made it
// into death, so that all end with the host.
func fork(o *plan.Order, files []int, home int) {
	runtime.LockOSThread() // for ever: the thread ends with this function
	reply := files[0]
	defer unix.Close(reply)
	pid, pidfd, step, err := start(o, files[1:], home)
	closeFiles(files[1:])
	if err != nil {
		_ = tell(reply, &plan.Report{Failed: step + ": " + err.Error()}, nil)
		return
	}
	if tell(reply, &plan.Report{PID: uint64(pid)}, []int{pidfd}) != nil {
		_ = unix.Kill(pid, unix.SIGKILL) // nobody waits for it any more
	}
	if pidfd >= 0 {
		unix.Close(pidfd)
	}
	var info unix.Siginfo
	for unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	// Its number stays its own until the host has let go of it.
	_ = tell(reply, &plan.Report{PID: uint64(pid), Ended: true, Status: status(&info)}, nil)
	for {
		if _, err := unix.Read(reply, make([]byte, 1)); err != unix.EINTR {
			break
		}
	}
	for {
		if _, err := unix.Wait4(pid, nil, 0, nil); err != unix.EINTR {
			return
		}
	}
}

// start joins what the child is to be born in, and forks.
func start(o *plan.Order, files []int, home int) (pid, pidfd int, step string, err error) {
	attr := &syscall.SysProcAttr{
		Cloneflags:                 unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
		GidMappingsEnableSetgroups: true,
		Credential:                 &syscall.Credential{},
		Setsid:                     true,
		PidFD:                      &pidfd,
	}
	for _, p := range o.IDs {
		m := syscall.SysProcIDMap{ContainerID: int(p.Inside), HostID: int(p.Outside), Size: 1}
		attr.UidMappings, attr.GidMappings = append(attr.UidMappings, m), append(attr.GidMappings, m)
	}
	network, files := files[0], files[1:]
	if o.Unified {
		attr.UseCgroupFD, attr.CgroupFD = true, files[0]
		files = files[1:]
	}
	tasks, files := files[:o.Tasks], files[o.Tasks:]
	if err := unix.Setns(network, unix.CLONE_NEWNET); err != nil {
		return 0, -1, "enter network", err
	}
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return 0, -1, "part from root", err
	}
	if err := unix.Setns(plan.LauncherBase, unix.CLONE_NEWNS); err != nil {
		return 0, -1, "enter base", err
	}
	if err := join(tasks); err != nil {
		return 0, -1, "join control group", err
	}
	give := make([]uintptr, 0, len(files)+1)
	for _, fd := range files {
		give = append(give, uintptr(fd))
	}
	// By the number it has in the child: any other may be covered there.
	image := "/proc/self/fd/" + strconv.Itoa(len(give))
	give = append(give, plan.LauncherImage)
	// Init is over before it could need to collect memory or a second core.
	pid, err = syscall.ForkExec(image, []string{"init"},
		&syscall.ProcAttr{Env: []string{"GOGC=off", "GOMAXPROCS=1"}, Files: give, Sys: attr})
	back := make([]int, home)
	for i := range back {
		back[i] = plan.LauncherHome + i
	}
	_ = join(back) // a thread that stays where it is ends with the sandbox
	return pid, pidfd, "start init", err
}

// join moves this thread into version 1 control groups, so that its next
// child starts there; moving a running process takes a lock of the machine.
func join(tasks []int) error {
	for _, fd := range tasks {
		if _, err := unix.Write(fd, []byte("0")); err != nil {
			return err
		}
	}
	return nil
}

// status is what wait4 would have told.
func status(info *unix.Siginfo) uint64 {
	// What belongs to SIGCHLD begins where a 64-bit kernel aligns it: pid, uid,
	// then how it ended.
	const at = 16 + 8
	b := (*[at + 4]byte)(unsafe.Pointer(info))
	n := uint64(binary.NativeEndian.Uint32(b[at:]))
	if info.Code == cldExited {
		return n << 8
	}
	return n & 0x7f
}

func tell(reply int, r *plan.Report, files []int) error {
	var rights []byte
	if len(files) > 0 && files[0] >= 0 {
		rights = unix.UnixRights(files...)
	}
	return unix.Sendmsg(reply, r.Encode(), rights, nil, unix.MSG_NOSIGNAL)
}
