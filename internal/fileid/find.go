package fileid

import (
	"context"
	"io/fs"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/redoubt"
)

// maxVisited bounds how many files one Find looks at.
const maxVisited = 200_000

// Match is a file whose content was asked for.
type Match struct {
	Path   string // on the node
	Key    redoubt.FileKey
	Digest redoubt.Digest
}

// Find looks through the layers of w, below dirs, for executable files whose
// content is one of want, whatever they are called. What an upper layer hides
// is found too: it is no less what it is. Files it cannot read are left out;
// it ends early, with what it has, when ctx does.
func (d *Digests) Find(ctx context.Context, w *redoubt.Workload, dirs []string, want map[redoubt.Digest]bool) []Match {
	var out []Match
	left := maxVisited
	for _, layer := range layersOf(w) {
		root, err := os.OpenRoot(layer)
		if err != nil {
			continue
		}
		for _, dir := range dirs {
			below := strings.TrimPrefix(path.Clean("/"+dir), "/")
			if below == "" {
				below = "."
			}
			fs.WalkDir(root.FS(), below, func(name string, e fs.DirEntry, err error) error {
				if left--; left < 0 || ctx.Err() != nil {
					return fs.SkipAll
				}
				if err != nil || !e.Type().IsRegular() {
					return nil
				}
				if info, err := e.Info(); err != nil || info.Mode().Perm()&0o111 == 0 {
					return nil
				}
				if m, ok := d.match(root, layer, name, want); ok {
					out = append(out, m)
				}
				return nil
			})
		}
		root.Close()
	}
	return out
}

func (d *Digests) match(root *os.Root, layer, name string, want map[redoubt.Digest]bool) (Match, bool) {
	f, err := root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return Match{}, false
	}
	key, err := Key(f)
	if err != nil {
		f.Close()
		return Match{}, false
	}
	handed := false
	sum, err := d.Of(key, func() (*os.File, error) { handed = true; return f, nil })
	if !handed {
		f.Close()
	}
	return Match{path.Join(layer, name), key, sum.Digest}, err == nil && want[sum.Digest]
}
