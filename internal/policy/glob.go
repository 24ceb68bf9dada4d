package policy

import (
	"strings"
	"unicode/utf8"
)

// Glob is a compiled pattern: * stands for any run of characters, slashes
// included, ? for exactly one. It must match the whole text. Matching looks at
// each byte of the text at most once per byte of the longest stretch between
// two stars, whatever the pattern.
type Glob struct {
	text  string
	parts []string // between stars
}

// NewGlob compiles a pattern; every text is a valid one.
func NewGlob(pattern string) Glob {
	return Glob{text: pattern, parts: strings.Split(pattern, "*")}
}

func (g Glob) String() string { return g.text }

// Match says whether the whole of s fits.
func (g Glob) Match(s string) bool {
	if len(g.parts) == 0 {
		return s == ""
	}
	first, last := g.parts[0], len(g.parts)-1
	rest, ok := cutFront(s, first)
	if !ok {
		return false
	}
	if last == 0 {
		return rest == ""
	}
	for _, part := range g.parts[1:last] {
		if rest, ok = cutAfter(rest, part); !ok {
			return false
		}
	}
	return hasEnd(rest, g.parts[last])
}

// cutFront removes part, which may hold ?, from the front of s.
func cutFront(s, part string) (rest string, ok bool) {
	if !strings.Contains(part, "?") {
		return strings.CutPrefix(s, part)
	}
	for i := 0; i < len(part); i++ {
		switch {
		case s == "":
			return "", false
		case part[i] == '?':
			_, n := utf8.DecodeRuneInString(s)
			s = s[n:]
		case part[i] != s[0]:
			return "", false
		default:
			s = s[1:]
		}
	}
	return s, true
}

// cutAfter removes everything up to and with the first place part fits.
func cutAfter(s, part string) (rest string, ok bool) {
	if !strings.Contains(part, "?") {
		_, rest, ok = strings.Cut(s, part)
		return rest, ok
	}
	for {
		if rest, ok = cutFront(s, part); ok {
			return rest, true
		}
		if s == "" {
			return "", false
		}
		_, n := utf8.DecodeRuneInString(s)
		s = s[n:]
	}
}

// hasEnd says whether s ends with part.
func hasEnd(s, part string) bool {
	if !strings.Contains(part, "?") {
		return strings.HasSuffix(s, part)
	}
	want := utf8.RuneCountInString(part)
	have := utf8.RuneCountInString(s)
	for ; have > want; have-- {
		_, n := utf8.DecodeRuneInString(s)
		s = s[n:]
	}
	rest, ok := cutFront(s, part)
	return ok && rest == ""
}

func globs(patterns []string) []Glob {
	out := make([]Glob, len(patterns))
	for i, p := range patterns {
		out[i] = NewGlob(p)
	}
	return out
}

// firstMatch returns the pattern that any of texts fits, and that text.
func firstMatch(gs []Glob, texts ...string) (pattern, text string, ok bool) {
	for _, g := range gs {
		for _, t := range texts {
			if g.Match(t) {
				return g.text, t, true
			}
		}
	}
	return "", "", false
}
