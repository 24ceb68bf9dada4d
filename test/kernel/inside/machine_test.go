package inside

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestMain lets the test binary play the programs that tests start.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "act" {
		os.Exit(act(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// act is what `act WHAT ARGS...` does.
func act(args []string) int {
	switch args[0] {
	case "touch": // FILE
		if os.WriteFile(args[1], nil, 0o600) != nil {
			return 1
		}
		return 0
	case "stay": // until it is killed
		syscall.Pause()
	case "with": // CAPABILITIES COMMAND...: become COMMAND with these at most
		keep := strings.Split(args[1], ",")
		for number, name := range capabilities {
			if slices.Contains(keep, name) {
				continue
			}
			if _, _, e := syscall.AllThreadsSyscall(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, uintptr(number), 0); e != 0 {
				fmt.Fprintln(os.Stderr, "drop", name, e)
				return 1
			}
		}
		fmt.Fprintln(os.Stderr, syscall.Exec(args[2], args[2:], os.Environ()))
	}
	return 2
}

// capabilities are the kernel's names by number.
var capabilities = strings.Fields(`chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap
linux_immutable net_bind_service net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot
sys_ptrace sys_pacct sys_admin sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write
audit_control setfcap mac_override mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore`)

const cgroups = "/sys/fs/cgroup"

func needMachine(t *testing.T) {
	t.Helper()
	if os.Getenv("REDOUBT_KERNEL_MATRIX") == "" {
		t.Skip("runs in the machine that test/kernel boots")
	}
}

// asked says whether this kernel asks BPF programs about execs.
func asked(t *testing.T) bool {
	t.Helper()
	list, err := os.ReadFile("/sys/kernel/security/lsm")
	if err != nil {
		t.Fatal(err)
	}
	return slices.Contains(strings.Split(strings.TrimSpace(string(list)), ","), "bpf")
}

// service is a cgroup with the name systemd would give it, and one process.
type service struct {
	t   *testing.T
	dir string
}

func newService(t *testing.T, name string) *service {
	t.Helper()
	s := &service{t: t, dir: filepath.Join(cgroups, "system.slice", name+".service")}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	stay := s.command(program(t, name+"d"), "act", "stay")
	if err := stay.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stay.Process.Kill()
		stay.Wait()
		os.Remove(s.dir)
	})
	return s
}

// is says whether a listed workload is this service.
func (s *service) is(o *object) bool { return o.Name == filepath.Base(s.dir) }

// command makes one that starts inside the service.
func (s *service) command(name string, args ...string) *exec.Cmd {
	s.t.Helper()
	f, err := os.Open(s.dir)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { f.Close() })
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(f.Fd())}
	return cmd
}

// program copies the test's own binary, with a salt so that no two have the
// same content.
func program(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, append(b, path...), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// box is one running `redoubt up`.
type box struct {
	t     *testing.T
	state string
	url   string
	cmd   *exec.Cmd
	log   string
	done  chan struct{}
}

var address = regexp.MustCompile(`https://[0-9.:]+`)

// up starts `redoubt up` on a fresh state directory, behind the given words.
func up(t *testing.T, before ...string) *box {
	t.Helper()
	b := &box{t: t, state: t.TempDir(), done: make(chan struct{})}
	args := append(before, "/bin/redoubt", "up", "--state", b.state, "--listen", "127.0.0.1:0", "--link-listen", "127.0.0.1:0", "--token-file", b.state+"/token")
	b.cmd = exec.Command(args[0], args[1:]...)
	b.log = b.state + "/log"
	log, err := os.Create(b.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	b.cmd.Stderr = log
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan string, 1)
	go func() {
		for sc := bufio.NewScanner(out); sc.Scan(); {
			if m := address.FindString(sc.Text()); m != "" && len(ready) == 0 {
				ready <- m
			}
		}
		b.cmd.Wait()
		close(b.done)
	}()
	t.Cleanup(func() {
		b.stop()
		if said, err := os.ReadFile(b.log); t.Failed() && err == nil {
			t.Logf("redoubt said:\n%s", said)
		}
	})
	select {
	case b.url = <-ready:
	case <-b.done:
		t.Fatal("redoubt up ended")
	case <-time.After(60 * time.Second):
		t.Fatal("redoubt up printed no address")
	}
	return b
}

func (b *box) stop() {
	b.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-b.done:
	case <-time.After(30 * time.Second):
		b.t.Error("redoubt did not end when told")
		b.cmd.Process.Kill()
		<-b.done
	}
}

// with are the words before a command that give it these capabilities only.
func with(t *testing.T, capabilities string) []string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []string{self, "act", "with", capabilities}
}

// cli runs a command of the binary against this box.
func (b *box) cli(args ...string) string {
	b.t.Helper()
	token, err := os.ReadFile(b.state + "/token")
	if err != nil {
		b.t.Fatal(err)
	}
	cmd := exec.Command("/bin/redoubt", args...)
	cmd.Env = append(os.Environ(), "REDOUBT_URL="+b.url, "REDOUBT_TOKEN="+strings.TrimSpace(string(token)), "REDOUBT_CACERT="+b.state+"/ca.crt")
	out, err := cmd.Output()
	if err != nil {
		if exit, ok := err.(*exec.ExitError); ok {
			out = append(out, exit.Stderr...)
		}
		b.t.Fatalf("redoubt %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// object is what these tests read of an element of `redoubt get -o json`.
type object struct {
	Kind, Kernel, Name string
	Gaps               []string
	Workload           struct{ ID string }
	Process            struct{ Path string }
	Network            struct{ Remote string }
	Verdict            struct{ Effect, Enforced, Rule string }
	Sensor             struct {
		Exec, Connect []string
		Cgroups       string
	}
}

// find waits until an object fits.
func (b *box) find(kind string, fits func(o *object) bool, args ...string) *object {
	b.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		out := b.cli(append([]string{"get", kind, "-o", "json"}, args...)...)
		var list []object
		if err := json.Unmarshal([]byte(out), &list); err != nil {
			b.t.Fatalf("get %s: %v\n%s", kind, err, out)
		}
		for i := range list {
			if fits(&list[i]) {
				return &list[i]
			}
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("no such %s; there are %d: %.4000s", kind, len(list), out)
		}
	}
}

// apply writes a policy for one service.
func (b *box) apply(name, service, rules string) {
	b.t.Helper()
	file := filepath.Join(b.t.TempDir(), "policy.yaml")
	text := fmt.Sprintf("apiVersion: redoubt/v1\nkind: Policy\nmetadata: {name: %s}\nspec:\n  scope: {workloads: [%s]}\n  rules:\n%s", name, service, rules)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	b.cli("apply", "-f", file)
}
