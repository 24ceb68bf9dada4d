package profile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/redoubt"
)

// What every profile document says of itself.
const (
	DocumentVersion = "redoubt/v1"
	DocumentKind    = "Profile"
)

const (
	maxDocument = 32 << 20 // bytes
	maxProblems = 20       // told at once
)

// document is a profile as people read and keep it. Ids and coverage are left
// out: they follow from the rest.
type document struct {
	APIVersion string              `yaml:"apiVersion"`
	Kind       string              `yaml:"kind"`
	Workload   redoubt.WorkloadID  `yaml:"workload"`
	State      State               `yaml:"state"`
	Revision   int64               `yaml:"revision,omitempty"`
	Since      time.Time           `yaml:"since,omitempty"`
	Units      int64               `yaml:"units,omitempty"`
	Starts     int64               `yaml:"starts,omitempty"`
	Hours      Hours               `yaml:"hours,omitempty"`
	Versions   []documentedVersion `yaml:"versions,omitempty"`
	Entries    []documentedEntry   `yaml:"entries"`
}

type documentedVersion struct {
	Digest redoubt.Digest `yaml:"digest"`
	Image  string         `yaml:"image,omitempty"`
	Since  time.Time      `yaml:"since,omitempty"`
	Looked bool           `yaml:"looked,omitempty"`
}

type documentedEntry struct {
	Exec    *documentedExec    `yaml:"exec,omitempty"`
	Listen  *documentedListen  `yaml:"listen,omitempty"`
	Connect *documentedConnect `yaml:"connect,omitempty"`
	Source  Source             `yaml:"source,omitempty"` // manual where not said
	First   time.Time          `yaml:"first,omitempty"`
	Last    time.Time          `yaml:"last,omitempty"`
	Count   int64              `yaml:"count,omitempty"`
	Units   int64              `yaml:"units,omitempty"`
	Unit    string             `yaml:"unit,omitempty"`
	Note    string             `yaml:"note,omitempty"`
	Expect  string             `yaml:"expect,omitempty"`
}

type documentedExec struct {
	Path    string           `yaml:"path"`
	Digests []redoubt.Digest `yaml:"digests,omitempty"`
	Parent  string           `yaml:"parent,omitempty"`
	Args    []string         `yaml:"args,omitempty,flow"`
}

type documentedListen struct {
	Proto redoubt.Proto `yaml:"proto"`
	Port  uint16        `yaml:"port"`
	Path  string        `yaml:"path,omitempty"`
}

type documentedConnect struct {
	Proto redoubt.Proto `yaml:"proto"`
	Peer  string        `yaml:"peer"`
	Port  uint16        `yaml:"port"`
	Path  string        `yaml:"path,omitempty"`
}

// Export writes p as a YAML document: the same profile always gives the same
// bytes, and Import reads them back to the same profile.
func Export(p *Profile) ([]byte, error) {
	d := document{
		APIVersion: DocumentVersion, Kind: DocumentKind, Workload: p.Workload, State: p.State, Revision: p.Revision,
		Since: p.Since, Units: p.Units, Starts: p.Starts, Hours: p.Hours,
	}
	for _, v := range p.Versions {
		d.Versions = append(d.Versions, documentedVersion(v))
	}
	entries := make([]Entry, len(p.Entries))
	copy(entries, p.Entries)
	sortEntries(entries)
	d.Entries = make([]documentedEntry, len(entries))
	for i := range entries {
		e := &entries[i]
		d.Entries[i] = documentedEntry{
			Source: e.Source, First: e.First, Last: e.Last,
			Count: e.Count, Units: e.Units, Unit: e.Unit, Note: e.Note, Expect: e.Expect,
		}
		if e.Exec != nil {
			x := documentedExec(*e.Exec)
			d.Entries[i].Exec = &x
		}
		if e.Listen != nil {
			x := documentedListen(*e.Listen)
			d.Entries[i].Listen = &x
		}
		if e.Connect != nil {
			x := documentedConnect(*e.Connect)
			d.Entries[i].Connect = &x
		}
	}
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(&d); err != nil {
		return nil, fmt.Errorf("write profile %s: %w", p.Workload, err)
	}
	if err := enc.Close(); err != nil {
		return nil, fmt.Errorf("write profile %s: %w", p.Workload, err)
	}
	return b.Bytes(), nil
}

// Import reads a profile document, YAML or JSON. It is strict: unknown fields,
// a second document, entries that allow the same and anything Entry.Check
// objects to are fault.Invalid, with line numbers. More than 32 MiB or
// MaxEntries entries is fault.Limited.
func Import(text []byte, now time.Time) (*Profile, error) {
	if len(text) > maxDocument {
		return nil, fault.New(fault.Limited, "the document is %d bytes long, at most %d are read", len(text), maxDocument)
	}
	var d document
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&d); err != nil {
		return nil, fault.New(fault.Invalid, "read profile: %s", readable(err))
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fault.New(fault.Invalid, "read profile: a file holds one document; there is something after the first")
	}
	if len(d.Entries) > MaxEntries {
		return nil, fault.New(fault.Limited, "%d entries; a profile holds at most %d", len(d.Entries), MaxEntries)
	}
	p, problems := d.profile(lines(text))
	if len(problems) > 0 {
		return nil, fault.New(fault.Invalid, "read profile: %s", strings.Join(problems, "; "))
	}
	p.Measure(now)
	return p, nil
}

// readable takes the names of Go types out of the parser's words.
func readable(err error) string {
	s := strings.TrimPrefix(err.Error(), "yaml: ")
	s = strings.TrimPrefix(s, "unmarshal errors:\n")
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
	if errors.Is(err, io.EOF) {
		return "the document is empty"
	}
	return strings.Join(out, "; ")
}

// lines returns on which line each entry begins.
func lines(text []byte) []int {
	var root yaml.Node
	if yaml.Unmarshal(text, &root) != nil || len(root.Content) == 0 {
		return nil
	}
	top := root.Content[0]
	for i := 0; i+1 < len(top.Content); i += 2 {
		if top.Content[i].Value == "entries" {
			var out []int
			for _, e := range top.Content[i+1].Content {
				out = append(out, e.Line)
			}
			return out
		}
	}
	return nil
}

func (d *document) profile(lines []int) (*Profile, []string) {
	var problems []string
	say := func(format string, args ...any) {
		if len(problems) < maxProblems {
			problems = append(problems, fmt.Sprintf(format, args...))
		}
	}
	if d.APIVersion != DocumentVersion || d.Kind != DocumentKind {
		say("apiVersion %q and kind %q: this reads apiVersion %s, kind %s", d.APIVersion, d.Kind, DocumentVersion, DocumentKind)
	}
	if d.Workload == "" || len(d.Workload) > maxText {
		say("workload is missing or too long")
	}
	if _, ok := moves[d.State]; !ok {
		say("state %q: use learning, observing, enforcing or archived", d.State)
	}
	if d.Units < 0 || d.Starts < 0 || d.Revision < 0 || d.Hours >= 1<<24 {
		say("units, starts, revision and hours cannot be negative or larger than a day has hours")
	}
	if len(d.Versions) > maxVersions {
		say("%d versions, at most %d are kept", len(d.Versions), maxVersions)
	}
	p := &Profile{Workload: d.Workload, State: d.State, Revision: d.Revision, Since: d.Since, Units: d.Units, Starts: d.Starts, Hours: d.Hours, Entries: []Entry{}}
	for _, v := range d.Versions[:min(len(d.Versions), maxVersions)] {
		p.addVersion(Version(v))
	}
	first := map[string]int{}
	for i := range d.Entries {
		line := 0
		if i < len(lines) {
			line = lines[i]
		}
		e := d.Entries[i].entry()
		if err := e.Check(); err != nil {
			say("line %d: %v", line, err)
			continue
		}
		e.ID = e.Identify()
		if before, ok := first[e.ID]; ok {
			say("line %d: allows the same as line %d", line, before)
			continue
		}
		first[e.ID] = line
		p.Entries = append(p.Entries, e)
	}
	sortEntries(p.Entries)
	return p, problems
}

func (d *documentedEntry) entry() Entry {
	e := Entry{Source: d.Source, First: d.First, Last: d.Last, Count: d.Count, Units: d.Units, Unit: d.Unit, Note: d.Note, Expect: d.Expect}
	if e.Source == "" {
		e.Source = Manual
	}
	if d.Exec != nil {
		x := Exec(*d.Exec)
		e.Kind, e.Exec = redoubt.EventExec, &x
	}
	if d.Listen != nil {
		x := Listen(*d.Listen)
		e.Kind, e.Listen = redoubt.EventListen, &x
	}
	if d.Connect != nil {
		x := Connect(*d.Connect)
		e.Kind, e.Connect = redoubt.EventConnect, &x
	}
	return e
}
