package fileid

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/redoubt"
)

const image = "rdt-fileid-box:test"

var imported sync.Once

func TestMain(m *testing.M) {
	code := m.Run()
	exec.Command("docker", "rmi", "-f", image).Run()
	os.Exit(code)
}

// load makes a one-program image, once: its containers share its layer.
func load(t *testing.T) {
	t.Helper()
	shell, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	must(t, os.MkdirAll(dir+"/opt/app", 0o755))
	must(t, os.WriteFile(dir+"/opt/app/tool", []byte("#!/bin/sh\necho one\n"), 0o755))
	must(t, os.Mkdir(dir+"/bin", 0o755))
	must(t, os.WriteFile(dir+"/bin/busybox", shell, 0o755))
	for _, n := range []string{"sh", "sleep", "cp", "ln", "rm", "mkdir", "mv", "chmod", "mkfifo"} {
		must(t, os.Symlink("busybox", filepath.Join(dir, "bin", n)))
	}
	tar := exec.Command("tar", "-C", dir, "-c", ".")
	load := exec.Command("docker", "import", "-c", `CMD ["sleep","600"]`, "-", image)
	load.Stdin, _ = tar.StdoutPipe()
	must(t, tar.Start())
	out, err := load.CombinedOutput()
	if err != nil {
		t.Fatalf("import: %v %s", err, out)
	}
	must(t, tar.Wait())
}

// start runs a real container and describes it.
func start(t *testing.T, name string, args ...string) *redoubt.Workload {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	if out, err := exec.Command("docker", "info").CombinedOutput(); err != nil {
		t.Skipf("no Docker engine: %s", bytes.TrimSpace(out))
	}
	imported.Do(func() { load(t) })
	name = "rdt-fileid-" + name
	exec.Command("docker", "rm", "-fv", name).Run()
	t.Cleanup(func() { exec.Command("docker", "rm", "-fv", name).Run() })
	run := append(append([]string{"run", "-d", "--network", "none", "--name", name}, args...), image)
	if out, err := exec.Command("docker", run...).CombinedOutput(); err != nil {
		t.Fatalf("run: %v %s", err, out)
	}
	var got []struct {
		ID          string `json:"Id"`
		State       struct{ Pid int }
		GraphDriver struct{ Data map[string]string }
	}
	b, err := exec.Command("docker", "inspect", name).Output()
	must(t, err)
	must(t, json.Unmarshal(b, &got))
	w := &redoubt.Workload{PID: got[0].State.Pid, Running: true, Upper: got[0].GraphDriver.Data["UpperDir"], Merged: got[0].GraphDriver.Data["MergedDir"]}
	w.Kind, w.Container, w.Name = redoubt.KindContainer, got[0].ID, name
	w.Layers = strings.Split(got[0].GraphDriver.Data["LowerDir"], ":")
	return w
}

func inside(t *testing.T, w *redoubt.Workload, script string) {
	t.Helper()
	if out, err := exec.Command("docker", "exec", w.Name, "sh", "-c", script).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v %s", script, err, out)
	}
}

// stopped is the same container as its layers alone show it.
func stopped(w *redoubt.Workload) *redoubt.Workload {
	x := *w
	x.PID = 0
	return &x
}

func TestContainerFilesRunningAndStopped(t *testing.T) {
	w := start(t, "files", "-v", "/vol", "--tmpfs", "/scratch:exec")
	secret := filepath.Join(t.TempDir(), "node-secret")
	write(t, secret, "node")
	inside(t, w, fmt.Sprintf(`chmod 700 /opt/app/tool
ln -s %s /opt/node; ln -s /proc/1/root%s /opt/magic; ln -s ../../../../../../../..%s /opt/up
ln -s /opt/app /link; ln -s loop /loop; ln /opt/app/tool /opt/hard; mkfifo /opt/pipe
mkdir /fresh; cp /bin/busybox /fresh/box; mv /fresh/box /fresh/moved; rm /bin/mv
cp /bin/busybox /vol/box; cp /bin/busybox /scratch/box`, secret, secret, secret))
	for _, path := range []string{"/bin/busybox", "/bin/sh", "/opt/app/tool", "/link/tool", "/opt/hard", "/fresh/moved"} {
		node, live, err := Locate(w, path)
		must(t, err)
		_, still, err := Locate(stopped(w), path)
		must(t, err)
		if live != still {
			t.Errorf("%s: %+v while running, %+v from layers", path, live, still)
		}
		if live.Dev == 0 || !strings.Contains(node, "/overlay2/") {
			t.Errorf("%s is at %s, %+v", path, node, live)
		}
	}
	for _, path := range []string{"/opt/node", "/opt/up", "/bin/mv", "/loop", "/opt/pipe", "/opt/magic"} {
		for _, x := range []*redoubt.Workload{w, stopped(w)} {
			if f, _, err := Open(x, x.PID, path); err == nil {
				t.Errorf("%s led to %s", path, f.Name())
			} else if !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Invalid) {
				t.Errorf("%s: %v is of kind %v", path, err, fault.Of(err))
			}
		}
	}
	d := NewDigests()
	settle(d)
	own, err := os.ReadFile("/bin/busybox")
	must(t, err)
	want := redoubt.Digest("sha256:" + hexSum(own))
	for _, path := range []string{"/bin/busybox", "/fresh/moved", "/vol/box", "/scratch/box"} {
		_, key, err := Locate(w, path)
		must(t, err)
		sum, err := d.Of(key, func() (*os.File, error) { f, _, err := Open(w, w.PID, path); return f, err })
		must(t, err)
		if sum.Digest != want || !sum.Stable {
			t.Errorf("%s: %+v", path, sum)
		}
	}
	if _, _, err := Locate(stopped(w), "/vol/box"); !fault.Is(err, fault.NotFound) {
		t.Errorf("a volume is in no layer: %v", err)
	}
	host := &redoubt.Workload{WorkloadRef: redoubt.WorkloadRef{Kind: redoubt.KindHost}, PID: 1}
	if node, key, err := Locate(host, secret); err != nil || node != secret || key != keyAt(t, secret) {
		t.Errorf("host: %s %+v %v", node, key, err)
	}
}

func TestSameNameNewContentIsAnotherFile(t *testing.T) {
	w := start(t, "change")
	d := NewDigests()
	settle(d)
	of := func() (redoubt.FileKey, Sum) {
		_, key, err := Locate(w, "/opt/app/tool")
		must(t, err)
		sum, err := d.Of(key, func() (*os.File, error) { f, _, err := Open(w, w.PID, "/opt/app/tool"); return f, err })
		must(t, err)
		return key, sum
	}
	key, before := of()
	inside(t, w, "echo more >>/opt/app/tool")
	changed, after := of()
	if key == changed || before.Digest == after.Digest {
		t.Errorf("%+v %+v then %+v %+v", key, before, changed, after)
	}
	inside(t, w, "rm /opt/app/tool; echo else >/opt/app/tool")
	if third, sum := of(); third == changed || sum.Digest == after.Digest {
		t.Errorf("replaced: %+v %+v", third, sum)
	}
}

// Replicas share the files of their image, so rules made for one fit all.
func TestReplicasShareKeys(t *testing.T) {
	a, b := start(t, "one"), start(t, "two")
	_, first, err := Locate(a, "/bin/sh")
	must(t, err)
	_, second, err := Locate(b, "/bin/sh")
	must(t, err)
	if first != second || first.Dev == 0 {
		t.Errorf("%+v and %+v", first, second)
	}
	inside(t, b, "chmod 700 /bin/busybox")
	if _, own, err := Locate(b, "/bin/sh"); err != nil || own == first {
		t.Errorf("a changed copy is another file: %+v %v", own, err)
	}
}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
