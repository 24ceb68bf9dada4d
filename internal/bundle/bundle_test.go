package bundle

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/redoubt"
)

func newStore(t testing.TB, l Limits) *Store { return openAt(t, t.TempDir(), l) }

func openAt(t testing.TB, dir string, l Limits) *Store {
	t.Helper()
	s, err := Open(dir, l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		if err := removeAll(dir); err != nil {
			t.Error(err)
		}
	})
	return s
}

func bytesOf(data []byte) Source { return FromReader(bytes.NewReader(data), int64(len(data))) }

func add(t testing.TB, s *Store, src Source) Info {
	t.Helper()
	info, err := s.Add(context.Background(), src)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// contents reads a tree as name → "mode data", or "→ target" for a link.
func contents(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(p, dir+"/")
		switch {
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(p)
			out[name] = "→ " + target
			return err
		case d.IsDir():
			out[name+"/"] = st.Mode().String()
			return nil
		}
		data, err := os.ReadFile(p)
		out[name] = st.Mode().String() + " " + string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// clean fails if a store has anything left of what it was adding.
func clean(t testing.TB, s *Store) {
	t.Helper()
	left, err := os.ReadDir(s.tmp())
	if err != nil || len(left) > 0 {
		t.Errorf("left in tmp: %v, %v", left, err)
	}
}

var app = []item{
	{name: "app.js", data: "exports.handler = async () => 1\n"},
	{name: "bin/tool", data: "#!/bin/sh\n", mode: 0o755 | fs.ModeSetuid},
	{name: "lib/a.js", data: "a", mode: 0o600},
	{name: "lib/b.js", link: "a.js"},
	{name: "lib/up", link: "../app.js"},
	{name: "lib/gone", link: "nowhere"},
}

var appTree = map[string]string{
	"app.js": "-r--r--r-- exports.handler = async () => 1\n",
	"bin/":   "dr-xr-xr-x", "bin/tool": "-r-xr-xr-x #!/bin/sh\n",
	"lib/": "dr-xr-xr-x", "lib/a.js": "-r--r--r-- a", "lib/b.js": "→ a.js", "lib/up": "→ ../app.js", "lib/gone": "→ nowhere",
}

func TestEveryFormGivesTheSameTree(t *testing.T) {
	s := newStore(t, Limits{})
	raw := tarOf(t, app...)
	file := filepath.Join(t.TempDir(), "app.zip")
	if err := os.WriteFile(file, zipOf(t, app...), 0o600); err != nil {
		t.Fatal(err)
	}
	dots := append([]item{{name: "./", mode: fs.ModeDir | 0o755}}, app...)
	for i := range dots[1:] {
		dots[i+1].name = "./" + dots[i+1].name
	}
	var first Info
	for name, src := range map[string]Source{
		"folder": FromDir(dirOf(t, app...)), "zip file": FromFile(file), "zip": bytesOf(zipOf(t, app...)),
		"tar": bytesOf(raw), "tar.gz": bytesOf(gzipOf(t, raw)), "tar.zst": bytesOf(zstdOf(t, raw)),
		"tar with dots": bytesOf(tarOf(t, dots...)), "unknown size": FromReader(bytes.NewReader(raw), -1),
	} {
		info := add(t, s, src)
		if first.Digest == "" {
			first = info
			path, err := s.Path(info.Digest)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(appTree, contents(t, path)); d != "" {
				t.Error(d)
			}
		}
		if info.Digest != first.Digest || info.Files != 6 || info.Unpacked != 43 || info.Image != nil {
			t.Errorf("%s: %+v, first %+v", name, info, first)
		}
	}
	clean(t, s)
	if all, _ := s.List(); len(all) != 1 {
		t.Errorf("%d bundles, want 1", len(all))
	}
}

func TestDigestIsOfEverythingThatMatters(t *testing.T) {
	s := newStore(t, Limits{})
	seen := map[redoubt.Digest]string{}
	for name, items := range map[string][]item{
		"plain":       {{name: "a", data: "1"}},
		"content":     {{name: "a", data: "2"}},
		"name":        {{name: "b", data: "1"}},
		"executable":  {{name: "a", data: "1", mode: 0o755}},
		"link":        {{name: "a", link: "1"}},
		"link target": {{name: "a", link: "2"}},
		"empty dir":   {{name: "a", data: "1"}, {name: "d", mode: fs.ModeDir | 0o755}},
		"case":        {{name: "a", data: "1"}, {name: "A", data: "1"}},
	} {
		d := add(t, s, bytesOf(tarOf(t, items...))).Digest
		if other, same := seen[d]; same {
			t.Errorf("%s and %s have the same digest", name, other)
		}
		seen[d] = name
	}
	want := add(t, s, bytesOf(tarOf(t, item{name: "a", data: "1", mode: 0o640})))
	if seen[want.Digest] != "plain" {
		t.Error("who may read it changed the digest")
	}
}

func TestS7_ChangedCodeIsNoticed(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: others cannot write to a sealed tree anyway")
	}
	old := time.Now().Add(-time.Minute)
	for name, change := range map[string]func(tree string) error{
		"content of the same size": func(tree string) error {
			f := filepath.Join(tree, "app.js")
			if err := os.WriteFile(f, []byte("exports.handler = async () => 2\n"), 0); err != nil {
				return err
			}
			return os.Chtimes(f, old, old)
		},
		"mode":         func(tree string) error { return os.Chmod(filepath.Join(tree, "lib/a.js"), 0o555) },
		"mode of root": func(tree string) error { return os.Chmod(tree, 0o777) },
		"new file":     func(tree string) error { return os.WriteFile(filepath.Join(tree, "lib/c.js"), nil, 0o444) },
		"removed":      func(tree string) error { return os.Remove(filepath.Join(tree, "app.js")) },
		"link": func(tree string) error {
			l := filepath.Join(tree, "lib/b.js")
			os.Remove(l)
			return os.Symlink("/etc/passwd", l)
		},
		"pipe": func(tree string) error { return unix.Mkfifo(filepath.Join(tree, "p"), 0o444) },
		"replaced by a copy": func(tree string) error {
			n := filepath.Join(tree, "n")
			if err := os.WriteFile(n, []byte("evil"), 0o444); err != nil {
				return err
			}
			return os.Rename(n, filepath.Join(tree, "app.js"))
		},
	} {
		for _, trusted := range []bool{false, true} {
			s := newStore(t, Limits{})
			info := add(t, s, bytesOf(tarOf(t, app...)))
			path, err := s.Path(info.Digest)
			if err != nil {
				t.Fatal(err)
			}
			if trusted { // as if the tree had settled long ago
				_, _, now, err := measure(context.Background(), path, nil, false)
				if err != nil {
					t.Fatal(err)
				}
				s.known[info.Digest] = &known{stamp: now, valid: true}
				if err := s.Verify(context.Background(), info.Digest); err != nil || !s.known[info.Digest].valid {
					t.Fatalf("unchanged: %v", err)
				}
			}
			if err := change(path); err != nil {
				t.Fatal(name, err)
			}
			for range 2 {
				if _, err := s.Path(info.Digest); !fault.Is(err, fault.Denied) {
					t.Errorf("%s, trusted %v: %v", name, trusted, err)
				}
			}
			again := add(t, s, bytesOf(tarOf(t, app...)))
			if _, err := s.Path(info.Digest); err != nil || again.Digest != info.Digest {
				t.Errorf("%s: added again: %v", name, err)
			}
			clean(t, s)
		}
	}
}

func TestTouchedButEqualCodeStays(t *testing.T) {
	s := newStore(t, Limits{})
	info := add(t, s, bytesOf(tarOf(t, app...)))
	path, err := s.Path(info.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(filepath.Join(path, "app.js"), time.Now(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(context.Background(), info.Digest); err != nil {
		t.Error(err)
	}
}

func TestChangedFileIsNamed(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: others cannot write to a sealed tree anyway")
	}
	s := newStore(t, Limits{})
	info := add(t, s, bytesOf(tarOf(t, app...)))
	// The clock of a file system may tick more slowly than ours.
	for deadline := time.Now().Add(10 * time.Second); ; {
		if err := os.WriteFile(filepath.Join(s.place(info.Digest), treeName, "lib/a.js"), []byte("evil"), 0); err != nil {
			t.Fatal(err)
		}
		_, err := s.Path(info.Digest)
		if err != nil && strings.Contains(err.Error(), "/lib/a.js") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func TestFreshTreeIsNotTrustedByItsTimes(t *testing.T) {
	s := newStore(t, Limits{})
	info := add(t, s, bytesOf(tarOf(t, app...)))
	s.infos[info.Digest] = info
	if err := s.Verify(context.Background(), info.Digest); err != nil {
		t.Fatal(err)
	}
	_, _, now, err := measure(context.Background(), filepath.Join(s.place(info.Digest), treeName), nil, false)
	if err != nil {
		t.Fatal(err)
	}
	if s.known[info.Digest].valid && time.Since(now.newest) < settled {
		t.Error("a change in the same tick would go unnoticed")
	}
}

func TestRemoveAsksWhoNeedsIt(t *testing.T) {
	s := newStore(t, Limits{})
	info := add(t, s, bytesOf(tarOf(t, app...)))
	asked := redoubt.Digest("")
	err := s.Remove(info.Digest, func(d redoubt.Digest) bool { asked = d; return true })
	if !fault.Is(err, fault.Conflict) || asked != info.Digest {
		t.Errorf("needed: %v", err)
	}
	if _, err := s.Path(info.Digest); err != nil {
		t.Errorf("needed, but gone: %v", err)
	}
	if err := s.Remove(info.Digest, func(redoubt.Digest) bool { return false }); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Path(info.Digest); !fault.Is(err, fault.NotFound) {
		t.Errorf("removed: %v", err)
	}
	if err := s.Remove(info.Digest, nil); !fault.Is(err, fault.NotFound) {
		t.Errorf("removed twice: %v", err)
	}
	if left, _ := os.ReadDir(s.bundles()); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	clean(t, s)
}

func TestOpenCleansWhatWasKilled(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir, Limits{})
	info := add(t, s, bytesOf(tarOf(t, app...)))
	half := filepath.Join(s.tmp(), "add-1", treeName, "deep")
	if err := os.MkdirAll(half, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(half, "f"), nil, 0o444); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{half, filepath.Dir(half)} {
		if err := os.Chmod(d, 0o555); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(dir, Limits{}); !fault.Is(err, fault.Conflict) {
		t.Errorf("opened twice: %v", err)
	}
	s.Close()
	again := openAt(t, dir, Limits{})
	clean(t, again)
	got, _ := again.List()
	if d := cmp.Diff([]Info{info}, got); d != "" {
		t.Error(d)
	}
	if _, err := again.Path(info.Digest); err != nil {
		t.Error(err)
	}
}

func TestManyAddTheSameAtOnce(t *testing.T) {
	s := newStore(t, Limits{})
	data := tarOf(t, app...)
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			own := tarOf(t, item{name: "own", data: fmt.Sprint(i)})
			for _, d := range [][]byte{data, own} {
				info, err := s.Add(context.Background(), bytesOf(d))
				if err == nil {
					_, err = s.Path(info.Digest)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if all, _ := s.List(); len(all) != 7 {
		t.Errorf("%d bundles, want 7", len(all))
	}
	clean(t, s)
}

func TestFullDiskLeavesNothing(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: it mounts a small disk")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("mount a small disk: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	s, err := Open(filepath.Join(dir, "store"), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	big := strings.Repeat("0123456789abcdef", 4<<20/16)
	for name, src := range map[string]Source{
		"tar": bytesOf(gzipOf(t, tarOf(t, item{name: "big", data: big}))), "upload": bytesOf([]byte(big)),
		"folder": FromDir(dirOf(t, item{name: "big", data: big})),
	} {
		if _, err := s.Add(context.Background(), src); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "full") {
			t.Errorf("%s: %v", name, err)
		}
		clean(t, s)
	}
	add(t, s, bytesOf(tarOf(t, app...)))
}

func TestCancelledAddLeavesNothing(t *testing.T) {
	s := newStore(t, Limits{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Add(ctx, bytesOf(zipOf(t, app...))); err == nil || ctx.Err() == nil {
		t.Error(err)
	}
	clean(t, s)
}

func TestLambdaSizedBundleFits(t *testing.T) {
	s := newStore(t, Limits{})
	most := s.limits.Unpacked
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "data"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(most); err != nil { // a hole: read as zeros, and copied as such
		t.Fatal(err)
	}
	if info := add(t, s, FromDir(dir)); info.Unpacked != most {
		t.Errorf("%d bytes", info.Unpacked)
	}
	if err := f.Truncate(most + 1); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Add(context.Background(), FromDir(dir)); !fault.Is(err, fault.Limited) || !strings.Contains(err.Error(), "250 MiB") {
		t.Error(err)
	}
	clean(t, s)
}
