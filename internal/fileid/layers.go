package fileid

import (
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/fault"
)

const (
	maxLinks = 40   // symbolic links followed in one path, as the kernel does
	maxSteps = 4096 // components looked at in all
	maxName  = 4096 // bytes of a path
)

// layers is a union file system that need not be mounted: directories on the
// node, uppermost first.
type layers []string

// found is a file in one of the layers.
type found struct {
	file *os.File // O_PATH
	node string   // its path on the node
}

// find resolves name as the union would: upper layers hide lower ones,
// whiteouts and opaque directories hide what is below, links are followed
// within the union. The caller closes the file. fault.NotFound where there is
// no such file, fault.Invalid where links go round, fault.Unsupported where a
// layer uses what only the kernel can resolve.
func (l layers) find(name string) (*found, error) {
	if len(name) > maxName || strings.ContainsRune(name, 0) {
		return nil, fault.New(fault.Invalid, "resolve %.64q: not a path", name)
	}
	todo := strings.Split(name, "/")
	var at []string // where we are, free of links
	links := 0
	for steps := 0; len(todo) > 0; steps++ {
		if steps > maxSteps {
			return nil, fault.New(fault.Invalid, "resolve %.64q: too many components", name)
		}
		step := todo[0]
		todo = todo[1:]
		switch step {
		case "", ".":
			continue
		case "..":
			at = at[:max(0, len(at)-1)]
			continue
		}
		next := append(at[:len(at):len(at)], step)
		f, err := l.open(next)
		if err != nil {
			return nil, err
		}
		target, isLink, err := readlink(f.file)
		if err != nil {
			f.file.Close()
			return nil, err
		}
		if !isLink {
			at = next
			if len(strings.Trim(strings.Join(todo, ""), "/")) == 0 {
				return f, nil
			}
			f.file.Close()
			continue
		}
		f.file.Close()
		if links++; links > maxLinks || len(target) > maxName {
			return nil, fault.New(fault.Invalid, "resolve %.64q: too many links", name)
		}
		if strings.HasPrefix(target, "/") {
			at = nil
		}
		todo = append(strings.Split(target, "/"), todo...)
	}
	return nil, fault.New(fault.NotFound, "resolve %.64q: it is a directory", name)
}

// open walks to parts, none of which is followed if it is a link, in every
// layer side by side and returns what the union shows there.
func (l layers) open(parts []string) (*found, error) {
	var dirs []*found
	defer func() { closeAll(dirs) }()
	for _, root := range l {
		fd, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, fault.New(fault.NotFound, "open layer %s: %w", root, err)
		}
		dirs = append(dirs, &found{os.NewFile(uintptr(fd), root), root})
	}
	for i, part := range parts {
		got, err := lookup(dirs, part)
		if err != nil {
			return nil, err
		}
		closeAll(dirs)
		dirs = got
		if len(dirs) == 0 {
			return nil, fault.New(fault.NotFound, "no file %q in the layers", "/"+path.Join(parts[:i+1]...))
		}
	}
	top := dirs[0]
	dirs = dirs[1:]
	return top, nil
}

// lookup returns what name is in the union of dirs: nothing, one file, or the
// directories that make one up.
func lookup(dirs []*found, name string) (out []*found, err error) {
	defer func() {
		if err != nil {
			closeAll(out)
		}
	}()
	for _, d := range dirs {
		f, st, err := d.child(name)
		if err != nil {
			return out, err
		}
		if f == nil {
			continue
		}
		isDir := st.Mode&unix.S_IFMT == unix.S_IFDIR
		if whiteout(f, st) || !isDir && len(out) > 0 {
			f.file.Close()
			break
		}
		out = append(out, f)
		if f.xattr("metacopy") != "" || f.xattr("redirect") != "" {
			return out, fault.New(fault.Unsupported, "resolve %s: the layer keeps it elsewhere", f.node)
		}
		if !isDir || f.xattr("opaque") == "y" {
			break
		}
	}
	return out, nil
}

// child opens one entry without following it; nil where there is none.
func (d *found) child(name string) (*found, *unix.Stat_t, error) {
	var fd int
	var err error
	if e := control(d.file, func(dir int) {
		fd, err = unix.Openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	}); e != nil {
		return nil, nil, e
	}
	switch err {
	case nil:
	case unix.ENOENT, unix.ENOTDIR:
		return nil, nil, nil
	case unix.ENAMETOOLONG:
		return nil, nil, fault.New(fault.Invalid, "open %.64q: %w", name, err)
	default:
		return nil, nil, fault.New(fault.Internal, "open %.64q in %s: %w", name, d.node, err)
	}
	node := d.node + "/" + name
	f := &found{os.NewFile(uintptr(fd), node), node}
	st, err := fstat(f.file)
	if err != nil {
		f.file.Close()
		return nil, nil, err
	}
	return f, st, nil
}

// whiteout says whether an entry only hides what is below it.
func whiteout(f *found, st *unix.Stat_t) bool {
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFCHR:
		return st.Rdev == 0
	case unix.S_IFREG:
		return st.Size == 0 && f.xattr("whiteout") != ""
	}
	return false
}

// xattr reads one of overlayfs' own attributes. The user.overlay ones are left
// alone: any program in a container may set those.
func (f *found) xattr(name string) string {
	buf := make([]byte, 256)
	n, err := getxattr(f.file, "trusted.overlay."+name, buf)
	switch {
	case err == unix.ERANGE:
		return "long"
	case err != nil:
		return ""
	case n == 0:
		return "set"
	}
	return string(buf[:n])
}

// getxattr goes through /proc because fgetxattr refuses O_PATH descriptors.
func getxattr(f *os.File, name string, buf []byte) (n int, err error) {
	st, err := fstat(f)
	if err != nil || st.Mode&unix.S_IFMT == unix.S_IFLNK {
		return 0, unix.ENODATA
	}
	if e := control(f, func(fd int) { n, err = unix.Getxattr(procFD(fd), name, buf) }); e != nil {
		return 0, e
	}
	return n, err
}

// readlink reads the link an O_PATH descriptor names.
func readlink(f *os.File) (target string, isLink bool, err error) {
	st, err := fstat(f)
	if err != nil || st.Mode&unix.S_IFMT != unix.S_IFLNK {
		return "", false, err
	}
	buf := make([]byte, maxName+1)
	var n int
	if e := control(f, func(fd int) { n, err = unix.Readlinkat(fd, "", buf) }); e != nil {
		return "", false, e
	}
	if err != nil {
		return "", false, fault.New(fault.NotFound, "read link %s: %w", f.Name(), err)
	}
	return string(buf[:n]), true, nil
}

func closeAll(list []*found) {
	for _, f := range list {
		f.file.Close()
	}
}
