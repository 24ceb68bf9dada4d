package fileid

import (
	"container/list"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/redoubt"
)

const (
	maxSize   = 512 << 20             // of a file that is hashed; a larger one is refused
	maxCached = 65_536                // digests remembered; the one unused longest makes room
	racy      = 20 * time.Millisecond // a change this fresh may be followed by one with the same change time
	maxAtOnce = 4                     // files read at the same time; others wait
)

// Sum is the digest of a file's content. Stable means that the key stands for
// this content: nobody has the file open for writing, and any later change
// will show in its change time. A sum that is not stable holds for this moment
// only: do not build a rule on its key. A file read through a union is never
// stable, since its writers may be hidden below: see Below.
type Sum struct {
	Digest redoubt.Digest
	Stable bool
}

// Digests computes and remembers content digests. It is safe for use by
// several goroutines.
type Digests struct {
	now  func() time.Time
	room chan struct{}

	mu     sync.Mutex
	byKey  map[redoubt.FileKey]*list.Element
	recent *list.List // of entry, latest use first
	under  map[redoubt.FileKey]*reading
}

type entry struct {
	key    redoubt.FileKey
	digest redoubt.Digest
}

// reading is a file being hashed, which others who ask wait for.
type reading struct {
	done chan struct{}
	sum  Sum
	err  error
}

// NewDigests returns an empty cache.
func NewDigests() *Digests {
	return &Digests{
		now:    time.Now,
		room:   make(chan struct{}, maxAtOnce),
		byKey:  map[redoubt.FileKey]*list.Element{},
		recent: list.New(),
		under:  map[redoubt.FileKey]*reading{},
	}
}

// Of returns the digest of the file with this key. Where it is not remembered
// open is called for the file, which Of closes. The file must be the one the
// key names: fault.Conflict where it is another or changes meanwhile,
// fault.Limited where it is larger than 512 MiB, fault.Invalid where it is no
// regular file. Failures are not remembered.
func (d *Digests) Of(key redoubt.FileKey, open func() (*os.File, error)) (Sum, error) {
	d.mu.Lock()
	if e, ok := d.byKey[key]; ok {
		d.recent.MoveToFront(e)
		d.mu.Unlock()
		return Sum{e.Value.(entry).digest, true}, nil
	}
	if r, ok := d.under[key]; ok {
		d.mu.Unlock()
		<-r.done
		return r.sum, r.err
	}
	r := &reading{done: make(chan struct{}), err: fault.New(fault.Internal, "hash file: reader ended early")}
	d.under[key] = r
	d.mu.Unlock()
	defer d.finish(key, r)
	d.room <- struct{}{}
	defer func() { <-d.room }()
	r.sum, r.err = d.read(key, open)
	return r.sum, r.err
}

// Known returns a remembered digest.
func (d *Digests) Known(key redoubt.FileKey) (redoubt.Digest, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e, ok := d.byKey[key]
	if !ok {
		return "", false
	}
	d.recent.MoveToFront(e)
	return e.Value.(entry).digest, true
}

func (d *Digests) finish(key redoubt.FileKey, r *reading) {
	d.mu.Lock()
	delete(d.under, key)
	if r.err == nil && r.sum.Stable {
		d.byKey[key] = d.recent.PushFront(entry{key, r.sum.Digest})
		if d.recent.Len() > maxCached {
			delete(d.byKey, d.recent.Remove(d.recent.Back()).(entry).key)
		}
	}
	d.mu.Unlock()
	close(r.done)
}

func (d *Digests) read(key redoubt.FileKey, open func() (*os.File, error)) (Sum, error) {
	f, err := open()
	if err != nil {
		return Sum{}, err
	}
	defer f.Close()
	before, err := fstat(f)
	if err != nil {
		return Sum{}, err
	}
	if err := matches(f, before, key); err != nil {
		return Sum{}, err
	}
	union, err := onOverlay(f)
	if err != nil {
		return Sum{}, err
	}
	busy := union || writable(f)
	hash := sha256.New()
	n, err := io.Copy(hash, io.NewSectionReader(f, 0, maxSize+1))
	if err != nil {
		return Sum{}, fmt.Errorf("hash %s: %w", f.Name(), err)
	}
	if n > maxSize {
		return Sum{}, tooLarge(f, n)
	}
	after, err := fstat(f)
	if err != nil {
		return Sum{}, err
	}
	if keyOf(after) != keyOf(before) || after.Size != before.Size || n != before.Size {
		return Sum{}, fault.New(fault.Conflict, "hash %s: it changed meanwhile", f.Name())
	}
	age := d.now().Sub(time.Unix(0, key.Ctime))
	return Sum{
		Digest: redoubt.Digest("sha256:" + hex.EncodeToString(hash.Sum(nil))),
		Stable: !busy && !writable(f) && age > racy,
	}, nil
}

// matches checks that f is what key names. On overlayfs fstat names the file
// otherwise, so there only the change time is compared.
func matches(f *os.File, st *unix.Stat_t, key redoubt.FileKey) error {
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return fault.New(fault.Invalid, "hash %s: not a regular file", f.Name())
	}
	if st.Size > maxSize {
		return tooLarge(f, st.Size)
	}
	got := keyOf(st)
	if got == key {
		return nil
	}
	union, err := onOverlay(f)
	if err != nil {
		return err
	}
	if union && got.Ctime == key.Ctime {
		return nil
	}
	return fault.New(fault.Conflict, "hash %s: it is another file by now", f.Name())
}

func tooLarge(f *os.File, size int64) error {
	return fault.New(fault.Limited, "hash %s: %d bytes, more than the %d that are hashed", f.Name(), size, maxSize)
}
