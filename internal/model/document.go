package model

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/profile"
)

// What every model document says of itself.
const (
	DocumentVersion = "redoubt/v1"
	DocumentKind    = "FunctionModel"
)

const (
	maxDocument = 16 << 20 // bytes
	maxProblems = 20       // told at once
)

// document is a model as people read and keep it. Ids, weakness and coverage
// are left out: they follow from the rest.
type document struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	Model      `yaml:",inline"`
}

// Export writes m as a YAML document: the same model always gives the same
// bytes, and Import reads them back to the same model.
func Export(m *Model) ([]byte, error) {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	err := enc.Encode(&document{DocumentVersion, DocumentKind, *m})
	if err == nil {
		err = enc.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("write model of %s: %w", m.Function, err)
	}
	return b.Bytes(), nil
}

// Import reads a model document, YAML or JSON. It is strict: unknown fields, a
// second document and anything that no model holds are fault.Invalid, and more
// than there is room for is fault.Limited.
func Import(text []byte, now time.Time) (*Model, error) {
	if len(text) > maxDocument {
		return nil, fault.New(fault.Limited, "the document is %d bytes long, at most %d are read", len(text), maxDocument)
	}
	var d document
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&d); err != nil {
		return nil, fault.New(fault.Invalid, "read model: %s", readable(err))
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fault.New(fault.Invalid, "read model: a file holds one document; there is something after the first")
	}
	if d.APIVersion != DocumentVersion || d.Kind != DocumentKind {
		return nil, fault.New(fault.Invalid, "read model: apiVersion %q and kind %q: this reads apiVersion %s, kind %s", d.APIVersion, d.Kind, DocumentVersion, DocumentKind)
	}
	if problems := d.Model.problems(); len(problems) > 0 {
		return nil, fault.New(fault.Invalid, "read model: %s", strings.Join(problems, "; "))
	}
	if err := d.Model.bounds(); err != nil {
		return nil, err
	}
	m := NewLearner(&d.Model).Model()
	m.Measure(m.Last)
	return m, nil
}

func (m *Model) bounds() error {
	if len(m.Entries) > MaxEntries || len(m.Routes) > MaxRoutes || len(m.Versions) > maxVersions {
		return fault.New(fault.Limited, "read model: %d entries, %d routes and %d versions; a model holds at most %d, %d and %d",
			len(m.Entries), len(m.Routes), len(m.Versions), MaxEntries, MaxRoutes, maxVersions)
	}
	for i := range m.Routes {
		if n := len(m.Routes[i].Fields); n > MaxFields {
			return fault.New(fault.Limited, "read model: route %d has %d fields; at most %d are kept", i+1, n, MaxFields)
		}
	}
	return nil
}

func (m *Model) problems() (out []string) {
	say := func(format string, args ...any) {
		if len(out) < maxProblems {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	if m.Function == "" || len(m.Function) > 63 {
		say("function is missing or longer than 63 characters")
	}
	switch m.State {
	case profile.Learning, profile.Observing, profile.Enforcing:
	default:
		say("state %q: use learning, observing or enforcing", m.State)
	}
	if m.Revision < 0 || m.Calls < 0 || m.Units < 0 || m.Units > m.Calls || m.Lost < 0 || m.Hours >= 1<<24 || m.Last.Before(m.First) {
		say("revision, calls, units and lost are not negative, units not above calls, hours those of a day, last not before first")
	}
	for i, s := range []*Sketch{&m.Resources.Duration, &m.Resources.Memory, &m.Resources.Out} {
		if err := s.check(); err != nil {
			say("%s: %v", [...]string{"duration", "memory", "out"}[i], err)
		}
	}
	for i, v := range m.Versions {
		if v.Number < 1 || i > 0 && v.Number <= m.Versions[i-1].Number || len(v.Digest) > maxText {
			say("version %d: numbers go up from 1", i+1)
		}
	}
	for i := range m.Entries {
		e := &m.Entries[i]
		if e.Source == "" {
			e.Source = profile.Manual
		}
		if err := e.check(); err != nil {
			say("entry %d: %v", i+1, err)
		}
	}
	for i := range m.Routes {
		if err := m.Routes[i].check(); err != nil {
			say("route %d: %v", i+1, err)
		}
	}
	return out
}

func (r *Route) check() error {
	if r.Name == "" || len(r.Name) > 2*maxText {
		return fault.New(fault.Invalid, "a name of 1 to %d bytes is needed", 2*maxText)
	}
	if err := r.Seen.check(); err != nil {
		return err
	}
	for i := range r.Fields {
		f := &r.Fields[i]
		if f.Name == "" || len(f.Name) > 8*maxText || f.Length < 0 || f.Low > f.High || f.Low != f.Low || f.High != f.High {
			return fault.New(fault.Invalid, "field %d: a name, a length that is not negative and low not above high are needed", i+1)
		}
		if err := f.Seen.check(); err != nil {
			return fault.New(fault.Invalid, "field %d: %w", i+1, err)
		}
	}
	return r.Out.check()
}

// readable takes the names of Go types out of the parser's words.
func readable(err error) string {
	if errors.Is(err, io.EOF) {
		return "the document is empty"
	}
	s := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "yaml: "), "unmarshal errors:\n")
	var out []string
	for line := range strings.Lines(s) {
		line = strings.TrimSpace(line)
		if i := strings.Index(line, " not found in type"); i >= 0 {
			line = strings.Replace(line[:i], "field", "unknown field", 1)
		}
		if i := strings.Index(line, " into "); i >= 0 {
			line = strings.Replace(line[:i], "cannot unmarshal", "cannot use", 1) + " here"
		}
		if out = append(out, line); len(out) == maxProblems {
			break
		}
	}
	return strings.Join(out, "; ")
}
