package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"redoubt.dev/redoubt/internal/redoubt"
)

// Match says whether the scope takes in a workload on a node and, in plain
// words, which field decided.
func (s *Scope) Match(w redoubt.WorkloadRef, labels map[string]string, node redoubt.NodeID) (ok bool, why string) {
	c := compileScope(s)
	return c.match(w, labels, node)
}

type scope struct {
	source    *Scope
	workloads []Glob
	images    []Glob
	nodes     []Glob
	labels    []labelGlob
}

type labelGlob struct {
	name string
	want Glob
}

func compileScope(s *Scope) scope {
	c := scope{source: s, workloads: globs(s.Workloads), images: globs(s.Images), nodes: globs(s.Nodes)}
	for _, k := range slices.Sorted(maps.Keys(s.Labels)) {
		c.labels = append(c.labels, labelGlob{k, NewGlob(s.Labels[k])})
	}
	return c
}

func (c *scope) match(w redoubt.WorkloadRef, labels map[string]string, node redoubt.NodeID) (ok bool, why string) {
	if len(c.source.Kinds) > 0 && !slices.Contains(c.source.Kinds, w.Kind) {
		return false, fmt.Sprintf("the workload is a %s, the policy is for %s", w.Kind, list(names(c.source.Kinds)))
	}
	if len(c.workloads) > 0 {
		if _, _, ok := firstMatch(c.workloads, string(w.ID), w.Name); !ok {
			return false, fmt.Sprintf("workload %s is not one of %s", w.ID, list(c.source.Workloads))
		}
	}
	if len(c.images) > 0 {
		if _, _, ok := firstMatch(c.images, imageNames(w)...); !ok {
			return false, fmt.Sprintf("image %s is not one of %s", w.Image, list(c.source.Images))
		}
	}
	if len(c.nodes) > 0 {
		if _, _, ok := firstMatch(c.nodes, string(node)); !ok {
			return false, fmt.Sprintf("node %s is not one of %s", node, list(c.source.Nodes))
		}
	}
	for _, l := range c.labels {
		if v, has := labels[l.name]; !has || !l.want.Match(v) {
			return false, fmt.Sprintf("label %s is %q, the policy wants %q", l.name, v, l.want)
		}
	}
	return true, "the policy is for this workload"
}

// imageNames are the ways people write one image: as given, without its tag,
// without the default registry, and by digest.
func imageNames(w redoubt.WorkloadRef) []string {
	full := w.Image
	out := []string{full}
	for _, prefix := range []string{"docker.io/library/", "docker.io/"} {
		if short, cut := strings.CutPrefix(full, prefix); cut {
			full = short
			out = append(out, short)
			break
		}
	}
	bare, _, _ := strings.Cut(full, "@")
	if colon := strings.LastIndexByte(bare, ':'); colon > strings.LastIndexByte(bare, '/') {
		bare = bare[:colon]
	}
	if bare != full {
		out = append(out, bare)
	}
	if w.Digest != "" {
		out = append(out, string(w.Digest))
	}
	return out
}

// list joins at most four items for a sentence.
func list(items []string) string {
	const most = 4
	if len(items) <= most {
		return strings.Join(items, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(items[:most], ", "), len(items)-most)
}
