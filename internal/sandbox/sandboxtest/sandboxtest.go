// Package sandboxtest gives tests a sandbox host. It knows how to build init
// in a fresh clone, and what a machine must have.
package sandboxtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/sandbox"
)

// Init builds the first program of sandboxes, once.
func Init() ([]byte, error) { return build() }

var build = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "init")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	bin := filepath.Join(dir, "init")
	if err := Build(bin, "redoubt.dev/redoubt/internal/sandbox/initd"); err != nil {
		return nil, err
	}
	return os.ReadFile(bin)
})

// Build compiles a package into a static binary.
func Build(bin, pkg string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", bin, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return nil
}

// Open returns a host that is closed at the end of the test, which is skipped
// where sandboxes need more rights than it has.
func Open(t testing.TB) *sandbox.Host {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("sandboxes need root")
	}
	init, err := build()
	if err != nil {
		t.Fatal(err)
	}
	h, err := sandbox.Open(sandbox.Config{Dir: t.TempDir(), Init: init})
	if fault.Is(err, fault.Unsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Errorf("close sandboxes: %v", err)
		}
	})
	return h
}
