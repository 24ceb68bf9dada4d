package host

import (
	"archive/tar"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

var probe struct {
	once sync.Once
	file string
	err  error
}

// probeFile compiles testdata/probe.c and returns the static binary.
func probeFile(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("needs gcc for the program that runs in containers; test/setup.sh installs it")
	}
	build(t) // makes the directory that TestMain removes
	probe.once.Do(func() {
		probe.file = filepath.Join(filepath.Dir(binary.path), "probe")
		out, err := exec.Command("gcc", "-static", "-O2", "-o", probe.file, "testdata/probe.c").CombinedOutput()
		if probe.err = err; err != nil {
			probe.file = string(out)
		}
	})
	if probe.err != nil {
		t.Fatalf("compile probe: %v\n%s", probe.err, probe.file)
	}
	return probe.file
}

// probeImage makes an image that holds nothing but the probe, removed at the
// test's end. Its command is what it does without arguments.
func probeImage(t *testing.T, name string, command ...string) string {
	t.Helper()
	needDocker(t)
	raw, err := os.ReadFile(probeFile(t))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, dir := range []string{"tmp/", "proc/", "sys/", "dev/"} {
		w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o1777})
	}
	w.WriteHeader(&tar.Header{Name: "probe", Mode: 0o755, Size: int64(len(raw))})
	w.Write(raw)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	quoted := `"` + strings.Join(command, `","`) + `"`
	cmd := exec.Command("docker", "import", "--change", `ENTRYPOINT ["/probe"]`, "--change", "CMD ["+quoted+"]", "-", name+":1")
	cmd.Stdin = &b
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("docker import: %v\n%s", err, out)
	}
	t.Cleanup(func() { exec.Command("docker", "rmi", "-f", name+":1").Run() })
	return name + ":1"
}
