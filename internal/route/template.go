package route

import (
	"fmt"
	"regexp"
	"strings"
)

// maxParams is how many parameters a template may have.
const maxParams = 16

// segment is a part of a template: a literal, or a parameter of that name, or
// with rest one that takes all that is left.
type segment struct {
	literal string
	param   string
	rest    bool
}

var paramForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,63}$`)

// parseTemplate reads /orders/{id} and /files/{rest...}. A parameter is a whole
// segment of at least one byte; a rest stands last and takes at least one
// segment. Literals obey the rules of paths and are written without escapes.
func parseTemplate(t string) ([]segment, error) {
	if !strings.HasPrefix(t, "/") {
		return nil, fmt.Errorf("a path starts with a slash, as in /orders/{id}, not %q", clip(t))
	}
	if len(t) > 1024 {
		return nil, fmt.Errorf("a path has at most 1024 bytes, this one has %d", len(t))
	}
	t = strings.TrimSuffix(t[1:], "/")
	if t == "" {
		return nil, nil
	}
	var out []segment
	names := map[string]bool{}
	parts := strings.Split(t, "/")
	for i, part := range parts {
		s, err := parseSegment(part)
		if err != nil {
			return nil, err
		}
		if s.rest && i < len(parts)-1 {
			return nil, fmt.Errorf("{%s...} takes all that follows, so it must stand last", s.param)
		}
		if s.param != "" {
			if names[s.param] {
				return nil, fmt.Errorf("the parameter {%s} is there twice", s.param)
			}
			names[s.param] = true
		}
		out = append(out, s)
	}
	if len(names) > maxParams {
		return nil, fmt.Errorf("a path has at most %d parameters, this one has %d", maxParams, len(names))
	}
	return out, nil
}

func parseSegment(part string) (segment, error) {
	if !strings.ContainsAny(part, "{}") {
		if strings.Contains(part, "%") {
			return segment{}, fmt.Errorf("write %q without escapes", clip(part))
		}
		clean, err := Clean("/" + part)
		if err != nil || string(clean) != "/"+part || part == "" {
			return segment{}, fmt.Errorf("no request has a segment %q: empty ones, dots, backslashes, semicolons and control characters are refused", clip(part))
		}
		return segment{literal: part}, nil
	}
	name, ok := strings.CutPrefix(part, "{")
	name, end := strings.CutSuffix(name, "}")
	name, rest := strings.CutSuffix(name, "...")
	if !ok || !end || !paramForm.MatchString(name) {
		return segment{}, fmt.Errorf("a parameter is a whole segment like {id} or {rest...}, not %q", clip(part))
	}
	return segment{param: name, rest: rest}, nil
}

// shape is a template without its parameters' names: two of one shape match
// the same paths.
func shape(segments []segment) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteByte('/')
		switch {
		case s.rest:
			b.WriteString("{...}")
		case s.param != "":
			b.WriteString("{}")
		default:
			b.WriteString(s.literal)
		}
	}
	return b.String()
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
