package sensor

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/redoubt"
)

func TestScriptIsKnownByItsOwnFile(t *testing.T) {
	w := open(t, Config{})
	g := newGroup(t, w, 20)
	interp, wrong := program(t, "interp", codeExit), program(t, "wrong", codeExit)
	write := func(name, first string) string {
		p := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(p, []byte(first), 0o755); err != nil {
			t.Fatal(err)
		}
		return p
	}
	script := write("script", "#!"+interp+" -x\n")
	if err := g.command(script, "arg").Run(); err != nil {
		t.Fatal(err)
	}
	s := w.wait(1, g.here(redoubt.EventExec))[0]
	if s.Path != script || s.Interpreter != interp || s.Unread || s.Key.File != statKey(t, script) || s.Runs != statKey(t, interp) {
		t.Errorf("script sighting %+v", s)
	}
	if want := []string{interp, "-x", script, "arg"}; !slices.Equal(s.Args, want) {
		t.Errorf("args %q, want %q", s.Args, want)
	}

	// Its content decides, and a denied program stays denied as interpreter.
	other := write("script", "#!"+interp+"\n")
	clever := write("clever", "#!"+wrong+"\n")
	err := w.Replace(20, Mode{Exec: Deny}, []Rule{
		{Exec: &ExecKey{File: statKey(t, script)}, Action: Allow},
		{Exec: &ExecKey{File: statKey(t, clever)}, Action: Allow},
		{Exec: &ExecKey{File: statKey(t, wrong)}, Action: Deny},
	})
	if err != nil {
		t.Fatal(err)
	}
	if onMemory(t, interp) {
		// An interpreter that is not the image's needs a rule of its own.
		if err := g.command(script, "arg").Run(); err == nil {
			t.Error("an interpreter from memory ran without a rule")
		}
		if err := w.SetExec(20, ExecKey{File: statKey(t, interp), Parent: statKey(t, script)}, Allow); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.command(script, "arg").Run(); err != nil {
		t.Errorf("allowed script: %v", err)
	}
	if err := g.command(other).Run(); err == nil {
		t.Error("a script without a rule ran because its interpreter and name are known")
	}
	if err := g.command(clever).Run(); err == nil {
		t.Error("a denied program ran as interpreter of an allowed script")
	}
}

func TestScriptIsNotMistakenForAnother(t *testing.T) {
	w := open(t, Config{})
	g := newGroup(t, w, 28)
	interp := program(t, "interp", codeExit)
	write := func(first string) string {
		p := filepath.Join(t.TempDir(), "run.sh")
		if err := os.WriteFile(p, []byte(first), 0o755); err != nil {
			t.Fatal(err)
		}
		return p
	}
	known, evil := write("#!"+interp+"\n"), write("#!"+interp+" -evil\n")
	if err := w.SetExec(28, ExecKey{File: statKey(t, known)}, Allow); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "by-another-name")
	if err := os.Symlink(evil, link); err != nil {
		t.Fatal(err)
	}
	// The program the script takes the place of bears its name as well.
	namesake := filepath.Join(t.TempDir(), "run.sh")
	data, err := os.ReadFile(self(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(namesake, data, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, run := range [][]string{{evil}, {link}, {self(t), "act", "decoy", known, evil}, {namesake, "act", "decoy", known, link}} {
		cmd := g.command(run[0], run[1:]...)
		if err := cmd.Run(); err != nil {
			t.Fatalf("%q: %v", run, err)
		}
		s := w.wait(1, func(s *Sighting) bool {
			return g.here(redoubt.EventExec)(s) && s.PID == cmd.Process.Pid && s.Interpreter != ""
		})[0]
		if s.Path != evil || s.Key.File != statKey(t, evil) || s.Known || s.Unread {
			t.Errorf("%q: taken for %q, known %v, unread %v", run, s.Path, s.Known, s.Unread)
		}
	}
}

func onMemory(t *testing.T, path string) bool {
	t.Helper()
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		t.Fatal(err)
	}
	return st.Type == unix.TMPFS_MAGIC || st.Type == unix.RAMFS_MAGIC
}

func TestMemoryExecIsTold(t *testing.T) {
	w := open(t, Config{})
	g := newGroup(t, w, 21)
	fd, err := unix.MemfdCreate("hidden", 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "hidden")
	defer f.Close()
	if _, err := f.Write(tinyELF(t, codeExit, "memory")); err != nil {
		t.Fatal(err)
	}
	if err := g.command(fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), fd)).Run(); err != nil {
		t.Fatal(err)
	}
	s := w.wait(1, g.here(redoubt.EventExec))[0]
	if s.Origin != redoubt.OriginMemory || s.Path != "/memfd:hidden" {
		t.Errorf("memfd: origin %q, path %q", s.Origin, s.Path)
	}

	gone := program(t, "gone", codeExit)
	open, err := os.Open(gone)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	if err := os.Remove(gone); err != nil {
		t.Fatal(err)
	}
	if err := g.command(fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), open.Fd())).Run(); err != nil {
		t.Fatal(err)
	}
	if s := w.wait(2, g.here(redoubt.EventExec))[1]; s.Origin != redoubt.OriginMemory {
		t.Errorf("deleted file: origin %q, path %q", s.Origin, s.Path)
	}

	dir := t.TempDir()
	if err := unix.Mount("rdt-sensor", dir, "tmpfs", 0, ""); err != nil {
		t.Skipf("mount tmpfs: %v", err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	tmp := filepath.Join(dir, "tmp")
	if err := os.WriteFile(tmp, tinyELF(t, codeExit, "tmpfs"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := g.command(tmp).Run(); err != nil {
		t.Fatal(err)
	}
	if s := w.wait(3, g.here(redoubt.EventExec))[2]; s.Origin != redoubt.OriginMemory || s.Path != tmp {
		t.Errorf("tmpfs: origin %q, path %q", s.Origin, s.Path)
	}
}

func TestLoaderRunAsProgramIsNamed(t *testing.T) {
	const loader, inner = "/lib64/ld-linux-x86-64.so.2", "/bin/true"
	for _, p := range []string{loader, inner} {
		if _, err := os.Stat(p); err != nil {
			t.Skipf("%s is not here", p)
		}
	}
	w := open(t, Config{})
	g := newGroup(t, w, 22)
	if err := g.command(loader, inner).Run(); err != nil {
		t.Fatal(err)
	}
	if err := g.command(inner).Run(); err != nil {
		t.Fatal(err)
	}
	got := w.wait(2, g.here(redoubt.EventExec))
	if !got[0].Loader || got[0].Key.File != statKey(t, loader) || got[0].Args[1] != inner {
		t.Errorf("loader: %+v", got[0])
	}
	if got[1].Loader {
		t.Errorf("%s is no loader", got[1].Path)
	}
}

func TestHugeAndHostileArguments(t *testing.T) {
	w := open(t, Config{})
	g := newGroup(t, w, 23)
	p := program(t, "p", codeExit)
	// Linux takes 128 KiB an argument and, at the usual stack limit, 2 MiB of
	// them with the environment, never more than 6 MiB.
	huge := make([]string, 14)
	for i := range huge {
		huge[i] = strings.Repeat(string(rune('a'+i)), 128<<10-1)
	}
	hostile := []string{"\x1b]0;owned\a\x1b[2J", "\xff\xfe\x80", "a\nb\r\x7f", "", "\u202etxt.exe"}
	odd := filepath.Join(filepath.Dir(p), "\x1b[31m\xff\xfe")
	if err := os.Link(p, odd); err != nil {
		t.Fatal(err)
	}
	cmd := g.command(odd)
	cmd.Args = hostile
	cmd.Dir = filepath.Dir(p)
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if err := g.command(p, huge...).Run(); err != nil {
		t.Fatal(err)
	}
	got := w.wait(2, g.here(redoubt.EventExec))
	if !slices.Equal(got[0].Args, hostile) || got[0].Key.Args != HashArgs(hostile) || got[0].Path != odd {
		t.Errorf("hostile: path %q, args %q", got[0].Path, got[0].Args)
	}
	whole := append([]string{p}, huge...)
	if kept := strings.Join(got[1].Args, "\x00"); !got[1].Truncated || len(kept) != ArgsKept || !strings.HasPrefix(strings.Join(whole, "\x00"), kept) {
		t.Errorf("huge: truncated %v, %d bytes kept", got[1].Truncated, len(kept))
	}
	if got[1].Key.Args != HashArgs(whole) {
		t.Error("huge: the kernel's hash is not HashArgs")
	}
}

func TestHashArgsIsTheKernels(t *testing.T) {
	w := open(t, Config{})
	g := newGroup(t, w, 24)
	p := program(t, "p", codeExit)
	var want [][]string
	for _, n := range []int{0, 1, 6, 7, 8, 9, 15, 100, 4000, 4085, 4086, 4087, 4088, 4089, 4094, 4095, 4096, 4097, 9000} {
		args := []string{"p", strings.Repeat("x", n), "y"}
		want = append(want, args)
		cmd := g.command(p)
		cmd.Args = args
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
	}
	for i, s := range w.wait(len(want), g.here(redoubt.EventExec)) {
		if s.Key.Args != HashArgs(want[i]) {
			t.Errorf("argument of %d bytes: kernel %x, HashArgs %x", len(want[i][1]), s.Key.Args, HashArgs(want[i]))
		}
	}
}

func TestDeepPathIsCutNotLost(t *testing.T) {
	w := open(t, Config{})
	g := newGroup(t, w, 25)
	for _, c := range []struct {
		name string
		deep int
		elem string
		cut  bool
	}{{"24 components", 24, "d", false}, {"80 components", 80, "d", true}, {"long names", 14, strings.Repeat("n", 200), true}} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			deep := filepath.Join(dir, strings.Repeat(c.elem+"/", c.deep))
			if err := os.MkdirAll(deep, 0o755); err != nil {
				t.Fatal(err)
			}
			p := filepath.Join(deep, "prog")
			if err := os.WriteFile(p, tinyELF(t, codeExit, c.name), 0o755); err != nil {
				t.Fatal(err)
			}
			cmd := g.command(p)
			cmd.Dir = "/"
			if err := cmd.Run(); err != nil {
				t.Fatal(err)
			}
			key := statKey(t, p)
			s := w.wait(1, func(s *Sighting) bool { return g.here(redoubt.EventExec)(s) && s.Key.File == key })[0]
			if s.Truncated != c.cut || !c.cut && s.Path != p || c.cut && !strings.HasSuffix(p, s.Path) {
				t.Errorf("truncated %v, path %q", s.Truncated, s.Path)
			}
		})
	}
}

func TestNamespacesAreSeen(t *testing.T) {
	w := open(t, Config{})
	g := newGroup(t, w, 26)
	p := program(t, "p", codeExit)
	cmd := g.command(p)
	cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWPID | syscall.CLONE_NEWNS
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if s := w.wait(1, g.here(redoubt.EventExec))[0]; !s.Init || s.Entered || s.Runtime || s.PID != cmd.Process.Pid {
		t.Errorf("first of a pid namespace: %+v", s)
	}
	// The same from inside: a parent of the cgroup's own has not entered.
	if out, err := g.run(self(t), "act", "run", p); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	got := w.wait(3, g.here(redoubt.EventExec))
	if !got[1].Entered || got[2].Entered || got[2].Parent != got[1].PID || got[2].Ancestors[0].PID != got[1].PID {
		t.Errorf("entered %v then %v", got[1].Entered, got[2].Entered)
	}
}

func TestChrootPathIsAsTheProcessSeesIt(t *testing.T) {
	w := open(t, Config{})
	g := newGroup(t, w, 27)
	root := filepath.Dir(program(t, "p", codeExit))
	cmd := g.command("/p")
	cmd.SysProcAttr.Chroot = root
	cmd.Dir = "/"
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if s := w.wait(1, g.here(redoubt.EventExec))[0]; s.Path != "/p" || s.Cwd != "/" {
		t.Errorf("path %q, cwd %q", s.Path, s.Cwd)
	}
}
