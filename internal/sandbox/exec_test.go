package sandbox_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"redoubt.dev/redoubt/internal/sandbox"
	"redoubt.dev/redoubt/internal/sandbox/sandboxtest"
)

// heard collects what OnExec is told.
type heard struct {
	mu    sync.Mutex
	execs []sandbox.Exec
}

func (h *heard) take(e sandbox.Exec) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.execs = append(h.execs, e)
	return true
}

func (h *heard) of(path string) []sandbox.Exec {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(h.execs), func(e sandbox.Exec) bool { return e.Path != path })
}

// layer is a directory with scripts in it.
func layer(t *testing.T, files map[string]string) sandbox.Mount {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return sandbox.Mount{Source: dir, Target: "/opt/layer", Exec: true}
}

func TestS9_NothingElseStartsUngranted(t *testing.T) {
	h := sandboxtest.Open(t)
	var told heard
	spec := probe(t)
	spec.OnExec = told.take
	spec.Mounts = append(spec.Mounts, layer(t, map[string]string{"tool.sh": "#!/bin/sh\necho tool\n"}))
	const loader = "/lib64/ld-linux-x86-64.so.2"
	try(t, h, spec, []trial{
		{"shell", "exec=/bin/sh -c id", refused},
		{"own program", "exec=/var/task/probe id", refused},
		{"own program by link", "exec=/proc/self/exe id", refused},
		{"by way of its root", "exec=/proc/self/root/usr/bin/id", refused},
		{"by way of another's", "exec=/proc/1/exe id", refused},
		{"loader", "exec=" + loader + " /usr/bin/id", []string{"EPERM", "ENOENT"}},
		{"script", "exec=/opt/layer/tool.sh", refused},
		{"from tmp", "execcopy=/tmp", []string{"EPERM", "EACCES"}},
		{"from shared memory", "execcopy=/dev/shm", []string{"EPERM", "EACCES"}},
		{"from memory", "memfd=0", refused},
		{"from memory not executable", "memfd=8", []string{"EPERM", "EACCES"}},
		{"not there", "exec=/usr/bin/no-such-program", []string{"ENOENT"}},
	})
	got := told.of("/bin/sh")
	if len(got) != 1 || got[0].Allowed || got[0].Why == "" || got[0].PID == 0 || strings.Join(got[0].Args, " ") != "/bin/sh -c id" {
		t.Errorf("the refused shell was told as %+v", got)
	}
	if len(told.of("/usr/bin/no-such-program")) != 0 {
		t.Error("a search for what is not there was told as a start")
	}
}

func TestS9_GrantedProgramsStart(t *testing.T) {
	h := sandboxtest.Open(t)
	var told heard
	spec := probe(t)
	spec.OnExec = func(e sandbox.Exec) bool { told.take(e); return e.Path != "/usr/bin/whoami" }
	spec.Exec = []string{"/usr/bin/id", "/usr/bin/whoami", "/opt/layer/tool.sh"}
	spec.Mounts = append(spec.Mounts, layer(t, map[string]string{"tool.sh": "#!/bin/sh\necho tool $1\n", "other.sh": "#!/bin/sh\necho other\n"}))
	try(t, h, spec, []trial{
		{"granted", "exec=/usr/bin/id -u", []string{"ran 993"}},
		{"granted under another name", "exec=/usr/bin/../bin/id -g", []string{"ran 993"}},
		{"granted along a path", "exec=id -G", []string{"ran 993"}},
		{"granted, by way of its root", "exec=/proc/self/root/usr/bin/id", refused},
		{"granted script", "exec=/opt/layer/tool.sh x", []string{"ran tool x"}},
		{"its interpreter", "exec=/bin/sh -c id", refused},
		{"script of another name", "exec=/opt/layer/other.sh", refused},
		{"granted but vetoed", "exec=/usr/bin/whoami", refused},
		{"not granted", "exec=/usr/bin/env", refused},
		{"from tmp", "execcopy=/tmp", []string{"EPERM", "EACCES"}},
	})
	if got := told.of("/usr/bin/id"); len(got) == 0 || !got[0].Allowed || got[0].Why != "" {
		t.Errorf("the granted program was told as %+v", got)
	}
}

func TestS9_AnythingMeansOfTheRoot(t *testing.T) {
	h := sandboxtest.Open(t)
	spec := probe(t)
	spec.Exec = []string{"*"}
	spec.Mounts = append(spec.Mounts, layer(t, map[string]string{"tool.sh": "#!/usr/bin/env sh\necho tool\n"}))
	try(t, h, spec, []trial{
		{"shell", "exec=/bin/sh -c id", []string{"ran uid=993(sandbox) gid=993(sandbox) groups=993(sandbox)"}},
		{"script", "exec=/opt/layer/tool.sh", []string{"ran tool"}},
		{"from tmp", "execcopy=/tmp", []string{"EACCES", "EPERM"}},
		{"from memory", "memfd=0", refused},
		{"from memory not executable", "memfd=8", []string{"EACCES", "EPERM"}},
	})
}

// racer changes the path between the supervisor's look and the kernel's, as
// fast as it can, and lets children start what is there.
const racer = `
import ctypes, mmap, os, sys
libc = ctypes.CDLL(None, use_errno=True)
page = mmap.mmap(-1, 4096)
at = ctypes.addressof(ctypes.c_char.from_buffer(page))
good, bad = b"/usr/bin/true\0", sys.argv[1].encode() + b"\0"
page[:len(good)] = good
flipper = os.fork()
if flipper == 0:
    while True:
        page[:len(bad)] = bad
        page[:len(good)] = good
argv = (ctypes.c_char_p * 4)(b"x", *[a.encode() for a in sys.argv[2:]], None)
env = (ctypes.c_char_p * 1)(None)
ran = held = refused = 0
for _ in range(400):
    pid = os.fork()
    if pid == 0:
        libc.execve(ctypes.c_void_p(at), argv, env)
        os._exit(100 + ctypes.get_errno())
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    ran += code == 0
    held += code == 113
    refused += code == 101
os.kill(flipper, 9)
print("ran", ran, "held", held, "refused", refused)
`

func TestS9_NoRaceStartsAnotherProgram(t *testing.T) {
	const python = "/usr/bin/python3"
	if _, err := os.Stat(python); err != nil {
		t.Skip("needs python3")
	}
	h := sandboxtest.Open(t)
	if slices.ContainsFunc(h.Gaps(), func(g string) bool { return strings.Contains(g, "no Landlock") }) {
		t.Skip("this kernel has no Landlock, which the gaps say")
	}
	out, _ := run(t, h, sandbox.Spec{ID: "race", Argv: []string{python, "-Sc", racer, "/usr/bin/id"}, Exec: []string{"/usr/bin/true"}, CPU: 2})
	t.Log(strings.TrimSpace(out))
	if strings.Contains(out, "uid=") {
		t.Error("a program that was never granted ran")
	}
	if !strings.Contains(out, "ran ") || strings.Contains(out, "ran 0 ") {
		t.Error("the granted program never ran: nothing was raced")
	}
}

func TestS9_WithoutSupervisorNothingStarts(t *testing.T) {
	h := sandboxtest.Open(t)
	spec := probe(t, "wait=/opt/layer/go", "exec=/usr/bin/id")
	spec.Exec = []string{"/usr/bin/id"}
	l := layer(t, nil)
	spec.Mounts = append(spec.Mounts, l)
	var out output
	spec.Output = out.take
	s := start(t, h, spec)
	s.EndSupervision()
	if err := os.WriteFile(filepath.Join(l.Source, "go"), []byte("go"), 0o644); err != nil {
		t.Fatal(err)
	}
	finish(t, s)
	if want := "exec=/usr/bin/id: ENOSYS\n"; !strings.Contains(out.String(), want) {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}
