package sensor

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/redoubt"
)

// An engine that starts after the defender loads overlayfs only then; the
// first exec on it finds the layout. REDOUBT_OVERLAY_MODULE is the module's
// file, for a kernel that has not loaded it yet.
func TestOverlayMayBeLoadedLater(t *testing.T) {
	module := os.Getenv("REDOUBT_OVERLAY_MODULE")
	if module == "" {
		t.Skip("overlayfs is there already, or its module is not given")
	}
	w := open(t, Config{})
	f, err := os.Open(module)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), "", 0); err != nil {
		t.Fatalf("load %s: %v", module, err)
	}
	dir := t.TempDir()
	opts := "lowerdir=" + dir + "/lower,upperdir=" + dir + "/upper,workdir=" + dir + "/work"
	for _, d := range []string{"lower", "upper", "work", "merged"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	low, p := filepath.Join(dir, "lower/p"), filepath.Join(dir, "merged/p")
	if err := os.WriteFile(low, tinyELF(t, codeExit, "late"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("rdt-sensor", filepath.Dir(p), "overlay", 0, opts); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Unmount(filepath.Dir(p), unix.MNT_DETACH) })
	g := newGroup(t, w, 91)
	if err := g.command(p).Run(); err != nil {
		t.Fatal(err)
	}
	if s := w.wait(1, g.here(redoubt.EventExec))[0]; !s.Blind {
		t.Errorf("the first exec was looked through without the layout: %+v", s)
	}
	if err := g.command(p).Run(); err != nil {
		t.Fatal(err)
	}
	s := w.wait(2, g.here(redoubt.EventExec))[1]
	if s.Blind || s.Key.File != statKey(t, low) || s.Origin != redoubt.OriginImage {
		t.Errorf("second exec: %+v, the file is %+v", s, statKey(t, low))
	}
}
