package bundle

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"

	"redoubt.dev/redoubt/internal/fault"
)

// counter counts what is read, for the ratio.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// form is what a file is by its first bytes.
type form int

const (
	unknown form = iota
	isZip
	isGzip
	isZstd
	isTar
)

func formOf(head []byte) form {
	has := func(magic string) bool { return strings.HasPrefix(string(head), magic) }
	switch {
	case has("PK\x03\x04"), has("PK\x05\x06"):
		return isZip
	case has("\x1f\x8b"):
		return isGzip
	case has("\x28\xb5\x2f\xfd"):
		return isZstd
	}
	if len(head) == 512 && tarSum(head) {
		return isTar
	}
	return unknown
}

// tarSum says whether a block's checksum is that of a tar header, of whatever
// dialect.
func tarSum(block []byte) bool {
	const from, to = 148, 156
	want, err := strconv.ParseUint(strings.Trim(string(block[from:to]), " \x00"), 8, 32)
	sum := uint64(to-from) * ' '
	for i, b := range block {
		if i < from || i >= to {
			sum += uint64(b)
		}
	}
	return err == nil && want == sum
}

// unzipped reads a tar below its compression, if it has any.
func unzipped(r io.Reader) (io.ReadCloser, error) {
	br := bufio.NewReaderSize(r, 64<<10)
	head, _ := br.Peek(512)
	switch formOf(head) {
	case isGzip:
		return gzip.NewReader(br)
	case isZstd:
		d, err := zstd.NewReader(br, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	}
	return io.NopCloser(br), nil
}

// drain reads what follows a tar's end, so that checksums are looked at.
func drain(r io.Reader) error {
	const padding = 1 << 20
	_, err := io.CopyN(io.Discard, r, padding)
	if errors.Is(err, io.EOF) || errors.Is(err, gzip.ErrHeader) {
		return nil
	}
	return err
}

func (t *tree) unpackTar(r io.Reader) error {
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if err == io.EOF {
			return drain(r)
		}
		if err != nil {
			return fmt.Errorf("read tar: %w", err)
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		name, err := t.name(h.Name)
		if err != nil {
			return err
		}
		if err := t.member(name, h, tr); err != nil {
			return err
		}
	}
}

func (t *tree) member(name string, h *tar.Header, r io.Reader) error {
	switch h.Typeflag {
	case tar.TypeDir:
		return t.dir(name)
	case tar.TypeReg, tar.TypeGNUSparse:
		return t.file(name, fs.FileMode(h.Mode), r)
	case tar.TypeSymlink:
		return t.symlink(name, h.Linkname)
	case tar.TypeLink:
		target, err := t.name(h.Linkname)
		if err != nil {
			return err
		}
		return t.hardlink(name, target)
	}
	return fault.New(fault.Invalid, "%q is a device, pipe or something else that is no code", h.Name)
}

// directory bounds what is read of a zip before its entries are known, since
// the reader keeps them all.
type directory struct {
	*os.File
	left int64
}

func (d *directory) ReadAt(p []byte, off int64) (int, error) {
	if d.left >= 0 {
		if d.left -= int64(len(p)); d.left < 0 {
			return 0, fault.New(fault.Limited, "its table of contents is too long")
		}
	}
	return d.File.ReadAt(p, off)
}

const unbounded = -1

func (t *tree) unpackZip(f *os.File, size int64) error {
	const perEntry = 160 // bytes of a table of contents
	d := &directory{f, int64(t.Files)*perEntry + 1<<20}
	z, err := zip.NewReader(d, size)
	if err != nil {
		return fmt.Errorf("read zip: %w", err)
	}
	d.left = unbounded
	if len(z.File) > t.Files {
		return fault.New(fault.Limited, "it holds more than %d files and directories", t.Files)
	}
	if err := apart(z.File); err != nil {
		return err
	}
	for _, e := range z.File {
		if err := t.zipped(e); err != nil {
			return err
		}
	}
	return nil
}

// apart refuses a zip whose entries share bytes: a bomb unpacks one stretch
// many times over.
func apart(files []*zip.File) error {
	type stretch struct{ from, to int64 }
	var all []stretch
	for _, f := range files {
		if f.CompressedSize64 == 0 {
			continue
		}
		from, err := f.DataOffset()
		if err != nil {
			return fmt.Errorf("read zip: %q: %w", f.Name, err)
		}
		to := from + int64(f.CompressedSize64)
		if to < from {
			return fault.New(fault.Invalid, "read zip: %q: its size makes no sense", f.Name)
		}
		all = append(all, stretch{from, to})
	}
	slices.SortFunc(all, func(a, b stretch) int { return cmp.Compare(a.from, b.from) })
	for i := 1; i < len(all); i++ {
		if all[i].from < all[i-1].to {
			return fault.New(fault.Invalid, "its entries overlap, as those of a zip bomb do")
		}
	}
	return nil
}

func (t *tree) zipped(e *zip.File) error {
	name, err := t.name(e.Name)
	if err != nil {
		return err
	}
	mode := e.Mode()
	if mode.IsDir() || strings.HasSuffix(e.Name, "/") {
		return t.dir(name)
	}
	if e.Flags&1 != 0 {
		return fault.New(fault.Invalid, "%q is encrypted: pack it without a password", name)
	}
	r, err := e.Open()
	if err != nil {
		return fmt.Errorf("unpack %q: %w", name, err)
	}
	defer r.Close()
	switch {
	case mode.IsRegular():
		return t.file(name, mode, r)
	case mode.Type() == fs.ModeSymlink:
		target, err := io.ReadAll(io.LimitReader(r, maxTarget+1))
		if err != nil {
			return fmt.Errorf("unpack %q: %w", name, err)
		}
		return t.symlink(name, string(target))
	}
	return fault.New(fault.Invalid, "%q is a device, pipe or something else that is no code", name)
}

// copyDir takes a folder. Links stay links and are judged as in an archive;
// what is neither file, directory nor link is refused, not opened.
func (t *tree) copyDir(dir string) error {
	src, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer src.Close()
	return fs.WalkDir(src.FS(), ".", func(raw string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := t.name(raw)
		if err != nil {
			return err
		}
		switch d.Type() {
		case fs.ModeDir:
			return t.dir(name)
		case fs.ModeSymlink:
			target, err := src.Readlink(raw)
			if err != nil {
				return err
			}
			return t.symlink(name, target)
		case 0:
			return t.copyFile(src, name)
		}
		return fault.New(fault.Invalid, "%q is a device, pipe or something else that is no code", name)
	})
}

func (t *tree) copyFile(src *os.Root, name string) error {
	f, err := src.OpenFile(name, os.O_RDONLY|noWait, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() {
		return fault.New(fault.Invalid, "%q was replaced while it was read", name)
	}
	return t.file(name, st.Mode(), f)
}
