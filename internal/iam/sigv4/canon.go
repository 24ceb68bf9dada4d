package sigv4

import (
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// canonical appends to b the one spelling of r that is signed. The path and
// query are those the handlers see, so that what was checked is what is done.
func canonical(b []byte, r *http.Request, c *claim, payload string, order func(a, b pair) int) ([]byte, error) {
	b = append(append(b, r.Method...), '\n')
	b = appendPath(b, r.URL.EscapedPath(), c.service == "s3")
	b = append(b, '\n')
	pairs, err := queryPairs(r.URL.RawQuery, c.presigned)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(pairs, order)
	for i, p := range pairs {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(append(append(b, p.name...), '='), p.value...)
	}
	b = append(b, '\n')
	for _, name := range c.names {
		values, err := headerValues(r, name)
		if err != nil {
			return nil, err
		}
		b = append(append(b, name...), ':')
		for i, v := range values {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendSqueezed(b, v)
		}
		b = append(b, '\n')
	}
	b = append(b, '\n')
	for i, name := range c.names {
		if i > 0 {
			b = append(b, ';')
		}
		b = append(b, name...)
	}
	return append(append(b, '\n'), payload...), nil
}

// appendPath writes the path as it came for S3, escaped once more for all
// other services.
func appendPath(b []byte, path string, plain bool) []byte {
	if path == "" {
		return append(b, '/')
	}
	if plain {
		return append(b, path...)
	}
	for i := range len(path) {
		if ch := path[i]; unreserved(ch) || ch == '/' {
			b = append(b, ch)
		} else {
			b = appendHex(b, ch)
		}
	}
	return b
}

func unreserved(ch byte) bool {
	return 'a' <= ch && ch <= 'z' || 'A' <= ch && ch <= 'Z' || '0' <= ch && ch <= '9' || ch == '-' || ch == '_' || ch == '.' || ch == '~'
}

const upperHex = "0123456789ABCDEF"

func appendHex(b []byte, ch byte) []byte {
	return append(b, '%', upperHex[ch>>4], upperHex[ch&15])
}

// pair is one parameter of a query, escaped in the canonical way.
type pair struct{ name, value string }

// byEscaped is the order the specification asks for, byPlain the one of the
// SDK for Go. They differ where a name holds escapes; the set is the same.
func byEscaped(a, b pair) int {
	if a.name != b.name {
		return strings.Compare(a.name, b.name)
	}
	return strings.Compare(a.value, b.value)
}

func byPlain(a, b pair) int {
	plain := func(s string) string { t, _ := url.PathUnescape(s); return t }
	if a.name != b.name {
		return strings.Compare(plain(a.name), plain(b.name))
	}
	return strings.Compare(plain(a.value), plain(b.value))
}

func queryPairs(raw string, presigned bool) ([]pair, error) {
	if raw == "" {
		return nil, nil
	}
	if strings.Contains(raw, ";") {
		return nil, Refuse(Incomplete, "the query holds a semicolon: write it as %%3B")
	}
	pairs := make([]pair, 0, strings.Count(raw, "&")+1)
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		n, err1 := reescape(name)
		v, err2 := reescape(value)
		if err1 != nil || err2 != nil {
			return nil, Refuse(Incomplete, "the query holds a broken escape: %.80q", part)
		}
		if presigned && n == "X-Amz-Signature" {
			continue
		}
		pairs = append(pairs, pair{n, v})
	}
	return pairs, nil
}

// reescape gives s the canonical escapes.
func reescape(s string) (string, error) {
	clean := true
	for i := range len(s) {
		if !unreserved(s[i]) {
			clean = false
			break
		}
	}
	if clean {
		return s, nil
	}
	plain, err := url.QueryUnescape(s)
	if err != nil {
		return "", err
	}
	b := make([]byte, 0, len(plain)+16)
	for i := range len(plain) {
		if unreserved(plain[i]) {
			b = append(b, plain[i])
		} else {
			b = appendHex(b, plain[i])
		}
	}
	return string(b), nil
}

// headerValues finds a signed header, also those net/http keeps elsewhere.
func headerValues(r *http.Request, name string) ([]string, error) {
	switch name {
	case "host":
		return []string{r.Host}, nil
	case "content-length":
		if r.ContentLength >= 0 {
			return []string{strconv.FormatInt(r.ContentLength, 10)}, nil
		}
	default:
		if v, ok := r.Header[textproto.CanonicalMIMEHeaderKey(name)]; ok {
			return v, nil
		}
	}
	return nil, Refuse(Incomplete, "the header %s is signed but was not sent", name)
}

// appendSqueezed trims v and makes one space of several.
func appendSqueezed(b []byte, v string) []byte {
	v = strings.Trim(v, " \t")
	for i := range len(v) {
		if v[i] == ' ' && i > 0 && v[i-1] == ' ' {
			continue
		}
		b = append(b, v[i])
	}
	return b
}

// covered says what must be signed and is not.
func covered(r *http.Request, c *claim) error {
	if !slices.Contains(c.names, "host") {
		return Refuse(Incomplete, "the header host must be signed")
	}
	for name := range r.Header {
		if len(name) > 6 && strings.EqualFold(name[:6], "x-amz-") && !slices.Contains(c.names, strings.ToLower(name)) {
			return Refuse(Incomplete, "the header %.60s was sent but not signed", strings.ToLower(name))
		}
	}
	return nil
}
