// Package bucket keeps objects in buckets on the local disk and speaks enough
// of the S3 API for SDKs to put, get, list and delete them, in parts where they
// are large. An object appears whole or not at all, a key is never a path on
// disk, and a bucket cannot outgrow its quota. Who may do what is asked of
// whoever serves it, who is also told of every change.
package bucket

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
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

	"redoubt.dev/redoubt/internal/fault"
)

// The limits of a store.
const (
	MaxBuckets = 1000
	MaxKey     = 1024               // bytes of a key, as on S3
	MaxObjects = 1 << 20            // of one bucket: their keys are held in memory
	MaxObject  = 5 << 30            // bytes put at once
	maxMeta    = 2 << 10            // bytes of what a client says of its object
	quota      = int64(20) << 30    // bytes of one bucket
	staleParts = 7 * 24 * time.Hour // an upload in parts that nobody went on with
	dirMode    = fs.FileMode(0o700)
)

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// Object is what is known of one object.
type Object struct {
	Key      string            `json:"key"`
	Size     int64             `json:"size"`
	ETag     string            `json:"etag"` // without quotes
	Modified time.Time         `json:"modified"`
	Type     string            `json:"type,omitempty"`
	Encoding string            `json:"encoding,omitempty"`
	Meta     map[string]string `json:"meta,omitempty"` // x-amz-meta-*
	By       string            `json:"by"`
	File     string            `json:"file"` // its bytes, below the bucket's data directory
}

// Store is safe for concurrent use.
type Store struct {
	dir   string
	quota int64

	mu      sync.Mutex
	buckets map[string]*shelf
}

// shelf is one bucket.
type shelf struct {
	dir     string
	created time.Time

	mu      sync.RWMutex
	objects map[string]*Object
	keys    []string // sorted
	used    int64    // bytes, of objects and of parts and writes under way
}

// Open reads what dir holds and throws away what a predecessor left half
// written. limit bounds the bytes of each bucket; 0 is the default.
func Open(dir string, limit int64) (*Store, error) {
	s := &Store{dir: dir, quota: cmp.Or(limit, quota), buckets: map[string]*shelf{}}
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return nil, fmt.Errorf("make directory of buckets: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read buckets: %w", err)
	}
	for _, e := range entries {
		if !e.IsDir() || !nameForm.MatchString(e.Name()) {
			continue
		}
		b, err := openShelf(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("read bucket %s: %w", e.Name(), err)
		}
		s.buckets[e.Name()] = b
	}
	return s, nil
}

func openShelf(dir string) (*shelf, error) {
	b := &shelf{dir: dir, objects: map[string]*Object{}}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	b.created = info.ModTime()
	for _, sub := range []string{"data", "meta", "parts"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), dirMode); err != nil {
			return nil, err
		}
	}
	metas, err := os.ReadDir(filepath.Join(dir, "meta"))
	if err != nil {
		return nil, err
	}
	live := map[string]bool{}
	for _, m := range metas {
		path := filepath.Join(dir, "meta", m.Name())
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		var o Object
		if json.Unmarshal(raw, &o) != nil || place(o.Key) != m.Name() || o.File != filepath.Base(o.File) {
			os.Remove(path)
			continue
		}
		b.objects[o.Key], live[o.File] = &o, true
		b.used += o.Size
	}
	b.keys = slices.Sorted(maps.Keys(b.objects))
	data, err := os.ReadDir(filepath.Join(dir, "data"))
	for _, d := range data {
		if !live[d.Name()] {
			os.Remove(filepath.Join(dir, "data", d.Name()))
		}
	}
	return b, errors.Join(err, b.sweepParts())
}

// place is the name of a key's entry on disk; no key can choose it.
func place(key string) string {
	h := sha256.Sum256([]byte(key))
	return hex.EncodeToString(h[:])
}

func unique() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// Create makes a bucket; one that is there already stays.
func (s *Store) Create(name string) error {
	if !nameForm.MatchString(name) || strings.Contains(name, "..") {
		return fault.New(fault.Invalid, "a bucket's name has 3 to 63 small letters, digits, dashes and dots")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buckets[name] != nil {
		return nil
	}
	if len(s.buckets) >= MaxBuckets {
		return fault.New(fault.Limited, "there are %d buckets, as many as there may be", MaxBuckets)
	}
	dir := filepath.Join(s.dir, name)
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return fmt.Errorf("make bucket %s: %w", name, err)
	}
	b, err := openShelf(dir)
	if err != nil {
		return fmt.Errorf("make bucket %s: %w", name, err)
	}
	s.buckets[name] = b
	return nil
}

// Drop removes a bucket that is empty.
func (s *Store) Drop(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.shelf(name)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.keys) > 0 {
		return fault.New(fault.Conflict, "bucket %s is not empty", name)
	}
	delete(s.buckets, name)
	if err := os.RemoveAll(b.dir); err != nil {
		return fmt.Errorf("remove bucket %s: %w", name, err)
	}
	return nil
}

// Bucket is a bucket as lists show it.
type Bucket struct {
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	Objects int       `json:"objects"`
	Size    int64     `json:"size"`
}

// Buckets lists all, by name.
func (s *Store) Buckets() []Bucket {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Bucket
	for _, name := range slices.Sorted(maps.Keys(s.buckets)) {
		b := s.buckets[name]
		b.mu.RLock()
		out = append(out, Bucket{Name: name, Created: b.created, Objects: len(b.keys), Size: b.used})
		b.mu.RUnlock()
	}
	return out
}

// shelf returns a bucket; the caller holds the lock.
func (s *Store) shelf(name string) (*shelf, error) {
	if b := s.buckets[name]; b != nil {
		return b, nil
	}
	return nil, errNoBucket
}

// Has says whether there is a bucket of that name.
func (s *Store) Has(name string) bool {
	_, err := s.find(name)
	return err == nil
}

func (s *Store) find(name string) (*shelf, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shelf(name)
}

var (
	errNoBucket = fault.New(fault.NotFound, "no such bucket")
	errNoKey    = fault.New(fault.NotFound, "no object has this key")
	errQuota    = fault.New(fault.Limited, "the bucket's quota is used up; delete objects first")
	errNoUpload = fault.New(fault.NotFound, "no such upload")
)
