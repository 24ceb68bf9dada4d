package function

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

const apiVersion, kind = "redoubt/v1", "Function"

// Document is one function as a file describes it.
type Document struct {
	Name string
	Spec Spec   // with its defaults
	Code string // folder, archive or image, as written: relative to the file; empty where it says nothing
	Line int    // where it begins
}

// Reading is what a file said: Problems keep it from being used, Notes say what
// of it is left out or taken otherwise. Both have lines.
type Reading struct {
	Format    string // function, sam, serverless, openfaas
	Functions []Document
	Problems  []Problem
	Notes     []Problem
}

// Read reads a file of functions: documents of kind Function, an AWS SAM
// template, a serverless.yml or an OpenFaaS stack.yml; its content says which.
// With any problem there are no functions. What such a file says beyond what
// can be kept here is in Notes, each beginning with "ignored:" or saying what
// was made of it; nothing is dropped in silence and nothing is granted beyond
// what the file grants.
func Read(source []byte) Reading {
	t := &text{}
	var r Reading
	docs := t.load(source)
	if len(docs) == 0 && len(t.problems) == 0 {
		t.problem(node{}, "there is no function in the text")
	}
	if len(t.problems) == 0 {
		r.Format, r.Functions = t.read(docs)
	}
	names := map[string]int{}
	for _, d := range r.Functions {
		if line, twice := names[d.Name]; twice && d.Name != "" {
			t.problems = append(t.problems, Problem{Line: d.Line, Path: "name", Message: fmt.Sprintf("function %q is given twice, first in line %d", clip(d.Name), line)})
		}
		names[d.Name] = d.Line
	}
	if len(r.Functions) == 0 && len(t.problems) == 0 {
		t.problem(docs[0], "there is no function in the text")
	}
	r.Problems, r.Notes = t.problems, t.notes
	if len(r.Problems) > 0 {
		r.Functions = nil
	}
	return r
}

func (t *text) read(docs []node) (format string, out []Document) {
	first := docs[0]
	switch {
	case first.get("apiVersion").has() || first.get("kind").has():
		for _, d := range docs {
			out = append(out, t.own(d))
		}
		return "function", out
	case len(docs) > 1:
		t.problem(docs[1], "the file has a second document: only documents of kind %s may share a file", kind)
	case first.get("Resources").isMap():
		return "sam", t.sam(first)
	case first.get("provider", "name").isScalar() && strings.HasSuffix(first.get("provider", "name").Value, "faas"):
		return "openfaas", t.openFaaS(first)
	case first.get("provider").has() && first.get("functions").has():
		return "serverless", t.serverless(first)
	default:
		t.problem(first, "this is none of: a document with apiVersion: %s and kind: %s, an AWS SAM template, a serverless.yml, an OpenFaaS stack.yml", apiVersion, kind)
	}
	return "", nil
}

// document is our own form.
type document struct {
	APIVersion string   `yaml:"apiVersion"`
	Kind       string   `yaml:"kind"`
	Metadata   metadata `yaml:"metadata"`
	Code       string   `yaml:"code,omitempty"`
	Spec       Spec     `yaml:"spec"`
}

type metadata struct {
	Name string `yaml:"name"`
}

func (t *text) own(n node) Document {
	var doc document
	where := map[string]node{"": n}
	n.decode(reflect.ValueOf(&doc).Elem(), "", where)
	if doc.APIVersion != apiVersion {
		t.problem(closest(where, "apiVersion"), "apiVersion must be %s, not %q", apiVersion, clip(doc.APIVersion))
	}
	if doc.Kind != kind {
		t.problem(closest(where, "kind"), "kind must be %s, not %q", kind, clip(doc.Kind))
	}
	if r, language, ok := ParseRuntime(string(doc.Spec.Runtime)); ok {
		doc.Spec.Runtime = r
		if doc.Spec.Language == "" {
			doc.Spec.Language = language
		}
	}
	d := Document{Name: doc.Metadata.Name, Spec: doc.Spec.WithDefaults(), Code: doc.Code, Line: n.Line}
	t.finish(&d, where, "metadata.name")
	return d
}

// finish checks a document and puts each problem to the line of its value.
func (t *text) finish(d *Document, where map[string]node, name string) {
	tell := func(path, message string) {
		n := closest(where, path)
		for _, p := range t.problems {
			if n.Node != nil && p.Line == n.Line && p.Column == n.Column {
				return // a value that could not be read is not missing, too
			}
		}
		if len(t.problems) < maxProblems {
			p := at(n, "%s", message)
			p.Path = path
			t.problems = append(t.problems, p)
		}
	}
	if err := CheckName(d.Name); err != nil {
		tell(name, err.Error())
	}
	if strings.ContainsRune(d.Code, 0) || len(d.Code) > 4096 {
		tell("code", "code is the path of a folder or an archive")
	}
	d.Spec.check(report(tell).under("spec"))
}

// closest returns the node of the value at path, or of the one around it.
func closest(where map[string]node, path string) node {
	for {
		if n, ok := where[path]; ok && n.Node != nil {
			return n
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut < 0 {
			return where[""]
		}
		path = path[:cut]
	}
}

// Format writes functions as Read reads them, one document each.
func Format(functions ...Document) ([]byte, error) {
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	for _, f := range functions {
		if err := enc.Encode(document{apiVersion, kind, metadata{f.Name}, f.Code, f.Spec}); err != nil {
			return nil, fmt.Errorf("write function %s: %w", f.Name, err)
		}
	}
	if err := enc.Close(); err != nil {
		return nil, fmt.Errorf("write functions: %w", err)
	}
	return out.Bytes(), nil
}
