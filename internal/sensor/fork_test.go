package sensor

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"redoubt.dev/redoubt/internal/redoubt"
)

// A process whose forker has ended, or that made itself its forker's sibling,
// is held to who forked it; what the adopter or the real parent may start is
// not for it.
func TestR19_WhoForkedIsTheParentNotWhoAdopted(t *testing.T) {
	w := open(t, Config{})
	sh, err := filepath.EvalSymlinks("/bin/sh")
	if err != nil {
		t.Skip("no shell on this machine")
	}
	p := program(t, "p", codeExit)
	file, shell, me := statKey(t, p), statKey(t, sh), statKey(t, self(t))
	orphan := fmt.Sprintf(`echo $$; (while [ -d /proc/$$ ]; do :; done; exec %s) >/dev/null 2>&1 &`, p)
	for _, c := range []struct {
		name   string
		run    []string
		parent redoubt.FileKey
	}{
		{"orphan", []string{"/bin/sh", "-c", orphan}, shell},
		{"sibling", []string{self(t), "act", "sibling", p}, me},
	} {
		for _, allowed := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s allowed=%v", c.name, allowed), func(t *testing.T) {
				g := newGroup(t, w, 11)
				parent := c.parent
				if !allowed { // what adopts is another program, and it may start it
					parent = redoubt.FileKey{Dev: 1, Ino: 1}
				}
				if err := w.Replace(11, Mode{}, []Rule{
					{Exec: &ExecKey{File: file}, Action: Deny},
					{Exec: &ExecKey{File: file, Parent: parent}, Action: Allow},
				}); err != nil {
					t.Fatal(err)
				}
				out, err := g.command(c.run[0], c.run[1:]...).Output()
				if err != nil {
					t.Fatal(err)
				}
				var forker int
				if _, err := fmt.Sscan(string(out), &forker); err != nil {
					t.Fatalf("%q: %v", out, err)
				}
				s := w.wait(1, func(s *Sighting) bool {
					return s.Kind == redoubt.EventExec && s.Cgroup == g.id && s.Key.File == file
				})[0]
				if s.Parent != forker || s.Key.Parent != c.parent || (s.Denied == "") != allowed {
					t.Errorf("parent %d %+v, denied by %q; forked by %d %+v", s.Parent, s.Key.Parent, s.Denied, forker, c.parent)
				}
				if !allowed {
					return
				}
				if len(s.Ancestors) == 0 || s.Ancestors[0].PID != forker || s.Ancestors[0].File != c.parent || !s.Known {
					t.Errorf("ancestors %+v, known %v", s.Ancestors, s.Known)
				}
			})
		}
	}
}

// A forker that becomes another program stays what it was to those it forked.
func TestR19_ForkerIsToldAsItWasAtTheFork(t *testing.T) {
	w := open(t, Config{})
	sh, err := filepath.EvalSymlinks("/bin/sh")
	if err != nil {
		t.Skip("no shell on this machine")
	}
	g := newGroup(t, w, 12)
	p := program(t, "p", codeExit)
	script := fmt.Sprintf(`(while [ "$(readlink /proc/$$/exe)" = %s ]; do :; done; exec %s) & exec %s act wait`, sh, p, self(t))
	cmd := g.command("/bin/sh", "-c", script)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := w.wait(1, func(s *Sighting) bool {
		return s.Kind == redoubt.EventExec && s.Cgroup == g.id && s.Key.File == statKey(t, p)
	})[0]
	in.Close()
	cmd.Wait()
	if s.Parent != cmd.Process.Pid || s.Key.Parent != statKey(t, sh) {
		t.Errorf("parent %d %+v, want %d, the shell", s.Parent, s.Key.Parent, cmd.Process.Pid)
	}
}
