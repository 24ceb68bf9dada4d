package route

import (
	"fmt"
	"strings"

	"redoubt.dev/redoubt/internal/fault"
)

// Problem is one thing wrong with what a person wrote. Path names the field,
// as in "target.weights[1].percent"; Line is 0 where it was not in a file.
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

// Invalid makes one error of kind fault.Invalid that names every problem, nil
// of none.
func Invalid(problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	lines := make([]string, 0, len(problems))
	for _, p := range problems[:min(len(problems), maxProblems)] {
		lines = append(lines, p.String())
	}
	return fault.New(fault.Invalid, "%s", strings.Join(lines, "\n"))
}
