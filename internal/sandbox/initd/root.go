package main

import (
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/sandbox/plan"
)

// next is where the root is built; the host made the directory.
const next = "/next"

// build makes the root of the plan and leaves nothing else reachable.
func build(p *plan.Plan) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return wrap("part from the host's mounts", err)
	}
	if err := unix.Mount("redoubt-sandbox", next, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755,size=512k,nr_inodes=1k"); err != nil {
		return wrap("mount root", err)
	}
	for _, b := range p.Binds {
		if err := bind(path.Join(p.Base, b.From), next+b.To); err != nil {
			return wrap("bind "+b.To, err)
		}
	}
	for _, dir := range append([]string{"/proc", "/sys", "/run"}, p.Places...) {
		if err := mkdir(next + dir); err != nil {
			return err
		}
	}
	if err := mountProc(p.Masks); err != nil {
		return err
	}
	for i, target := range p.Mounts {
		if err := attach(plan.FileMounts+i, target); err != nil {
			return wrap("mount "+target, err)
		}
	}
	for _, dir := range p.Own {
		if err := give(next+dir, int(p.ID)); err != nil {
			return wrap("make "+dir, err)
		}
	}
	for _, c := range p.Covers {
		if err := unix.Mount(path.Join(p.Base, c.From), next+c.To, "", unix.MS_BIND, ""); err != nil {
			return wrap("cover "+c.To, err)
		}
	}
	// Last, so that no link leads a mount astray; what is there already stays.
	for _, l := range p.Links {
		if err := unix.Symlink(l.From, next+l.To); err != nil && err != unix.EEXIST {
			return wrap("link "+l.To, err)
		}
	}
	if err := unix.Mount("", next, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV, ""); err != nil {
		return wrap("close root", err)
	}
	return enter()
}

// mountProc mounts /proc read-only: what it tells about the machine beyond
// the sandbox is hidden behind the null device.
func mountProc(masks []string) error {
	dir := next + "/proc"
	const flags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	if err := unix.Mount("proc", dir, "proc", flags, ""); err != nil {
		return wrap("mount /proc", err)
	}
	// When the whole machine is short of memory, functions go before others.
	if err := yield(dir + "/self/oom_score_adj"); err != nil {
		return wrap("yield memory", err)
	}
	for _, m := range masks {
		err := unix.Mount(next+"/dev/null", next+m, "", unix.MS_BIND, "")
		if err != nil && err != unix.ENOENT {
			return wrap("hide "+m, err)
		}
	}
	return wrap("close /proc", unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|flags, ""))
}

// bind clones a piece of the base, with what is mounted below it.
func bind(from, to string) error {
	var st unix.Stat_t
	if err := unix.Stat(from, &st); err != nil {
		return err
	}
	if err := place(to, st.Mode&unix.S_IFMT == unix.S_IFDIR); err != nil {
		return err
	}
	return unix.Mount(from, to, "", unix.MS_BIND|unix.MS_REC, "")
}

func attach(fd int, target string) error {
	dir := strings.HasSuffix(target, "/")
	to := next + strings.TrimSuffix(target, "/")
	if err := place(to, dir); err != nil {
		return err
	}
	if err := unix.MoveMount(fd, "", unix.AT_FDCWD, to, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return err
	}
	return unix.Close(fd)
}

// yield makes the kernel end this process rather than the host's.
func yield(path string) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, []byte("500"))
	return err
}

// place makes what a mount needs to stand on.
func place(to string, dir bool) error {
	if dir {
		return mkdir(to)
	}
	var st unix.Stat_t
	if unix.Lstat(to, &st) == nil {
		return nil
	}
	if err := mkdir(path.Dir(to)); err != nil {
		return err
	}
	return unix.Mknod(to, unix.S_IFREG|0o644, 0)
}

// mkdir makes a directory and those above it.
func mkdir(dir string) error {
	err := unix.Mkdir(dir, 0o755)
	if err == unix.ENOENT {
		if err := mkdir(path.Dir(dir)); err != nil {
			return err
		}
		err = unix.Mkdir(dir, 0o755)
	}
	var st unix.Stat_t
	if err != nil && unix.Stat(dir, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return nil
	}
	return err
}

// give makes a directory that is the program's.
func give(dir string, id int) error {
	if err := mkdir(dir); err != nil {
		return err
	}
	return unix.Chown(dir, id, id)
}

// enter makes next the root and lets go of the one that held the host's /proc.
func enter() error {
	if err := unix.Chdir(next); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return wrap("turn root", err)
	}
	return wrap("leave old root", unix.Unmount(".", unix.MNT_DETACH))
}

type failure struct {
	act string
	err error
}

func (f failure) Error() string { return f.act + ": " + f.err.Error() }

func wrap(act string, err error) error {
	if err == nil {
		return nil
	}
	return failure{act, err}
}
