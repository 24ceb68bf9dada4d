package profile

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"
)

// An argument shape has one pattern per position. A pattern is literal text in
// which the following stand for more than themselves:
//
//	<n>      a decimal number
//	<hex>    a hexadecimal id of at least eight digits, or a UUID
//	*        alone: any one argument; inside: any characters but a slash
//	**       at the end: any further arguments
//	<none>   at the end: the program got no arguments, not even its name
//	<cut>    at the end: the sensor kept no more, and kept exactly this much
//	<sum:…>  the rest of a very long argument or list, by its hash
//
// A backslash takes the meaning from * < and \, and \xNN is a byte that is not
// printable UTF-8. An observed argument is folded to its pattern in one pass,
// and patterns are compared as text: the cost is linear in the argument
// whatever an attacker puts there.
const (
	anyArg = "*"
	rest   = "**"
	none   = "<none>"
	cut    = "<cut>"
)

const (
	maxArgs = 64   // positions; the rest counts by its hash
	maxArg  = 1024 // bytes of a folded argument; the rest counts by its hash
)

// Shape folds the arguments of program path, argv[0] first: numbers, ids and
// temporary names become placeholders, everything else stays literal. In code
// handed to an interpreter only numbers and ids fold. It is never nil.
func Shape(path string, argv []string, truncated bool) []string {
	r := rolesOf(path, argv)
	shape := make([]string, 0, min(len(argv), maxArgs)+2)
	for i, a := range argv[:min(len(argv), maxArgs)] {
		shape = append(shape, fold(a, r.isCode(i)))
	}
	if len(argv) > maxArgs {
		shape = append(shape, "<sum:"+sum(argv[maxArgs:]...)+">")
	}
	if len(argv) == 0 {
		shape = append(shape, none)
	}
	if truncated {
		shape = append(shape, cut)
	}
	return shape
}

// shapeMatch reports whether an observed, folded argument vector has the
// allowed shape. raw holds the same arguments unfolded, escaped, for patterns
// that a person wrote with numbers in them.
func shapeMatch(want, got, raw []string) bool {
	if want == nil {
		return true
	}
	if n := len(want); n > 0 && want[n-1] == rest {
		// Where the sensor's memory ends right here, the last position that
		// counts may itself be cut short.
		if len(got) < n-1 || len(got) > n-1 && got[n-1] == cut {
			return false
		}
		want, got = want[:n-1], got[:n-1]
	}
	if len(want) != len(got) {
		return false
	}
	for i, w := range want {
		if w == got[i] {
			continue
		}
		if w == anyArg && got[i] != cut && got[i] != none {
			continue
		}
		if i < len(raw) && (w == raw[i] || strings.Contains(w, "*") && (glob(w, got[i]) || glob(w, raw[i]))) {
			continue
		}
		return false
	}
	return true
}

// glob matches text against a pattern in which * is any run without a slash.
// Both are in escaped form. The leftmost place for each piece is always a
// right one, because a later one would make the star before it longer.
func glob(pattern, text string) bool {
	pieces := splitStars(pattern)
	if !strings.HasPrefix(text, pieces[0]) {
		return false
	}
	text = text[len(pieces[0]):]
	for i, p := range pieces[1:] {
		at := strings.Index(text, p)
		if i == len(pieces)-2 {
			at = len(text) - len(p)
			if !strings.HasSuffix(text, p) {
				return false
			}
		}
		if at < 0 || strings.Contains(text[:at], "/") {
			return false
		}
		text = text[at+len(p):]
	}
	return text == "" || len(pieces) > 1
}

func splitStars(pattern string) []string {
	var pieces []string
	start := 0
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '\\':
			i++
		case '*':
			pieces = append(pieces, pattern[start:i])
			start = i + 1
		}
	}
	return append(pieces, pattern[start:])
}

func escape(s string) string {
	plain := true
	for i := 0; i < len(s) && plain; i++ {
		c := s[i]
		plain = c >= ' ' && c < 0x7f && c != '*' && c != '<' && c != '\\'
	}
	if plain {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '*' || r == '<' || r == '\\':
			b.WriteByte('\\')
			b.WriteByte(s[i])
		case r == utf8.RuneError && n == 1 || r < ' ' && r != '\n' && r != '\t' || r == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

func sum(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
