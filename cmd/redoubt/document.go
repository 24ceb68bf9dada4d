package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/policy"
	"redoubt.dev/redoubt/internal/profile"
)

// A document is one thing as a person keeps it in a file: YAML with apiVersion,
// a kind, and a spec. One of its last three fields is set.
type document struct {
	from    string // file and line, for messages
	source  string // YAML
	policy  *policy.Policy
	profile *profile.Profile
	item    item
}

const (
	apiVersion  = "redoubt/v1"
	profileKind = "Profile"
	maxFile     = 16 << 20
)

// profileDocument is how a profile is exported.
type profileDocument struct {
	APIVersion string          `json:"apiVersion"`
	Kind       string          `json:"kind"`
	Spec       profile.Profile `json:"spec"`
}

// readDocuments reads every document of a file, a folder (its .yaml, .yml and
// .json files, not below) or "-", which is in. All problems of all of them are
// told at once.
func readDocuments(name string, in io.Reader) ([]document, error) {
	names := []string{name}
	if info, err := os.Stat(name); name != "-" && err == nil && info.IsDir() {
		if names, err = filesIn(name); err != nil {
			return nil, err
		}
	}
	var all []document
	var problems []string
	for _, n := range names {
		raw, err := readFile(n, in)
		if err != nil {
			return nil, err
		}
		docs, wrong := parseDocuments(n, raw)
		all = append(all, docs...)
		problems = append(problems, wrong...)
	}
	if len(problems) > 0 {
		return nil, fault.New(fault.Invalid, "nothing was applied:\n%s", strings.Join(problems, "\n"))
	}
	if len(all) == 0 {
		return nil, fault.New(fault.Invalid, "%s holds nothing that can be applied: no document of kind Policy, Profile, Function, Route, AccessPolicy or FunctionModel", name)
	}
	return all, nil
}

func filesIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fault.New(fault.Invalid, "read documents: %w", err)
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(e.Name())) {
			names = append(names, filepath.Join(dir, e.Name()))
		}
	}
	return names, nil
}

func readFile(name string, in io.Reader) ([]byte, error) {
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil, fault.New(fault.Invalid, "there is no file %s", name)
			}
			return nil, fault.New(fault.Invalid, "read documents: %w", err)
		}
		defer f.Close()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(raw) > maxFile {
		return nil, fault.New(fault.Limited, "%s is larger than %d MiB", name, maxFile>>20)
	}
	return raw, nil
}

// part is one document of a YAML stream and the line before it.
type part struct {
	text string
	line int
}

// split divides a YAML stream at its "---" lines and leaves empty parts out.
func split(raw []byte) []part {
	parts := []part{{}}
	line := 0
	for l := range strings.Lines(string(raw)) {
		line++
		if strings.TrimRight(l, " \t\r\n") == "---" {
			parts = append(parts, part{line: line})
			continue
		}
		parts[len(parts)-1].text += l
	}
	return slices.DeleteFunc(parts, func(p part) bool {
		var n yaml.Node
		return yaml.Unmarshal([]byte(p.text), &n) == nil && len(n.Content) == 0
	})
}

func parseDocuments(name string, raw []byte) (docs []document, problems []string) {
	for _, p := range split(raw) {
		at := func(line int, message string) {
			problems = append(problems, fmt.Sprintf("%s:%d: %s", name, p.line+line, message))
		}
		var head struct {
			Kind string `yaml:"kind"`
		}
		if yaml.Unmarshal([]byte(p.text), &head) == nil && head.Kind == profileKind {
			pr, err := parseProfile([]byte(p.text))
			if err != nil {
				at(1, err.Error())
				continue
			}
			docs = append(docs, document{from: fmt.Sprintf("%s:%d", name, p.line+1), source: p.text, profile: pr})
			continue
		}
		if read := itemKinds[head.Kind]; read != nil {
			i, wrong := read(name, p.text)
			for _, w := range wrong {
				at(max(1, w.number), line{path: w.path, message: w.message}.String())
			}
			if i != nil {
				docs = append(docs, document{from: fmt.Sprintf("%s:%d", name, p.line+1), source: p.text, item: i})
			}
			continue
		}
		policies, wrong := policy.Parse([]byte(p.text))
		for _, w := range wrong {
			at(w.Line, w.Message)
		}
		if len(policies) > 1 {
			at(1, "several policies in one document; put a line with nothing but --- between them")
			continue
		}
		for i := range policies {
			docs = append(docs, document{from: fmt.Sprintf("%s:%d", name, p.line+1), source: p.text, policy: &policies[i]})
		}
	}
	return docs, problems
}

// parseProfile reads an exported profile; a field it does not know is an error.
func parseProfile(raw []byte) (*profile.Profile, error) {
	var tree any
	if err := yaml.Unmarshal(raw, &tree); err != nil {
		return nil, err
	}
	body, err := json.Marshal(tree)
	if err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	var d profileDocument
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	if d.APIVersion != apiVersion {
		return nil, fmt.Errorf("profile: apiVersion is %q, want %s", d.APIVersion, apiVersion)
	}
	if d.Spec.Workload == "" {
		return nil, errors.New("profile: spec.workload is missing")
	}
	for i := range d.Spec.Entries {
		if err := d.Spec.Entries[i].Check(); err != nil {
			return nil, fmt.Errorf("profile: entry %d: %w", i+1, err)
		}
	}
	return &d.Spec, nil
}
