package defender

import (
	"fmt"
	"os"
	"strings"
)

// entered says whether a process came into its container from outside: its
// parent lives in another cgroup, and it is not the container's first.
func entered(pid, ppid int, status []byte) bool {
	if ppid <= 1 || firstOfNamespace(status) {
		return false
	}
	own, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return false
	}
	parent, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", ppid))
	return err == nil && string(own) != string(parent)
}

func firstOfNamespace(status []byte) bool {
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "NSpid:" {
			return len(f) > 2 && f[len(f)-1] == "1"
		}
	}
	return false
}

// visits says whether a running process of a container, or one of those above
// it in there, came in from outside.
func visits(pid int) bool {
	for range maxAncestors {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil || firstOfNamespace(status) {
			return false
		}
		ppid, _ := readStatus(status)
		if ppid <= 1 {
			return false
		}
		if entered(pid, ppid, status) {
			return true
		}
		pid = ppid
	}
	return false
}

// heldAtExec says whether a process is stopped where a Hold rule stops it: on
// its way out of execve. A defender that was killed leaves those behind; one
// that a person stopped sits in another call.
func heldAtExec(pid int) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil || !stopped(status) {
		return false
	}
	call, err := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", pid))
	number, _, _ := strings.Cut(string(call), " ")
	return err == nil && execCalls[number]
}

func stopped(status []byte) bool { return strings.Contains(string(status), "\nState:\tT (stopped)") }
