package sensor

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/redoubt"
)

func TestOverlayLeadsToTheRealFile(t *testing.T) {
	base := t.TempDir()
	lower := filepath.Join(base, "lower")
	if err := os.Mkdir(lower, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"same", "chmodded", "replaced"} {
		if err := os.WriteFile(filepath.Join(lower, name), tinyELF(t, codeExit, base+name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var merged [2]string
	for i := range merged {
		dir := func(name string) string {
			p := filepath.Join(base, fmt.Sprint(name, i))
			if err := os.Mkdir(p, 0o755); err != nil {
				t.Fatal(err)
			}
			return p
		}
		merged[i] = dir("merged")
		opts := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", lower, dir("upper"), dir("work"))
		if err := unix.Mount("rdt-sensor", merged[i], "overlay", 0, opts); err != nil {
			t.Skipf("mount overlay: %v", err)
		}
		t.Cleanup(func() { unix.Unmount(merged[i], unix.MNT_DETACH) })
	}
	w := open(t, Config{})
	g := newGroup(t, w, 90)
	exec := func(dir, name string) Sighting {
		t.Helper()
		p := filepath.Join(dir, name)
		cmd := g.command(p)
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		return w.wait(1, func(s *Sighting) bool { return g.here(redoubt.EventExec)(s) && s.PID == cmd.Process.Pid })[0]
	}
	a, b := exec(merged[0], "same"), exec(merged[1], "same")
	if want := statKey(t, filepath.Join(lower, "same")); a.Key.File != want || b.Key.File != want || a.Origin != redoubt.OriginImage {
		t.Errorf("lower file is %+v; seen %+v (%s) and %+v", want, a.Key.File, a.Origin, b.Key.File)
	}
	in := merged[0]
	if err := os.WriteFile(filepath.Join(in, "new"), tinyELF(t, codeExit, "new"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(in, "chmodded"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(in, "replaced")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(in, "replaced"), tinyELF(t, codeExit, "other"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, shadows := range map[string]bool{"new": false, "chmodded": true, "replaced": false} {
		s := exec(in, name)
		if s.Origin != redoubt.OriginWritten || s.Shadows != shadows || s.Key.File != statKey(t, filepath.Join(base, "upper0", name)) {
			t.Errorf("%s: origin %q, shadows %v, file %+v", name, s.Origin, s.Shadows, s.Key.File)
		}
	}
}
