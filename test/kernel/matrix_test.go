// Package kernel runs the packages that talk to the kernel on kernels other
// than this machine's: Debian's cloud kernel boots in QEMU from an initramfs
// of busybox and static test binaries. It has BPF LSM and pure cgroup v2.
package kernel

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// suites are the packages whose tests run inside the machine.
var suites = []string{"sensor", "permit"}

const initScript = `#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /tmp /run /etc /root
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t tmpfs tmp /tmp
/bin/busybox mount -t tmpfs run /run
/bin/busybox mount -t cgroup2 cgroup /sys/fs/cgroup
/bin/busybox mount -t bpf bpf /sys/fs/bpf
/bin/busybox mount -t tracefs trace /sys/kernel/tracing
/bin/busybox ip link set lo up
export PATH=/bin HOME=/root REDOUBT_KERNEL_MATRIX=1
echo "MATRIX kernel $(uname -r) lsm $(cat /sys/kernel/security/lsm 2>/dev/null || (mount -t securityfs s /sys/kernel/security; cat /sys/kernel/security/lsm))"
for s in /suites/*; do
  cd $s
  echo "MATRIX begin $(basename $s)"
  ./suite.test -test.v -test.short -test.timeout 240s
  echo "MATRIX end $(basename $s) $?"
done
poweroff -f
`

func TestDebianCloudKernel(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a virtual machine; run without -short")
	}
	for _, tool := range []string{"qemu-system-x86_64", "apt-get", "dpkg-deb", "cpio", "go"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is missing: install qemu-system-x86, cpio on a Debian machine", tool)
		}
	}
	if _, err := os.Stat("/bin/busybox"); err != nil {
		t.Skip("/bin/busybox is missing: install busybox-static")
	}
	image := kernelImage(t)
	initramfs := buildInitramfs(t)

	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	vm := exec.CommandContext(ctx, "qemu-system-x86_64",
		"-accel", "tcg", "-cpu", "max", "-smp", "2", "-m", "2048",
		"-kernel", image, "-initrd", initramfs,
		"-append", "console=ttyS0 quiet panic=-1 oops=panic",
		"-nographic", "-no-reboot", "-nic", "none", "-monitor", "none", "-serial", "stdio")
	vm.Stdin = nil
	out, err := vm.Output()
	if err != nil {
		t.Fatalf("virtual machine: %v\n%s", err, tail(out, 60))
	}
	judge(t, out)
}

// judge replays each suite's output as subtests.
func judge(t *testing.T, out []byte) {
	results := regexp.MustCompile(`^\s*--- (PASS|FAIL|SKIP): (\S+)`)
	suite, ended := "", map[string]string{}
	counts := map[string]int{}
	for sc := bufio.NewScanner(bytes.NewReader(out)); sc.Scan(); {
		line := strings.TrimRight(sc.Text(), "\r")
		switch f := strings.Fields(line); {
		case strings.HasPrefix(line, "MATRIX kernel"):
			t.Log(line)
		case strings.HasPrefix(line, "MATRIX begin"):
			suite = f[2]
		case strings.HasPrefix(line, "MATRIX end"):
			ended[f[2]] = f[3]
		default:
			if m := results.FindStringSubmatch(line); m != nil {
				counts[m[1]]++
				t.Logf("%s %s/%s", m[1], suite, m[2])
			}
		}
	}
	for _, s := range suites {
		if code := ended[s]; code != "0" {
			t.Errorf("suite %s on the Debian kernel ended with %q\n%s", s, code, tail(out, 80))
		}
	}
	if counts["PASS"] == 0 {
		t.Errorf("no test passed in the machine\n%s", tail(out, 80))
	}
	t.Logf("in the machine: %d passed, %d failed, %d skipped", counts["PASS"], counts["FAIL"], counts["SKIP"])
}

// kernelImage returns the path of Debian's current cloud kernel, kept in the
// user's cache folder between runs.
func kernelImage(t *testing.T) string {
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
	dir := filepath.Join(cache, "redoubt", "kernels")
	image := filepath.Join(dir, name)
	if _, err := os.Stat(image); err == nil {
		return image
	}
	work := t.TempDir()
	run(t, work, "apt-get", "download", name)
	debs, _ := filepath.Glob(filepath.Join(work, "*.deb"))
	if len(debs) != 1 {
		t.Fatalf("apt-get download %s left %v", name, debs)
	}
	run(t, work, "dpkg-deb", "-x", debs[0], "root")
	images, _ := filepath.Glob(filepath.Join(work, "root/boot/vmlinuz-*"))
	if len(images) != 1 {
		t.Fatalf("no kernel in %s", debs[0])
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(images[0])
	if err != nil {
		t.Fatal(err)
	}
	// The rename makes a cut-off download invisible to the next run.
	if err := os.WriteFile(image+".part", data, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(image+".part", image); err != nil {
		t.Fatal(err)
	}
	return image
}

func buildInitramfs(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, d := range []string{"bin", "suites"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	run(t, root, "cp", "/bin/busybox", "bin/busybox")
	applets, err := exec.Command("/bin/busybox", "--list").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range strings.Fields(string(applets)) {
		if a != "busybox" {
			if err := os.Symlink("busybox", filepath.Join(root, "bin", a)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, s := range suites {
		pkg, err := filepath.Abs(filepath.Join("../../internal", s))
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(root, "suites", s)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		build := exec.Command("go", "test", "-c", "-o", filepath.Join(dir, "suite.test"), ".")
		build.Dir = pkg
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build suite %s: %v\n%s", s, err, out)
		}
		if _, err := os.Stat(filepath.Join(pkg, "testdata")); err == nil {
			run(t, pkg, "cp", "-r", "testdata", dir)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "init"), []byte(initScript), 0o755); err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(t.TempDir(), "initramfs.gz")
	run(t, root, "sh", "-c", fmt.Sprintf("find . | cpio -o -H newc --quiet | gzip -1 > %s", archive))
	return archive
}

func run(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

func tail(b []byte, lines int) string {
	all := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
