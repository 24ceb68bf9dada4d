package host

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// smallDisk mounts a file system of that many MiB.
func smallDisk(t *testing.T, mebibytes int) string {
	t.Helper()
	needHost(t)
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=700", mebibytes)); err != nil {
		t.Skipf("needs to mount a small file system: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// fill leaves no room on the file system of dir and returns what frees it.
func fill(t *testing.T, dir string) (free func()) {
	t.Helper()
	name := filepath.Join(dir, "filler")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := 1 << 20; block >= 1; block /= 2 {
		for {
			if _, err := f.Write(bytes.Repeat([]byte{1}, block)); err != nil {
				break
			}
		}
	}
	return func() {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

func TestX8_FullDiskStopsNoEnforcementAndCorruptsNothing(t *testing.T) {
	image := needDocker(t)
	tool := probeFile(t)
	state := smallDisk(t, 48)
	container(t, "rdt-full", image)
	docker(t, "cp", tool, "rdt-full:/probe")
	b := run(t, "up", state)
	b.find(10*time.Second, "workloads", nil, func(o *object) bool { return o.Workload.Name == "rdt-full" })
	b.apply(strings.ReplaceAll(denyNetstat, "rdt-prevent", "rdt-full"))
	denied := func(when string) {
		t.Helper()
		if out, _ := tryDocker(t, "exec", "rdt-full", "netstat", "-tln"); strings.Contains(out, "Proto") {
			t.Errorf("%s: netstat ran: %s", when, out)
		}
	}
	storm := func(prefix string) {
		t.Helper()
		docker(t, "exec", "rdt-full", "/probe", "storm", prefix, "0", "300", "2000")
	}
	storm("before")
	denied("before")
	free := fill(t, state)
	storm("during")
	denied("with a full disk")
	// The record's own log may have room for a while.
	refused := false
	for i := 0; i < 60 && !refused; i++ {
		large := "# " + strings.Repeat("x", 60<<10) + "\n" + strings.ReplaceAll(denyNetstat, "no-recon", fmt.Sprintf("large-%d", i))
		out, code := b.cli("apply", "-f", policyFile(t, large))
		if refused = code != 0; refused && (code != 2 || !strings.Contains(out, "disk full") || !strings.Contains(out, "redoubt.db")) {
			t.Errorf("a change on a full disk: exit %d: %s", code, last(out, 3))
		}
	}
	if !refused {
		t.Error("a full disk refuses nothing; this test does not fill it")
	}
	if out, code := b.cli("get", "alerts"); code != 0 {
		t.Errorf("reading on a full disk: exit %d: %s", code, out)
	}
	denied("later, with a full disk")
	free()
	storm("after")
	numbered(b, 300, "before", 10*time.Second).check(t, 0)
	numbered(b, 300, "during", 20*time.Second).check(t, 0)
	numbered(b, 300, "after", 10*time.Second).check(t, 0)
	b.must("apply", "-f", policyFile(t, strings.ReplaceAll(denyNetstat, "no-recon", "another")))
	b.must("audit", "verify")
	policies := len(b.get("policies", "--limit", "0"))
	b.stop()
	b.start()
	b.must("audit", "verify")
	if got := len(b.get("policies", "--limit", "0")); got != policies {
		t.Errorf("%d policies after the restart, were %d", got, policies)
	}
	waitDenied(t, "rdt-full", "netstat -tln", "Proto")
}

func policyFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// Whatever is damaged is named, with what to do about it, or comes back by
// itself with a count; nothing is ever begun anew in silence.
func TestX8_DamagedStateIsNamedOrMendedNeverForgotten(t *testing.T) {
	needHost(t)
	b := up(t, "--docker-host", "unix:///nonexistent.sock")
	b.must("apply", "-f", policyFile(t, denyNetstat))
	for i := range 50 {
		exec.Command("/bin/true", fmt.Sprintf("keep-%06d", i)).Run()
	}
	b.find(5*time.Second, "events", []string{"-q", "keep-000049"}, func(*object) bool { return true })
	node := b.get("nodes")[0].ID
	b.stop()
	pristine := t.TempDir()
	if out, err := exec.Command("cp", "-a", b.state+"/.", pristine).CombinedOutput(); err != nil {
		t.Fatalf("copy: %v: %s", err, out)
	}
	cut := func(b []byte) []byte { return b[:len(b)*2/3] }
	scribble := func(b []byte) []byte {
		for i := len(b) / 3; i < len(b)*2/3; i++ {
			b[i] ^= 0x5a
		}
		return b
	}
	none := func([]byte) []byte { return nil }
	const header = 100 // bytes at the start of a database
	for _, c := range []struct {
		name, file string
		harm       func([]byte) []byte
		refuses    string // what the start's error names; empty where it must start
	}{
		{"record cut off", "redoubt.db", cut, "redoubt.db"},
		{"record overwritten", "redoubt.db", scribble, "redoubt.db"},
		{"authority cut off", "ca.crt", cut, "ca.crt"},
		{"authority empty", "ca.crt", none, "ca.crt"},
		{"authority's key overwritten", "ca.key", scribble, "ca.key"},
		{"desired state cut off", "desired.json", cut, ""},
		{"desired state overwritten", "desired.json", scribble, ""},
		{"spool cut off", "spool/*.seg", cut, ""},
		{"spool overwritten", "spool/*.seg", scribble, ""},
		{"spool's mark overwritten", "spool/acked", scribble, ""},
		{"API certificate overwritten", "api.crt", scribble, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			state := t.TempDir()
			if out, err := exec.Command("cp", "-a", pristine+"/.", state).CombinedOutput(); err != nil {
				t.Fatalf("copy: %v: %s", err, out)
			}
			files, _ := filepath.Glob(filepath.Join(state, c.file))
			if len(files) == 0 {
				t.Fatalf("there is no %s", c.file)
			}
			harmed := map[string][]byte{}
			for _, file := range files {
				raw, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				raw = c.harm(raw)
				harmed[file] = bytes.Clone(raw)
				if err := os.WriteFile(file, raw, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if c.refuses != "" {
				cmd := exec.Command(build(t), "up", "--state", state, "--listen", "127.0.0.1:0", "--link-listen", "127.0.0.1:0", "--docker-host", "unix:///nonexistent.sock")
				var out lockedBuffer
				cmd.Stdout, cmd.Stderr = &out, &out
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				late := time.AfterFunc(10*time.Second, func() { cmd.Process.Kill() })
				defer late.Stop()
				cmd.Wait()
				message := regexp.MustCompile(`(?s)redoubt: .*`).FindString(out.String())
				if code := cmd.ProcessState.ExitCode(); code != 2 || !strings.Contains(message, filepath.Join(state, c.refuses)) || !strings.Contains(message, "restore") && !strings.Contains(message, "Restore") {
					t.Errorf("exit %d, it says: %s", code, last(out.String(), 5))
				}
				for file, raw := range harmed {
					now, err := os.ReadFile(file)
					if c.file == "redoubt.db" && len(now) > header { // SQLite counts there how often it looked
						now, raw = now[header:], raw[header:]
					}
					if err != nil || !bytes.Equal(now, raw) {
						t.Errorf("%s was changed: %v", file, err)
					}
				}
				return
			}
			b := run(t, "up", state, "--docker-host", "unix:///nonexistent.sock")
			b.find(10*time.Second, "nodes", nil, func(o *object) bool { return o.ID == node })
			if got := b.get("policies"); len(got) != 1 {
				t.Errorf("%d policies, want 1", len(got))
			}
			numbered(b, 50, "keep", time.Second).check(t, 0)
			b.must("audit", "verify")
			if !strings.Contains(c.file, "desired.json") {
				return
			}
			if log := b.log.String(); !strings.Contains(log, filepath.Join(state, "desired.json")) && !strings.Contains(log, "desired.json") {
				t.Errorf("it does not tell of what it could not read:\n%s", last(log, 10))
			}
		})
	}
}
