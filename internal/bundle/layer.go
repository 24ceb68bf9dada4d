package bundle

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"redoubt.dev/redoubt/internal/fault"
)

// The names by which a layer takes away what lower ones have; see the OCI
// image specification, layer.md.
const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
	reserved = ".wh..wh." // of the union file system that invented them
)

const maxHops = 40 // links in one path, as in the kernel

// layer writes one layer over those below it. A directory it names may be a
// link in a lower layer: the link is followed by hand, within the tree, so that
// what is written to never is a link.
type layer struct {
	*tree
	real map[string]string // where directories are, by the names given
	mine map[string]bool   // what this layer wrote, with its parents
}

func newLayer(t *tree) *layer {
	return &layer{tree: t, real: map[string]string{}, mine: map[string]bool{}}
}

func (l *layer) apply(r io.Reader) error {
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read tar: %w", err)
		}
		if err := l.ctx.Err(); err != nil {
			return err
		}
		name, err := l.name(h.Name)
		if err != nil {
			return err
		}
		if h.Typeflag == tar.TypeXGlobalHeader || name == "." {
			continue
		}
		if err := l.entry(name, h, tr); err != nil {
			return err
		}
	}
}

func (l *layer) entry(name string, h *tar.Header, r io.Reader) error {
	dir, base := path.Split(name)
	dir, err := l.chase(path.Clean(dir))
	if err != nil {
		return err
	}
	switch at := path.Join(dir, base); {
	case base == opaque:
		return l.clear(dir)
	case strings.HasPrefix(base, reserved):
		return nil
	case strings.HasPrefix(base, whiteout):
		gone := strings.TrimPrefix(base, whiteout)
		if gone == "" || gone == "." || gone == ".." {
			return fault.New(fault.Invalid, "%q takes nothing away", name)
		}
		return l.remove(path.Join(dir, gone))
	default:
		return l.write(at, h, r)
	}
}

func (l *layer) write(at string, h *tar.Header, r io.Reader) error {
	switch h.Typeflag {
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		return nil // a sandbox brings its own, and a bundle holds none
	case tar.TypeDir:
		st, err := l.root.Lstat(at)
		if err == nil && st.IsDir() {
			l.keep(at)
			return nil
		}
		clear(l.real)
		if err := l.free(at); err != nil {
			return err
		}
		l.keep(at)
		return l.root.Mkdir(at, 0o700)
	case tar.TypeReg, tar.TypeGNUSparse:
		if st, err := l.root.Lstat(at); err == nil && !st.Mode().IsRegular() {
			clear(l.real)
		}
		l.keep(at)
		return l.file(at, fs.FileMode(h.Mode), r)
	case tar.TypeSymlink:
		clear(l.real)
		l.keep(at)
		return l.symlink(at, h.Linkname)
	case tar.TypeLink:
		target, err := l.name(h.Linkname)
		if err != nil {
			return err
		}
		dir, err := l.chase(path.Dir(target))
		if err != nil {
			return err
		}
		l.keep(at)
		return l.hardlink(at, path.Join(dir, path.Base(target)))
	}
	return fault.New(fault.Invalid, "%q is of a kind no image has", h.Name)
}

// keep notes that this layer has at, so that its whiteouts spare it.
func (l *layer) keep(at string) {
	for ; at != "." && !l.mine[at]; at = path.Dir(at) {
		l.mine[at] = true
	}
}

// remove takes away what lower layers have at a name.
func (l *layer) remove(at string) error {
	clear(l.real)
	if !l.mine[at] {
		return l.root.RemoveAll(at)
	}
	return l.clear(at)
}

// clear takes away what lower layers have below a directory.
func (l *layer) clear(dir string) error {
	clear(l.real)
	st, err := l.root.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !st.IsDir() {
		return nil
	}
	if err != nil {
		return err
	}
	children, err := fs.ReadDir(l.root.FS(), dir)
	if err != nil {
		return err
	}
	for _, c := range children {
		if err := l.remove(path.Join(dir, c.Name())); err != nil {
			return err
		}
	}
	return nil
}

// chase returns the real directory behind a name, following links within the
// tree and making what is missing.
func (l *layer) chase(name string) (string, error) {
	if at, ok := l.real[name]; ok {
		return at, nil
	}
	at, hops := ".", 0
	rest := strings.Split(name, "/")
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..": // only of a link; above the root is the root
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, part)
		st, err := l.root.Lstat(next)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			if err := l.free(next); err != nil {
				return "", err
			}
			if err := l.root.Mkdir(next, 0o700); err != nil {
				return "", err
			}
			at = next
		case err != nil:
			return "", err
		case st.IsDir():
			at = next
		case st.Mode().Type() == fs.ModeSymlink:
			if hops++; hops > maxHops {
				return "", fault.New(fault.Invalid, "the links in %q lead in a circle", name)
			}
			target, err := l.root.Readlink(next)
			if err != nil {
				return "", err
			}
			if path.IsAbs(target) {
				at = "."
			}
			rest = append(strings.Split(target, "/"), rest...)
			if len(rest) > maxTarget {
				return "", fault.New(fault.Invalid, "the links in %q lead too far", name)
			}
		default:
			return "", fault.New(fault.Invalid, "%q lies below %q, which is a file", name, next)
		}
	}
	if strings.Count(at, "/") >= l.Depth {
		return "", fault.New(fault.Limited, "%q lies deeper than %d directories", name, l.Depth)
	}
	l.real[name] = at
	return at, nil
}
