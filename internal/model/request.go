package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Request is what came in for a function, whatever its source: a request's
// parts, or an event as the body.
type Request struct {
	Time    time.Time
	Caller  string
	Version int
	Source  string  // http, invoke, schedule, bucket, mqtt, queue, function
	Route   string  // "GET /orders/{id}", a topic, a bucket; empty where there is one kind
	Params  []Param // at most maxValues are looked at
	Type    string  // of the body; JSON is recognised without it
	Body    []byte
}

// Param is a named part of a request outside its body.
type Param struct {
	In    string // path, query, cookie or header
	Name  string
	Value string
}

// Bounds of what is looked at of one request.
const (
	maxValues = 2048
	maxDepth  = 24
	maxBody   = 256 << 10
	maxKey    = 120
)

// value is one part of a request under the name of its field.
type value struct {
	name string
	typ  Types
	look look
	num  float64
	n    int // members of an array
	raw  string
}

// reading is a request taken apart.
type reading struct {
	values []value
	cut    bool // it holds more than is looked at
	broken bool // it says it is JSON and is not
}

// read takes a request apart, within bounds whatever it holds.
func (r *Request) read() *reading {
	out := &reading{values: make([]value, 0, len(r.Params)+8)}
	for _, p := range r.Params {
		out.text(p.In+"."+foldName(p.Name), p.Value)
	}
	body := r.Body
	if len(body) > maxBody {
		body, out.cut = body[:maxBody], true
	}
	kind, _, _ := mime.ParseMediaType(r.Type)
	trimmed := bytes.TrimLeft(body, " \t\r\n")
	switch {
	case len(trimmed) == 0:
	case kind == "application/x-www-form-urlencoded":
		out.form(string(body))
	case kind == "application/json" || strings.HasSuffix(kind, "+json") || (kind == "" || kind == "text/plain") && (trimmed[0] == '{' || trimmed[0] == '['):
		out.json(body)
	case strings.HasPrefix(kind, "text/") || kind == "":
		out.text("body", string(body))
	default:
		out.keep(value{name: "body", typ: String, look: look{class: Text, runes: len(body)}})
	}
	return out
}

func (out *reading) keep(v value) bool {
	if len(out.values) >= maxValues {
		out.cut = true
		return false
	}
	out.values = append(out.values, v)
	return true
}

func (out *reading) text(name, s string) {
	v := value{name: name, typ: String, look: lookAt(s), raw: s}
	if v.look.class == Integer || v.look.class == Decimal {
		v.num, _ = strconv.ParseFloat(s, 64)
	}
	out.keep(v)
}

func (out *reading) form(s string) {
	for s != "" && len(out.values) < maxValues {
		var pair string
		pair, s, _ = strings.Cut(s, "&")
		k, v, _ := strings.Cut(pair, "=")
		name, err1 := url.QueryUnescape(k)
		text, err2 := url.QueryUnescape(v)
		if out.broken = out.broken || err1 != nil || err2 != nil; pair != "" {
			out.text("body."+foldName(name), text)
		}
	}
	out.cut = out.cut || s != ""
}

func (out *reading) json(body []byte) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	err := out.member(dec, "body", 0)
	if err == nil {
		_, err = dec.Token()
	}
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, errCut) && !out.cut {
		out.broken = true
	}
	out.cut = out.cut || errors.Is(err, errCut)
}

var errCut = errors.New("more than is looked at")

// member reads the next value. Members of an array share one name.
func (out *reading) member(dec *json.Decoder, name string, depth int) error {
	t, err := dec.Token()
	if err != nil {
		return err
	}
	if depth > maxDepth || len(out.values) >= maxValues {
		return errCut
	}
	switch t := t.(type) {
	case json.Delim:
		if t == '{' {
			out.keep(value{name: name, typ: Object})
			return out.object(dec, name, depth)
		}
		return out.array(dec, name, depth)
	case string:
		out.text(name, t)
	case json.Number:
		v := value{name: name, typ: Number, look: look{class: classNumber(t.String())}}
		v.num, _ = t.Float64()
		out.keep(v)
	case bool:
		out.keep(value{name: name, typ: Bool})
	default:
		out.keep(value{name: name, typ: Null})
	}
	return nil
}

func (out *reading) object(dec *json.Decoder, name string, depth int) error {
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return err
		}
		k, _ := t.(string)
		if err := out.member(dec, name+"."+foldName(k), depth+1); err != nil {
			return err
		}
	}
	_, err := dec.Token()
	return err
}

func (out *reading) array(dec *json.Decoder, name string, depth int) error {
	at := len(out.values)
	out.keep(value{name: name, typ: Array})
	n := 0
	for ; dec.More(); n++ {
		if err := out.member(dec, name+"[]", depth+1); err != nil {
			return err
		}
	}
	if at < len(out.values) {
		out.values[at].n = n
	}
	_, err := dec.Token()
	return err
}

func classNumber(s string) Class {
	if allDigits(strings.TrimPrefix(s, "-")) {
		return Integer
	}
	return Decimal
}

// foldName makes keys that are ids one key, and parts the levels of a name by
// dots that no key holds.
func foldName(s string) string {
	if len(s) > maxKey {
		s = s[:maxKey] + "…"
	}
	if !strings.ContainsFunc(s, func(r rune) bool {
		return r < '0' && r != '-' && r != '$' || r <= '9' || r > 'z' || r == '<' || r == '[' || r == '\\' || r == '*'
	}) {
		return s
	}
	return strings.ReplaceAll(foldText(s), ".", "·")
}

// class is what makes requests alike: where they come from and which fields
// they have.
func (r *Request) class(values []value) uint64 {
	h := newHash()
	h.text(r.Source)
	h.text(r.Route)
	h.text(r.Caller)
	var fields uint64
	for i := range values {
		fields |= hashOf(values[i].name) // in any order, any number of times
	}
	return uint64(h) ^ fields
}

// routeName is the name a request's shape is kept under.
func routeName(source, route string) string {
	if route == "" {
		return clip(source)
	}
	return clip(source + " " + route)
}
