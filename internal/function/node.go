package function

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Bounds of a document. Aliases are followed, but each visit of a node counts,
// so that a few lines of them cannot mean millions of values.
const (
	maxSource = 1 << 20 // bytes
	maxVisits = 200_000
	maxNested = 20 // aliases and merges in each other
	maxDocs   = 500
)

// text is a source with what was found wrong with it and what was left out.
type text struct {
	problems []Problem
	notes    []Problem
	visits   int
}

// node is a place in a source; the zero node is nothing.
type node struct {
	*yaml.Node
	t *text
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)`)

// load reads the YAML documents of a source.
func (t *text) load(source []byte) []node {
	switch {
	case len(source) > maxSource:
		t.problem(node{}, "the text is %d bytes long, at most %d are allowed", len(source), maxSource)
		return nil
	case !utf8.Valid(source) || bytes.IndexByte(source, 0) >= 0:
		t.problem(node{}, "the text is not UTF-8")
		return nil
	}
	var out []node
	for dec := yaml.NewDecoder(bytes.NewReader(source)); ; {
		var root yaml.Node
		err := dec.Decode(&root)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil || len(out) >= maxDocs {
			t.broken(err)
			return nil
		}
		if len(root.Content) > 0 && root.Content[0].Tag != "!!null" {
			out = append(out, node{root.Content[0], t})
		}
	}
}

func (t *text) broken(err error) {
	if err == nil {
		t.problem(node{}, "there are more than %d documents in the text", maxDocs)
		return
	}
	p := Problem{Line: 1, Message: "this is not YAML: " + err.Error()}
	if m := yamlLine.FindStringSubmatch(strings.ReplaceAll(err.Error(), "\n", " ")); m != nil {
		p.Message = "this is not YAML: " + m[2]
		if n, _ := strconv.Atoi(m[1]); n > 0 {
			p.Line = n
		}
	}
	t.problems = append(t.problems, p)
}

func (t *text) problem(n node, format string, args ...any) {
	if len(t.problems) < maxProblems {
		t.problems = append(t.problems, at(n, format, args...))
	}
}

// note tells of something that is left out or taken otherwise.
func (t *text) note(n node, format string, args ...any) {
	if len(t.notes) < maxProblems {
		t.notes = append(t.notes, at(n, format, args...))
	}
}

func at(n node, format string, args ...any) Problem {
	p := Problem{Line: 1, Message: fmt.Sprintf(format, args...)}
	if n.Node != nil {
		p.Line, p.Column = n.Line, n.Column
	}
	return p
}

func (n node) has() bool { return n.Node != nil && n.Tag != "!!null" }

// real follows aliases.
func (n node) real() node {
	for range maxNested {
		if n.Node == nil || n.Kind != yaml.AliasNode {
			return n
		}
		n.Node = n.Alias
	}
	return node{t: n.t}
}

// visit counts; false once too much was looked at.
func (n node) visit(count int) bool {
	if n.t.visits > maxVisits {
		return false
	}
	if n.t.visits += count + 1; n.t.visits > maxVisits {
		n.t.problem(n, "its aliases mean more than %d values", maxVisits)
		return false
	}
	return true
}

// pair is a name with its value.
type pair struct {
	name  string
	key   node
	value node
}

// pairs returns what a mapping holds, merged mappings last; of names given
// twice the first counts.
func (n node) pairs() []pair { return n.merged(0, map[string]bool{}) }

func (n node) merged(depth int, seen map[string]bool) []pair {
	n = n.real()
	if n.Node == nil || n.Kind != yaml.MappingNode || depth > maxNested || !n.visit(len(n.Content)) {
		return nil
	}
	var out []pair
	var merges []node
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := node{n.Content[i], n.t}, node{n.Content[i+1], n.t}
		switch {
		case k.Tag == "!!merge":
			merges = append(merges, v)
		case k.Kind == yaml.ScalarNode && !seen[k.Value]:
			seen[k.Value] = true
			out = append(out, pair{k.Value, k, v.real()})
		}
	}
	for _, m := range merges {
		if r := m.real(); r.Node != nil && r.Kind == yaml.SequenceNode {
			for _, one := range r.items() {
				out = append(out, one.merged(depth+1, seen)...)
			}
			continue
		}
		out = append(out, m.merged(depth+1, seen)...)
	}
	return out
}

// get returns the value below names; nothing where one is missing.
func (n node) get(names ...string) node {
	for _, name := range names {
		found := node{t: n.t}
		for _, p := range n.pairs() {
			if p.name == name {
				found = p.value
			}
		}
		n = found
	}
	return n
}

// items returns what a list holds; of anything else, that.
func (n node) items() []node {
	n = n.real()
	if !n.has() {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		return []node{n}
	}
	if !n.visit(len(n.Content)) {
		return nil
	}
	out := make([]node, len(n.Content))
	for i, c := range n.Content {
		out[i] = node{c, n.t}.real()
	}
	return out
}

// tag is a node's own tag, empty for those of YAML itself.
func (n node) tag() string {
	if n.Node == nil || strings.HasPrefix(n.Tag, "!!") {
		return ""
	}
	return n.Tag
}

// isMap and isScalar say what a node is.
func (n node) isMap() bool    { return n.Node != nil && n.Kind == yaml.MappingNode }
func (n node) isScalar() bool { return n.Node != nil && n.Kind == yaml.ScalarNode }
