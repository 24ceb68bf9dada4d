package permit_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	image  = "rdt-permit-box:test"
	loader = "/lib64/ld-linux-x86-64.so.2"
)

// boxes is what containers are made of here: a Docker engine's, or, where
// there is none, a union and namespaces of the test's own.
var boxes struct {
	once   sync.Once
	docker bool
	tree   string // the image's files
}

// box skips where containers cannot be tried, and makes the test image.
func box(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	if _, err := os.Stat(loader); err != nil {
		t.Skip("no dynamically linked program to try")
	}
	boxes.once.Do(func() {
		boxes.docker = exec.Command("docker", "info").Run() == nil
		load(t)
	})
}

// load gathers a static shell, and /bin/tool, a dynamically linked program
// with its loader.
func load(t testing.TB) {
	t.Helper()
	dir, err := os.MkdirTemp("", "redoubt-permit-")
	if err != nil {
		t.Fatal(err)
	}
	boxes.tree = dir
	libs, err := exec.Command(loader, "--list", "/bin/cat").Output()
	if err != nil {
		t.Fatalf("libraries of /bin/cat: %v", err)
	}
	files := map[string]string{"/bin/busybox": "/bin/busybox", "/bin/tool": "/bin/cat", loader: loader}
	for _, f := range strings.Fields(string(libs)) {
		if strings.HasPrefix(f, "/") {
			files[f] = f
		}
	}
	for to, from := range files {
		b, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		to = filepath.Join(dir, to)
		os.MkdirAll(filepath.Dir(to), 0o755)
		if err := os.WriteFile(to, b, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []string{"sh", "sleep", "true", "cp", "mv", "ln", "mount", "mkdir", "chmod", "cat", "touch", "rm"} {
		os.Symlink("busybox", filepath.Join(dir, "bin", n))
	}
	for _, n := range []string{"dev", "proc", "vol", "scratch"} {
		os.Mkdir(filepath.Join(dir, n), 0o755)
	}
	if !boxes.docker {
		return
	}
	tar := exec.Command("tar", "-C", dir, "-c", ".")
	load := exec.Command("docker", "import", "-c", `CMD ["sleep","600"]`, "-", image)
	load.Stdin, _ = tar.StdoutPipe()
	if err := tar.Start(); err != nil {
		t.Fatal(err)
	}
	if out, err := load.CombinedOutput(); err != nil {
		t.Fatalf("import: %v %s", err, out)
	}
	tar.Wait()
}

type container struct {
	t     testing.TB
	name  string
	pid   int
	enter []string // command that runs another inside
}

// run starts a container that may mount, with a volume at /vol and a tmpfs at
// /scratch and /dev.
func run(t testing.TB, name string) *container {
	t.Helper()
	c := &container{t: t, name: "rdt-permit-" + name}
	if !boxes.docker {
		c.byHand()
		return c
	}
	c.enter = []string{"docker", "exec", c.name}
	exec.Command("docker", "rm", "-f", c.name).Run()
	out, err := exec.Command("docker", "run", "-d", "--init=false", "--network", "none", "--name", c.name,
		"--cap-add", "SYS_ADMIN", "--security-opt", "apparmor=unconfined", "--security-opt", "seccomp=unconfined",
		"-v", "/vol", "--tmpfs", "/scratch:exec", image).CombinedOutput()
	if err != nil {
		t.Fatalf("run: %v %s", err, out)
	}
	t.Cleanup(func() { exec.Command("docker", "rm", "-fv", c.name).Run() })
	out, err = exec.Command("docker", "inspect", "-f", "{{.State.Pid}}", c.name).Output()
	if err != nil {
		t.Fatal(err)
	}
	c.pid, _ = strconv.Atoi(strings.TrimSpace(string(out)))
	return c
}

// byHand makes what an engine would: a union mounted on the node, and a
// process with that as its root in namespaces of its own.
func (c *container) byHand() {
	c.t.Helper()
	dir := c.t.TempDir()
	at := func(name string) string {
		p := filepath.Join(dir, name)
		if err := os.Mkdir(p, 0o755); err != nil {
			c.t.Fatal(err)
		}
		return p
	}
	merged, volume := at("merged"), at("volume")
	opts := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", boxes.tree, at("upper"), at("work"))
	if err := unix.Mount("rdt-permit", merged, "overlay", 0, opts); err != nil {
		c.t.Skipf("no overlayfs: %v", err)
	}
	c.t.Cleanup(func() { unix.Unmount(merged, unix.MNT_DETACH) })
	cmd := exec.Command("/bin/busybox", "sh", "-c", `set -e; b=/bin/busybox; cd $0
$b mount -t proc proc proc; $b mount -t tmpfs none dev; $b mount -t tmpfs none scratch; $b mount -o bind $1 vol
$b mknod dev/null c 1 3; $b mount -o move . /; exec $b chroot . /bin/sleep 600`, merged, volume)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Cloneflags: syscall.CLONE_NEWPID}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	c.pid = cmd.Process.Pid
	c.enter = []string{"nsenter", "-t", strconv.Itoa(c.pid), "-m", "-p", "-r"}
	until(c.t, "the container's program runs", func() bool {
		name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", c.pid))
		return err == nil && string(name) == "sleep\n"
	})
}
