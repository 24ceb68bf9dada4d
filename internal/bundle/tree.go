package bundle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"redoubt.dev/redoubt/internal/fault"
)

// maxTarget bounds a link's target, as the kernel does.
const maxTarget = 4095

// tree writes the files of one bundle. It goes through an os.Root, so no link
// leads it outside, and it never writes through a link at all: every parent is
// a directory it has seen. An image's layers may replace what lower ones wrote.
type tree struct {
	*budget
	ctx   context.Context
	root  *os.Root
	image bool
	dirs  map[string]bool // directories that are known to be there
	links []string        // symbolic links, to be judged when all is there
	buf   []byte
}

func newTree(ctx context.Context, dir string, b *budget) (*tree, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &tree{budget: b, ctx: ctx, root: root, dirs: map[string]bool{".": true}, buf: make([]byte, 256<<10)}, nil
}

// name checks the name an archive gives and returns its clean form, "." for
// the tree itself.
func (t *tree) name(raw string) (string, error) {
	if len(raw) > t.Path {
		return "", fault.New(fault.Limited, "%q… is longer than %d bytes", raw[:min(40, len(raw))], t.Path)
	}
	switch {
	case raw == "":
		return "", fault.New(fault.Invalid, "an entry has no name")
	case strings.ContainsRune(raw, 0):
		return "", fault.New(fault.Invalid, "the name %q holds a NUL byte", raw)
	case raw[0] == '/' && !t.image:
		return "", fault.New(fault.Invalid, "%q is an absolute path: names in a bundle are relative to it", raw)
	case strings.ContainsRune(raw, '\\') && !t.image:
		return "", fault.New(fault.Invalid, "%q holds a backslash: pack it with a tool that writes / between directories", raw)
	}
	parts := strings.Split(raw, "/")
	for _, p := range parts {
		if p == ".." {
			return "", fault.New(fault.Invalid, "%q leads out of the bundle", raw)
		}
		if len(p) > 255 {
			return "", fault.New(fault.Limited, "%q… is longer than 255 bytes", p[:40])
		}
	}
	clean := path.Clean(strings.TrimLeft(raw, "/"))
	if strings.Count(clean, "/") >= t.Depth {
		return "", fault.New(fault.Limited, "%q lies deeper than %d directories", raw, t.Depth)
	}
	return clean, nil
}

// dir makes a directory with its parents.
func (t *tree) dir(name string) error {
	if t.dirs[name] {
		return nil
	}
	if err := t.dir(path.Dir(name)); err != nil {
		return err
	}
	err := t.root.Mkdir(name, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return fault.New(fault.Invalid, "%q is a file or link and a directory, too", name)
	}
	if err != nil {
		return err
	}
	t.dirs[name] = true
	return t.entry()
}

// free makes way for name: its parent is there, and nothing of that name.
func (t *tree) free(name string) error {
	if name == "." {
		return fault.New(fault.Invalid, "an entry that is no directory has no name")
	}
	if err := t.entry(); err != nil {
		return err
	}
	if t.image {
		return t.root.RemoveAll(name)
	}
	return t.dir(path.Dir(name))
}

// file writes a regular file; of its mode only whether it is executable stays.
func (t *tree) file(name string, mode fs.FileMode, r io.Reader) (err error) {
	if err := t.free(name); err != nil {
		return err
	}
	f, err := t.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return twice(name, err)
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	if err := t.copy(f, r); err != nil {
		return fmt.Errorf("unpack %q: %w", name, err)
	}
	perm := fs.FileMode(0o444)
	if mode&0o111 != 0 {
		perm = 0o555
	}
	return f.Chmod(perm)
}

func (t *tree) copy(w io.Writer, r io.Reader) error {
	for {
		if err := t.ctx.Err(); err != nil {
			return err
		}
		n, err := r.Read(t.buf)
		if n > 0 {
			if err := t.spend(int64(n)); err != nil {
				return err
			}
			if _, err := w.Write(t.buf[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// symlink makes a symbolic link; judge says later whether it may stay.
func (t *tree) symlink(name, target string) error {
	if target == "" || len(target) > maxTarget || strings.ContainsRune(target, 0) {
		return fault.New(fault.Invalid, "the link %q leads to nothing that could be a path", name)
	}
	if target[0] == '/' && !t.image {
		return fault.New(fault.Invalid, "the link %q leads out of the bundle, to %q: make it relative", name, target)
	}
	if err := t.free(name); err != nil {
		return err
	}
	t.links = append(t.links, name)
	return twice(name, t.root.Symlink(target, name))
}

// hardlink makes name another name of a file that is already there. It costs
// what a copy would, since whoever reads the tree reads it twice.
func (t *tree) hardlink(name, target string) error {
	st, err := t.root.Lstat(target)
	if err != nil || !st.Mode().IsRegular() {
		return fault.New(fault.Invalid, "%q is a hard link to %q, which is no file before it", name, target)
	}
	if name == target {
		return nil
	}
	if err := t.spend(st.Size()); err != nil {
		return err
	}
	if err := t.free(name); err != nil {
		return err
	}
	return twice(name, t.root.Link(target, name))
}

func twice(name string, err error) error {
	if errors.Is(err, fs.ErrExist) {
		return fault.New(fault.Invalid, "%q is in it twice", name)
	}
	return err
}

// judge refuses a bundle of which a link leads outside, be it by way of other
// links; one that leads to nothing may stay. An image is its own root when it
// runs, so its links cannot leave it.
func (t *tree) judge() error {
	if t.image {
		return nil
	}
	for _, l := range t.links {
		_, err := t.root.Stat(l)
		if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			continue
		}
		target, _ := t.root.Readlink(l)
		if errors.Is(err, syscall.ELOOP) {
			return fault.New(fault.Invalid, "the link %q leads in a circle, to %q", l, target)
		}
		return fault.New(fault.Invalid, "the link %q leads out of the bundle, to %q", l, target)
	}
	return nil
}

// seal takes away everybody's right to write.
func (t *tree) seal() error {
	return fs.WalkDir(t.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return t.root.Chmod(name, 0o555)
	})
}
