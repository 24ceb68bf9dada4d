package route

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"redoubt.dev/redoubt/internal/fault"
)

// MaxPath is the longest path, in bytes as it comes.
const MaxPath = 8 << 10

// Path is a request's path in its one accepted spelling: with escapes undone,
// a slash at its start and none at its end. Make it with Clean.
type Path string

// Clean reads a path as it came over the wire, before any decoding. What could
// be read in two ways is fault.Invalid, never mended; the package comment has
// the rules.
func Clean(raw string) (Path, error) {
	if raw == "" {
		return "/", nil
	}
	if raw[0] != '/' {
		return "", refuse("a path starts with a slash")
	}
	if len(raw) > MaxPath {
		return "", refuse("the path is longer than 8 KiB")
	}
	plain, err := unescape(raw)
	if err != nil {
		return "", err
	}
	if err := checkSegments(plain); err != nil {
		return "", err
	}
	if len(plain) > 1 && plain[len(plain)-1] == '/' {
		plain = plain[:len(plain)-1]
	}
	return Path(plain), nil
}

// Escaped is the path as it is sent on: the same for every spelling.
func (p Path) Escaped() string { return (&url.URL{Path: string(p)}).EscapedPath() }

func refuse(why string) error {
	return fault.New(fault.Invalid, "the path has no single meaning: %s", why)
}

// unescape undoes escapes once. A path without any, the usual one, is returned
// as it is.
func unescape(raw string) (string, error) {
	ascii := true
	for i := range len(raw) {
		switch c := raw[i]; {
		case c == '%':
			return unescapeAll(raw)
		case c < ' ', c == 0x7f:
			return "", refuse("it holds a control character")
		case c == '\\', c == ';', c == '?', c == '#':
			return "", refuse("it holds " + string(rune(c)))
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	if !ascii {
		return checkText(raw)
	}
	return raw, nil
}

func unescapeAll(raw string) (string, error) {
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		escaped := c == '%'
		if escaped {
			if i+2 >= len(raw) || unhex(raw[i+1]) < 0 || unhex(raw[i+2]) < 0 {
				return "", refuse("a % is not followed by two hex digits")
			}
			c = byte(unhex(raw[i+1])<<4 | unhex(raw[i+2]))
			i += 2
		}
		switch {
		case c == '/' && escaped:
			return "", refuse("a slash is written as %2F")
		case c == '\\', c == ';', !escaped && (c == '?' || c == '#'):
			return "", refuse("it holds " + string(rune(c)))
		}
		out = append(out, c)
	}
	plain, err := checkText(string(out))
	if err != nil {
		return "", err
	}
	for i := range len(plain) - 2 {
		if plain[i] == '%' && unhex(plain[i+1]) >= 0 && unhex(plain[i+2]) >= 0 {
			return "", refuse("it is escaped twice")
		}
	}
	return plain, nil
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

func checkText(s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", refuse("it is not UTF-8")
	}
	if strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) {
		return "", refuse("it holds a control character")
	}
	return s, nil
}

// checkSegments finds segments that servers leave out or walk up on.
func checkSegments(p string) error {
	for i := 1; i < len(p); {
		end := strings.IndexByte(p[i:], '/')
		last := end < 0
		if last {
			end = len(p) - i
		}
		switch p[i : i+end] {
		case "":
			return refuse("it has two slashes in a row")
		case ".", "..":
			return refuse("it has a segment of dots")
		}
		i += end + 1
	}
	return nil
}

// cleanHost is a Host header as hosts are compared: small letters, without
// port and without a dot at the end. A name that is none is empty, which only
// routes of any host match.
func cleanHost(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	host = strings.TrimSuffix(host, ".")
	for i := range len(host) {
		switch c := host[i]; {
		case c >= 'A' && c <= 'Z':
			return cleanHost(strings.ToLower(host))
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '.', c == '_', c == '[', c == ']', c == ':':
		default:
			return ""
		}
	}
	return host
}
