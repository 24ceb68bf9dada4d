package function

import (
	"fmt"
	"strings"
	"unicode"

	"redoubt.dev/redoubt/internal/fault"
)

// Problem is one thing wrong with what a person wrote. Path names the field, as
// in "triggers[1].http.path"; Line and Column are 0 where it was not in a file.
type Problem struct {
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Path    string `json:"path,omitempty"`
	Message string `json:"message"`
}

func (p Problem) String() string {
	s := p.Message
	if p.Path != "" {
		s = p.Path + ": " + s
	}
	if p.Line > 0 {
		s = fmt.Sprintf("line %d: %s", p.Line, s)
	}
	return s
}

const maxProblems = 100 // reported of one source

// report takes one problem with the path of its value.
type report func(path, message string)

// under reports below another path.
func (r report) under(path string) report {
	return func(p, message string) {
		if p != "" && p[0] != '[' {
			p = "." + p
		}
		r(path+p, message)
	}
}

// gather collects what check reports.
func gather(check func(report)) []Problem {
	var out []Problem
	check(func(path, message string) {
		if len(out) < maxProblems {
			out = append(out, Problem{Path: path, Message: message})
		}
	})
	return out
}

// Invalid makes one error of kind fault.Invalid that names every problem, nil
// of none.
func Invalid(problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	lines := make([]string, len(problems))
	for i, p := range problems {
		lines[i] = p.String()
	}
	return fault.New(fault.Invalid, "%s", strings.Join(lines, "\n"))
}

// clip keeps a quoted input short enough for a message.
func clip(s string) string {
	const most = 60
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	return string(r[:most]) + "…"
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar })
}

// oneOf names the allowed values.
func oneOf[T ~string](allowed []T) string {
	out := make([]string, len(allowed))
	for i, v := range allowed {
		out[i] = string(v)
	}
	return "use one of " + strings.Join(out, ", ")
}
