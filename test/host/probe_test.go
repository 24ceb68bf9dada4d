package host

import (
	"archive/tar"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

var compiled sync.Map // by name

type compilation struct {
	once sync.Once
	file string
	err  error
}

// probeFile compiles testdata/probe.c and returns the static binary.
func probeFile(t *testing.T) string { return compile(t, "probe", "probe.c") }

// compile makes a static binary of a file in testdata, once per run.
func compile(t *testing.T, name, source string, flags ...string) string {
	t.Helper()
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("needs gcc for the programs that run in containers; test/setup.sh installs it")
	}
	build(t) // makes the directory that TestMain removes
	found, _ := compiled.LoadOrStore(name, new(compilation))
	c := found.(*compilation)
	c.once.Do(func() {
		c.file = filepath.Join(filepath.Dir(binary.path), name)
		args := append([]string{"-static", "-O2", "-w", "-o", c.file}, flags...)
		out, err := exec.Command("gcc", append(args, "testdata/"+source)...).CombinedOutput()
		if err != nil {
			c.err = fmt.Errorf("compile %s: %w: %s", source, err, out)
		}
	})
	if c.err != nil {
		t.Fatal(c.err)
	}
	return c.file
}

// derived builds an image on top of another: files by where they go, and what
// the Dockerfile says beyond. It is removed at the test's end.
func derived(t *testing.T, base, name string, files map[string]string, more ...string) string {
	t.Helper()
	dir := t.TempDir()
	lines := []string{"FROM " + base}
	for to, from := range files {
		raw, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		local := strings.ReplaceAll(strings.Trim(to, "/"), "/", "_")
		if err := os.WriteFile(filepath.Join(dir, local), raw, 0o755); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, "COPY "+local+" "+to)
	}
	lines = append(lines, more...)
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("docker", "build", "-q", "-t", name, dir)
	cmd.Env = append(os.Environ(), "DOCKER_BUILDKIT=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("docker build: %v\n%s", err, out)
	}
	t.Cleanup(func() { exec.Command("docker", "rmi", "-f", name).Run() })
	return name
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
