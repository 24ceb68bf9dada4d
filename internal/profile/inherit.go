package profile

import (
	"slices"
	"time"

	"redoubt.dev/redoubt/internal/redoubt"
)

// Heritage is what becomes of a profile's programs in a new image version.
type Heritage struct {
	Version Version
	New     bool      // the profile did not know the version before
	Kept    []string  // paths whose content is the same: they stay allowed
	Changed []Content // paths with other content: not allowed until seen while learning, or accepted
	Gone    []string  // paths that the version no longer has: they stay for older versions still running
}

// Content is the new content of an allowed path.
type Content struct {
	Path   string         `json:"path"`
	Digest redoubt.Digest `json:"digest"`
}

// Inherit takes a new image version into p; lookup says which content a path
// has there. What is the same carries over, so protection never stops:
// whatever was novel before the version came is novel after it. A version that
// p knows already changes nothing.
func Inherit(p *Profile, v Version, lookup func(path string) (redoubt.Digest, bool), now time.Time) Heritage {
	h := Heritage{Version: v}
	if slices.ContainsFunc(p.Versions, func(w Version) bool { return w.Digest == v.Digest }) {
		return h
	}
	h.New = true
	p.addVersion(v)
	for path, digests := range contents(p) {
		d, ok := lookup(path)
		switch {
		case !ok:
			h.Gone = append(h.Gone, path)
		case digests == nil || slices.Contains(digests, d):
			h.Kept = append(h.Kept, path)
		default:
			h.Changed = append(h.Changed, Content{path, d})
		}
	}
	slices.Sort(h.Gone)
	slices.Sort(h.Kept)
	slices.SortFunc(h.Changed, func(a, b Content) int {
		if a.Path < b.Path {
			return -1
		}
		return 1
	})
	p.Measure(now)
	return h
}

// contents collects what each path may hold; nil is whatever the image has.
func contents(p *Profile) map[string][]redoubt.Digest {
	out := map[string][]redoubt.Digest{}
	for i := range p.Entries {
		x := p.Entries[i].Exec
		if x == nil {
			continue
		}
		old, met := out[x.Path]
		if met && old == nil || len(x.Digests) == 0 {
			out[x.Path] = nil
			continue
		}
		out[x.Path] = slices.Concat(old, x.Digests)
	}
	return out
}

// Accept allows the new contents in p, in every entry of their path, as
// Inherited: the owner who rolled the version out stands for them. Arguments
// and parents stay as narrow as they were.
func (h *Heritage) Accept(p *Profile, now time.Time) {
	bring(p, h.Version, nil, h.Changed)
	p.Measure(now)
}
