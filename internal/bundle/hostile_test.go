package bundle

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"encoding/binary"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/fault"
)

const dirMode = fs.ModeDir | 0o755

// refused fails unless the bundle is refused with that reason and nothing is
// left of it.
func refused(t *testing.T, s *Store, src Source, kind fault.Kind, why string) {
	t.Helper()
	_, err := s.Add(context.Background(), src)
	if !fault.Is(err, kind) || !strings.Contains(err.Error(), why) {
		t.Errorf("got %v, want %s with %q", err, kind, why)
	}
	clean(t, s)
	if left, _ := os.ReadDir(s.bundles()); len(left) > 0 {
		t.Errorf("kept: %v", left)
	}
}

func TestHostileEntriesAreRefused(t *testing.T) {
	s := newStore(t, Limits{Path: 100, Depth: 5})
	file := item{name: "a", data: "x"}
	for _, c := range []struct {
		name  string
		items []item
		kind  fault.Kind
		why   string
		only  string // one format alone can say it
	}{
		{"traversal", []item{{name: "../evil", data: "x"}}, fault.Invalid, "leads out", ""},
		{"traversal inside", []item{{name: "a/../../evil", data: "x"}}, fault.Invalid, "leads out", ""},
		{"absolute", []item{{name: "/etc/passwd", data: "x"}}, fault.Invalid, "absolute", ""},
		{"backslash", []item{{name: `..\evil`, data: "x"}}, fault.Invalid, "backslash", ""},
		{"too long", []item{{name: strings.Repeat("a/", 60) + "a", data: ""}}, fault.Limited, "longer than 100", ""},
		{"too deep", []item{{name: "1/2/3/4/5/6", data: "x"}}, fault.Limited, "deeper than 5", ""},
		{"twice", []item{file, file}, fault.Invalid, "twice", ""},
		{"twice by another name", []item{file, {name: "./a", data: "y"}}, fault.Invalid, "twice", ""},
		{"file and directory", []item{file, {name: "a/b", data: "x"}}, fault.Invalid, "a directory, too", ""},
		{"directory and file", []item{{name: "a/b", data: "x"}, file}, fault.Invalid, "twice", ""},
		{"absolute link", []item{{name: "l", link: "/etc/passwd"}}, fault.Invalid, "leads out", ""},
		{"link up", []item{{name: "l", link: "../x"}, file}, fault.Invalid, "leads out", ""},
		{"link through a link", []item{{name: "d/e/x", link: "../.."}, {name: "d/e/y", link: "x/../etc"}}, fault.Invalid, "leads out", ""},
		{"link in a circle", []item{{name: "x", link: "y"}, {name: "y", link: "x"}}, fault.Invalid, "circle", ""},
		{"write through a link", []item{{name: "l", link: "."}, {name: "l/evil", data: "x"}}, fault.Invalid, "a directory, too", ""},
		{"write over a link", []item{{name: "l", link: "a"}, {name: "l", data: "x"}}, fault.Invalid, "twice", ""},
		{"long target", []item{{name: "l", link: strings.Repeat("a", 5000)}}, fault.Invalid, "could be a path", ""},
		{"hard link out", []item{{name: "h", link: "../../etc/passwd", hard: true}}, fault.Invalid, "leads out", "tar"},
		{"hard link to nothing", []item{{name: "h", link: "etc/passwd", hard: true}}, fault.Invalid, "no file before", "tar"},
		{"hard link to a link", []item{{name: "l", link: "x"}, {name: "h", link: "l", hard: true}}, fault.Invalid, "no file before", "tar"},
		{"character device", []item{{name: "d", mode: fs.ModeCharDevice | fs.ModeDevice | 0o666}}, fault.Invalid, "device", ""},
		{"block device", []item{{name: "d", mode: fs.ModeDevice | 0o666}}, fault.Invalid, "device", "tar"},
		{"pipe", []item{{name: "d", mode: fs.ModeNamedPipe | 0o666}}, fault.Invalid, "device, pipe", ""},
		{"nothing", nil, fault.Invalid, "", "zip"},
		{"root only", []item{{name: "./", mode: dirMode}}, fault.Invalid, "no file", "tar"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.only != "zip" {
				refused(t, s, bytesOf(tarOf(t, c.items...)), c.kind, c.why)
			}
			if c.only != "tar" {
				refused(t, s, bytesOf(zipOf(t, c.items...)), c.kind, c.why)
			}
		})
	}
}

func TestHonestNeighboursPass(t *testing.T) {
	s := newStore(t, Limits{Path: 100, Depth: 5})
	for name, items := range map[string][]item{
		"dots in names":   {{name: "..a/b..", data: "x"}, {name: "...", data: "x"}},
		"deepest":         {{name: "1/2/3/4/5", data: "x"}},
		"directory twice": {{name: "d/", mode: dirMode}, {name: "d/", mode: dirMode}, {name: "d/f", data: "x"}},
		"case":            {{name: "README", data: "x"}, {name: "readme", data: "y"}},
		"link to a dir":   {{name: "node_modules/.bin/x", link: "../x/cli.js"}, {name: "node_modules/x/cli.js", data: "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			if a, b := add(t, s, bytesOf(tarOf(t, items...))), add(t, s, bytesOf(zipOf(t, items...))); a.Digest != b.Digest {
				t.Error("tar and zip differ")
			}
		})
	}
	hard := add(t, s, bytesOf(tarOf(t, item{name: "a", data: "x"}, item{name: "b", link: "a", hard: true})))
	plain := add(t, s, bytesOf(tarOf(t, item{name: "a", data: "x"}, item{name: "b", data: "x"})))
	if hard.Digest != plain.Digest {
		t.Error("a hard link is not the file it names")
	}
}

func TestFolderIsNoTrap(t *testing.T) {
	s := newStore(t, Limits{})
	dir := dirOf(t, item{name: "a", data: "x"})
	for name, make := range map[string]func(at string) error{
		"pipe":      func(at string) error { return unix.Mkfifo(at, 0o644) },
		"link out":  func(at string) error { return os.Symlink("/etc/passwd", at) },
		"link up":   func(at string) error { return os.Symlink("../../../etc/passwd", at) },
		"to itself": func(at string) error { return os.Symlink("trap", at) },
	} {
		t.Run(name, func(t *testing.T) {
			at := filepath.Join(dir, "trap")
			if err := make(at); err != nil {
				t.Fatal(err)
			}
			defer os.Remove(at)
			refused(t, s, FromDir(dir), fault.Invalid, "trap")
		})
	}
	add(t, s, FromDir(dir))
	refusedFile := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(refusedFile, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Add(context.Background(), FromFile(refusedFile)); !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
}

func TestWhatIsNoArchiveIsRefused(t *testing.T) {
	s := newStore(t, Limits{})
	whole := gzipOf(t, tarOf(t, item{name: "a", data: strings.Repeat("x", 10000)}))
	broken := bytes.Clone(zipOf(t, item{name: "a", data: strings.Repeat("xyz", 10000)}))
	broken[60] ^= 0xff
	badSum := bytes.Clone(whole)
	badSum[len(badSum)-6] ^= 0xff
	for name, c := range map[string]struct {
		data []byte
		why  string
	}{
		"0 bytes":      {nil, "empty"},
		"text":         {[]byte("hello"), "no zip, tar"},
		"cut":          {whole[:len(whole)/2], "damaged"},
		"bad checksum": {badSum, "damaged"},
		"broken zip":   {broken, "damaged"},
		"only magic":   {[]byte("PK\x03\x04"), "damaged"},
		"gzip magic":   {[]byte("\x1f\x8b"), "damaged"},
		"zstd magic":   {[]byte("\x28\xb5\x2f\xfd"), "damaged"},
		"gzip of text": {gzipOf(t, []byte(strings.Repeat("hello", 1000))), "damaged"},
		"empty zip":    {zipOf(t), "no file"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, s, bytesOf(c.data), fault.Invalid, c.why) })
	}
	refused(t, s, FromReader(bytes.NewReader(whole), int64(len(whole)+1)), fault.Invalid, "send it again")
	refused(t, s, FromReader(bytes.NewReader(nil), 1<<40), fault.Limited, "too large")
	refused(t, s, FromFile(filepath.Join(t.TempDir(), "none")), fault.Invalid, "none")
}

func TestBombsAreDefused(t *testing.T) {
	const mega = 70
	zeros := strings.Repeat("\x00", mega<<20)
	// packed compresses a tar that ends in zeros, one MiB at a time: both forms
	// may be put together of pieces.
	packed := func(raw []byte, pack func(testing.TB, []byte) []byte) []byte {
		n := (len(raw) - mega<<20) / 512 * 512
		return append(pack(t, raw[:n]), bytes.Repeat(pack(t, make([]byte, 1<<20)), mega+1)...)
	}
	s := newStore(t, Limits{})
	t.Run("ratio", func(t *testing.T) {
		refused(t, s, bytesOf(zipOf(t, item{name: "a", data: zeros})), fault.Limited, "zip bomb")
		refused(t, s, bytesOf(packed(tarOf(t, item{name: "a", data: zeros}), gzipOf)), fault.Limited, "zip bomb")
		refused(t, s, bytesOf(packed(tarOf(t, item{name: "a", data: zeros}), zstdOf)), fault.Limited, "zip bomb")
	})
	t.Run("of an image", func(t *testing.T) {
		bomb := tarOf(t, item{name: "oci-layout", data: "{}"}, item{name: "blobs/sha256/" + strings.Repeat("0", 64), data: zeros})
		refused(t, s, bytesOf(packed(bomb, gzipOf)), fault.Limited, "zip bomb")
	})
	t.Run("size", func(t *testing.T) {
		small := newStore(t, Limits{Unpacked: 1000})
		items := []item{{name: "a", data: strings.Repeat("x", 600)}, {name: "b", data: strings.Repeat("y", 401)}}
		refused(t, small, bytesOf(zipOf(t, items...)), fault.Limited, "more than 1000 bytes")
		refused(t, small, bytesOf(tarOf(t, items...)), fault.Limited, "more than 1000 bytes")
		refused(t, small, FromDir(dirOf(t, items...)), fault.Limited, "more than 1000 bytes")
		items[1].data = items[1].data[1:]
		add(t, small, bytesOf(zipOf(t, items...)))
	})
	t.Run("hard links", func(t *testing.T) {
		small := newStore(t, Limits{Unpacked: 1000})
		refused(t, small, bytesOf(tarOf(t, item{name: "a", data: strings.Repeat("x", 600)}, item{name: "b", link: "a", hard: true})), fault.Limited, "more than 1000 bytes")
	})
	t.Run("count", func(t *testing.T) {
		few := newStore(t, Limits{Files: 3})
		items := []item{{name: "d/a", data: "x"}, {name: "d/b", data: "x"}, {name: "c", data: "x"}}
		refused(t, few, bytesOf(zipOf(t, items...)), fault.Limited, "more than 3")
		refused(t, few, bytesOf(tarOf(t, items...)), fault.Limited, "more than 3")
		add(t, few, bytesOf(zipOf(t, items[:2]...)))
	})
	t.Run("long table of contents", func(t *testing.T) {
		few := newStore(t, Limits{Files: 3})
		var out bytes.Buffer
		w := zip.NewWriter(&out)
		for range 40_000 {
			if _, err := w.CreateHeader(&zip.FileHeader{Name: "a"}); err != nil {
				t.Fatal(err)
			}
		}
		w.Close()
		refused(t, few, bytesOf(out.Bytes()), fault.Limited, "table of contents")
	})
	t.Run("sparse", func(t *testing.T) {
		small := newStore(t, Limits{Unpacked: 1 << 20})
		refused(t, small, bytesOf(sparse(t, 1<<40)), fault.Limited, "more than 1 MiB")
	})
}

// sparse is a tar of a few blocks that says its file has n bytes.
func sparse(t *testing.T, n int64) []byte {
	t.Helper()
	raw := tarOf(t, item{name: "a", data: "x"})
	h := raw[:512]
	if i := bytes.Index(raw, []byte("ustar")); i > 512 {
		t.Fatal("unexpected layout")
	}
	copy(h[257:], "ustar  \x00") // GNU
	h[156] = tar.TypeGNUSparse
	clear(h[386:512])
	octal := func(at, width int, v int64) {
		if v >= 1<<33 {
			binary.BigEndian.PutUint64(h[at+width-8:], uint64(v))
			h[at] |= 0x80
			return
		}
		s := []byte(strings.Repeat("0", width-1) + "\x00")
		for i := width - 2; i >= 0 && v > 0; i, v = i-1, v/8 {
			s[i] = byte('0' + v%8)
		}
		copy(h[at:], s)
	}
	octal(124, 12, 1) // stored
	octal(386, 12, 0) // offset
	octal(398, 12, 1) // length
	octal(483, 12, n) // real size
	copy(h[148:], "        ")
	sum := int64(0)
	for _, b := range h {
		sum += int64(b)
	}
	octal(148, 7, sum)
	h[155] = ' '
	return raw
}

// overlapping is a zip whose entries are all one stretch of bytes.
func overlapping(t *testing.T, n int) []byte {
	t.Helper()
	var packed bytes.Buffer
	fw, err := flate.NewWriter(&packed, 9)
	if err != nil {
		t.Fatal(err)
	}
	fw.Write(make([]byte, 1<<20))
	fw.Close()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	h := &zip.FileHeader{Name: "a0", Method: zip.Deflate, CompressedSize64: uint64(packed.Len()), UncompressedSize64: 1 << 20}
	f, err := w.CreateRaw(h)
	if err != nil {
		t.Fatal(err)
	}
	f.Write(packed.Bytes())
	w.Close()
	raw := out.Bytes()
	at := bytes.Index(raw, []byte("PK\x01\x02"))
	end := bytes.Index(raw, []byte("PK\x05\x06"))
	entry, tail := raw[at:end], bytes.Clone(raw[end:])
	got := bytes.Clone(raw[:at])
	for i := range n {
		e := bytes.Clone(entry)
		e[47] = byte('0' + i)
		got = append(got, e...)
	}
	binary.LittleEndian.PutUint16(tail[8:], uint16(n))
	binary.LittleEndian.PutUint16(tail[10:], uint16(n))
	binary.LittleEndian.PutUint32(tail[12:], uint32(n*len(entry)))
	return append(got, tail...)
}

func TestOverlappingZipIsRefused(t *testing.T) {
	s := newStore(t, Limits{})
	refused(t, s, bytesOf(overlapping(t, 5)), fault.Invalid, "overlap")
	if _, err := zip.NewReader(bytes.NewReader(overlapping(t, 5)), int64(len(overlapping(t, 5)))); err != nil {
		t.Errorf("the bomb itself is broken: %v", err)
	}
}

func TestZipInZipIsNotUnpacked(t *testing.T) {
	s := newStore(t, Limits{})
	inner := zipOf(t, item{name: "deep", data: "x"})
	info := add(t, s, bytesOf(zipOf(t, item{name: "inner.zip", data: string(inner)})))
	if info.Files != 1 || info.Unpacked != int64(len(inner)) {
		t.Errorf("%+v", info)
	}
}

func FuzzAdd(f *testing.F) {
	for _, items := range [][]item{app, {{name: "../a", data: "x"}}, {{name: "l", link: ".."}, {name: "l/a", data: "x"}}} {
		f.Add(tarOf(f, items...))
		f.Add(zipOf(f, items...))
		f.Add(gzipOf(f, tarOf(f, items...)))
		f.Add(zstdOf(f, tarOf(f, items...)))
	}
	f.Add(imageOf(f, true))
	outside, err := os.MkdirTemp("/dev/shm", "bundle-") // where flushing costs nothing
	if err != nil {
		f.Skipf("make a directory in memory: %v", err)
	}
	f.Cleanup(func() { os.RemoveAll(outside) })
	s := openAt(f, filepath.Join(outside, "store"), Limits{Unpacked: 1 << 20, Image: 1 << 20, Files: 100})
	f.Fuzz(func(t *testing.T, data []byte) {
		info, err := s.Add(context.Background(), bytesOf(data))
		if left, _ := os.ReadDir(s.tmp()); len(left) > 0 {
			t.Fatalf("left: %v", left)
		}
		if all, _ := os.ReadDir(outside); len(all) != 1 {
			t.Fatalf("it came out: %v", all)
		}
		if err != nil {
			return
		}
		path, err := s.Path(info.Digest)
		if err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(path)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		err = fs.WalkDir(root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			st, err := d.Info()
			if m := st.Mode(); err == nil && m.Type() != fs.ModeSymlink && (m.Perm()&0o222 != 0 || m.Perm()&0o444 != 0o444 || m&(fs.ModeSetuid|fs.ModeSetgid) != 0) {
				t.Errorf("%s has mode %s", p, m)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Remove(info.Digest, nil); err != nil {
			t.Fatal(err)
		}
	})
}
