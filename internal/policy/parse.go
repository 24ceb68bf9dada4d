package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Bounds of one source text.
const (
	MaxSource = 1 << 20 // bytes
	MaxRules  = 1000    // of all its policies together
)

const apiVersion, kind = "redoubt/v1", "Policy"

// document is a policy as it is written.
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

type spec struct {
	Priority int    `yaml:"priority,omitempty"`
	Disabled bool   `yaml:"disabled,omitempty"`
	Scope    Scope  `yaml:"scope,omitempty"`
	Rules    []Rule `yaml:"rules"`
}

// Parse reads YAML documents, divided by lines of "---". It reports every
// problem it can find at once, each with its line and column counted from 1;
// with any problem there are no policies. Empty documents are passed over, but
// a source without any policy is a problem.
func Parse(source []byte) ([]Policy, []Problem) {
	policies, problems, broken := read(source)
	if broken != nil {
		problems = append(problems, syntaxProblem(source, broken))
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return policies, nil
}

// read is Parse without the place at which YAML breaks.
func read(source []byte) (policies []Policy, problems []Problem, broken error) {
	if len(source) > MaxSource {
		return nil, []Problem{{Line: 1, Message: fmt.Sprintf("the text is %d bytes long, at most %d are allowed", len(source), MaxSource)}}, nil
	}
	if p, bad := notText(source); bad {
		return nil, []Problem{p}, nil
	}
	d := &decoder{}
	first := map[string]int{}
	rules := 0
	reader := yaml.NewDecoder(bytes.NewReader(source))
	for {
		var root yaml.Node
		err := reader.Decode(&root)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, d.problems, err
		}
		if len(root.Content) == 0 || root.Content[0].Tag == "!!null" {
			continue
		}
		p := d.document(root.Content[0])
		if line, twice := first[p.Name]; twice && p.Name != "" {
			d.problem(d.locate("metadata.name"), "policy %q is given twice, first in line %d", clip(p.Name), line)
		}
		first[p.Name] = d.locate("metadata.name").Line
		rules += len(p.Rules)
		policies = append(policies, p)
	}
	if rules > MaxRules {
		d.problems = append(d.problems, Problem{Line: 1, Message: fmt.Sprintf("the text holds %d rules, at most %d are allowed", rules, MaxRules)})
	}
	if len(policies) == 0 && len(d.problems) == 0 {
		d.problems = append(d.problems, Problem{Line: 1, Message: "there is no policy in the text"})
	}
	return policies, d.problems, nil
}

func (d *decoder) document(n *yaml.Node) Policy {
	d.at = map[string]*yaml.Node{}
	var doc document
	d.value(n, reflect.ValueOf(&doc).Elem(), "")
	if n.Kind != yaml.MappingNode {
		return Policy{}
	}
	if doc.APIVersion != apiVersion {
		d.problem(d.locate("apiVersion"), "apiVersion must be %s, not %q", apiVersion, clip(doc.APIVersion))
	}
	if doc.Kind != kind {
		d.problem(d.locate("kind"), "kind must be %s, not %q", kind, clip(doc.Kind))
	}
	p := Policy{Name: doc.Metadata.Name, Description: doc.Metadata.Description,
		Priority: doc.Spec.Priority, Disabled: doc.Spec.Disabled, Scope: doc.Spec.Scope, Rules: doc.Spec.Rules}
	check(&p, func(path, message string) {
		where := "spec." + path
		if path == "name" || path == "description" {
			where = "metadata." + path
		}
		n := d.locate(where)
		if d.saidOf(n) {
			return
		}
		d.problem(n, "%s", message)
	})
	return p
}

// saidOf keeps a value that could not be read from being called missing too.
func (d *decoder) saidOf(n *yaml.Node) bool {
	for _, p := range d.problems {
		if p.Line == n.Line && p.Column == n.Column {
			return true
		}
	}
	return false
}

// notText finds what YAML refuses without saying where.
func notText(source []byte) (Problem, bool) {
	line, start := 1, 0
	for i := 0; i < len(source); {
		r, n := utf8.DecodeRune(source[i:])
		if r == utf8.RuneError && n == 1 || r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7f {
			return Problem{Line: line, Column: utf8.RuneCount(source[start:i]) + 1, Message: "there is a byte here that is not UTF-8 text"}, true
		}
		// YAML ends a line at these too, and then counts other lines than an editor.
		if r == '\u0085' || r == '\u2028' || r == '\u2029' || r == '\r' && !bytes.HasPrefix(source[i+1:], []byte("\n")) {
			return Problem{Line: line, Column: utf8.RuneCount(source[start:i]) + 1, Message: "there is an unusual line break here: use plain ones"}, true
		}
		if i += n; r == '\n' {
			line, start = line+1, i
		}
	}
	return Problem{}, false
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)`)

// maxExact is how long a text may be for its broken line to be searched for.
const maxExact = 64 << 10

// syntaxProblem says in which line YAML breaks. The library names the line
// where the structure around the error began, which can be far above, so the
// line is searched: it is the one after the longest beginning that parses.
func syntaxProblem(source []byte, err error) Problem {
	m := yamlLine.FindStringSubmatch(strings.ReplaceAll(err.Error(), "\n", " "))
	p := Problem{Line: 1, Message: err.Error()}
	if m != nil {
		p.Message = "this is not YAML: " + m[2]
		if n, _ := strconv.Atoi(m[1]); n > 0 {
			p.Line = n
		}
	}
	if len(source) <= maxExact {
		lines := bytes.SplitAfter(source, []byte("\n"))
		p.Line = brokenLine(lines)
		if bare, found := bareWord(lines[:p.Line-1]); found {
			return bare
		}
	}
	return p
}

// bareWord finds a name without a colon just before the broken line: YAML
// takes it for text and breaks only at the next name.
func bareWord(before [][]byte) (Problem, bool) {
	last := len(before)
	for last > 0 && blank(before[last-1]) {
		last--
	}
	_, problems, _ := read(bytes.Join(before[:last], nil))
	for _, p := range problems {
		if p.Line == last && strings.Contains(p.Message, wantsNames) {
			p.Message = "this is not YAML: a name needs a colon after it"
			return p, true
		}
	}
	return Problem{}, false
}

func brokenLine(lines [][]byte) int {
	parses := func(n int) bool {
		r := yaml.NewDecoder(bytes.NewReader(bytes.Join(lines[:n], nil)))
		for {
			var node yaml.Node
			if err := r.Decode(&node); err != nil {
				return errors.Is(err, io.EOF)
			}
		}
	}
	low, high := 0, len(lines) // lines[:low] parses, lines[:high] does not
	for high-low > 1 {
		mid := (low + high) / 2
		// A list or text over several lines does not parse while it is open.
		for open := 0; open < 8 && mid+open < high; open++ {
			if parses(mid + open) {
				mid += open
				low = mid
				break
			}
		}
		if low != mid {
			high = mid
		}
	}
	for low < len(lines)-1 && blank(lines[low]) {
		low++
	}
	return low + 1
}

func blank(line []byte) bool {
	line = bytes.TrimSpace(line)
	return len(line) == 0 || line[0] == '#'
}

// Format writes policies as Parse reads them, one document each.
func Format(policies ...Policy) ([]byte, error) {
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	for _, p := range policies {
		doc := document{apiVersion, kind, metadata{p.Name, p.Description}, spec{p.Priority, p.Disabled, p.Scope, p.Rules}}
		if err := enc.Encode(doc); err != nil {
			return nil, fmt.Errorf("write policy %s: %w", p.Name, err)
		}
	}
	if err := enc.Close(); err != nil {
		return nil, fmt.Errorf("write policies: %w", err)
	}
	return out.Bytes(), nil
}
