// Command initd is the first program of a sandbox. It starts inside namespaces
// a host made, builds the root out of what it was handed, gives up every
// privilege, and becomes the program of the plan. It decides nothing, speaks to
// nobody but the host, and is small because each start waits for it.
package main

import (
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/sandbox/plan"
)

func main() {
	// What a thread gives up stays with the thread, and the exec keeps only
	// the one that calls it. So all of it happens on this one.
	runtime.LockOSThread()
	if os.Args[0] == plan.LauncherName {
		launch()
		return
	}
	step, err := run()
	report(step + ": " + err.Error())
	os.Exit(127)
}

// run returns only where it failed.
func run() (step string, err error) {
	p, err := read()
	if err != nil {
		return "read plan", err
	}
	for _, s := range []struct {
		name string
		do   func(*plan.Plan) error
	}{
		{"separate control groups", func(*plan.Plan) error { return unix.Unshare(unix.CLONE_NEWCGROUP) }},
		{"name host", func(p *plan.Plan) error { return unix.Sethostname([]byte(p.Hostname)) }},
		{"build root", build},
		{"enter " + p.Dir, func(p *plan.Plan) error { return unix.Chdir(p.Dir) }},
		{"limit resources", limit},
	} {
		if err := s.do(p); err != nil {
			return s.name, err
		}
	}
	// Laid out before the filter, under which no memory should be asked for.
	argv, err := syscall.SlicePtrFromStrings(p.Argv)
	if err != nil {
		return "read arguments", err
	}
	env, err := syscall.SlicePtrFromStrings(p.Env)
	if err != nil {
		return "read environment", err
	}
	if step, err := confine(p); err != nil {
		return step, err
	}
	_, _, no := syscall.RawSyscall(unix.SYS_EXECVE, uintptr(unsafe.Pointer(argv[0])), uintptr(unsafe.Pointer(&argv[0])), uintptr(unsafe.Pointer(&env[0])))
	return "start " + p.Argv[0], no
}

func read() (*plan.Plan, error) {
	var st unix.Stat_t
	if err := unix.Fstat(plan.FilePlan, &st); err != nil {
		return nil, err
	}
	b := make([]byte, min(st.Size, plan.MaxSize+1))
	for n := 0; n < len(b); {
		m, err := unix.Pread(plan.FilePlan, b[n:], int64(n))
		if err != nil {
			return nil, err
		}
		if m == 0 {
			return nil, unix.ENODATA
		}
		n += m
	}
	p, err := plan.Decode(b)
	if err == nil && len(p.Argv) == 0 {
		err = unix.EINVAL
	}
	return p, err
}

func limit(p *plan.Plan) error {
	unix.Umask(0o022)
	for _, l := range p.Limits {
		if err := unix.Setrlimit(int(l.Resource), &unix.Rlimit{Cur: l.Value, Max: l.Value}); err != nil {
			return err
		}
	}
	return nil
}

// report tells the host why there will be no program.
func report(text string) {
	_ = unix.Sendmsg(plan.FileControl, []byte(text), nil, nil, unix.MSG_NOSIGNAL)
}
