package access

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Document is a policy as a person keeps it: a name and statements. Revision
// grows with each change.
type Document struct {
	Name        string    `json:"name"`
	Description string    `json:"description,omitempty"`
	Cedar       string    `json:"cedar"`
	Disabled    bool      `json:"disabled,omitempty"`
	Revision    int64     `json:"revision"`
	Created     time.Time `json:"created"`
	Updated     time.Time `json:"updated"`
	By          string    `json:"by,omitempty"`
}

const (
	apiVersion = "redoubt/v1"
	kind       = "AccessPolicy"
)

// written is a document's YAML form.
type written struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	Metadata   struct {
		Name        string `yaml:"name"`
		Description string `yaml:"description,omitempty"`
	} `yaml:"metadata"`
	Spec struct {
		Disabled bool   `yaml:"disabled,omitempty"`
		Cedar    string `yaml:"cedar"`
	} `yaml:"spec"`
}

var (
	nameForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,78}[a-z0-9])?$`)
	yamlLine = regexp.MustCompile(`line (\d+)`)
)

// Check says what is wrong with a document; nothing where it can be loaded.
func (e *Engine) Check(d *Document) []Problem {
	_, problems := e.Statements(d)
	return problems
}

// Statements makes a document's statements ready to Load. With a problem there
// are none.
func (e *Engine) Statements(d *Document) ([]*Statement, []Problem) { return e.statements(d, 0) }

func (e *Engine) statements(d *Document, base int) ([]*Statement, []Problem) {
	var problems []Problem
	if !nameForm.MatchString(d.Name) {
		problems = append(problems, Problem{Line: 1, Message: fmt.Sprintf("the name %.80q is to have 1 to 80 of a-z, 0-9 and inner dashes", d.Name)})
	}
	statements, more := e.l.parse(d.Name, d.Cedar, base)
	if problems = append(problems, more...); len(problems) > 0 {
		return nil, problems
	}
	if len(statements) == 0 {
		return nil, []Problem{{Line: base + 1, Message: "there is no statement in the policy"}}
	}
	return statements, nil
}

// Read takes documents of kind AccessPolicy, divided by lines of "---", or
// Cedar text alone, which gets the name given. With a problem there are none.
func (e *Engine) Read(name string, source []byte) ([]Document, []Problem) {
	if len(source) > mostSource {
		return nil, []Problem{{Line: 1, Message: fmt.Sprintf("the text is %d bytes long: at most %d are read", len(source), mostSource)}}
	}
	if !looksLikeYAML(source) {
		d := Document{Name: name, Cedar: string(source)}
		if problems := e.Check(&d); len(problems) > 0 {
			return nil, problems
		}
		return []Document{d}, nil
	}
	return e.readYAML(source)
}

// looksLikeYAML tells the two apart by their first word.
func looksLikeYAML(source []byte) bool {
	for line := range bytes.Lines(source) {
		text := strings.TrimSpace(string(line))
		if text == "" || strings.HasPrefix(text, "#") || strings.HasPrefix(text, "//") {
			continue
		}
		return !strings.HasPrefix(text, "@") && !strings.HasPrefix(text, "permit") && !strings.HasPrefix(text, "forbid")
	}
	return false
}

func (e *Engine) readYAML(source []byte) ([]Document, []Problem) {
	var documents []Document
	var problems []Problem
	seen := map[string]bool{}
	reader := yaml.NewDecoder(bytes.NewReader(source))
	for {
		var root yaml.Node
		if err := reader.Decode(&root); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, append(problems, Problem{Line: lineIn(err.Error()), Message: "this is not YAML: " + err.Error()})
		}
		if len(root.Content) == 0 || root.Content[0].Tag == "!!null" {
			continue
		}
		d, more := e.document(root.Content[0])
		if seen[d.Name] && len(more) == 0 {
			more = append(more, Problem{Line: root.Content[0].Line, Message: fmt.Sprintf("policy %q is given twice", d.Name)})
		}
		seen[d.Name] = true
		documents, problems = append(documents, d), append(problems, more...)
		if len(problems) > mostProblems {
			break
		}
	}
	if len(documents) == 0 && len(problems) == 0 {
		problems = append(problems, Problem{Line: 1, Message: "there is no policy in the text"})
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return documents, nil
}

func (e *Engine) document(n *yaml.Node) (Document, []Problem) {
	if aliased(n) {
		return Document{}, []Problem{{Line: n.Line, Message: "anchors and aliases are not supported: write the value out"}}
	}
	var w written
	if problems := strict(n, &w); len(problems) > 0 {
		return Document{}, problems
	}
	var problems []Problem
	if w.APIVersion != apiVersion {
		problems = append(problems, Problem{Line: n.Line, Message: fmt.Sprintf("apiVersion is to be %s, not %.60q", apiVersion, w.APIVersion)})
	}
	if w.Kind != kind {
		problems = append(problems, Problem{Line: n.Line, Message: fmt.Sprintf("kind is to be %s, not %.60q", kind, w.Kind)})
	}
	d := Document{Name: w.Metadata.Name, Description: w.Metadata.Description, Cedar: w.Spec.Cedar, Disabled: w.Spec.Disabled}
	base := n.Line - 1
	if text := field(field(n, "spec"), "cedar"); text != nil {
		if base = text.Line - 1; text.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
			base++ // the text begins in the line below its "|"
		}
	}
	_, more := e.statements(&d, base)
	return d, append(problems, more...)
}

// strict decodes n; names it does not know are problems.
func strict(n *yaml.Node, into any) []Problem {
	if unknown := unknownFields(n); len(unknown) > 0 {
		return unknown
	}
	if err := n.Decode(into); err != nil {
		return []Problem{{Line: lineIn(err.Error()), Message: "this is no policy: " + err.Error()}}
	}
	return nil
}

// places are the names that may stand at each depth of a document.
var places = map[string][]string{
	"":         {"apiVersion", "kind", "metadata", "spec"},
	"metadata": {"name", "description"},
	"spec":     {"disabled", "cedar"},
}

func unknownFields(n *yaml.Node) (problems []Problem) {
	if n.Kind != yaml.MappingNode {
		return []Problem{{Line: n.Line, Column: n.Column, Message: "a policy is written as names with values"}}
	}
	check := func(m *yaml.Node, place string) {
		for i := 0; i+1 < len(m.Content); i += 2 {
			key := m.Content[i]
			if known := places[place]; !slices.Contains(known, key.Value) {
				problems = append(problems, Problem{Line: key.Line, Column: key.Column, Message: fmt.Sprintf("there is no field %.60q here: %s", key.Value, didYouMean(key.Value, known))})
			}
		}
	}
	check(n, "")
	for _, place := range []string{"metadata", "spec"} {
		if inner := field(n, place); inner != nil && inner.Kind == yaml.MappingNode {
			check(inner, place)
		}
	}
	return problems
}

func field(n *yaml.Node, name string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

func aliased(n *yaml.Node) bool {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		return true
	}
	for _, c := range n.Content {
		if aliased(c) {
			return true
		}
	}
	return false
}

func lineIn(text string) int {
	line := 1
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		fmt.Sscan(m[1], &line)
	}
	return line
}

// YAML writes a document the way Read takes it.
func (d *Document) YAML() ([]byte, error) {
	w := written{APIVersion: apiVersion, Kind: kind}
	w.Metadata.Name, w.Metadata.Description = d.Name, d.Description
	w.Spec.Disabled, w.Spec.Cedar = d.Disabled, d.Cedar
	return yaml.Marshal(w)
}
