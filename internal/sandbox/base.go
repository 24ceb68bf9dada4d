package sandbox

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/sandbox/plan"
)

// The base is a mount namespace that holds nothing but what sandboxes are
// built of, and the host's /proc, without which a user namespace may not mount
// its own. Sandboxes start from a copy of it: the host's mounts are never in
// their sight, and a host with a thousand of them costs no time. It has no name
// in the file system and ends with the process.
const pieces = "/base"

// Parts of /etc that are the same for every program; the rest is written anew.
var (
	etcTrees = []string{"ssl/certs", "ssl/openssl.cnf", "pki", "ca-certificates", "alternatives", "java-17-openjdk", "java-21-openjdk", "java-25-openjdk", "java-11-openjdk", "mono"}
	etcFiles = []string{"ld.so.cache", "ld.so.conf", "localtime", "mime.types", "services", "protocols"}
)

var etcOwn = map[string]string{
	"passwd":        "root:x:0:0:root:/:/usr/sbin/nologin\nsandbox:x:993:993::/tmp:/usr/sbin/nologin\n",
	"group":         "root:x:0:\nsandbox:x:993:\n",
	"hosts":         "127.0.0.1 localhost\n::1 localhost\n",
	"resolv.conf":   "nameserver 127.0.0.1\noptions timeout:2 attempts:2\n",
	"nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
	"hostname":      "sandbox\n",
}

var devices = []string{"null", "zero", "full", "random", "urandom"}

// roots are the directories beside /usr that hold programs, as the host has them.
var roots = []string{"bin", "sbin", "lib", "lib32", "lib64", "libx32"}

// base returns the namespace, the binds that make a root of it, and its links.
func base(dir string) (ns *os.File, binds, links []plan.Pair, err error) {
	binds = []plan.Pair{{From: "usr", To: "/usr"}, {From: "etc", To: "/etc"}, {From: "dev", To: "/dev"}}
	links = []plan.Pair{{From: "/opt/nodejs/node_modules", To: "/node_modules"}}
	for _, name := range roots {
		st, err := os.Lstat("/" + name)
		if err != nil {
			continue
		}
		if st.IsDir() {
			binds = append(binds, plan.Pair{From: name, To: "/" + name})
		} else if to, err := os.Readlink("/" + name); err == nil {
			links = append(links, plan.Pair{From: to, To: "/" + name})
		}
	}
	ns, err = call(func() (*os.File, error) { return makeBase(dir, binds) })
	return ns, binds, links, err
}

// makeBase runs on a thread of its own, whose namespace becomes the base.
func makeBase(dir string, binds []plan.Pair) (*os.File, error) {
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		return nil, fmt.Errorf("make mount namespace: %w", err)
	}
	unix.Umask(0o022)
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return nil, fmt.Errorf("part mount namespace: %w", err)
	}
	if err := unix.Mount("redoubt-sandbox", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755,size=4m"); err != nil {
		return nil, fmt.Errorf("mount base: %w", err)
	}
	for _, d := range []string{"proc", "next", pieces + "/etc", pieces + "/dev"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, fmt.Errorf("make base: %w", err)
		}
	}
	at := filepath.Join(dir, pieces)
	for _, b := range binds {
		if b.From == "etc" || b.From == "dev" {
			continue
		}
		if err := graft("/"+b.From, filepath.Join(at, b.From), closed); err != nil {
			return nil, err
		}
	}
	if err := makeEtc(filepath.Join(at, "etc")); err != nil {
		return nil, err
	}
	if err := makeDev(filepath.Join(at, "dev")); err != nil {
		return nil, err
	}
	if err := unix.Mount("/proc", filepath.Join(dir, "proc"), "", unix.MS_BIND, ""); err != nil {
		return nil, fmt.Errorf("bind /proc: %w", err)
	}
	if err := unix.Chdir(dir); err != nil {
		return nil, fmt.Errorf("enter base: %w", err)
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return nil, fmt.Errorf("turn root to base: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return nil, fmt.Errorf("leave host's root: %w", err)
	}
	ns, err := os.Open("/proc/thread-self/ns/mnt")
	if err != nil {
		return nil, fmt.Errorf("keep base: %w", err)
	}
	return ns, nil
}

const closed = unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV

// graft puts a closed copy of a part of the host at a place in the base.
func graft(from, to string, attr uint64) error {
	st, err := os.Stat(from)
	if err != nil {
		return fmt.Errorf("find %s: %w", from, err)
	}
	if st.IsDir() {
		err = os.MkdirAll(to, 0o755)
	} else if err = os.MkdirAll(filepath.Dir(to), 0o755); err == nil {
		err = os.WriteFile(to, nil, 0o644)
	}
	if err != nil {
		return fmt.Errorf("make place for %s: %w", from, err)
	}
	fd, err := cloneTree(from, attr)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.MoveMount(fd, "", unix.AT_FDCWD, to, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("mount %s: %w", from, err)
	}
	return nil
}

func makeEtc(dir string) error {
	if err := unix.Mount("redoubt-sandbox", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=755,size=4m"); err != nil {
		return fmt.Errorf("mount /etc: %w", err)
	}
	for name, text := range etcOwn {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return fmt.Errorf("write /etc/%s: %w", name, err)
		}
	}
	for _, name := range etcFiles {
		b, err := os.ReadFile("/etc/" + name)
		if err != nil {
			continue // not every machine has all of them
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			return fmt.Errorf("write /etc/%s: %w", name, err)
		}
	}
	for _, name := range etcTrees {
		if _, err := os.Stat("/etc/" + name); err != nil {
			continue
		}
		if err := graft("/etc/"+name, filepath.Join(dir, name), closed|unix.MOUNT_ATTR_NOEXEC); err != nil {
			return err
		}
	}
	return closeMount(dir, unix.MS_NOEXEC|unix.MS_NODEV)
}

func makeDev(dir string) error {
	if err := unix.Mount("redoubt-sandbox", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NOEXEC, "mode=755,size=64k"); err != nil {
		return fmt.Errorf("mount /dev: %w", err)
	}
	for _, name := range devices {
		if err := graft("/dev/"+name, filepath.Join(dir, name), unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC); err != nil {
			return err
		}
	}
	for name, to := range map[string]string{"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2", "shm": "/tmp"} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("link /dev/%s: %w", name, err)
		}
	}
	return closeMount(dir, unix.MS_NOEXEC)
}

func closeMount(dir string, more uintptr) error {
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|unix.MS_NOSUID|more, ""); err != nil {
		return fmt.Errorf("close %s: %w", dir, err)
	}
	return nil
}
