package waf

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"strconv"
	"strings"
)

const (
	maxDepth  = 64 // levels that a name shows
	maxNested = 2  // JSON within a JSON string
)

// json takes every string out of a document, named by its way: json.items.0.id.
// Names given twice give two values, because readers differ in which they
// take. Where the document breaks off, the rest is kept as text.
func (r *Reading) json(event bool) {
	r.Form = JSON
	r.walk("json", r.Body, event, 0)
}

func (r *Reading) walk(root string, doc []byte, event bool, nested int) {
	doc = bytes.TrimPrefix(doc, []byte("\xef\xbb\xbf"))
	w := walker{dec: json.NewDecoder(bytes.NewReader(doc)), path: []step{{name: root}}}
	w.dec.UseNumber()
	for {
		read := w.dec.InputOffset()
		tok, err := w.dec.Token()
		if errors.Is(err, io.EOF) && len(w.path) == 1 {
			return
		}
		if err != nil {
			r.Broken = r.Broken || nested == 0 && !r.Over
			r.add(root, string(doc[min(int(read), len(doc)):]))
			return
		}
		value, isText, isName := w.next(tok)
		switch {
		case isName:
			r.addName(value)
		case isText:
			r.text(w.name(), value, event, nested)
		}
	}
}

// text keeps a string and what is hidden in it.
func (r *Reading) text(name, value string, event bool, nested int) {
	if nested < maxNested && len(value) > 2 && looksJSON([]byte(value)) && json.Valid([]byte(value)) {
		r.walk(name, []byte(value), event, nested+1)
		return
	}
	if !plainWord(value) {
		r.add(name, value)
	}
	if !event {
		return
	}
	if plain, err := url.QueryUnescape(value); err == nil && plain != value && strings.Contains(value, "%") {
		r.add(name, plain) // as bucket notifications write keys
	}
	if plain, ok := encoded(value); ok {
		if nested < maxNested && looksJSON([]byte(plain)) {
			r.walk(name, []byte(plain), event, nested+1)
		} else {
			r.add(name, plain)
		}
	}
}

// walker knows where in a document a token stands.
type walker struct {
	dec  *json.Decoder
	path []step
	deep int // levels below those that path names
}

type step struct {
	name  string
	list  bool
	index int
	key   bool // an object that waits for a name
}

// next takes a token in. It returns the token's text where it is a string, and
// whether that is a name.
func (w *walker) next(tok json.Token) (value string, isText, isName bool) {
	top := &w.path[len(w.path)-1]
	switch t := tok.(type) {
	case json.Delim:
		switch t {
		case '{', '[':
			if len(w.path) >= maxDepth {
				w.deep++
				return "", false, false
			}
			w.path = append(w.path, step{list: t == '[', key: t == '{', index: -1})
		case '}', ']':
			if w.deep > 0 {
				w.deep--
				return "", false, false
			}
			w.path = w.path[:len(w.path)-1]
			w.path[len(w.path)-1].done()
		}
		return "", false, false
	case string:
		if w.deep > 0 { // names and values alike
			return t, true, false
		}
		if top.key {
			top.name, top.key = t, false
			return t, true, true
		}
		top.done()
		return t, true, false
	default:
		if w.deep == 0 {
			top.done()
		}
		return "", false, false
	}
}

// done tells the step that its value is complete.
func (s *step) done() {
	if s.list {
		s.index++
	} else if s.index < 0 {
		s.key = true
	}
}

// name is the way to the value just read.
func (w *walker) name() string {
	var b strings.Builder
	for i := range w.path {
		s := &w.path[i]
		if i > 0 {
			b.WriteByte('.')
		}
		if s.list {
			at := s.index
			if i < len(w.path)-1 {
				at++
			}
			b.WriteString(strconv.Itoa(at))
		} else {
			b.WriteString(s.name)
		}
		if b.Len() > maxName {
			break
		}
	}
	return b.String()
}

// Event makes a request of an event that never was HTTP, so that each of its
// strings passes the rules: source is where it came from (bucket, mqtt, queue,
// schedule). An event that is not JSON is judged as one text.
func Event(source string, event []byte) *Request {
	return &Request{Method: "POST", URI: "/", Proto: "HTTP/1.1", Host: source, Event: true,
		Header: []Field{{"Content-Type", "application/json"}}, Body: event}
}
