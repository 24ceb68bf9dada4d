package fileid

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/redoubt"
)

// union is a real overlay mount over two layers and a writable one.
type union struct {
	*redoubt.Workload
	merged string
}

func mount(t *testing.T) union {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to mount")
	}
	dir := t.TempDir()
	for _, d := range []string{"low", "mid", "up", "work", "merged"} {
		must(t, os.Mkdir(filepath.Join(dir, d), 0o755))
	}
	in := func(d string) string { return filepath.Join(dir, d) }
	write(t, in("low")+"/bin/tool", "tool")
	write(t, in("low")+"/bin/shadowed", "old")
	write(t, in("low")+"/etc/app/old.conf", "old")
	write(t, in("mid")+"/bin/shadowed", "new")
	write(t, in("mid")+"/bin/extra", "extra")
	must(t, os.Symlink("bin", in("low")+"/sbin"))
	options := fmt.Sprintf("lowerdir=%s:%s,upperdir=%s,workdir=%s", in("mid"), in("low"), in("up"), in("work"))
	must(t, unix.Mount("overlay", in("merged"), "overlay", 0, options))
	t.Cleanup(func() { unix.Unmount(in("merged"), unix.MNT_DETACH) })
	w := &redoubt.Workload{Layers: []string{in("mid"), in("low")}, Upper: in("up"), Merged: in("merged")}
	w.Kind = redoubt.KindContainer
	return union{w, in("merged")}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(name), 0o755))
	must(t, os.WriteFile(name, []byte(text), 0o755))
}

func read(t *testing.T, w *redoubt.Workload, name string) string {
	t.Helper()
	f, _, err := Open(w, 0, name)
	if err != nil {
		return "error: " + fault.Of(err).String()
	}
	defer f.Close()
	b := make([]byte, 64)
	n, _ := f.Read(b)
	return string(b[:n])
}

func TestLayersShowWhatTheKernelShows(t *testing.T) {
	u := mount(t)
	m := u.merged
	must(t, os.Remove(m+"/bin/extra"))                // whiteout
	must(t, os.RemoveAll(m+"/etc/app"))               // whiteout of a directory
	must(t, os.Mkdir(m+"/etc/app", 0o755))            // opaque
	write(t, m+"/etc/app/new.conf", "fresh")          //
	must(t, os.Chmod(m+"/bin/tool", 0o700))           // copy-up
	must(t, os.Link(m+"/bin/tool", m+"/bin/alias"))   // hard link
	must(t, os.Symlink("/sbin/../bin/tool", m+"/go")) // link through a link
	must(t, os.Symlink("loop", m+"/loop"))            //
	must(t, os.Symlink("../../../../../etc/passwd", m+"/escape"))
	must(t, os.Symlink("/etc/passwd", m+"/bin/absolute"))
	must(t, os.Symlink("/", m+"/rootlink"))
	must(t, unix.Mkfifo(m+"/bin/pipe", 0o755))
	must(t, os.Rename(m+"/bin/shadowed", m+"/bin/moved"))
	must(t, unix.Setxattr(m+"/bin", "user.overlay.opaque", []byte("y"), 0))
	for name, want := range map[string]string{
		"/bin/tool":                        "tool",
		"bin/tool":                         "tool",
		"//bin/./tool":                     "tool",
		"/sbin/tool":                       "tool",
		"/bin/alias":                       "tool",
		"/go":                              "tool",
		"/rootlink/rootlink/bin/tool":      "tool",
		"/../../bin/tool":                  "tool",
		"/bin/moved":                       "new",
		"/bin/shadowed":                    "error: not found",
		"/bin/extra":                       "error: not found",
		"/etc/app/new.conf":                "fresh",
		"/etc/app/old.conf":                "error: not found",
		"/loop":                            "error: invalid",
		"/escape":                          "error: not found",
		"/bin/absolute":                    "error: not found",
		"/bin/pipe":                        "error: invalid",
		"/bin":                             "error: invalid",
		"/":                                "error: not found",
		"":                                 "error: not found",
		"/bin/tool/deeper":                 "error: not found",
		"/bin/" + strings.Repeat("x", 300): "error: invalid",
		"/bin/a\x00b":                      "error: invalid",
		strings.Repeat("/x", 4096):         "error: invalid",
	} {
		if got := read(t, u.Workload, name); got != want {
			t.Errorf("%.60q: %q, want %q", name, got, want)
		}
	}
}

// The kernel is the judge: what Real says of a file open on the union must be
// the very file below, which a hard link count alone could not tell.
func TestRealKeyIsTheFileBelow(t *testing.T) {
	u := mount(t)
	m := u.merged
	must(t, os.Chmod(m+"/bin/tool", 0o700))
	write(t, m+"/bin/fresh", "fresh")
	for name, below := range map[string]string{
		"/bin/tool":     u.Upper + "/bin/tool", // copied up: fstat still shows the lower inode
		"/bin/fresh":    u.Upper + "/bin/fresh",
		"/bin/shadowed": u.Layers[0] + "/bin/shadowed",
	} {
		f, err := os.Open(m + name)
		must(t, err)
		defer f.Close()
		key, exact, err := Real(u.Workload, f)
		must(t, err)
		if want := keyAt(t, below); key != want || !exact {
			t.Errorf("%s: %+v exact %v, want %+v", name, key, exact, want)
		}
		_, located, err := Locate(u.Workload, name)
		must(t, err)
		if located != key {
			t.Errorf("%s: located %+v, real %+v", name, located, key)
		}
	}
	f, err := os.Open(m + "/bin/fresh")
	must(t, err)
	defer f.Close()
	want := keyAt(t, u.Upper+"/bin/fresh")
	must(t, os.Remove(m+"/bin/fresh"))
	key, exact, err := Real(u.Workload, f)
	if err != nil || exact || key.Dev != want.Dev || key.Ino != want.Ino {
		t.Errorf("deleted: %+v exact %v %v, want inode of %+v", key, exact, err, want)
	}
}

func keyAt(t *testing.T, name string) redoubt.FileKey {
	t.Helper()
	f, err := os.Open(name)
	must(t, err)
	defer f.Close()
	key, err := Key(f)
	must(t, err)
	return key
}

func TestLayerThatNeedsTheKernelIsRefused(t *testing.T) {
	u := mount(t)
	name := u.Upper + "/bin/tool"
	write(t, name, "")
	must(t, unix.Setxattr(name, "trusted.overlay.metacopy", nil, 0))
	if got := read(t, u.Workload, "/bin/tool"); got != "error: unsupported" {
		t.Errorf("got %q: a hash of that would be a hash of nothing", got)
	}
}

func FuzzFindStaysInside(f *testing.F) {
	dir := f.TempDir()
	os.MkdirAll(dir+"/l/a/b", 0o755)
	os.WriteFile(dir+"/l/a/b/file", []byte("in"), 0o644)
	os.WriteFile(dir+"/outside", []byte("out"), 0o644)
	for _, s := range []string{"/a/b/file", "../outside", "a/../../../outside", "//", "\x00", "a/b/file/.."} {
		f.Add(s, "../../outside")
	}
	f.Fuzz(func(t *testing.T, name, target string) {
		link := dir + "/l/a/link"
		os.Remove(link)
		os.Symlink(target, link)
		for _, n := range []string{name, "/a/link", "/a/link/" + name} {
			got, err := layers{dir + "/l"}.find(n)
			if err != nil {
				continue
			}
			real := nameOf(got.file)
			got.file.Close()
			if real != dir+"/l" && !strings.HasPrefix(real, dir+"/l/") {
				t.Errorf("%q with a link to %q left for %q", n, target, real)
			}
		}
	})
}

func TestDigestsRememberContentNotNames(t *testing.T) {
	dir := t.TempDir()
	name := dir + "/f"
	write(t, name, "one")
	d := NewDigests()
	settle(d)
	opens := 0
	ask := func() (Sum, redoubt.FileKey) {
		t.Helper()
		key := keyAt(t, name)
		sum, err := d.Of(key, func() (*os.File, error) { opens++; return os.Open(name) })
		must(t, err)
		return sum, key
	}
	first, key := ask()
	if want := redoubt.Digest("sha256:7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"); first.Digest != want || !first.Stable {
		t.Fatalf("got %+v", first)
	}
	ask()
	if opens != 1 {
		t.Errorf("opened %d times", opens)
	}
	must(t, os.Link(name, dir+"/g"))
	if again, changed := ask(); again.Digest != first.Digest || changed == key {
		t.Errorf("a hard link changes the time, not the content: %+v %+v", again, changed)
	}
	write(t, name, "two")
	if second, _ := ask(); second.Digest == first.Digest {
		t.Error("new content, old digest")
	}
	if _, err := d.Of(key, func() (*os.File, error) { return os.Open("/proc/version") }); err != nil {
		t.Error("a key seen before needs no file:", err)
	}
	stale := key
	stale.Ctime++
	if _, err := d.Of(stale, func() (*os.File, error) { return os.Open(name) }); !fault.Is(err, fault.Conflict) {
		t.Errorf("another file under the name: %v", err)
	}
	if _, ok := d.Known(key); !ok {
		t.Error("forgot")
	}
}

// settle makes files written just now count as old.
func settle(d *Digests) { d.now = func() time.Time { return time.Now().Add(time.Second) } }

func TestFreshOrWritableContentIsNotRemembered(t *testing.T) {
	name := t.TempDir() + "/f"
	write(t, name, "one")
	d := NewDigests()
	d.now = func() time.Time { return time.Unix(0, keyAt(t, name).Ctime).Add(racy / 2) }
	of := func() Sum {
		sum, err := d.Of(keyAt(t, name), func() (*os.File, error) { return os.Open(name) })
		must(t, err)
		return sum
	}
	if of().Stable {
		t.Error("written within the clock's grain")
	}
	settle(d)
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	must(t, err)
	page, err := unix.Mmap(int(f.Fd()), 0, 3, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	must(t, err)
	f.Close()
	page[0] = 'x' // the page is dirty: later stores leave no trace in the change time
	before := of()
	key := keyAt(t, name)
	page[0] = 'y'
	if after := of(); before.Stable || before.Digest == after.Digest || keyAt(t, name) != key {
		t.Errorf("mapped for writing: %+v then %+v", before, after)
	}
	must(t, unix.Munmap(page))
	if !of().Stable {
		t.Error("nobody can write any more")
	}
}

// A mapping made through a union belongs to the file below: it outlives the
// writer's descriptor, and the union's own file shows no trace of it.
func TestWriterThroughUnionShowsBelow(t *testing.T) {
	u := mount(t)
	name := u.merged + "/bin/mapped"
	write(t, name, "one")
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	must(t, err)
	page, err := unix.Mmap(int(f.Fd()), 0, 3, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	must(t, err)
	must(t, f.Close())
	page[0] = 'x'
	of := func() Sum {
		t.Helper()
		d := NewDigests()
		settle(d)
		on, err := os.Open(name)
		must(t, err)
		below, key, err := Below(u.Workload, on)
		must(t, err)
		if below == on || key != keyAt(t, u.Upper+"/bin/mapped") {
			t.Fatalf("not the file below: %s %+v", below.Name(), key)
		}
		through, err := d.Of(key, func() (*os.File, error) { return on, nil })
		must(t, err)
		if through.Stable {
			t.Error("read through the union and called stable")
		}
		sum, err := d.Of(key, func() (*os.File, error) { return below, nil })
		must(t, err)
		return sum
	}
	if of().Stable {
		t.Error("a hidden writer was missed")
	}
	must(t, unix.Munmap(page))
	if !of().Stable {
		t.Error("nobody writes any more")
	}
}

func TestHugeAndOddFilesAreRefused(t *testing.T) {
	dir := t.TempDir()
	huge := dir + "/huge"
	write(t, huge, "")
	must(t, os.Truncate(huge, maxSize+1))
	d := NewDigests()
	if _, err := d.Of(keyAt(t, huge), func() (*os.File, error) { return os.Open(huge) }); !fault.Is(err, fault.Limited) {
		t.Errorf("huge: %v", err)
	}
	if _, err := d.Of(keyAt(t, dir), func() (*os.File, error) { return os.Open(dir) }); !fault.Is(err, fault.Invalid) {
		t.Errorf("directory: %v", err)
	}
	broken := errors.New("broken")
	if _, err := d.Of(redoubt.FileKey{Ino: 1}, func() (*os.File, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Errorf("open fails: %v", err)
	}
	func() {
		defer func() { recover() }()
		d.Of(redoubt.FileKey{Ino: 2}, func() (*os.File, error) { panic("x") })
	}()
	if _, err := d.Of(redoubt.FileKey{Ino: 2}, func() (*os.File, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Errorf("after a panic: %v", err)
	}
}

func TestCacheIsBounded(t *testing.T) {
	d := NewDigests()
	for i := range maxCached + 10 {
		key := redoubt.FileKey{Ino: uint64(i)}
		d.finish(key, &reading{done: make(chan struct{}), sum: Sum{"sha256:x", true}})
	}
	if len(d.byKey) != maxCached || d.recent.Len() != maxCached {
		t.Errorf("%d remembered", len(d.byKey))
	}
	if _, ok := d.Known(redoubt.FileKey{Ino: 0}); ok {
		t.Error("the oldest is still there")
	}
}

func TestFindFindsCopiesUnderAnyName(t *testing.T) {
	u := mount(t)
	write(t, u.merged+"/opt/innocent", "tool")
	must(t, os.Symlink("/", u.Upper+"/hostile"))
	d := NewDigests()
	settle(d)
	sum, err := d.Of(keyAt(t, u.Layers[1]+"/bin/tool"), func() (*os.File, error) { return os.Open(u.Layers[1] + "/bin/tool") })
	must(t, err)
	got := d.Find(t.Context(), u.Workload, []string{"/bin", "/opt", "/hostile/bin", "/../../.."}, map[redoubt.Digest]bool{sum.Digest: true})
	var names []string
	for _, m := range got {
		names = append(names, strings.TrimPrefix(m.Path, filepath.Dir(u.Upper)))
	}
	for _, want := range []string{"/up/opt/innocent", "/low/bin/tool"} {
		if !strings.Contains(strings.Join(names, " "), want) {
			t.Errorf("found %q, want %s", names, want)
		}
	}
	for _, n := range names {
		if strings.Contains(n, "shadowed") || strings.Contains(n, "hostile") {
			t.Errorf("found %q", n)
		}
	}
}
