package sensor

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// spawn returns the processor time of this thread and its children.
func spawn(n int, program string) (time.Duration, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	began := cpuTime()
	for range n {
		pid, err := syscall.ForkExec(program, []string{program, "one", "two"}, &syscall.ProcAttr{})
		if err != nil {
			return 0, err
		}
		var ws syscall.WaitStatus
		if _, err := syscall.Wait4(pid, &ws, 0, nil); err != nil || ws != 0 {
			return 0, fmt.Errorf("wait: %v, status %d", err, ws)
		}
	}
	return cpuTime() - began, nil
}

func cpuTime() (sum time.Duration) {
	for _, who := range []int{unix.RUSAGE_THREAD, unix.RUSAGE_CHILDREN} {
		var r syscall.Rusage
		if syscall.Getrusage(who, &r) == nil {
			sum += time.Duration(r.Utime.Nano() + r.Stime.Nano())
		}
	}
	return sum
}

// tell prints an error in a word that tests compare.
func tell(err error) int {
	switch {
	case err == nil:
		fmt.Println("done")
		return 0
	case errors.Is(err, syscall.EPERM):
		fmt.Println("EPERM")
	case errors.Is(err, os.ErrDeadlineExceeded):
		fmt.Println("timeout")
	default:
		fmt.Println(err)
	}
	return 1
}

// serve prints its address, then answers each connection with a word, until
// standard input ends.
func serve(network, address string) error {
	if network[:3] == "udp" {
		c, err := net.ListenPacket(network, address)
		if err != nil {
			return err
		}
		defer c.Close()
		fmt.Println(c.LocalAddr())
	} else {
		l, err := net.Listen(network, address)
		if err != nil {
			return err
		}
		defer l.Close()
		fmt.Println(l.Addr())
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				c.Write([]byte("hello"))
				c.Close()
			}
		}()
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// act is what the test binary does when it is started as `act WHAT ARGS...`.
func act(args []string) int {
	switch args[0] {
	case "nothing":
		return 0
	case "exit":
		return 7
	case "connect": // NETWORK ADDRESS [LOCAL]: dial and say one word
		d := net.Dialer{Timeout: 2 * time.Second}
		c, err := d.Dial(args[1], args[2])
		if err == nil {
			_, err = c.Write([]byte("word"))
			c.Close()
		}
		return tell(err)
	case "sendto": // ADDRESS: an unconnected datagram
		to, err := net.ResolveUDPAddr("udp", args[1])
		if err != nil {
			return tell(err)
		}
		c, err := net.ListenUDP("udp", nil)
		if err != nil {
			return tell(err)
		}
		_, err = c.WriteTo([]byte("word"), to)
		return tell(err)
	case "listen": // NETWORK ADDRESS: serve until standard input ends
		return tell(serve(args[1], args[2]))
	case "decoy": // KNOWN SCRIPT: exec SCRIPT while files like it are closed
		for range 20 {
			if _, err := os.Open(args[1]); err != nil {
				return tell(err)
			}
		}
		return tell(syscall.Exec(args[2], args[2:], nil))
	case "spawn": // N PROGRAM: start it N times, print the processor time
		n, err := strconv.Atoi(args[1])
		if err != nil {
			return tell(err)
		}
		took, err := spawn(n, args[2])
		if err != nil {
			return tell(err)
		}
		fmt.Println(took)
		return 0
	case "wait": // until standard input ends
		io.Copy(io.Discard, os.Stdin)
		return 0
	case "sibling": // PROGRAM: print the own number, start it as a child of the own parent; it may be refused
		fmt.Println(os.Getpid())
		_, err := syscall.ForkExec(args[1], args[1:], &syscall.ProcAttr{Sys: &syscall.SysProcAttr{Cloneflags: syscall.CLONE_PARENT}})
		if err != nil && !errors.Is(err, syscall.EPERM) {
			return tell(err)
		}
		return 0
	case "run": // as a parent of its own
		out, err := exec.Command(args[1], args[2:]...).CombinedOutput()
		os.Stdout.Write(out)
		if err != nil {
			fmt.Println(err)
			return 1
		}
		return 0
	}
	return 2
}
