package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// forks starts children that stay until no more can be had.
func forks(string) string {
	var pids []int
	var last error
	for len(pids) < 100_000 {
		pid, _, no := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
		if no != 0 {
			last = no
			break
		}
		if pid == 0 {
			for {
				unix.RawSyscall(unix.SYS_PPOLL, 0, 0, 0)
			}
		}
		pids = append(pids, int(pid))
	}
	for _, pid := range pids {
		unix.Kill(pid, unix.SIGKILL)
		unix.Wait4(pid, nil, 0, nil)
	}
	return fmt.Sprint(len(pids), " ", say(last))
}

// fill writes into a file until it is refused, and says how much went in.
func fill(path string) string {
	f, err := os.Create(path)
	if err != nil {
		return say(err)
	}
	defer os.Remove(path)
	defer f.Close()
	b, total := make([]byte, 64<<10), 0
	for {
		n, err := f.Write(b)
		total += n
		if err != nil {
			return fmt.Sprint(total>>10, "K ", say(err))
		}
	}
}

// inodes makes empty files until it is refused.
func inodes(dir string) string {
	for i := range 1 << 20 {
		f, err := os.Create(fmt.Sprintf("%s/%d", dir, i))
		if err != nil {
			for j := range i {
				os.Remove(fmt.Sprintf("%s/%d", dir, j))
			}
			return say(err)
		}
		f.Close()
	}
	return "no end"
}
