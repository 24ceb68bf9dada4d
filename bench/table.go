package main

import (
	"fmt"
	"os"
	"strings"
)

// row is one line of the table. bar, target and figure are texts for people;
// passed is nil where there is no bar to pass.
type row struct {
	measure string
	bar     string
	target  string
	figure  string
	passed  *bool
	when    string
}

func pass(ok bool) *bool { return &ok }

func (r row) line() string {
	verdict := "–"
	if r.passed != nil {
		verdict = map[bool]string{true: "pass", false: "**miss**"}[*r.passed]
	}
	figure := strings.NewReplacer("\n", " ", "|", "/").Replace(r.figure)
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %s |", r.measure, r.bar, r.target, figure, verdict, r.when)
}

// table is what the run shows; head says on what machine.
type table struct {
	head string
	rows []row
}

const columns = "| measure | bar | target | measured | | when |\n|---|---|---|---|---|---|\n"

func (t table) markdown() string {
	var b strings.Builder
	b.WriteString(t.head + "\n\n" + columns)
	for _, r := range t.rows {
		b.WriteString(r.line() + "\n")
	}
	return b.String()
}

const (
	beginFigures = "<!-- figures: written by make bench -->"
	endFigures   = "<!-- end of figures -->"
)

// update puts the table into a document, in place of what is between its
// markers. Rows of measures that this run did not take stay as they are, with
// their own date, in the order of measures.
func (t table) update(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("write figures: %w", err)
	}
	merged, err := t.merge(string(text))
	if err != nil {
		return fmt.Errorf("write figures into %s: %w", file, err)
	}
	return os.WriteFile(file, []byte(merged), 0o644)
}

func (t table) merge(text string) (string, error) {
	before, rest, ok := strings.Cut(text, beginFigures)
	old, after, ok2 := strings.Cut(rest, endFigures)
	if !ok || !ok2 {
		return "", fmt.Errorf("there is no %q with %q after it", beginFigures, endFigures)
	}
	lines := map[string][]string{}
	for l := range strings.Lines(old) {
		if f := strings.Split(l, "|"); len(f) > 2 {
			name := strings.TrimSpace(f[1])
			lines[name] = append(lines[name], strings.TrimSuffix(l, "\n"))
		}
	}
	for _, r := range t.rows {
		delete(lines, r.measure)
	}
	for _, r := range t.rows {
		lines[r.measure] = append(lines[r.measure], r.line())
	}
	out := t.head + "\n\n" + columns
	for _, m := range measures {
		for _, l := range lines[m.name] {
			out += l + "\n"
		}
	}
	return before + beginFigures + "\n\n" + out + "\n" + endFigures + after, nil
}
