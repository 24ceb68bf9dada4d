// Command probe tries, from inside a sandbox, what its arguments say, and
// prints one line of answer each: what came of it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	runtime.LockOSThread()
	for _, arg := range os.Args[1:] {
		name, rest, _ := strings.Cut(arg, "=")
		f, ok := probes[name]
		if !ok {
			f = func(string) string { return "unknown probe" }
		}
		fmt.Printf("%s: %s\n", arg, f(rest))
	}
}

// say names what came of a call.
func say(err error) string {
	var no syscall.Errno
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &no):
		return unix.ErrnoName(no)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "timeout"
	}
	return err.Error()
}

func call(nr uintptr, args ...uintptr) string {
	var a [6]uintptr
	copy(a[:], args)
	_, _, no := unix.Syscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5])
	if no == 0 {
		return "ok"
	}
	return say(no)
}

func socket(family, kind, protocol int) string {
	fd, err := unix.Socket(family, kind, protocol)
	if err == nil {
		unix.Close(fd)
	}
	return say(err)
}

var probes = map[string]func(string) string{
	"hello": func(string) string {
		c, err := net.Dial("tcp", "127.0.0.1:"+or(os.Getenv("PORT"), "9001"))
		if err != nil {
			return err.Error()
		}
		c.Write([]byte("x"))
		c.Read(make([]byte, 1))
		return "ok"
	},
	"id": func(string) string {
		return fmt.Sprint(os.Getuid(), os.Geteuid(), os.Getgid(), os.Getegid(), os.Getpid())
	},
	"namespace": func(kind string) string { link, _ := os.Readlink("/proc/self/ns/" + kind); return link },
	"status": func(field string) string {
		b, _ := os.ReadFile("/proc/thread-self/status")
		for line := range strings.Lines(string(b)) {
			if v, ok := strings.CutPrefix(line, field+":"); ok {
				return strings.TrimSpace(v)
			}
		}
		return "none"
	},
	"unshare": func(flag string) string { return call(unix.SYS_UNSHARE, uintptr(number(flag))) },
	"clone": func(flag string) string {
		pid, _, no := unix.RawSyscall6(unix.SYS_CLONE, uintptr(number(flag))|uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
		if no != 0 {
			return say(no)
		}
		if pid == 0 {
			unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
		}
		unix.Wait4(int(pid), nil, 0, nil)
		return "ok"
	},
	"setns": func(path string) string {
		fd, err := unix.Open(path, unix.O_RDONLY, 0)
		if err != nil {
			return say(err)
		}
		return call(unix.SYS_SETNS, uintptr(fd), 0)
	},
	"syscall": func(spec string) string {
		var args []uintptr
		for _, w := range strings.Split(spec, ",") {
			args = append(args, uintptr(number(w)))
		}
		return call(args[0], args[1:]...)
	},
	"socket": func(spec string) string {
		w := strings.Split(spec, ",")
		return socket(int(number(w[0])), int(number(w[1])), int(number(w[2])))
	},
	"mount":  func(string) string { return say(unix.Mount("x", "/tmp", "tmpfs", 0, "")) },
	"umount": func(path string) string { return say(unix.Unmount(path, unix.MNT_DETACH)) },
	"mknod":  func(path string) string { return say(unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3)))) },
	"write": func(path string) string {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644)
		if err == nil {
			_, err = f.Write([]byte("b"))
			f.Close()
		}
		return say(err)
	},
	"read": func(path string) string {
		b, err := os.ReadFile(path)
		if err != nil {
			return say(err)
		}
		return strconv.Quote(string(b[:min(len(b), 100)]))
	},
	"list": func(path string) string {
		entries, err := os.ReadDir(path)
		if err != nil {
			return say(err)
		}
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return strings.Join(names, " ")
	},
	"pids": func(string) string {
		entries, _ := os.ReadDir("/proc")
		n := 0
		for _, e := range entries {
			if _, err := strconv.Atoi(e.Name()); err == nil {
				n++
			}
		}
		return strconv.Itoa(n)
	},
	"files": func(string) string {
		// The directory itself takes the lowest free number.
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			return say(err)
		}
		var open []string
		for _, e := range entries {
			link, err := os.Readlink("/proc/self/fd/" + e.Name())
			if err == nil && !strings.HasPrefix(link, "/proc/") && !strings.Contains(link, "eventpoll") && !strings.Contains(link, "eventfd") {
				open = append(open, e.Name())
			}
		}
		return strings.Join(open, " ")
	},
	"kill":    func(pid string) string { return say(unix.Kill(int(number(pid)), 0)) },
	"connect": func(addr string) string { return dial("tcp", addr) },
	"udp":     func(addr string) string { return ask("udp", addr) },
	"unix":    func(addr string) string { return dial("unix", addr) },
	"mptcp":   mptcp,
	"listen": func(addr string) string {
		cfg := net.ListenConfig{}
		cfg.SetMultipathTCP(false)
		l, err := cfg.Listen(context.Background(), "tcp", addr)
		if err == nil {
			l.Close()
		}
		return say(err)
	},
	"interfaces": func(string) string {
		all, err := net.Interfaces()
		if err != nil {
			return err.Error()
		}
		var names []string
		for _, i := range all {
			names = append(names, i.Name)
		}
		return strings.Join(names, " ")
	},
	"exec": func(line string) string {
		words := strings.Fields(line)
		out, err := exec.Command(words[0], words[1:]...).CombinedOutput()
		if err != nil {
			return say(err)
		}
		return "ran " + strings.TrimSpace(string(out))
	},
	"execcopy": func(dir string) string {
		b, err := os.ReadFile("/usr/bin/true")
		if err != nil {
			return err.Error()
		}
		to := dir + "/copy"
		if err := os.WriteFile(to, b, 0o755); err != nil {
			return say(err)
		}
		return say(exec.Command(to).Run())
	},
	"memfd": func(flags string) string {
		fd, err := unix.MemfdCreate("x", int(number(flags)))
		if err != nil {
			return say(err)
		}
		b, _ := os.ReadFile("/usr/bin/true")
		unix.Write(fd, b)
		return say(exec.Command(fmt.Sprintf("/proc/self/fd/%d", fd)).Run())
	},
	"forks":  forks,
	"fill":   fill,
	"inodes": inodes,
	"eat": func(mb string) string {
		b := make([]byte, number(mb)<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		return "ok"
	},
	"threads": func(n string) string {
		var group sync.WaitGroup
		for range number(n) {
			group.Go(func() { runtime.LockOSThread(); time.Sleep(time.Millisecond) })
		}
		group.Wait()
		return "ok"
	},
	"spin": func(string) string {
		for {
		}
	},
	"sleep": func(string) string { time.Sleep(time.Hour); return "ok" },
	"wait": func(path string) string {
		for {
			if b, err := os.ReadFile(path); err == nil {
				return string(b)
			} else if !errors.Is(err, fs.ErrNotExist) {
				return say(err)
			}
			time.Sleep(time.Millisecond)
		}
	},
	"limit": func(string) string {
		var l unix.Rlimit
		unix.Getrlimit(unix.RLIMIT_NOFILE, &l)
		return strconv.FormatUint(l.Max, 10)
	},
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func number(s string) int64 {
	n, err := strconv.ParseInt(s, 0, 64)
	if err != nil {
		panic(err)
	}
	return n
}
