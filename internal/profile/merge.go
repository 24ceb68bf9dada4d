package profile

import (
	"slices"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/redoubt"
)

const maxVersions = 64 // of one workload; the oldest go first

// Apply adds what a node has learned. Deltas may come in any order and from
// any node, the outcome is the same, up to the point where the profile is
// full. While learning, new entries are admitted as long as there is room;
// in other states only what is known grows, and the rest is not admitted. It
// returns how many entries were new and how many were not admitted. It does
// not raise the Revision.
func Apply(p *Profile, d *Delta, now time.Time) (added, refused int) {
	for _, n := range d.News {
		n.Version.Looked = true
		p.addVersion(n.Version)
		bring(p, n.Version, n.Seeds, n.Changed)
	}
	at := make(map[string]int, len(p.Entries))
	for i := range p.Entries {
		at[p.Entries[i].ID] = i
	}
	for i := range d.Entries {
		e := d.Entries[i].clone()
		if e.Check() != nil {
			refused++ // another node's error is no reason to lose the rest
			continue
		}
		e.ID = e.Identify()
		if k, ok := at[e.ID]; ok {
			if p.State != Learning && e.Exec != nil {
				e.Exec.Digests = nil // new content is as new as a new entry
			}
			p.Entries[k].merge(&e)
			continue
		}
		if p.State != Learning || len(p.Entries) >= MaxEntries {
			refused++
			continue
		}
		at[e.ID] = len(p.Entries)
		p.Entries = append(p.Entries, e)
		added++
	}
	p.Units += max(d.Units, 0)
	p.Starts += max(d.Starts, 0)
	p.Hours |= d.Hours
	if d.Version != nil {
		p.addVersion(*d.Version)
	}
	sortEntries(p.Entries)
	p.Measure(now)
	return added, refused
}

func (p *Profile) addVersion(v Version) {
	if i := slices.IndexFunc(p.Versions, func(w Version) bool { return w.Digest == v.Digest }); i >= 0 {
		w := &p.Versions[i]
		if v.Since.Before(w.Since) {
			w.Since = v.Since
		}
		w.Image = max(w.Image, v.Image)
		w.Looked = w.Looked || v.Looked
	} else {
		p.Versions = append(p.Versions, v)
	}
	slices.SortFunc(p.Versions, func(a, b Version) int {
		if c := a.Since.Compare(b.Since); c != 0 {
			return c
		}
		return strings.Compare(string(a.Digest), string(b.Digest))
	})
	if n := len(p.Versions) - maxVersions; n > 0 {
		p.Versions = slices.Delete(p.Versions, 0, n)
	}
}

// sortEntries puts entries into the order in which documents show them:
// programs, then sockets, then connections, each by name.
func sortEntries(entries []Entry) {
	slices.SortFunc(entries, func(a, b Entry) int {
		if c := kindRank(a.Kind) - kindRank(b.Kind); c != 0 {
			return c
		}
		if c := strings.Compare(sortKey(&a), sortKey(&b)); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
}

func kindRank(k redoubt.EventKind) int {
	return slices.Index([]redoubt.EventKind{redoubt.EventExec, redoubt.EventListen, redoubt.EventConnect}, k)
}

func sortKey(e *Entry) string {
	switch {
	case e.Exec != nil:
		return e.Exec.Path
	case e.Listen != nil:
		return e.Listen.Path
	case e.Connect != nil:
		return e.Connect.Peer
	}
	return ""
}
