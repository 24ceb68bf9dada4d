package bucket

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"
	"unicode/utf8"

	"redoubt.dev/redoubt/internal/fault"
)

// checkKey says what is wrong with a key.
func checkKey(key string) error {
	if key == "" || len(key) > MaxKey || !utf8.ValidString(key) {
		return fault.New(fault.Invalid, "a key has 1 to %d bytes of UTF-8", MaxKey)
	}
	return nil
}

// Put stores what r holds under o.Key and returns the object as it is now; r is
// read to its end first, so that a client that breaks off changes nothing.
func (s *Store) Put(name string, o Object, r io.Reader) (*Object, error) {
	b, err := s.find(name)
	if err != nil {
		return nil, err
	}
	if err := checkKey(o.Key); err != nil {
		return nil, err
	}
	file, size, sum, err := b.write(r, s.quota)
	if err != nil {
		return nil, err
	}
	o.File, o.Size, o.ETag = file, size, hex.EncodeToString(sum)
	return b.publish(&o, size)
}

// write brings bytes to a new data file. They count against the quota from
// the moment they are there; the caller owns the file and its share.
func (b *shelf) write(r io.Reader, quota int64) (file string, size int64, sum []byte, err error) {
	file = unique()
	path := filepath.Join(b.dir, "data", file)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", 0, nil, fmt.Errorf("write object: %w", err)
	}
	w := &metered{b: b, quota: quota, f: f, sum: md5.New()}
	_, err = io.Copy(w, io.LimitReader(r, MaxObject+1))
	if err == nil && w.size > MaxObject {
		err = fault.New(fault.Limited, "an object has at most %d bytes", int64(MaxObject))
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		b.discard(file, w.size)
		return "", 0, nil, fmt.Errorf("write object: %w", err)
	}
	return file, w.size, w.sum.Sum(nil), nil
}

// metered writes a file within its bucket's quota.
type metered struct {
	b     *shelf
	quota int64
	f     *os.File
	sum   hash.Hash
	size  int64
}

// Write implements io.Writer.
func (m *metered) Write(p []byte) (int, error) {
	m.b.mu.Lock()
	full := m.b.used+int64(len(p)) > m.quota
	if !full {
		m.b.used += int64(len(p))
		m.size += int64(len(p))
	}
	m.b.mu.Unlock()
	if full {
		return 0, errQuota
	}
	m.sum.Write(p)
	return m.f.Write(p)
}

// discard removes a data file and gives its share back.
func (b *shelf) discard(file string, size int64) {
	os.Remove(filepath.Join(b.dir, "data", file))
	b.mu.Lock()
	b.used -= size
	b.mu.Unlock()
}

// publish makes a written file the object of its key.
func (b *shelf) publish(o *Object, size int64) (*Object, error) {
	o.Modified = time.Now().UTC().Truncate(time.Millisecond)
	raw, err := json.Marshal(o)
	if err != nil {
		b.discard(o.File, size)
		return nil, fmt.Errorf("write object: %w", err)
	}
	b.mu.Lock()
	old, err := b.swap(o, raw)
	b.mu.Unlock()
	if err != nil {
		b.discard(o.File, size)
		return nil, fmt.Errorf("write object: %w", err)
	}
	if old != nil {
		b.discard(old.File, old.Size)
	}
	return o, nil
}

// swap puts o in the place of what was there; the caller holds the lock, so
// that disk and memory agree on who came last.
func (b *shelf) swap(o *Object, raw []byte) (old *Object, err error) {
	old = b.objects[o.Key]
	if old == nil && len(b.keys) >= MaxObjects {
		return nil, fault.New(fault.Limited, "the bucket holds %d objects, as many as it may", MaxObjects)
	}
	final := filepath.Join(b.dir, "meta", place(o.Key))
	fresh := filepath.Join(b.dir, "data", unique())
	if err := os.WriteFile(fresh, raw, 0o600); err != nil {
		os.Remove(fresh)
		return nil, err
	}
	if err := os.Rename(fresh, final); err != nil {
		os.Remove(fresh)
		return nil, err
	}
	b.objects[o.Key] = o
	if old == nil {
		i := sort.SearchStrings(b.keys, o.Key)
		b.keys = slices.Insert(b.keys, i, o.Key)
	}
	return old, nil
}

// Head returns what is known of an object; it must not be changed.
func (s *Store) Head(name, key string) (*Object, error) {
	b, err := s.find(name)
	if err != nil {
		return nil, err
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	if o := b.objects[key]; o != nil {
		return o, nil
	}
	return nil, errNoKey
}

// Get opens an object. Who reads it reads it whole, whatever is put meanwhile.
func (s *Store) Get(name, key string) (*Object, *os.File, error) {
	b, err := s.find(name)
	if err != nil {
		return nil, nil, err
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	o := b.objects[key]
	if o == nil {
		return nil, nil, errNoKey
	}
	f, err := os.Open(filepath.Join(b.dir, "data", o.File))
	if err != nil {
		return nil, nil, fmt.Errorf("read object: %w", err)
	}
	return o, f, nil
}

// Delete removes an object; false if there was none.
func (s *Store) Delete(name, key string) (*Object, bool, error) {
	b, err := s.find(name)
	if err != nil {
		return nil, false, err
	}
	b.mu.Lock()
	o := b.objects[key]
	if o != nil {
		if err := os.Remove(filepath.Join(b.dir, "meta", place(key))); err != nil && !errors.Is(err, os.ErrNotExist) {
			b.mu.Unlock()
			return nil, false, fmt.Errorf("delete object: %w", err)
		}
		delete(b.objects, key)
		if i, ok := slices.BinarySearch(b.keys, key); ok {
			b.keys = slices.Delete(b.keys, i, i+1)
		}
	}
	b.mu.Unlock()
	if o == nil {
		return nil, false, nil
	}
	b.discard(o.File, o.Size)
	return o, true, nil
}

// Page is one page of a list.
type Page struct {
	Objects  []*Object
	Prefixes []string // what keys have in common up to the delimiter
	Next     string   // where the next page begins, empty after the last
}

// List returns keys after a key, by order, at most max of them and of common
// prefixes together.
func (s *Store) List(name, prefix, delimiter, after string, max int) (*Page, error) {
	b, err := s.find(name)
	if err != nil {
		return nil, err
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	page := &Page{}
	i := sort.SearchStrings(b.keys, prefix)
	if after != "" {
		if j := sort.Search(len(b.keys), func(i int) bool { return b.keys[i] > after }); j > i {
			i = j
		}
	}
	last := after
	for ; i < len(b.keys) && len(b.keys[i]) >= len(prefix) && b.keys[i][:len(prefix)] == prefix; i++ {
		if len(page.Objects)+len(page.Prefixes) >= max {
			page.Next = last
			break
		}
		key := b.keys[i]
		if common, ok := commonPrefix(key, prefix, delimiter); ok {
			// Everything below it is one entry, and the next page is beyond it.
			end := sort.Search(len(b.keys), func(j int) bool { return b.keys[j] > common && !below(b.keys[j], common) })
			last, i = b.keys[end-1], end-1
			if after == "" || !below(after, common) {
				page.Prefixes = append(page.Prefixes, common)
			}
			continue
		}
		page.Objects = append(page.Objects, b.objects[key])
		last = key
	}
	return page, nil
}

func below(key, prefix string) bool {
	return len(key) >= len(prefix) && key[:len(prefix)] == prefix
}

// commonPrefix is the beginning of key that a list with a delimiter shows in
// its place.
func commonPrefix(key, prefix, delimiter string) (string, bool) {
	if delimiter == "" {
		return "", false
	}
	i := strings.Index(key[len(prefix):], delimiter)
	if i < 0 {
		return "", false
	}
	return key[:len(prefix)+i+len(delimiter)], true
}
