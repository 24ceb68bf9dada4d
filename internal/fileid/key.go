// Package fileid answers what a file is, apart from its name: its identity in
// the kernel's terms, the digest of its content, and where on the node the
// file lies that a workload sees under some path. Everything a workload can
// put in a path, a link or a file is taken as hostile: resolving never leaves
// the workload's root, never hangs on a pipe and never reads without bound.
package fileid

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/redoubt"
)

// overlayMagic is OVERLAYFS_SUPER_MAGIC.
const overlayMagic = 0x794c7630

// Key returns the identity fstat gives. On overlayfs that is the union's own
// device and an inode number that survives copy-up; Real finds the file below.
func Key(f *os.File) (redoubt.FileKey, error) {
	st, err := fstat(f)
	if err != nil {
		return redoubt.FileKey{}, err
	}
	return keyOf(st), nil
}

func keyOf(st *unix.Stat_t) redoubt.FileKey {
	return redoubt.FileKey{
		Dev:   uint64(unix.Major(st.Dev))<<20 | uint64(unix.Minor(st.Dev)),
		Ino:   st.Ino,
		Ctime: st.Ctim.Nano(),
	}
}

func fstat(f *os.File) (*unix.Stat_t, error) {
	var st unix.Stat_t
	var err error
	if e := control(f, func(fd int) { err = unix.Fstat(fd, &st) }); e != nil {
		return nil, e
	}
	if err != nil {
		return nil, fmt.Errorf("stat %s: %w", f.Name(), err)
	}
	return &st, nil
}

// onOverlay says whether f lies on overlayfs.
func onOverlay(f *os.File) (bool, error) {
	var fs unix.Statfs_t
	var err error
	if e := control(f, func(fd int) { err = unix.Fstatfs(fd, &fs) }); e != nil {
		return false, e
	}
	if err != nil {
		return false, fmt.Errorf("stat file system of %s: %w", f.Name(), err)
	}
	return fs.Type == overlayMagic, nil
}

// writable says whether anyone has f open, or mapped, for writing: its content
// may then change without its change time. A read lease is refused just then.
func writable(f *os.File) bool {
	busy := true
	control(f, func(fd int) {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_RDLCK); err == nil {
			unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_UNLCK)
			busy = false
		}
	})
	return busy
}

// control runs do on f's descriptor without changing its blocking mode.
func control(f *os.File, do func(fd int)) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) { do(int(fd)) })
}

// reopen opens for reading what an O_PATH descriptor names: that very file,
// whatever its name means by now.
func reopen(path *os.File, name string) (*os.File, error) {
	st, err := fstat(path)
	if err != nil {
		return nil, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, fault.New(fault.Invalid, "open %s: not a regular file", name)
	}
	var fd int
	if e := control(path, func(p int) {
		fd, err = unix.Open(fmt.Sprintf("/proc/self/fd/%d", p), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	}); e != nil {
		return nil, e
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	return os.NewFile(uintptr(fd), name), nil
}
