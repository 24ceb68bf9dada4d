package waf

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of what is taken out of one body.
const (
	maxParams = 256 // values judged one by one; what follows is judged together
	maxName   = 256 // bytes of a parameter's name
	maxParts  = 1000
)

// Form is how a body was read.
type Form string

// The forms.
const (
	Empty      Form = ""
	JSON       Form = "JSON"
	URLEncoded Form = "URLENCODED"
	Multipart  Form = "MULTIPART"
	XML        Form = "XML"
	Text       Form = "TEXT" // nothing we take apart
)

// Param is one named value of a body.
type Param struct{ Name, Value string }

// Reading is a body taken apart. Params holds the values of JSON, multipart
// and text bodies; Body the bytes of those an engine takes apart itself.
type Reading struct {
	Form   Form
	Params []Param
	Files  []Param // a multipart part's name and its file name
	Body   []byte
	Over   bool // not all of the body is in the reading
	Broken bool // the body is not what its form says; the rest of it is in Params as it stands
}

// Read takes the first limit bytes of a request's body apart. It looks at the
// content before it believes the type, because functions do.
func Read(r *Request, limit int) Reading {
	body, over := r.Body, r.Cut
	if strings.EqualFold(r.field("content-encoding"), "gzip") {
		if plain, cut, ok := inflate(body, limit); ok {
			body, over = plain, over || cut
		}
	}
	if len(body) > limit {
		body, over = body[:limit], true
	}
	out := Reading{Body: body, Over: over}
	if len(bytes.TrimSpace(body)) == 0 {
		return out
	}
	kind, params, _ := mime.ParseMediaType(r.Type())
	switch {
	case kind == "multipart/form-data":
		out.multipart(params["boundary"])
	case kind == "application/x-www-form-urlencoded" && !(looksJSON(body) && json.Valid(body)):
		out.Form = URLEncoded
	case strings.HasSuffix(kind, "/json") || strings.HasSuffix(kind, "+json") || looksJSON(body):
		out.json(r.Event)
	case strings.HasSuffix(kind, "/xml") || strings.HasSuffix(kind, "+xml"):
		out.Form = XML
	default:
		out.Form = Text
		out.add("body", string(body))
	}
	return out
}

// looksJSON reports whether a body starts as an object or a list does.
func looksJSON(body []byte) bool {
	b := bytes.TrimLeft(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), " \t\r\n")
	return len(b) > 0 && (b[0] == '{' || b[0] == '[')
}

func inflate(body []byte, limit int) (plain []byte, cut, ok bool) {
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, false, false
	}
	defer z.Close()
	plain, err = io.ReadAll(io.LimitReader(z, int64(limit)+1))
	if len(plain) > limit {
		return plain[:limit], true, true
	}
	return plain, err != nil, true
}

// add keeps a value, in one heap once there are many: what judging costs is
// bounded, what is judged is not cut.
func (r *Reading) add(name, value string) {
	if value == "" {
		return
	}
	if len(name) > maxName {
		name = name[:maxName]
	}
	if len(r.Params) < maxParams {
		r.Params = append(r.Params, Param{name, value})
		return
	}
	if len(r.Params) == maxParams {
		r.Params = append(r.Params, Param{Name: "more"})
	}
	last := &r.Params[maxParams]
	last.Value += "\n" + value
}

func (r *Reading) multipart(boundary string) {
	r.Form = Multipart
	if boundary == "" {
		r.Form, r.Broken = Text, true
		r.add("body", string(r.Body))
		return
	}
	parts := multipart.NewReader(bytes.NewReader(r.Body), boundary)
	for n := 0; ; n++ {
		p, err := parts.NextRawPart()
		if err == io.EOF {
			return
		}
		if err != nil || n == maxParts {
			r.Broken = true
			r.add("body", string(r.Body))
			return
		}
		content, err := io.ReadAll(p)
		if err != nil && !r.Over {
			r.Broken = true
		}
		name := p.FormName()
		r.addName(name)
		if file := p.FileName(); file != "" {
			r.Files = append(r.Files, Param{name, fileName(p.Header.Get("Content-Disposition"), file)})
		} else {
			r.add(name, string(content))
		}
	}
}

// fileName is the name with the directories that the library takes off: they
// are what an attack would be in.
func fileName(disposition, file string) string {
	if _, params, err := mime.ParseMediaType(disposition); err == nil && params["filename"] != "" {
		return params["filename"]
	}
	return file
}

// addName judges a name as a value where it could hold more than a name.
func (r *Reading) addName(name string) {
	if !plainWord(name) {
		r.add("names", name)
	}
}

// plainWord reports whether s is letters, digits and underscores with single
// inner dashes: a word, a number, an id. No attack fits into one, and most
// values of JSON are such, so judging them is saved.
func plainWord(s string) bool {
	const long = 64
	if len(s) > long {
		return false
	}
	dash := true
	for _, c := range []byte(s) {
		switch {
		case c == '-' && dash:
			return false
		case c == '-':
			dash = true
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_':
			dash = false
		default:
			return false
		}
	}
	return !dash || s == ""
}

// encoded undoes base64 where what comes out is text.
func encoded(s string) (string, bool) {
	const short = 16
	if len(s) < short || strings.ContainsAny(s, " <>'\"()") {
		return "", false
	}
	for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawURLEncoding} {
		b, err := e.DecodeString(s)
		if err == nil && utf8.Valid(b) && !bytes.ContainsFunc(b, func(r rune) bool { return unicode.IsControl(r) && !unicode.IsSpace(r) }) {
			return string(b), true
		}
	}
	return "", false
}
