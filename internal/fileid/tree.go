package fileid

import (
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/redoubt"
)

const maxListed = 10_000 // entries of one directory

// Tree shows the files of a container's layers as its union would, whether it
// runs or not. Names are taken without following links: Open opens regular
// files only, and ReadLink reads a link, so that who walks decides where it
// leads. It implements fs.ReadLinkFS, fs.ReadDirFS and fs.StatFS.
func Tree(w *redoubt.Workload) fs.FS { return tree{layersOf(w)} }

type tree struct{ layers layers }

var (
	_ fs.ReadLinkFS = tree{}
	_ fs.ReadDirFS  = tree{}
	_ fs.StatFS     = tree{}
)

func (t tree) find(op, name string) (*found, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	var parts []string
	if name != "." {
		parts = strings.Split(name, "/")
	}
	if len(parts) > maxSteps || len(name) > maxName {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	f, err := t.layers.open(parts)
	if fault.Is(err, fault.NotFound) {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return f, nil
}

// Open implements fs.FS.
func (t tree) Open(name string) (fs.File, error) {
	f, err := t.find("open", name)
	if err != nil {
		return nil, err
	}
	defer f.file.Close()
	return reopen(f.file, f.node)
}

// Stat implements fs.StatFS; there are no links to follow.
func (t tree) Stat(name string) (fs.FileInfo, error) { return t.Lstat(name) }

// Lstat implements fs.ReadLinkFS.
func (t tree) Lstat(name string) (fs.FileInfo, error) {
	f, err := t.find("lstat", name)
	if err != nil {
		return nil, err
	}
	defer f.file.Close()
	return os.Lstat(f.node)
}

// ReadLink implements fs.ReadLinkFS.
func (t tree) ReadLink(name string) (string, error) {
	f, err := t.find("readlink", name)
	if err != nil {
		return "", err
	}
	defer f.file.Close()
	target, ok, err := readlink(f.file)
	if err == nil && !ok {
		err = unix.EINVAL
	}
	if err != nil {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: err}
	}
	return target, nil
}

// ReadDir implements fs.ReadDirFS: what all layers together show.
func (t tree) ReadDir(name string) ([]fs.DirEntry, error) {
	seen := map[string]bool{}
	for _, layer := range t.layers {
		// Only names come from here; what they are is asked of the union.
		list, err := os.ReadDir(path.Join(layer, name))
		if err != nil {
			continue
		}
		for _, e := range list {
			if len(seen) < maxListed {
				seen[e.Name()] = true
			}
		}
	}
	var out []fs.DirEntry
	for entry := range seen {
		if info, err := t.Lstat(path.Join(name, entry)); err == nil {
			out = append(out, fs.FileInfoToDirEntry(info))
		}
	}
	if out == nil {
		if _, err := t.Lstat(name); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(out, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return out, nil
}
