package bucket

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/fault"
)

const (
	maxParts   = 10000
	maxUploads = 1000 // of one bucket, under way
)

var uploadForm = regexp.MustCompile(`^[0-9a-f]{32}$`)

// Part is one piece of an upload as a client names it at the end.
type Part struct {
	Number int
	ETag   string
}

// Begin opens an upload in parts and returns its id.
func (s *Store) Begin(name string, o Object) (string, error) {
	b, err := s.find(name)
	if err != nil {
		return "", err
	}
	if err := checkKey(o.Key); err != nil {
		return "", err
	}
	under, err := os.ReadDir(filepath.Join(b.dir, "parts"))
	if err != nil {
		return "", fmt.Errorf("begin upload: %w", err)
	}
	if len(under) >= maxUploads {
		return "", fault.New(fault.Limited, "%d uploads are under way; end or abort some first", maxUploads)
	}
	raw, err := json.Marshal(&o)
	if err != nil {
		return "", fmt.Errorf("begin upload: %w", err)
	}
	id := unique()
	dir := b.upload(id)
	if err := errors.Join(os.Mkdir(dir, dirMode), os.WriteFile(filepath.Join(dir, "object"), raw, 0o600)); err != nil {
		os.RemoveAll(dir)
		return "", fmt.Errorf("begin upload: %w", err)
	}
	return id, nil
}

func (b *shelf) upload(id string) string { return filepath.Join(b.dir, "parts", id) }

// about reads what an upload was begun with.
func (b *shelf) about(key, id string) (*Object, error) {
	if !uploadForm.MatchString(id) {
		return nil, errNoUpload
	}
	raw, err := os.ReadFile(filepath.Join(b.upload(id), "object"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, errNoUpload
	}
	var o Object
	if err := errors.Join(err, json.Unmarshal(raw, &o)); err != nil {
		return nil, fmt.Errorf("read upload: %w", err)
	}
	if o.Key != key {
		return nil, errNoUpload
	}
	return &o, nil
}

// PutPart stores one part; a number that was there is replaced.
func (s *Store) PutPart(name, key, id string, number int, r io.Reader) (etag string, err error) {
	b, err := s.find(name)
	if err != nil {
		return "", err
	}
	if number < 1 || number > maxParts {
		return "", fault.New(fault.Invalid, "parts are numbered from 1 to %d", maxParts)
	}
	if _, err := b.about(key, id); err != nil {
		return "", err
	}
	file, size, sum, err := b.write(r, s.quota)
	if err != nil {
		return "", err
	}
	etag = hex.EncodeToString(sum)
	old, had := b.part(id, number)
	if err := os.Rename(filepath.Join(b.dir, "data", file), filepath.Join(b.upload(id), fmt.Sprintf("%d.%s", number, etag))); err != nil {
		b.discard(file, size)
		return "", errNoUpload
	}
	if had && old.path != filepath.Join(b.upload(id), fmt.Sprintf("%d.%s", number, etag)) {
		os.Remove(old.path)
	}
	if had {
		b.mu.Lock()
		b.used -= old.size
		b.mu.Unlock()
	}
	return etag, nil
}

type storedPart struct {
	path string
	etag string
	size int64
}

// part finds the file of a part.
func (b *shelf) part(id string, number int) (storedPart, bool) {
	found, _ := filepath.Glob(filepath.Join(b.upload(id), fmt.Sprintf("%d.*", number)))
	if len(found) == 0 {
		return storedPart{}, false
	}
	info, err := os.Stat(found[0])
	if err != nil {
		return storedPart{}, false
	}
	_, etag, _ := strings.Cut(filepath.Base(found[0]), ".")
	return storedPart{path: found[0], etag: etag, size: info.Size()}, true
}

// Complete joins parts to the object.
func (s *Store) Complete(name, key, id string, parts []Part) (*Object, error) {
	b, err := s.find(name)
	if err != nil {
		return nil, err
	}
	o, err := b.about(key, id)
	if err != nil {
		return nil, err
	}
	if len(parts) == 0 || len(parts) > maxParts {
		return nil, fault.New(fault.Invalid, "an upload ends with 1 to %d parts", maxParts)
	}
	sums := md5.New()
	var readers []io.Reader
	for i, p := range parts {
		if i > 0 && parts[i-1].Number >= p.Number {
			return nil, fault.New(fault.Invalid, "parts are not in order")
		}
		stored, ok := b.part(id, p.Number)
		if !ok || stored.etag != strings.Trim(p.ETag, `"`) {
			return nil, fault.New(fault.Invalid, "part %d was not uploaded or is another than named", p.Number)
		}
		sum, _ := hex.DecodeString(stored.etag)
		sums.Write(sum)
		readers = append(readers, &lazyFile{path: stored.path})
	}
	// For a moment parts and whole are both there, and both are counted.
	file, size, _, err := b.write(io.MultiReader(readers...), s.quota)
	if err != nil {
		return nil, err
	}
	o.File, o.Size, o.ETag = file, size, fmt.Sprintf("%x-%d", sums.Sum(nil), len(parts))
	done, err := b.publish(o, size)
	if err != nil {
		return nil, err
	}
	return done, b.abort(id)
}

// Abort throws an upload away.
func (s *Store) Abort(name, key, id string) error {
	b, err := s.find(name)
	if err != nil {
		return err
	}
	if _, err := b.about(key, id); err != nil {
		return err
	}
	return b.abort(id)
}

func (b *shelf) abort(id string) error {
	size := b.sizeOf(id)
	if err := os.RemoveAll(b.upload(id)); err != nil {
		return fmt.Errorf("remove upload: %w", err)
	}
	b.mu.Lock()
	b.used -= size
	b.mu.Unlock()
	return nil
}

func (b *shelf) sizeOf(id string) (n int64) {
	files, _ := os.ReadDir(b.upload(id))
	for _, f := range files {
		if info, err := f.Info(); err == nil && f.Name() != "object" {
			n += info.Size()
		}
	}
	return n
}

// sweepParts forgets old uploads and counts the others, when a bucket is
// opened.
func (b *shelf) sweepParts() error {
	uploads, err := os.ReadDir(filepath.Join(b.dir, "parts"))
	for _, u := range uploads {
		if info, err := u.Info(); err == nil && time.Since(info.ModTime()) > staleParts {
			os.RemoveAll(b.upload(u.Name()))
			continue
		}
		b.used += b.sizeOf(u.Name())
	}
	return err
}

// lazyFile is opened when it is first read and closed at its end, so that an
// upload of many parts does not hold as many files open.
type lazyFile struct {
	path string
	f    *os.File
}

// Read implements io.Reader.
func (l *lazyFile) Read(p []byte) (int, error) {
	if l.f == nil {
		f, err := os.Open(l.path)
		if err != nil {
			return 0, err
		}
		l.f = f
	}
	n, err := l.f.Read(p)
	if err != nil {
		l.f.Close()
	}
	return n, err
}
