// Package seed predicts a workload's profile from static facts of its image:
// what its entrypoint, command and health check run, scripts followed, and
// which ports the image and the configuration of well-known servers announce.
// A prediction that never comes true costs nothing but a line that says so;
// one that does is no news. It reads a root file system that may be hostile:
// every file, loop and length is bounded.
package seed

import (
	"cmp"
	"io/fs"
	"slices"

	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

// Image is what is known of a workload before it runs.
type Image struct {
	Root       fs.FS // of the container; must have fs.ReadLinkFS for links to be followed
	Entrypoint []string
	Command    []string
	Health     []string // argv of the health check
	Exposes    []redoubt.Port
	Path       string // the PATH of its environment; empty is the engine's default
	Cwd        string // working directory; empty is /
}

// Bounds of one look at an image.
const (
	maxEntries = 1000
	maxFiles   = 2000      // opened
	maxScript  = 128 << 10 // bytes of a script that is followed
	maxHashed  = 256 << 20 // bytes of a program that is hashed; of a larger one any content that came with the image is allowed
	maxTotal   = 1 << 30   // bytes read altogether
	maxDepth   = 8         // scripts calling scripts
	maxScripts = 200       // followed altogether
	maxStarts  = 5000      // commands looked at altogether
)

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Look returns the entries that the image foretells, without times, each once,
// and in plain words what it could not follow.
func Look(img Image) ([]profile.Entry, []string) {
	s := &seeder{
		img:    img,
		tree:   tree{root: img.Root},
		path:   splitPath(cmp.Or(img.Path, defaultPath)),
		found:  map[string]int{},
		been:   map[string]bool{},
		facts:  map[string]fact{},
		budget: maxTotal,
	}
	if argv := slices.Concat(img.Entrypoint, img.Command); len(argv) > 0 {
		s.run(start{argv: argv, cwd: cmp.Or(img.Cwd, "/"), note: "the image's start command"})
	}
	if len(img.Health) > 0 {
		s.run(start{argv: img.Health, parent: profile.Outside, cwd: cmp.Or(img.Cwd, "/"), note: "the health check"})
	}
	s.jobs()
	s.configured()
	for _, p := range img.Exposes {
		if !s.hasPort(p) {
			s.listen(p, "", "EXPOSE in the image")
		}
	}
	return s.entries, s.notes
}

type seeder struct {
	img     Image
	tree    tree
	path    []string
	entries []profile.Entry
	found   map[string]int  // by entry id
	been    map[string]bool // commands followed
	facts   map[string]fact // by real path
	notes   []string
	budget  int64 // bytes that may still be read
	scripts int   // followed so far
	starts  int   // commands looked at so far
}

func (s *seeder) note(text string) {
	if len(s.notes) < 50 && !slices.Contains(s.notes, text) {
		s.notes = append(s.notes, text)
	}
}

func (s *seeder) add(e profile.Entry) {
	e.Source = profile.Seeded
	if e.Check() != nil {
		return // a path or argument longer than entries hold
	}
	e.ID = e.Identify()
	if _, ok := s.found[e.ID]; ok {
		return
	}
	if len(s.entries) == maxEntries {
		s.note("the image names more than can be foretold; the rest is learned")
		return
	}
	s.found[e.ID] = len(s.entries)
	s.entries = append(s.entries, e)
}

func (s *seeder) listen(p redoubt.Port, program, note string) {
	if p.Port == 0 {
		return
	}
	s.add(profile.Entry{Kind: redoubt.EventListen, Listen: &profile.Listen{Proto: p.Proto, Port: p.Port, Path: program}, Note: note})
}

func (s *seeder) hasPort(p redoubt.Port) bool {
	return slices.ContainsFunc(s.entries, func(e profile.Entry) bool {
		return e.Listen != nil && e.Listen.Port == p.Port && e.Listen.Proto == p.Proto
	})
}
