package bundle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/fault"
)

// noWait keeps a pipe put in a file's place from blocking whoever opens it.
const noWait = unix.O_NONBLOCK

// Source is where a bundle comes from.
type Source struct {
	path string
	r    io.Reader
	size int64
}

// FromDir takes a folder with all that is in it.
func FromDir(path string) Source { return FromFile(path) }

// FromFile takes an archive: a zip, a tar (plain, gzip or zstd), or an image as
// docker save writes it or as an OCI layout in a tar. Its content says which
// one it is. A folder is taken as FromDir does.
func FromFile(path string) Source { return Source{path: path} }

// FromReader takes an archive of that many bytes, of any number if size is
// negative.
func FromReader(r io.Reader, size int64) Source { return Source{r: r, size: size} }

// unpack writes the source to tree, below work, and says what it was.
func (s Source) unpack(ctx context.Context, work string, l Limits) (Info, error) {
	b := &budget{Limits: l, most: l.Unpacked}
	dir := filepath.Join(work, treeName)
	f, err := s.open(work, l)
	if err != nil {
		return Info{}, err
	}
	if f == nil {
		t, err := newTree(ctx, dir, b)
		if err != nil {
			return Info{}, err
		}
		defer t.root.Close()
		if err := t.copyDir(s.path); err != nil {
			return Info{}, err
		}
		return Info{Size: b.bytes}, t.finish()
	}
	defer f.Close()
	return unpackFile(ctx, f, work, b)
}

// open returns the archive as a file; nil for a folder.
func (s Source) open(work string, l Limits) (*os.File, error) {
	if s.r != nil {
		return s.spool(work, l)
	}
	f, err := os.OpenFile(s.path, os.O_RDONLY|noWait, 0)
	if err != nil {
		return nil, fault.New(fault.Invalid, "open bundle: %w", err)
	}
	st, err := f.Stat()
	switch {
	case err != nil:
		f.Close()
		return nil, err
	case st.IsDir():
		return nil, f.Close()
	case !st.Mode().IsRegular():
		f.Close()
		return nil, fault.New(fault.Invalid, "%s is neither a file nor a folder", s.path)
	}
	return f, nil
}

// spool writes what a reader gives to a file, since zips and images are not
// read from front to back.
func (s Source) spool(work string, l Limits) (*os.File, error) {
	most := max(l.Unpacked, l.Image)
	if s.size > most {
		return nil, fault.New(fault.Limited, "a bundle of %s is too large: at most %s are taken", size(s.size), size(most))
	}
	f, err := os.OpenFile(filepath.Join(work, "upload"), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	n, err := io.Copy(f, io.LimitReader(s.r, most+1))
	switch {
	case err != nil:
		err = fmt.Errorf("receive bundle: %w", err)
	case n > most:
		err = fault.New(fault.Limited, "the bundle is too large: at most %s are taken", size(most))
	case s.size >= 0 && n != s.size:
		err = fault.New(fault.Invalid, "the bundle ended after %d of %d bytes: send it again", n, s.size)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func unpackFile(ctx context.Context, f *os.File, work string, b *budget) (Info, error) {
	st, err := f.Stat()
	if err != nil {
		return Info{}, err
	}
	info := Info{Size: st.Size()}
	if info.Size == 0 {
		return Info{}, fault.New(fault.Invalid, "the bundle is empty: 0 bytes were given")
	}
	head := make([]byte, 512)
	n, err := f.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return Info{}, err
	}
	form := formOf(head[:n])
	if form == unknown {
		return Info{}, fault.New(fault.Invalid, "the bundle is no zip, tar, tar.gz, tar.zst or image archive")
	}
	if form != isZip {
		image, err := openImage(ctx, f, work, b)
		if err != nil {
			return Info{}, err
		}
		if image != nil {
			defer image.close()
			b.most = b.Image
			b.packed = func() int64 { return info.Size }
			info.Image, err = image.unpack(ctx, filepath.Join(work, treeName), b)
			return info, err
		}
	}
	t, err := newTree(ctx, filepath.Join(work, treeName), b)
	if err != nil {
		return Info{}, err
	}
	defer t.root.Close()
	if form == isZip {
		b.packed = func() int64 { return info.Size }
		err = t.unpackZip(f, info.Size)
	} else {
		c := &counter{r: io.NewSectionReader(f, 0, info.Size)}
		b.packed = func() int64 { return c.n }
		err = t.unzipTar(c)
	}
	if err != nil {
		return Info{}, err
	}
	return info, t.finish()
}

func (t *tree) unzipTar(r io.Reader) error {
	u, err := unzipped(r)
	if err != nil {
		return fmt.Errorf("read archive: %w", err)
	}
	defer u.Close()
	return t.unpackTar(u)
}

// finish judges and seals the tree.
func (t *tree) finish() error {
	if t.entries == 0 {
		return fault.New(fault.Invalid, "the bundle holds no file")
	}
	if err := t.judge(); err != nil {
		return err
	}
	return t.seal()
}
