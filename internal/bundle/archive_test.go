package bundle

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// item is one entry of an archive made by a test.
type item struct {
	name string
	data string
	mode fs.FileMode // with its type; 0 is a file 0644
	link string      // target of a symbolic or, with hard, a hard link
	hard bool
}

func tarOf(t testing.TB, items ...item) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, i := range items {
		h := &tar.Header{Name: i.name, Typeflag: tar.TypeReg, Mode: int64(i.mode.Perm()), Size: int64(len(i.data)), Format: tar.FormatPAX}
		if i.mode == 0 {
			h.Mode = 0o644
		}
		if i.mode&fs.ModeSetuid != 0 {
			h.Mode |= 0o4000
		}
		switch {
		case i.hard:
			h.Typeflag, h.Linkname = tar.TypeLink, i.link
		case i.link != "":
			h.Typeflag, h.Linkname = tar.TypeSymlink, i.link
		case i.mode.IsDir():
			h.Typeflag = tar.TypeDir
		case i.mode&fs.ModeCharDevice != 0:
			h.Typeflag, h.Devmajor, h.Devminor = tar.TypeChar, 1, 3
		case i.mode&fs.ModeDevice != 0:
			h.Typeflag, h.Devmajor, h.Devminor = tar.TypeBlock, 8, 0
		case i.mode&fs.ModeNamedPipe != 0:
			h.Typeflag = tar.TypeFifo
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(i.data)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zipOf(t testing.TB, items ...item) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, i := range items {
		h := &zip.FileHeader{Name: i.name, Method: zip.Deflate}
		mode, data := i.mode, i.data
		switch {
		case i.link != "":
			mode, data = fs.ModeSymlink|0o777, i.link
		case mode == 0:
			mode = 0o644
		}
		h.SetMode(mode)
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(data)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func gzipOf(t testing.TB, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(data)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zstdOf(t testing.TB, data []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(data, nil)
}

// dirOf writes items as a folder.
func dirOf(t testing.TB, items ...item) string {
	t.Helper()
	dir := t.TempDir()
	for _, i := range items {
		at := filepath.Join(dir, i.name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		switch {
		case i.hard:
			err = os.Link(filepath.Join(dir, i.link), at)
		case i.link != "":
			err = os.Symlink(i.link, at)
		case i.mode.IsDir():
			err = os.MkdirAll(at, 0o755)
		default:
			mode := i.mode
			if mode == 0 {
				mode = 0o644
			}
			if err = os.WriteFile(at, []byte(i.data), 0o600); err == nil {
				err = os.Chmod(at, mode)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
