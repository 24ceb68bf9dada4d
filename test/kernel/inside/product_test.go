package inside

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

// refused says whether an exec was stopped, and by which back end it looks.
func refused(err error) string {
	var exit *exec.ExitError
	switch {
	case errors.Is(err, syscall.EPERM):
		return "bpf-lsm"
	case errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL:
		return "kill"
	}
	return ""
}

func backends(t *testing.T) (exec []string, first string) {
	t.Helper()
	exec = []string{"fanotify", "kill"}
	if asked(t) {
		return append([]string{"bpf-lsm"}, exec...), "bpf-lsm"
	}
	return exec, "kill"
}

func TestX8_NodeTellsWhatItCanEnforce(t *testing.T) {
	needMachine(t)
	began := time.Now()
	b := up(t)
	t.Logf("up in %v", time.Since(began).Round(10*time.Millisecond))
	want, _ := backends(t)
	n := b.find("nodes", func(o *object) bool { return len(o.Sensor.Exec) > 0 })
	if !slices.Equal(n.Sensor.Exec, want) || n.Sensor.Connect[0] != "cgroup-connect" || n.Sensor.Cgroups != "v2" {
		t.Errorf("node says %+v, want exec %q", n.Sensor, want)
	}
	t.Logf("kernel %s: exec %q, connect %q, gaps %q", n.Kernel, n.Sensor.Exec, n.Sensor.Connect, n.Gaps)
}

// The capabilities that docs/SECURITY.md lists: all that the product can use,
// and those it does with where nobody gives CAP_SYS_ADMIN away.
const (
	named   = "sys_admin,sys_ptrace,dac_read_search,kill"
	ungated = "bpf,perfmon,net_admin,sys_ptrace,dac_read_search,kill"
)

func TestR12_X6_ServiceIsRefusedWhatAPolicyDeniesWithNamedCapabilities(t *testing.T) {
	needMachine(t)
	_, first := backends(t)
	x, y := newService(t, "rdt-x"), newService(t, "rdt-y")
	good, bad := program(t, "good"), program(t, "bad")
	proof := filepath.Join(t.TempDir(), "proof")
	b := up(t, with(t, named)...)
	b.find("workloads", x.is)
	want, _ := backends(t)
	b.find("nodes", func(o *object) bool { return slices.Equal(o.Sensor.Exec, want) })
	ran := func(s *service, p string) (bool, error) {
		os.Remove(proof)
		err := s.command(p, "act", "touch", proof).Run()
		_, there := os.Stat(proof)
		return there == nil, err
	}
	for _, p := range []string{good, bad} {
		if ok, err := ran(x, p); !ok {
			t.Fatalf("%s before any policy: %v", p, err)
		}
	}
	e := b.find("events", func(o *object) bool { return o.Kind == "exec" && o.Process.Path == good }, "--workload", "service/rdt-x")
	if e.Workload.ID != "service/rdt-x" {
		t.Errorf("whose: %q", e.Workload.ID)
	}

	b.apply("no-bad", "service/rdt-x", fmt.Sprintf("    - name: deny-bad\n      exec: {paths: [%s]}\n      effect: prevent\n", bad))
	deadline := time.Now().Add(10 * time.Second)
	for { // in force within a second, on a machine that is not emulated
		if ok, _ := ran(x, bad); !ok {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the denied program still runs")
		}
	}
	for range 20 {
		if ok, err := ran(x, bad); ok || refused(err) != first {
			t.Fatalf("ran %v, ended with %v, want it stopped by %s", ok, err, first)
		}
	}
	link := filepath.Join(filepath.Dir(bad), "link")
	if err := os.Symlink(bad, link); err != nil {
		t.Fatal(err)
	}
	if ok, err := ran(x, link); ok || refused(err) != first {
		t.Errorf("by symlink: ran %v, %v", ok, err)
	}
	e = b.find("events", func(o *object) bool { return o.Verdict.Enforced != "" && o.Process.Path == bad }, "--workload", "service/rdt-x")
	if e.Verdict.Enforced != first || e.Verdict.Effect != "prevent" || e.Verdict.Rule != "policy/no-bad/deny-bad" {
		t.Errorf("event's verdict: %+v", e.Verdict)
	}
	// Services have no file gate: a copy is known by its content once it runs.
	copied := filepath.Join(filepath.Dir(bad), "copy")
	text, err := os.ReadFile(bad)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(copied, text, 0o755); err != nil {
		t.Fatal(err)
	}
	ended := x.command(copied, "act", "stay")
	stuck := time.AfterFunc(20*time.Second, func() { ended.Process.Signal(syscall.SIGTERM) })
	if err := ended.Run(); refused(err) != "kill" {
		t.Errorf("a running copy of it ended with %v", err)
	}
	stuck.Stop()
	b.find("events", func(o *object) bool { return o.Process.Path == copied && o.Verdict.Enforced == "kill" }, "--workload", "service/rdt-x")
	if ok, err := ran(x, good); !ok {
		t.Errorf("its neighbour: %v", err)
	}
	if ok, err := ran(y, bad); !ok {
		t.Errorf("another service: %v", err)
	}
	b.stop()
	if ok, err := ran(x, bad); !ok {
		t.Errorf("nobody defends, yet it is refused: %v", err)
	}
}

func TestR34_X6_ServiceMayNotConnectWithoutCapSysAdmin(t *testing.T) {
	needMachine(t)
	x := newService(t, "rdt-z")
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	try := func() bool {
		return x.command("/bin/nc", "-w", "1", "127.0.0.1", fmt.Sprint(port)).Run() == nil
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	b := up(t, with(t, ungated)...)
	b.find("workloads", x.is)
	want, _ := backends(t)
	want = slices.DeleteFunc(want, func(name string) bool { return name == "fanotify" })
	b.find("nodes", func(o *object) bool { return slices.Equal(o.Sensor.Exec, want) })
	if !try() {
		t.Fatal("the way is not open before")
	}
	b.apply("no-port", "service/rdt-z", fmt.Sprintf("    - name: deny-port\n      connect: {ports: [%d]}\n      effect: prevent\n", port))
	for deadline := time.Now().Add(10 * time.Second); try(); {
		if time.Now().After(deadline) {
			t.Fatal("still connects")
		}
	}
	b.find("events", func(o *object) bool { return o.Kind == "connect" && o.Verdict.Enforced == "cgroup-connect" }, "--workload", "service/rdt-z")
}
