package route

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Bounds of one source text.
const (
	MaxSource = 1 << 20 // bytes
	maxRoutes = 10_000
)

const apiVersion, kind = "redoubt/v1", "Route"

// document is a route as it is written; metadata.name is its id.
type document struct {
	APIVersion string   `yaml:"apiVersion"`
	Kind       string   `yaml:"kind"`
	Metadata   metadata `yaml:"metadata"`
	Spec       spec     `yaml:"spec"`
}

type metadata struct {
	Name        string `yaml:"name"`
	Description string `yaml:"description,omitempty"`
}

// spec is a route without what metadata holds; the schema is the route's
// OpenAPI document, in YAML.
type spec struct {
	Stage       string    `yaml:"stage,omitempty"`
	Host        string    `yaml:"host,omitempty"`
	Method      string    `yaml:"method,omitempty"`
	Path        string    `yaml:"path"`
	Target      Target    `yaml:"target"`
	Auth        Auth      `yaml:"auth,omitempty"`
	Payload     string    `yaml:"payload,omitempty"`
	Timeout     int       `yaml:"timeout,omitempty"`
	MaxRequest  int64     `yaml:"max_request,omitempty"`
	MaxResponse int64     `yaml:"max_response,omitempty"`
	CORS        *CORS     `yaml:"cors,omitempty"`
	Limits      Limits    `yaml:"limits,omitempty"`
	Quota       Quota     `yaml:"quota,omitempty"`
	Compress    bool      `yaml:"compress,omitempty"`
	Firewall    Firewall  `yaml:"firewall,omitempty"`
	Schema      yaml.Node `yaml:"schema,omitempty"`
}

// Parse reads YAML documents of kind Route, divided by lines of "---". It
// reports every problem it can find at once, each with its line; with any
// problem there are no routes.
func Parse(source []byte) ([]Route, []Problem) {
	if len(source) > MaxSource {
		return nil, []Problem{{Line: 1, Message: fmt.Sprintf("the text is %d bytes long, at most %d are allowed", len(source), MaxSource)}}
	}
	var routes []Route
	var problems []Problem
	first := map[string]int{}
	// One reader keeps the places of values, the other is strict about them.
	reader, strict := yaml.NewDecoder(bytes.NewReader(source)), yaml.NewDecoder(bytes.NewReader(source))
	strict.KnownFields(true)
	for {
		var root yaml.Node
		err := reader.Decode(&root)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			problems = append(problems, syntaxProblem(err))
			break
		}
		if p, bad := aliased(&root, 0); bad {
			problems = append(problems, p)
			break
		}
		var doc document
		wrong := typeProblems(strict.Decode(&doc))
		if len(root.Content) == 0 || root.Content[0].Tag == "!!null" {
			continue
		}
		r, wrong := readDocument(root.Content[0], doc, wrong)
		if line := locate(root.Content[0], "metadata.name").Line; first[r.ID] > 0 && r.ID != "" {
			wrong = append(wrong, Problem{Line: line, Path: "metadata.name", Message: fmt.Sprintf("route %q is given twice, first in line %d", clip(r.ID), first[r.ID])})
		} else {
			first[r.ID] = line
		}
		routes, problems = append(routes, r), append(problems, wrong...)
		if len(routes) > maxRoutes {
			problems = append(problems, Problem{Line: root.Line, Message: fmt.Sprintf("there are more than %d routes", maxRoutes)})
		}
		if len(problems) > maxProblems {
			break
		}
	}
	if len(routes) == 0 && len(problems) == 0 {
		problems = append(problems, Problem{Line: 1, Message: "there is no route in the text"})
	}
	if len(problems) > 0 {
		return nil, problems[:min(len(problems), maxProblems)]
	}
	return routes, nil
}

// readDocument adds what is wrong with doc, which stands at n, to problems.
func readDocument(n *yaml.Node, doc document, problems []Problem) (Route, []Problem) {
	unread := len(problems)
	say := func(path, message string) {
		at := locate(n, path)
		for _, p := range problems[:unread] {
			if p.Line == at.Line {
				return // a value that could not be read is not wrong twice
			}
		}
		problems = append(problems, Problem{Line: at.Line, Column: at.Column, Path: path, Message: message})
	}
	if doc.APIVersion != apiVersion {
		say("apiVersion", fmt.Sprintf("apiVersion must be %s, not %q", apiVersion, clip(doc.APIVersion)))
	}
	if doc.Kind != kind {
		say("kind", fmt.Sprintf("kind must be %s, not %q", kind, clip(doc.Kind)))
	}
	r := doc.route()
	if err := doc.schema(&r); err != nil {
		say("spec.schema", err.Error())
	}
	for _, p := range Validate(r) {
		say(documentPath(p.Path), p.Message)
	}
	return r, problems
}

func (d *document) route() Route {
	s := d.Spec
	return Route{ID: d.Metadata.Name, Description: d.Metadata.Description, Stage: s.Stage, Host: s.Host, Method: s.Method, Path: s.Path, Target: s.Target,
		Auth: s.Auth, Payload: s.Payload, Timeout: s.Timeout, MaxRequest: s.MaxRequest, MaxResponse: s.MaxResponse, CORS: s.CORS, Limits: s.Limits,
		Quota: s.Quota, Compress: s.Compress, Firewall: s.Firewall}
}

// documentPath is where a route's field stands in a document.
func documentPath(field string) string {
	switch field {
	case "id":
		return "metadata.name"
	case "description":
		return "metadata.description"
	}
	return "spec." + field
}

// aliased finds anchors and aliases, with which a short text becomes a long
// one, and documents nested too deep to be read.
func aliased(n *yaml.Node, depth int) (Problem, bool) {
	const deepest = 100
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		return Problem{Line: n.Line, Column: n.Column, Message: "anchors and aliases are not supported: write the value out"}, true
	case depth > deepest:
		return Problem{Line: n.Line, Column: n.Column, Message: "the document is nested too deep"}, true
	}
	for _, c := range n.Content {
		if p, bad := aliased(c, depth+1); bad {
			return p, true
		}
	}
	return Problem{}, false
}

// locate returns the node of the value at path, or of the nearest one around it.
func locate(n *yaml.Node, path string) *yaml.Node {
	for _, step := range strings.FieldsFunc(path, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		next := child(n, step)
		if next == nil {
			break
		}
		n = next
	}
	return n
}

func child(n *yaml.Node, step string) *yaml.Node {
	switch n.Kind {
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(n.Content) {
			return n.Content[i]
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == step {
				return n.Content[i+1]
			}
		}
	}
	return nil
}

var (
	yamlLine     = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?((?s).*)`)
	unknownField = regexp.MustCompile(`^field (.+) not found in type (?:route\.)?(\w+)$`)
	wrongType    = regexp.MustCompile("(?s)^cannot unmarshal (\\S+)(?: `(.*)`)? into (.+)$")
	goTypes      = map[string]string{"int": "a whole number", "int64": "a whole number", "float64": "a number", "bool": "true or false", "string": "text"}
)

// typeProblems are the library's complaints in the words of this package.
func typeProblems(err error) []Problem {
	if err == nil || errors.Is(err, io.EOF) {
		return nil
	}
	var types *yaml.TypeError
	if !errors.As(err, &types) {
		return []Problem{syntaxProblem(err)}
	}
	var out []Problem
	for _, e := range types.Errors {
		p := syntaxProblem(errors.New(e))
		if m := unknownField.FindStringSubmatch(p.Message); m != nil {
			p.Message = fmt.Sprintf("%s has no %q", strings.ToLower(m[2]), clip(m[1]))
		} else if m := wrongType.FindStringSubmatch(p.Message); m != nil {
			want, simple := goTypes[m[3]]
			switch {
			case !simple && strings.HasPrefix(m[3], "[]"):
				want = "a list"
			case !simple:
				want = "names with values"
			}
			p.Message = fmt.Sprintf("this takes %s, not %q", want, clip(m[2]))
		}
		out = append(out, p)
	}
	return out
}

func syntaxProblem(err error) Problem {
	m := yamlLine.FindStringSubmatch(err.Error())
	line, _ := strconv.Atoi(m[1])
	return Problem{Line: max(line, 1), Message: m[2]}
}

// schema reads an OpenAPI document in YAML into a route.
func (d *document) schema(r *Route) error {
	if d.Spec.Schema.IsZero() {
		return nil
	}
	var doc map[string]any
	if err := d.Spec.Schema.Decode(&doc); err != nil {
		return fmt.Errorf("schema takes an OpenAPI document with this one operation")
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("schema is no JSON: %w", err)
	}
	r.Schema = text
	if _, err := NewChecker(r); err != nil {
		return err
	}
	return nil
}

// Format writes routes as Parse reads them, one document each.
func Format(routes ...Route) ([]byte, error) {
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	for _, r := range routes {
		doc := document{apiVersion, kind, metadata{r.ID, r.Description}, spec{Stage: r.Stage, Host: r.Host, Method: r.Method, Path: r.Path, Target: r.Target,
			Auth: r.Auth, Payload: r.Payload, Timeout: r.Timeout, MaxRequest: r.MaxRequest, MaxResponse: r.MaxResponse, CORS: r.CORS, Limits: r.Limits,
			Quota: r.Quota, Compress: r.Compress, Firewall: r.Firewall}}
		if len(r.Schema) > 0 {
			var schema any
			if err := json.Unmarshal(r.Schema, &schema); err != nil {
				return nil, fmt.Errorf("write route %s: its schema: %w", r.ID, err)
			}
			if err := doc.Spec.Schema.Encode(schema); err != nil {
				return nil, fmt.Errorf("write route %s: its schema: %w", r.ID, err)
			}
		}
		if err := enc.Encode(doc); err != nil {
			return nil, fmt.Errorf("write route %s: %w", r.ID, err)
		}
	}
	if err := enc.Close(); err != nil {
		return nil, fmt.Errorf("write routes: %w", err)
	}
	return out.Bytes(), nil
}
