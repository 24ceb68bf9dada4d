package fileid

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/redoubt"
)

// Locate finds the file that w sees under name: its path on the node and its
// identity below any union. A running workload is asked through the root of
// its process, which also shows volumes; one that does not run, or whose
// process is gone, through its layers. A host's files are its own.
func Locate(w *redoubt.Workload, name string) (string, redoubt.FileKey, error) {
	f, key, err := Open(w, w.PID, name)
	if err != nil {
		return "", redoubt.FileKey{}, err
	}
	defer f.Close()
	return f.Name(), key, nil
}

// Open opens for reading what Locate finds, seen from process pid of w; 0
// leaves that process out. The file's name is its path on the node.
func Open(w *redoubt.Workload, pid int, name string) (*os.File, redoubt.FileKey, error) {
	root := "/"
	if w.Kind != redoubt.KindHost && pid > 0 {
		root = fmt.Sprintf("/proc/%d/root", pid)
	}
	if w.Kind != redoubt.KindContainer || pid > 0 {
		f, key, err := openIn(w, root, name)
		if err == nil || w.Kind != redoubt.KindContainer || !errors.Is(err, errNoRoot) {
			return f, key, err
		}
	}
	got, err := layersOf(w).find(name)
	if err != nil {
		return nil, redoubt.FileKey{}, err
	}
	defer got.file.Close()
	return opened(got)
}

func layersOf(w *redoubt.Workload) layers {
	if w.Upper == "" {
		return w.Layers
	}
	return append(layers{w.Upper}, w.Layers...)
}

func opened(got *found) (*os.File, redoubt.FileKey, error) {
	f, err := reopen(got.file, got.node)
	if err != nil {
		return nil, redoubt.FileKey{}, err
	}
	key, err := Key(f)
	if err != nil {
		f.Close()
		return nil, redoubt.FileKey{}, err
	}
	return f, key, nil
}

var errNoRoot = errors.New("process is gone")

// openIn resolves name inside root as the kernel would for a process chrooted
// there.
func openIn(w *redoubt.Workload, root, name string) (*os.File, redoubt.FileKey, error) {
	dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, redoubt.FileKey{}, fault.New(fault.NotFound, "open %s: %w: %w", root, errNoRoot, err)
	}
	defer unix.Close(dir)
	fd, err := unix.Openat2(dir, name, &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
	switch err {
	case nil:
	case unix.ENOENT, unix.ENOTDIR:
		return nil, redoubt.FileKey{}, fault.New(fault.NotFound, "resolve %.64q: %w", name, err)
	case unix.ELOOP, unix.ENAMETOOLONG, unix.EINVAL:
		return nil, redoubt.FileKey{}, fault.New(fault.Invalid, "resolve %.64q: %w", name, err)
	default:
		return nil, redoubt.FileKey{}, fmt.Errorf("resolve %.64q: %w", name, err)
	}
	at := os.NewFile(uintptr(fd), name)
	defer at.Close()
	node := path.Join(root, strings.TrimSuffix(nameOf(at), " (deleted)"))
	f, err := reopen(at, node)
	if err != nil {
		return nil, redoubt.FileKey{}, err
	}
	below, key, err := Below(w, f)
	if err != nil {
		f.Close()
		return nil, redoubt.FileKey{}, err
	}
	if below != f {
		f.Close()
	}
	return below, key, nil
}

// Below returns the file under a union that f, open on the union, stands for,
// opened for reading and with its key: the one to digest, because who writes
// to it through a mapping shows only there. It is f itself on other file
// systems, and where the file below is not found for sure.
func Below(w *redoubt.Workload, f *os.File) (*os.File, redoubt.FileKey, error) {
	got, key, err := real(w, f)
	if err != nil || got == nil {
		return f, key, err
	}
	defer got.file.Close()
	below, err := reopen(got.file, got.node)
	if err != nil {
		return nil, redoubt.FileKey{}, err
	}
	return below, key, nil
}

// nameOf is the kernel's name of an open file, in the mount namespace it was
// opened in.
func nameOf(f *os.File) (name string) {
	control(f, func(fd int) { name, _ = os.Readlink(procFD(fd)) })
	return name
}

func procFD(fd int) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }

// Real returns the identity, below any union, of a file that w has open; it is
// what the kernel sensor reports. On overlayfs it is looked up in w's layers
// by the name the file was opened under; where that name no longer leads to it
// exact is false and the key is made of what the union says, which is right
// unless the file is a changed copy of one in the image.
func Real(w *redoubt.Workload, f *os.File) (key redoubt.FileKey, exact bool, err error) {
	got, key, err := real(w, f)
	if got != nil {
		got.file.Close()
		return key, true, nil
	}
	if err != nil {
		return redoubt.FileKey{}, false, err
	}
	union, err := onOverlay(f)
	return key, !union, err
}

// real finds the file below a union, nil where f is not on one or the file
// cannot be told for sure.
func real(w *redoubt.Workload, f *os.File) (*found, redoubt.FileKey, error) {
	st, err := fstat(f)
	if err != nil {
		return nil, redoubt.FileKey{}, err
	}
	union, err := onOverlay(f)
	if err != nil || !union {
		return nil, keyOf(st), err
	}
	name := nameOf(f)
	if below, ok := strings.CutPrefix(name, w.Merged+"/"); ok && w.Merged != "" {
		name = below // seen from the node, as the engine itself does
	}
	if got, err := layersOf(w).find(name); err == nil {
		if below, err := fstat(got.file); err == nil && below.Ctim == st.Ctim && below.Mtim == st.Mtim && below.Size == st.Size {
			return got, keyOf(below), nil
		}
		got.file.Close()
	}
	key := keyOf(st)
	for _, dir := range layersOf(w) {
		var top unix.Stat_t
		if err := unix.Stat(dir, &top); err == nil {
			key.Dev = keyOf(&top).Dev
			break
		}
	}
	return nil, key, nil
}
