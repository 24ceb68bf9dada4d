package bundle

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/redoubt"
)

// settled is how long ago the last change of a tree must be before its stamp
// is trusted: a later change within the same tick of a file system's clock
// would leave no trace. The coarsest clocks in use tick every two seconds.
const settled = 2 * time.Second

// Verify says whether a bundle still is what its digest names. The first time
// in the life of this process all contents are hashed. After that they are
// hashed again as soon as anything of any entry differs from what it was then:
// kind, permissions, owner, size, inode, device, time of content and of inode
// change, or the set of names itself. The latter time (ctime) is set by the
// kernel at every write, chmod, rename or link and can be set by nobody, so a
// change cannot be hidden short of writing to the disk below the file system.
// What was compared against is kept in memory only, never on the disk it
// speaks of. A bundle that fails stays refused until it is added again; the
// error is of kind fault.Denied and names files that were changed.
func (s *Store) Verify(ctx context.Context, d redoubt.Digest) error {
	s.mu.Lock()
	info, ok := s.infos[d]
	k := s.known[d]
	if ok && k == nil {
		k = &known{}
		s.known[d] = k
	}
	s.mu.Unlock()
	if !ok {
		return missing(d)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	tree := filepath.Join(s.place(d), treeName)
	if k.valid {
		_, _, now, err := measure(ctx, tree, nil, false)
		if err == nil && now == k.stamp {
			return nil
		}
	}
	k.valid = false
	began := time.Now()
	got, _, now, err := measure(ctx, tree, info.Image, true)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("verify bundle %s: %w", d.Short(), ctx.Err())
	case err != nil:
		return fault.New(fault.Denied, "bundle %s cannot be read as it was: %w: deploy the function again", d.Short(), err)
	case got != d:
		return fault.New(fault.Denied, "bundle %s was changed on disk%s: deploy the function again", d.Short(), s.changed(ctx, tree, info))
	}
	k.stamp, k.valid = now, began.Sub(now.newest) > settled
	return nil
}

// changed names up to three entries that changed after the bundle was added.
func (s *Store) changed(ctx context.Context, tree string, info Info) string {
	var names []string
	r := &reading{ctx: ctx, seen: discard{}, late: func(at string, when time.Time) {
		if at != "" && when.After(info.Added) && len(names) < 3 {
			names = append(names, "/"+at)
		}
	}}
	if r.run(tree) != nil || len(names) == 0 {
		return ""
	}
	return " (" + strings.Join(names, ", ") + ")"
}

// discard is a hash nobody asks.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) Sum(b []byte) []byte         { return b }
func (discard) Reset()                      {}
func (discard) Size() int                   { return 0 }
func (discard) BlockSize() int              { return 1 }

// Path verifies a bundle and returns the root of its read-only tree.
func (s *Store) Path(d redoubt.Digest) (string, error) {
	if err := s.Verify(context.Background(), d); err != nil {
		return "", err
	}
	return filepath.Join(s.place(d), treeName), nil
}
