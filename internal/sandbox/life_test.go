package sandbox_test

import (
	"bufio"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/sandbox"
	"redoubt.dev/redoubt/internal/sandbox/sandboxtest"
)

func TestS7_StartSaysWhatIsWrong(t *testing.T) {
	h := sandboxtest.Open(t)
	good := sandbox.Spec{ID: "a", Argv: []string{"/usr/bin/sleep", "1000"}}
	start(t, h, good)
	for name, c := range map[string]struct {
		change func(*sandbox.Spec)
		kind   fault.Kind
	}{
		"name in use":      {func(s *sandbox.Spec) {}, fault.Conflict},
		"name of a path":   {func(s *sandbox.Spec) { s.ID = "../a" }, fault.Invalid},
		"no program":       {func(s *sandbox.Spec) { s.ID, s.Argv = "b", nil }, fault.Invalid},
		"relative program": {func(s *sandbox.Spec) { s.ID, s.Argv = "b", []string{"sleep"} }, fault.Invalid},
		"missing program":  {func(s *sandbox.Spec) { s.ID, s.Argv = "b", []string{"/usr/bin/nope"} }, fault.Invalid},
		"not a program":    {func(s *sandbox.Spec) { s.ID, s.Argv = "b", []string{"/etc/passwd"} }, fault.Invalid},
		"missing dir":      {func(s *sandbox.Spec) { s.ID, s.Dir = "b", "/nope" }, fault.Invalid},
		"zero byte":        {func(s *sandbox.Spec) { s.ID, s.Env = "b", []string{"A=\x00"} }, fault.Invalid},
		"mount over /proc": {func(s *sandbox.Spec) { s.ID, s.Mounts = "b", []sandbox.Mount{{Source: "/usr", Target: "/proc/x"}} }, fault.Invalid},
		"mount of nothing": {func(s *sandbox.Spec) { s.ID, s.Mounts = "b", []sandbox.Mount{{Source: "/nope", Target: "/opt"}} }, fault.Internal},
		"too little":       {func(s *sandbox.Spec) { s.ID, s.Memory = "b", 1000 }, fault.Invalid},
		"negative limit":   {func(s *sandbox.Spec) { s.ID, s.Memory = "b", -1 }, fault.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			spec := good
			c.change(&spec)
			s, err := h.Start(context.Background(), spec)
			if err == nil {
				s.Kill()
			}
			if !fault.Is(err, c.kind) {
				t.Errorf("got %v, want kind %s", err, c.kind)
			}
		})
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	good.ID = "late"
	if _, err := h.Start(ctx, good); !fault.Is(err, fault.Unavailable) {
		t.Errorf("a cancelled start: %v", err)
	}
}

func TestS7_FreezeStopsAndThawResumes(t *testing.T) {
	h := sandboxtest.Open(t)
	s := start(t, h, probe(t, "spin"))
	eventually(t, "it uses CPU", func() bool { return s.Usage().CPU > 5*time.Millisecond })
	if err := s.Freeze(); err != nil {
		t.Fatal(err)
	}
	before := s.Usage().CPU
	for range 5 {
		time.Sleep(10 * time.Millisecond)
	}
	if after := s.Usage().CPU; after-before > time.Millisecond {
		t.Errorf("frozen, it used %v of CPU", after-before)
	}
	if err := s.Thaw(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it uses CPU again", func() bool { return s.Usage().CPU > before+5*time.Millisecond })
	if err := s.Freeze(); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	if e := s.Exit(); e.Signal != 9 || !e.Killed {
		t.Errorf("killed while frozen it ended with %+v", e)
	}
}

func TestS7_StemTakesItsCodeOnce(t *testing.T) {
	h := sandboxtest.Open(t)
	l, code := layer(t, map[string]string{"lib": "layer"}), layer(t, map[string]string{"handler": "code"})
	code.Target = "/var/task"
	var out output
	spec := sandbox.Spec{ID: "stem", Stem: true, Output: out.take, Argv: []string{"/opt/boot/probe",
		"list=/var/task", "write=/tmp/ready", "wait=/var/task/handler", "read=/opt/layer/lib", "write=/var/task/handler"}}
	spec.Mounts = []sandbox.Mount{{Source: bundle(t), Target: "/opt/boot", Exec: true}}
	s := start(t, h, spec)
	eventually(t, "the stem waits", func() bool { return strings.Contains(out.String(), "write=/tmp/ready: ok") })
	if err := s.Attach(sandbox.Mount{Source: code.Source, Target: "/etc"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("attached over /etc: %v", err)
	}
	if err := s.Attach(code); err != nil {
		t.Fatal(err)
	}
	if err := s.Attach(l); !fault.Is(err, fault.Conflict) {
		t.Errorf("attached twice: %v", err)
	}
	finish(t, s)
	for _, want := range []string{"list=/var/task: \n", "wait=/var/task/handler: code\n", "write=/var/task/handler: E"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("want %q in\n%s", want, out.String())
		}
	}
	plain := start(t, h, probe(t, "sleep"))
	if err := plain.Attach(code); !fault.Is(err, fault.Invalid) {
		t.Errorf("attached to what is no stem: %v", err)
	}
}

func TestS7_CrowdLeavesNothing(t *testing.T) {
	h := sandboxtest.Open(t)
	const crowd = 200
	before := traces(t)
	sandboxes := make([]*sandbox.Sandbox, crowd)
	var group sync.WaitGroup
	for i := range crowd {
		group.Go(func() {
			spec := sandbox.Spec{ID: fmt.Sprintf("crowd-%d", i), Argv: []string{"/usr/bin/sleep", "1000"}, Ports: []sandbox.Port{runtimeAPI}}
			s, err := h.Start(context.Background(), spec)
			if err != nil {
				t.Error(err)
				return
			}
			sandboxes[i] = s
		})
	}
	group.Wait()
	for _, s := range sandboxes {
		if s != nil {
			group.Go(s.Kill)
		}
	}
	group.Wait()
	if left := groupsOf(t, "crowd-"); len(left) != 0 {
		t.Errorf("%d control groups are left: %q", len(left), left[0])
	}
	for _, s := range sandboxes {
		if s != nil && unix.Kill(s.PID(), 0) == nil {
			if b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", s.PID())); strings.TrimSpace(string(b)) == "sleep" {
				t.Errorf("process %d is left", s.PID())
			}
		}
	}
	after := traces(t)
	if after.mounts != 0 {
		b, _ := os.ReadFile("/proc/self/mountinfo")
		t.Errorf("%d mounts show on the host:\n%s", after.mounts, b)
	}
	if after.files > before.files+4 {
		t.Errorf("%d open files, %d before", after.files, before.files)
	}
	eventually(t, "threads and their namespaces end", func() bool { return strays(t) == 0 })
}

// trace is what could be left in this process's sight.
type trace struct{ mounts, files int }

func traces(t *testing.T) trace {
	t.Helper()
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return trace{strings.Count(string(b), " - tmpfs redoubt-sandbox "), len(files)}
}

// strays are threads of this process in a network other than its own.
func strays(t *testing.T) (n int) {
	t.Helper()
	home, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	links, err := filepath.Glob("/proc/self/task/*/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		if at, err := os.Readlink(l); err == nil && at != home {
			n++
		}
	}
	return n
}

// groupsOf finds control groups whose name begins so.
func groupsOf(t *testing.T, prefix string) (found []string) {
	t.Helper()
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasPrefix(d.Name(), prefix) {
			found = append(found, path)
		}
		return nil
	})
	return found
}

// victimVariable makes the test binary a host that is to be killed.
const victimVariable = "REDOUBT_TEST_SANDBOX_VICTIM"

// victim starts a sandbox, says its process and control group, and waits.
func victim() {
	init, err := os.ReadFile(os.Getenv(victimVariable) + ".init")
	if err == nil {
		var h *sandbox.Host
		if h, err = sandbox.Open(sandbox.Config{Dir: os.Getenv(victimVariable), Init: init}); err == nil {
			var s *sandbox.Sandbox
			if s, err = h.Start(context.Background(), sandbox.Spec{ID: "orphan", Argv: []string{"/usr/bin/sleep", "1000"}}); err == nil {
				fmt.Println(s.PID())
				select {}
			}
		}
	}
	fmt.Println(err)
	os.Exit(1)
}

func TestS7_KilledHostTakesAllWithIt(t *testing.T) {
	h := sandboxtest.Open(t) // skips, and proves that hosts do not disturb each other
	_ = h
	dir := filepath.Join(t.TempDir(), "host")
	init, err := sandboxtest.Init()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+".init", init, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), victimVariable+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatalf("the victim says %q", line)
	}
	if _, err := sandbox.Open(sandbox.Config{Dir: dir, Init: init}); !fault.Is(err, fault.Conflict) {
		t.Errorf("a second host in the same directory: %v", err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	eventually(t, "the program follows its host", func() bool {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		return err != nil || strings.TrimSpace(string(b)) != "sleep"
	})
	if len(groupsOf(t, "orphan")) == 0 {
		t.Error("the victim left nothing to clean: the test proves nothing")
	}
	next, err := sandbox.Open(sandbox.Config{Dir: dir, Init: init})
	if err != nil {
		t.Fatal(err)
	}
	if left := groupsOf(t, "orphan"); len(left) != 0 {
		t.Errorf("the next host left %q", left)
	}
	if err := next.Close(); err != nil {
		t.Error(err)
	}
}
