package waf

import (
	"regexp"
	"strings"
	"unicode"
)

const (
	maxExcerpt = 120 // bytes, before masks
	maxText    = 200
)

var (
	secretName = regexp.MustCompile(`(?i)passw|secret|token|authori[sz]ation|cookie|api.?key|credential|session|signature|^pwd|pin$`)
	card       = regexp.MustCompile(`\d(?:[ -]?\d){12,18}`)
	tokenForm  = regexp.MustCompile(`[A-Za-z0-9+/_-]{32,}={0,2}`)
	bearer     = regexp.MustCompile(`(?i)(bearer|basic|password|passwd|pwd|secret|token)([ =:]+)[^\s&;,"']+`)
)

const mask = "***"

// Excerpt is the beginning of a value as a person may see it: short, on one
// line, with secrets masked. A value whose name says that it is a secret is
// masked whole.
func Excerpt(name, value string) string {
	_, key, _ := strings.Cut(name, ":")
	if secretName.MatchString(key) || strings.HasPrefix(name, "REQUEST_COOKIES") {
		return mask
	}
	cut := len(value) > maxExcerpt
	if cut {
		// A secret that the cut divides would no longer look like one.
		value = value[:maxExcerpt]
	}
	value = bearer.ReplaceAllString(value, "${1}${2}"+mask)
	value = card.ReplaceAllString(value, mask)
	value = tokenForm.ReplaceAllStringFunc(value, func(s string) string {
		if strings.ContainsAny(s, "0123456789") {
			return mask
		}
		return s
	})
	if cut {
		if i := strings.LastIndexFunc(value, func(r rune) bool { return !wordRune(r) }); i >= 0 {
			value = value[:i+1]
		}
		value += "…"
	}
	return Line(value)
}

func wordRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '+' || r == '_' || r == '-'
}

// Line is s on one line: control and formatting characters, and what is not
// text, become a dot.
func Line(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar {
			return '·'
		}
		return r
	}, s)
}

// Clip is Line, kept short.
func Clip(s string) string {
	if len(s) > maxText {
		s = s[:maxText] + "…"
	}
	return Line(s)
}

var listIndex = regexp.MustCompile(`\.\d+(\.|$)`)

// Parameter is a variable's name as exclusions write it: places in a list
// become *, so that one exclusion covers all of them.
func Parameter(variable string) string {
	for { // neighbours share a dot, so one pass may leave one
		next := listIndex.ReplaceAllString(variable, ".*$1")
		if next == variable {
			return Clip(next)
		}
		variable = next
	}
}
