package profile

import (
	"slices"

	"redoubt.dev/redoubt/internal/redoubt"
)

// news is what a new image version brought: what its static facts foretell and
// the new contents of programs the profile knew. The owner who rolled it out
// stands for both, so they are taken over in every state. It is kept until a
// revision of the console holds it, so that no older one that is still on its
// way undoes it, nor one that has only heard that the version runs.
type news struct {
	version Version
	seeds   []Entry
	changed []Content
	sent    bool
}

// Version takes a new image version in; lookup says which content a path has
// there, and seeds are what its static facts foretell. It reports whether the
// profile did not hold that yet.
func (l *Learner) Version(v Version, seeds []Entry, lookup func(path string) (redoubt.Digest, bool)) bool {
	if l.p.looked(v.Digest) {
		return false
	}
	v.Looked = true
	all := Profile{Entries: make([]Entry, 0, len(l.byID))}
	for _, e := range l.byID {
		all.Entries = append(all.Entries, *e)
	}
	h := Inherit(&all, v, lookup, v.Since)
	n := news{version: v, seeds: seeds, changed: h.Changed}
	l.news = append(l.news, &n)
	l.take(&n)
	return true
}

func (p *Profile) looked(d redoubt.Digest) bool {
	return slices.ContainsFunc(p.Versions, func(v Version) bool { return v.Digest == d && v.Looked })
}

// take puts news into the learner's own copy.
func (l *Learner) take(n *news) {
	l.p.addVersion(n.version)
	all := Profile{}
	for _, e := range l.byID {
		all.Entries = append(all.Entries, *e)
	}
	bring(&all, n.version, n.seeds, n.changed)
	l.byID = make(map[string]*Entry, len(all.Entries))
	l.x, l.groups = newIndex(), make(groups)
	for i := range all.Entries {
		e := all.Entries[i].clone()
		l.insert(&e)
	}
}

// bring adds what a new image version foretells and the new contents of known
// programs. Arguments and parents stay as narrow as they were.
func bring(p *Profile, v Version, seeds []Entry, changed []Content) {
	fresh := make(map[string]redoubt.Digest, len(changed))
	for _, c := range changed {
		fresh[c.Path] = c.Digest
	}
	at := make(map[string]int, len(p.Entries))
	for i := range p.Entries {
		e := &p.Entries[i]
		at[e.ID] = i
		if d := fresh[execPath(e)]; d != "" && len(e.Exec.Digests) > 0 && !slices.Contains(e.Exec.Digests, d) {
			c := e.clone()
			c.Exec.Digests = unite(c.Exec.Digests, []redoubt.Digest{d})
			if c.Source == Learned {
				c.Source = Inherited
			}
			c.Note = "new content with " + v.Image
			p.Entries[i] = c
		}
	}
	for i := range seeds {
		s := seeds[i].clone()
		s.Source = Seeded
		if s.Check() != nil {
			continue
		}
		s.ID = s.Identify()
		if k, known := at[s.ID]; known {
			if s.Exec != nil && len(p.Entries[k].Exec.Digests) > 0 {
				c := p.Entries[k].clone()
				c.Exec.Digests = unite(c.Exec.Digests, s.Exec.Digests)
				p.Entries[k] = c
			}
			continue
		}
		if len(p.Entries) < MaxEntries {
			at[s.ID] = len(p.Entries)
			p.Entries = append(p.Entries, s)
		}
	}
}

func execPath(e *Entry) string {
	if e.Exec == nil {
		return ""
	}
	return e.Exec.Path
}
