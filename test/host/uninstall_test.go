package host

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// kernelObjects are the BPF programs, maps and links that a process holds.
func kernelObjects(t *testing.T, pid int) map[string][]uint32 {
	t.Helper()
	ids := map[string][]uint32{}
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // closed meanwhile
		}
		for line := range strings.Lines(string(b)) {
			kind, id, _ := strings.Cut(line, "_id:")
			n, err := strconv.ParseUint(strings.TrimSpace(id), 10, 32)
			if err == nil && slices.Contains([]string{"prog", "map", "link"}, kind) {
				ids[kind] = append(ids[kind], uint32(n))
			}
		}
	}
	return ids
}

// alive lists those of the objects that the kernel still has.
func alive(ids map[string][]uint32) (left []string) {
	for _, id := range ids["prog"] {
		if p, err := ebpf.NewProgramFromID(ebpf.ProgramID(id)); err == nil {
			left = append(left, "program "+p.String())
			p.Close()
		}
	}
	for _, id := range ids["map"] {
		if m, err := ebpf.NewMapFromID(ebpf.MapID(id)); err == nil {
			left = append(left, "map "+m.String())
			m.Close()
		}
	}
	for _, id := range ids["link"] {
		if l, err := link.NewFromID(link.ID(id)); err == nil {
			left = append(left, fmt.Sprintf("link %d", id))
			l.Close()
		}
	}
	return left
}

// traces lists what is on this node outside any process and may be a
// program's doing: pinned objects, packet filter rules, cgroups.
func traces() (found []string) {
	filepath.WalkDir("/sys/fs/bpf", func(path string, _ os.DirEntry, err error) error {
		if err == nil {
			found = append(found, path)
		}
		return nil
	})
	filepath.WalkDir("/sys/fs/cgroup", func(path string, e os.DirEntry, err error) error {
		if err == nil && e.IsDir() && strings.Contains(e.Name(), "redoubt") {
			found = append(found, path)
		}
		return nil
	})
	for _, cmd := range [][]string{{"nft", "list", "tables"}, {"iptables-save"}} {
		out, _ := exec.Command(cmd[0], cmd[1:]...).Output()
		for line := range strings.Lines(string(out)) {
			if strings.HasPrefix(line, "table") || strings.HasPrefix(line, "*") || strings.HasPrefix(line, ":") && !strings.Contains(line, "[") {
				found = append(found, cmd[0]+": "+strings.TrimSpace(line))
			}
		}
	}
	return found
}

func TestX18_UninstallLeavesNothingAndTouchesNoContainer(t *testing.T) {
	image := needDocker(t)
	container(t, "rdt-stay", image)
	addr := addressOf(t, "rdt-stay")
	waitServed(t, addr)
	state := func() string {
		return docker(t, "inspect", "-f", "{{.State.Pid}} {{.State.StartedAt}} {{.RestartCount}}", "rdt-stay")
	}
	before, since := state(), time.Now()
	was := traces()

	b := up(t)
	b.find(10*time.Second, "workloads", nil, func(o *object) bool { return o.Workload.Name == "rdt-stay" })
	b.apply(strings.ReplaceAll(denyNetstat, "rdt-prevent", "rdt-stay"))
	if out, _ := tryDocker(t, "exec", "rdt-stay", "netstat", "-tln"); strings.Contains(out, "Proto") {
		t.Errorf("netstat ran: %s", out)
	}
	b.must("isolate", "rdt-stay", "--reason", "test")
	waitCut(t, addr)
	objects := kernelObjects(t, b.cmd.Process.Pid)
	if len(objects["prog"]) == 0 || len(objects["map"]) == 0 || len(objects["link"]) == 0 || len(alive(objects)) < 10 {
		t.Fatalf("this test does not see what redoubt has in the kernel: %v", objects)
	}

	login := filepath.Join(t.TempDir(), "redoubt", "login.json")
	if err := os.MkdirAll(filepath.Dir(login), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(login, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	uninstall := func(args ...string) (string, int) {
		cmd := exec.Command(build(t), append([]string{"uninstall", "--state", b.state, "--token-file", filepath.Join(b.state, "token")}, args...)...)
		cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+filepath.Dir(filepath.Dir(login)))
		out, _ := cmd.CombinedOutput()
		return string(out), cmd.ProcessState.ExitCode()
	}
	if out, code := uninstall(); code != 1 || !strings.Contains(out, "running") {
		t.Errorf("uninstall under a running redoubt: exit %d: %s", code, out)
	}
	if _, err := os.Stat(filepath.Join(b.state, "redoubt.db")); err != nil {
		t.Fatalf("it removed the record of a running redoubt: %v", err)
	}
	b.stop()
	if err := served(addr); err != nil {
		t.Errorf("the isolated container was not released: %v", err)
	}
	if out, ran := tryDocker(t, "exec", "rdt-stay", "netstat", "-tln"); ran != 0 {
		t.Errorf("netstat is still refused: %s", out)
	}
	out, code := uninstall()
	if code != 0 {
		t.Fatalf("uninstall: exit %d: %s", code, out)
	}
	for _, name := range []string{"redoubt.db", "ca.key", "desired.json", "spool"} {
		if !strings.Contains(out, "removed "+filepath.Join(b.state, name)) {
			t.Errorf("it does not say that it removed %s:\n%s", name, out)
		}
	}
	if _, err := os.Stat(b.state); !os.IsNotExist(err) {
		left, _ := filepath.Glob(filepath.Join(b.state, "*"))
		t.Errorf("the state directory is still there: %v", left)
	}
	if left := alive(objects); len(left) > 0 {
		t.Errorf("left in the kernel: %v", left)
	}
	for _, trace := range traces() {
		if !slices.Contains(was, trace) {
			t.Errorf("left behind: %s", trace)
		}
	}
	if _, err := os.Stat(login); err != nil {
		t.Errorf("the login file went without --all: %v", err)
	}
	if out, code := uninstall("--all"); code != 0 || !strings.Contains(out, "removed "+login) {
		t.Errorf("uninstall --all: exit %d: %s", code, out)
	}
	if out, code := uninstall(); code != 0 || !strings.Contains(out, "nothing") {
		t.Errorf("once more: exit %d: %s", code, out)
	}
	if after := state(); after != before {
		t.Errorf("the container was restarted: %s, was %s", after, before)
	}
	for _, act := range engineActs(t, "rdt-stay", since) {
		if !strings.HasPrefix(act, "exec_") {
			t.Errorf("somebody did %q to the container", act)
		}
	}
}

// engineActs lists what the engine says happened to a container since then.
func engineActs(t *testing.T, name string, since time.Time) []string {
	t.Helper()
	out := docker(t, "events", "--since", since.Format(time.RFC3339Nano), "--until", time.Now().Format(time.RFC3339Nano),
		"--filter", "container="+name, "--filter", "type=container", "--format", "{{.Action}}")
	return strings.FieldsFunc(out, func(r rune) bool { return r == '\n' })
}

func TestUninstallLeavesOthersFiles(t *testing.T) {
	needHost(t)
	dir := t.TempDir()
	for _, name := range []string{"diary.txt", "ca.crt", "node.pem"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command(build(t), "uninstall", "--state", dir).CombinedOutput()
	if err != nil {
		t.Fatalf("uninstall: %v: %s", err, out)
	}
	left, _ := filepath.Glob(filepath.Join(dir, "*"))
	if len(left) != 2 || !strings.Contains(string(out), "left alone") || !strings.Contains(string(out), "diary.txt") {
		t.Errorf("left %v and said:\n%s", left, out)
	}
}
