package bundle

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/redoubt"
)

const (
	treeName = "tree"
	infoName = "info.json"
)

var digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// Info is what is known of a bundle.
type Info struct {
	Digest   redoubt.Digest `json:"digest"`
	Size     int64          `json:"size"`            // bytes as it was first given
	Unpacked int64          `json:"unpacked"`        // bytes of its files
	Files    int            `json:"files"`           // files and links
	Image    *ImageConfig   `json:"image,omitempty"` // nil for plain code
	Added    time.Time      `json:"added"`
}

// Store keeps bundles in a directory. Safe for concurrent use; one process has
// a directory at a time.
type Store struct {
	dir    string
	limits Limits
	lock   *os.File

	adding sync.Mutex // held while a bundle is held against those there and put beside them

	mu    sync.Mutex
	infos map[redoubt.Digest]Info
	known map[redoubt.Digest]*known
}

// known is what verification remembers of one bundle.
type known struct {
	mu    sync.Mutex
	stamp stamp
	valid bool
}

// Open opens the store at dir, making it if it is not there, and removes what
// an interrupted Add left. It is fault.Conflict while another has it open.
func Open(dir string, l Limits) (*Store, error) {
	s := &Store{dir: dir, limits: l.withDefaults(), infos: map[redoubt.Digest]Info{}, known: map[redoubt.Digest]*known{}}
	for _, d := range []string{dir, s.bundles()} {
		if err := os.MkdirAll(d, 0o711); err != nil {
			return nil, fmt.Errorf("open bundles: %w", err)
		}
	}
	if err := s.acquire(); err != nil {
		return nil, err
	}
	if err := s.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("open bundles: %w", err), s.lock.Close())
	}
	return s, nil
}

func (s *Store) tmp() string     { return filepath.Join(s.dir, "tmp") }
func (s *Store) bundles() string { return filepath.Join(s.dir, "bundles") }

func (s *Store) acquire() (err error) {
	s.lock, err = os.OpenFile(filepath.Join(s.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("open bundles: %w", err)
	}
	if err := unix.Flock(int(s.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		s.lock.Close()
		return fault.New(fault.Conflict, "open bundles: %s is used by another process: stop that first", s.dir)
	}
	return nil
}

// load empties tmp and reads what is there.
func (s *Store) load() error {
	if err := removeAll(s.tmp()); err != nil {
		return err
	}
	if err := os.Mkdir(s.tmp(), 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(s.bundles())
	if err != nil {
		return err
	}
	for _, e := range entries {
		d := redoubt.Digest("sha256:" + e.Name())
		if !digestForm.MatchString(string(d)) {
			continue
		}
		data, err := os.ReadFile(filepath.Join(s.bundles(), e.Name(), infoName))
		var info Info
		if err == nil {
			err = json.Unmarshal(data, &info)
		}
		if err != nil || info.Digest != d {
			// A disk that lost it; the same bundle can be added again.
			info = Info{Digest: d}
		}
		s.infos[d] = info
	}
	return nil
}

// Close gives the directory up; what it holds stays.
func (s *Store) Close() error { return s.lock.Close() }

// Add takes a bundle in. One that is already there is not kept twice; if the
// one there was damaged, it is replaced. On any error nothing is left behind.
// What is wrong with the bundle is of kind fault.Invalid or, where a limit is
// exceeded, fault.Limited; a full disk is fault.Unavailable.
func (s *Store) Add(ctx context.Context, src Source) (Info, error) {
	info, err := s.add(ctx, src)
	switch {
	case err == nil:
		return info, nil
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return Info{}, fault.New(fault.Unavailable, "take in bundle: the disk with %s is full: make room and try again: %w", s.dir, err)
	case ctx.Err() != nil:
		return Info{}, fmt.Errorf("take in bundle: %w", ctx.Err())
	case fault.Of(err) == fault.Internal && !isOurs(err):
		return Info{}, fault.New(fault.Invalid, "take in bundle: the archive is damaged: %w", err)
	}
	return Info{}, fmt.Errorf("take in bundle: %w", err)
}

// isOurs tells what the system refused from what a decompressor did.
func isOurs(err error) bool {
	var no unix.Errno
	return errors.As(err, &no)
}

func (s *Store) add(ctx context.Context, src Source) (info Info, err error) {
	work, err := os.MkdirTemp(s.tmp(), "add-")
	if err != nil {
		return Info{}, err
	}
	defer func() { err = errors.Join(err, removeAll(work)) }()
	if info, err = src.unpack(ctx, work, s.limits); err != nil {
		return Info{}, err
	}
	tree := filepath.Join(work, treeName)
	digest, r, _, err := measure(ctx, tree, info.Image, true)
	if err != nil {
		return Info{}, err
	}
	info.Digest, info.Unpacked, info.Files, info.Added = digest, r.bytes, r.files, time.Now().UTC()
	s.adding.Lock()
	defer s.adding.Unlock()
	if old, ok := s.Info(digest); ok && s.Verify(ctx, digest) == nil {
		return old, nil
	}
	final, err := s.write(work, info)
	if err != nil {
		return Info{}, err
	}
	return s.commit(final, info)
}

// write makes what is to be renamed and flushes it to disk.
func (s *Store) write(work string, info Info) (string, error) {
	final := filepath.Join(work, "final")
	if err := os.Mkdir(final, 0o711); err != nil {
		return "", err
	}
	if err := os.Rename(filepath.Join(work, treeName), filepath.Join(final, treeName)); err != nil {
		return "", err
	}
	data, err := json.Marshal(info)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(final, infoName), data, 0o600); err != nil {
		return "", err
	}
	if err := flush(final, info.Files); err != nil {
		return "", fmt.Errorf("flush bundle: %w", err)
	}
	return final, nil
}

// flush brings a directory to disk: few files one by one, since flushing the
// file system waits for what everybody else wrote, but many with just that.
func flush(dir string, files int) error {
	const few = 32
	if files > few {
		f, err := os.Open(dir)
		if err != nil {
			return err
		}
		defer f.Close()
		return unix.Syncfs(int(f.Fd()))
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() && !d.Type().IsRegular() {
			return err
		}
		f, err := root.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		return f.Sync()
	})
}

// commit puts a bundle in its place.
func (s *Store) commit(final string, info Info) (Info, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	place := s.place(info.Digest)
	err := os.Rename(final, place)
	if errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.EEXIST) {
		// A damaged one is there: it goes with work.
		if err = unix.Renameat2(unix.AT_FDCWD, final, unix.AT_FDCWD, place, unix.RENAME_EXCHANGE); err != nil {
			err = fmt.Errorf("replace bundle: %w", err)
		}
	}
	if err != nil {
		return Info{}, err
	}
	if err := syncDir(s.bundles()); err != nil {
		return Info{}, err
	}
	s.infos[info.Digest] = info
	delete(s.known, info.Digest)
	return info, nil
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

func (s *Store) place(d redoubt.Digest) string {
	return filepath.Join(s.bundles(), strings.TrimPrefix(string(d), "sha256:"))
}

// Info returns what is known of a bundle.
func (s *Store) Info(d redoubt.Digest) (Info, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	info, ok := s.infos[d]
	return info, ok
}

// List returns all bundles, the latest first.
func (s *Store) List() ([]Info, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.infos), func(a, b Info) int {
		return cmp.Or(b.Added.Compare(a.Added), cmp.Compare(a.Digest, b.Digest))
	}), nil
}

// Remove deletes a bundle, unless used says that something needs it; nil says
// nothing does. used is asked while no bundle comes or goes, so it must not
// call the Store. Who deploys must look for the bundle with Path in the same
// transaction that records it.
func (s *Store) Remove(d redoubt.Digest, used func(redoubt.Digest) bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.infos[d]; !ok {
		return missing(d)
	}
	if used != nil && used(d) {
		return fault.New(fault.Conflict, "bundle %s is still needed: delete the versions that use it first", d.Short())
	}
	work, err := os.MkdirTemp(s.tmp(), "remove-")
	if err != nil {
		return fmt.Errorf("remove bundle %s: %w", d.Short(), err)
	}
	if err := os.Rename(s.place(d), filepath.Join(work, "final")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove bundle %s: %w", d.Short(), err)
	}
	delete(s.infos, d)
	delete(s.known, d)
	if err := removeAll(work); err != nil {
		return fmt.Errorf("remove bundle %s: %w", d.Short(), err)
	}
	return nil
}

func missing(d redoubt.Digest) error {
	return fault.New(fault.NotFound, "there is no bundle %s here: deploy the function again", d.Short())
}

// removeAll removes sealed trees, too: whoever is not root has to make their
// directories writable first.
func removeAll(dir string) error {
	err := os.RemoveAll(dir)
	if !errors.Is(err, os.ErrPermission) {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := loosen(root, "."); err != nil {
		return err
	}
	return os.RemoveAll(dir)
}

func loosen(root *os.Root, dir string) error {
	if err := root.Chmod(dir, 0o700); err != nil {
		return err
	}
	f, err := root.Open(dir)
	if err != nil {
		return err
	}
	entries, err := f.ReadDir(-1)
	f.Close()
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := loosen(root, filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
