package permit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/fault"
)

// maxMounts bounds how many mounts of one process are looked at.
const maxMounts = 8_192

// mountLine is one line of a mountinfo file.
type mountLine struct {
	id    uint64
	dev   string // "major:minor"
	point string
	kind  string // file system type
}

// parseMounts reads a mountinfo file; lines that are not understood are left
// out.
func parseMounts(r io.Reader) []mountLine {
	var out []mountLine
	s := bufio.NewScanner(io.LimitReader(r, 16<<20))
	s.Buffer(nil, 1<<20)
	for s.Scan() && len(out) < maxMounts {
		head, tail, ok := strings.Cut(s.Text(), " - ")
		fields := strings.Split(head, " ")
		kind, _, ok2 := strings.Cut(tail, " ")
		if !ok || !ok2 || len(fields) < 6 {
			continue
		}
		id, err := strconv.ParseUint(fields[0], 10, 64)
		if err != nil {
			continue
		}
		out = append(out, mountLine{id, fields[2], unescape(fields[4]), kind})
	}
	return out
}

// unescape undoes the kernel's \ooo for blanks and backslashes.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// kernelKinds are file systems in which nothing can be run.
var kernelKinds = map[string]bool{
	"proc": true, "sysfs": true, "cgroup": true, "cgroup2": true, "devpts": true, "mqueue": true, "securityfs": true,
	"debugfs": true, "tracefs": true, "bpf": true, "fusectl": true, "binfmt_misc": true, "configfs": true, "pstore": true,
	"efivarfs": true, "nsfs": true, "autofs": true, "rpc_pipefs": true, "selinuxfs": true,
}

// nodeMounts is what belongs to the node itself.
type nodeMounts struct {
	namespaces map[string]bool // mount namespaces of this process and of process 1
	root       string          // device of the node's root
}

func readNode() (nodeMounts, error) {
	n := nodeMounts{namespaces: map[string]bool{}}
	own, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		return n, fmt.Errorf("read mount namespace: %w", err)
	}
	n.namespaces[own] = true
	if first, err := os.Readlink("/proc/1/ns/mnt"); err == nil { // not everyone may look
		n.namespaces[first] = true
	}
	var st unix.Stat_t
	if err := unix.Stat("/", &st); err != nil {
		return n, fmt.Errorf("stat root: %w", err)
	}
	n.root = device(&st)
	return n, nil
}

func device(st *unix.Stat_t) string {
	return fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev))
}

// devices are the file systems the node has mounted for itself: all but the
// unions that engines mount for containers.
func (n nodeMounts) devices() (map[string]bool, error) {
	out := map[string]bool{n.root: true}
	for _, who := range []string{"self", "1"} {
		f, err := os.Open("/proc/" + who + "/mountinfo")
		if who == "1" && err != nil {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read the node's mounts: %w", err)
		}
		for _, m := range parseMounts(f) {
			if m.kind != "overlay" {
				out[m.dev] = true
			}
		}
		f.Close()
	}
	return out, nil
}

// scope chooses what a mark covers: the whole file system where that is the
// container's alone, so that a further mount of it changes nothing; else just
// this mount of it, so that nobody else pays.
func scope(m mountLine, node map[string]bool) uint {
	if node[m.dev] {
		return unix.FAN_MARK_MOUNT
	}
	return unix.FAN_MARK_FILESYSTEM
}

// Watch asks about execs in the union mounted at path on the node, which may
// be done before any process of the container runs. fault.Invalid for anything
// but a file system that is the container's alone.
func (g *Gate) Watch(path string) error { return g.markUnion(path, unix.FAN_MARK_ADD) }

// Unwatch takes Watch back. A mark also ends with its file system.
func (g *Gate) Unwatch(path string) error { return g.markUnion(path, unix.FAN_MARK_REMOVE) }

func (g *Gate) markUnion(path string, act uint) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fault.New(fault.NotFound, "watch %s: %w", path, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("watch %s: %w", path, err)
	}
	node, err := g.node.devices()
	if err != nil {
		return err
	}
	if node[device(&st)] {
		return fault.New(fault.Invalid, "watch %s: that file system is the node's own", path)
	}
	return markMount(g, fd, act|unix.FAN_MARK_FILESYSTEM, path)
}

func markMount(g *Gate, fd int, flags uint, name string) error {
	err := mark(g.execs, flags, unix.FAN_OPEN_EXEC_PERM, fd)
	switch {
	case err == nil, errors.Is(err, unix.ENOENT) && flags&unix.FAN_MARK_REMOVE != 0:
		return nil
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENODEV), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EXDEV):
		return fault.New(fault.Unsupported, "watch %s: %w", name, err)
	}
	return fmt.Errorf("watch %s: %w", name, err)
}

// scan marks, or unmarks, every mount that process pid sees.
func (g *Gate) scan(pid int, mountinfo io.Reader, act uint) error {
	node, err := g.node.devices()
	if err != nil {
		return err
	}
	root, err := unix.Open(fmt.Sprintf("/proc/%d/root", pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fault.New(fault.NotFound, "watch mounts of process %d: %w", pid, err)
	}
	defer unix.Close(root)
	var errs []error
	for _, m := range parseMounts(mountinfo) {
		if kernelKinds[m.kind] {
			continue
		}
		if err := g.markLine(root, m, act|scope(m, node)); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// markLine marks one mount, found from the process's root without following
// links and checked by its id: a container may rename and remount as it likes
// while we look.
func (g *Gate) markLine(root int, m mountLine, flags uint) error {
	fd, err := unix.Openat2(root, m.point, &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_SYMLINKS,
	})
	if err != nil {
		return nil // gone or hidden meanwhile; what changed is scanned again
	}
	defer unix.Close(fd)
	var sx unix.Statx_t
	if err := unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID, &sx); err != nil {
		return fmt.Errorf("watch %s: %w", m.point, err)
	}
	if sx.Mask&unix.STATX_MNT_ID != 0 && sx.Mnt_id != m.id {
		return nil // something is mounted over it
	}
	return markMount(g, fd, flags, m.point)
}
