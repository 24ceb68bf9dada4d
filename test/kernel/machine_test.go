package kernel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const initScript = `#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t tmpfs tmp /tmp
/bin/busybox mount -t tmpfs run /run
/bin/busybox mount -t cgroup2 cgroup /sys/fs/cgroup
/bin/busybox mount -t bpf bpf /sys/fs/bpf
/bin/busybox mount -t securityfs security /sys/kernel/security
/bin/busybox ip link set lo up
/bin/busybox hostname machine
export PATH=/bin HOME=/root REDOUBT_KERNEL_MATRIX=1 REDOUBT_CONTAINERS=500 REDOUBT_OVERLAY_MODULE=/overlay.ko
echo
echo "MATRIX kernel $(uname -r), lsm $(cat /sys/kernel/security/lsm)"
cd /suites
while read -r suite pattern; do
  cd /suites/$suite
  echo "MATRIX begin $suite"
  ./suite.test -test.v -test.short -test.timeout 150s -test.run "$pattern" </dev/null
  echo "MATRIX end $suite $?"
  unset REDOUBT_OVERLAY_MODULE
done </plan.$(sed 's/.*redoubt.plan=//; s/ .*//' /proc/cmdline)
poweroff -f
`

// kernelFiles is what is taken out of a kernel's package.
type kernelFiles struct {
	name, image, overlay string
}

// debianKernel returns Debian's current cloud kernel, kept in the user's cache
// folder between runs.
func debianKernel(t *testing.T) kernelFiles {
	t.Helper()
	out, err := exec.Command("apt-cache", "depends", "linux-image-cloud-amd64").Output()
	m := regexp.MustCompile(`Depends: (linux-image-\S+)`).FindSubmatch(out)
	if err != nil || m == nil {
		t.Skip("the package index does not know linux-image-cloud-amd64: run apt-get update on a Debian machine")
	}
	name := string(m[1])
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = t.TempDir()
	}
	dir := filepath.Join(cache, "redoubt", "kernels", name+".d")
	k := kernelFiles{name: name, image: filepath.Join(dir, "vmlinuz"), overlay: filepath.Join(dir, "overlay.ko")}
	if _, err := os.Stat(dir); err == nil {
		return k
	}
	work := t.TempDir()
	run(t, work, "apt-get", "download", name)
	run(t, work, "sh", "-c", "dpkg-deb -x *.deb root")
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	// The rename makes a cut-off download invisible to the next run.
	part, err := os.MkdirTemp(filepath.Dir(dir), "part-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(part)
	run(t, work, "sh", "-c", "cp root/boot/vmlinuz-* "+part+"/vmlinuz")
	// Later packages compress their modules.
	run(t, work, "sh", "-c", `m=$(echo root/lib/modules/*/kernel/fs/overlayfs/overlay.ko*)
case $m in *.xz) xz -dc $m ;; *) cat $m ;; esac > `+part+"/overlay.ko")
	if err := os.Rename(part, dir); err != nil && !errors.Is(err, os.ErrExist) {
		t.Fatal(err)
	}
	return k
}

// initramfs packs busybox, a dynamic program with its loader, the suites and
// the product into an archive the kernel unpacks as its root.
func initramfs(t *testing.T, k kernelFiles) string {
	t.Helper()
	root := t.TempDir()
	for _, d := range []string{"bin", "dev", "etc", "proc", "root", "run", "suites", "sys", "tmp", "usr", "lib64"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	run(t, root, "cp", "/bin/busybox", "bin/busybox")
	run(t, root, "cp", k.overlay, "overlay.ko")
	dynamic(t, root)
	applets, err := exec.Command("/bin/busybox", "--list").Output()
	if err != nil {
		t.Fatal(err)
	}
	for a := range strings.FieldsSeq(string(applets)) {
		// Those that are there are dynamic programs.
		if err := os.Symlink("busybox", filepath.Join(root, "bin", a)); err != nil && !errors.Is(err, os.ErrExist) {
			t.Fatal(err)
		}
	}
	compile(t, "../../cmd/redoubt", "build", filepath.Join(root, "bin/redoubt"))
	for suite, pkg := range packages {
		dir := filepath.Join(root, "suites", suite)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		compile(t, pkg, "test", "-c", filepath.Join(dir, "suite.test"))
		if _, err := os.Stat(filepath.Join(pkg, "testdata")); err == nil {
			run(t, pkg, "cp", "-r", "testdata", dir)
		}
	}
	for name, plan := range plans {
		if err := os.WriteFile(filepath.Join(root, "plan."+name), []byte(plan), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "init"), []byte(initScript), 0o755); err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(t.TempDir(), "initramfs")
	run(t, root, "sh", "-c", fmt.Sprintf("find . | cpio -o -H newc --quiet > %s", archive))
	return archive
}

// dynamic puts programs that need a loader, and what they need, into root.
func dynamic(t *testing.T, root string) {
	t.Helper()
	files := map[string]bool{"/bin/cat": true, "/bin/true": true, "/lib64/ld-linux-x86-64.so.2": true}
	libs, err := exec.Command("ldd", "/bin/cat", "/bin/true").Output()
	if err != nil {
		t.Fatalf("libraries of /bin/cat: %v", err)
	}
	for f := range strings.FieldsSeq(string(libs)) {
		if strings.HasPrefix(f, "/") && !strings.HasSuffix(f, ":") {
			files[f] = true
		}
	}
	for f := range files {
		if err := os.MkdirAll(filepath.Join(root, filepath.Dir(f)), 0o755); err != nil {
			t.Fatal(err)
		}
		run(t, root, "cp", "-L", f, "."+f)
	}
}

// compile runs a go command that writes one static program.
func compile(t *testing.T, pkg string, goArgs ...string) {
	t.Helper()
	last := len(goArgs) - 1
	args := append(goArgs[:last:last], "-ldflags", "-s -w", "-o", goArgs[last], ".")
	cmd := exec.Command("go", args...)
	cmd.Dir = pkg
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("compile %s: %v\n%s", pkg, err, out)
	}
}

// boot runs the machine until it turns itself off and returns what it printed.
func boot(t *testing.T, k kernelFiles, archive, plan, args string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	vm := exec.CommandContext(ctx, "qemu-system-x86_64",
		"-accel", "tcg", "-cpu", "max", "-smp", "2", "-m", "2048",
		"-kernel", k.image, "-initrd", archive,
		"-append", "console=ttyS0 quiet panic=-1 oops=panic redoubt.plan="+plan+" "+args,
		"-nographic", "-no-reboot", "-nic", "none", "-monitor", "none", "-serial", "stdio")
	out, err := vm.Output()
	if err != nil {
		t.Fatalf("virtual machine: %v\n%s", err, tail(string(out), 60))
	}
	return out
}

func run(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

func tail(s string, lines int) string {
	all := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
