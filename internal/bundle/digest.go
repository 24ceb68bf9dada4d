package bundle

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/redoubt"
)

// A digest is over, in this order: a version line; an image's config; then for
// every entry, the root first, depth first in the order of the names' bytes,
// its kind and permission bits, its path, and a file's SHA-256 or a link's
// target. Lengths go before what varies, so that no two trees say the same. Times, owners and extended attributes are not part of it.
const digestVersion = "redoubt bundle 1\n"

// stamp sums up what the kernel says of a tree without its contents being
// read: kind, permissions, size, inode and times of change of every entry.
type stamp struct {
	sum    [sha256.Size]byte
	newest time.Time // change of any entry
}

// reading walks a tree.
type reading struct {
	ctx    context.Context
	seen   hash.Hash // for the stamp
	full   hash.Hash // for the digest; nil reads no contents
	newest unix.Timespec
	buf    []byte
	bytes  int64
	files  int
	late   func(path string, changed time.Time) // told of every entry; may be nil
}

// measure reads the tree at dir. Without content, only the stamp is made.
func measure(ctx context.Context, dir string, image *ImageConfig, content bool) (redoubt.Digest, *reading, stamp, error) {
	r := &reading{ctx: ctx, seen: sha256.New()}
	if content {
		r.full, r.buf = sha256.New(), make([]byte, 256<<10)
		r.full.Write([]byte(digestVersion))
		conf, err := json.Marshal(image)
		if err != nil {
			return "", nil, stamp{}, fmt.Errorf("write image config: %w", err)
		}
		text(r.full, string(conf))
	}
	err := r.run(dir)
	if err != nil {
		return "", nil, stamp{}, fmt.Errorf("read bundle: %w", err)
	}
	s := stamp{newest: time.Unix(r.newest.Unix())}
	r.seen.Sum(s.sum[:0])
	if !content {
		return "", r, s, nil
	}
	return redoubt.Digest("sha256:" + hex.EncodeToString(r.full.Sum(nil))), r, s, nil
}

func (r *reading) run(dir string) error {
	f, err := os.OpenFile(dir, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		f.Close()
		return err
	}
	r.note("", &st)
	return r.dir(f, "")
}

// dir reads a directory and closes it.
func (r *reading) dir(f *os.File, at string) error {
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return err
	}
	slices.Sort(names)
	fd := int(f.Fd())
	for _, n := range names {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		if err := r.entry(fd, n, path.Join(at, n)); err != nil {
			return fmt.Errorf("%s: %w", n, err)
		}
	}
	return nil
}

func (r *reading) entry(dir int, name, at string) error {
	var st unix.Stat_t
	if err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		r.note(at, &st)
		f, err := open(dir, name, unix.O_DIRECTORY)
		if err != nil {
			return err
		}
		return r.dir(f, at)
	case unix.S_IFREG:
		r.files++
		r.bytes += st.Size
		if r.full == nil {
			r.note(at, &st)
			return nil
		}
		return r.file(dir, name, at)
	case unix.S_IFLNK:
		r.files++
		r.note(at, &st)
		if r.full == nil {
			return nil
		}
		buf := make([]byte, maxTarget+1)
		n, err := unix.Readlinkat(dir, name, buf)
		if err != nil {
			return err
		}
		text(r.full, string(buf[:n]))
		return nil
	}
	return fault.New(fault.Invalid, "it is neither file, directory nor link")
}

func open(dir int, name string, flags int) (*os.File, error) {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC|flags, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// file hashes a file. What it was is looked at before it is read: a change
// meanwhile shows in the next stamp.
func (r *reading) file(dir int, name, at string) error {
	f, err := open(dir, name, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return err
	}
	r.note(at, &st)
	sum := sha256.New()
	for {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		n, err := f.Read(r.buf)
		sum.Write(r.buf[:n])
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	r.full.Write(sum.Sum(nil))
	return nil
}

// note writes what is known of an entry without its content.
func (r *reading) note(at string, st *unix.Stat_t) {
	var b [60]byte
	binary.LittleEndian.PutUint32(b[0:], st.Mode)
	if r.full != nil {
		r.full.Write(b[:4])
		text(r.full, at)
	}
	binary.LittleEndian.PutUint32(b[4:], st.Uid)
	binary.LittleEndian.PutUint64(b[8:], uint64(st.Size))
	binary.LittleEndian.PutUint64(b[16:], st.Ino)
	binary.LittleEndian.PutUint64(b[24:], st.Dev)
	binary.LittleEndian.PutUint64(b[32:], uint64(st.Ctim.Sec))
	binary.LittleEndian.PutUint64(b[40:], uint64(st.Mtim.Sec))
	binary.LittleEndian.PutUint32(b[48:], uint32(st.Ctim.Nsec))
	binary.LittleEndian.PutUint32(b[52:], uint32(st.Mtim.Nsec))
	binary.LittleEndian.PutUint32(b[56:], uint32(len(at)))
	r.seen.Write(b[:])
	io.WriteString(r.seen, at)
	if st.Ctim.Nano() > r.newest.Nano() {
		r.newest = st.Ctim
	}
	if r.late != nil {
		r.late(at, time.Unix(st.Ctim.Unix()))
	}
}

// text writes a string after its length.
func text(w io.Writer, s string) {
	var n [4]byte
	binary.LittleEndian.PutUint32(n[:], uint32(len(s)))
	w.Write(n[:])
	io.WriteString(w, s)
}
