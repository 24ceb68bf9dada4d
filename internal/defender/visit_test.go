package defender

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// What a Hold rule does, done by ptrace: the process stands at the end of its
// execve. The honest neighbour is stopped by a person, in another call.
func TestHeldAtExecIsToldFromStoppedByAPerson(t *testing.T) {
	held := exec.Command("sleep", "30")
	held.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := held.Start(); err != nil {
		t.Skipf("needs ptrace: %v", err)
	}
	defer func() { held.Process.Kill(); held.Wait() }()
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(held.Process.Pid, &status, 0, nil); err != nil {
		t.Fatal(err)
	}
	// Leave the tracee with a stop of its own instead of the tracer's.
	if err := syscall.Kill(held.Process.Pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := syscall.PtraceDetach(held.Process.Pid); err != nil {
		t.Fatal(err)
	}
	waitStopped(t, held.Process.Pid)
	if !heldAtExec(held.Process.Pid) {
		call, _ := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", held.Process.Pid))
		t.Errorf("not seen as held; its call is %q", call)
	}

	honest := exec.Command("sleep", "30")
	if err := honest.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { honest.Process.Kill(); honest.Wait() }()
	for range 200 { // until it sleeps
		call, _ := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", honest.Process.Pid))
		if string(call[:min(len(call), 3)]) == fmt.Sprint(syscall.SYS_CLOCK_NANOSLEEP) {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	if err := syscall.Kill(honest.Process.Pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	waitStopped(t, honest.Process.Pid)
	if heldAtExec(honest.Process.Pid) {
		t.Error("a process that somebody stopped is taken for a held one")
	}
}

func waitStopped(t *testing.T, pid int) {
	t.Helper()
	for range 200 {
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if stopped(status) {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("process %d does not stop", pid)
}
