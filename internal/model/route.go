package model

import (
	"cmp"
	"slices"
	"strings"
)

// Route is the shape of requests of one source and route.
type Route struct {
	Name   string  `json:"name" yaml:"name"` // "http GET /orders/{id}", "mqtt plant/+/heat", "schedule"
	Fields []Field `json:"fields" yaml:"fields"`
	Out    Sketch  `json:"out,omitzero" yaml:"out,omitempty"` // bytes of the answers
	Seen   `yaml:",inline"`
}

// Field is one parameter or one place in the body: query.id, path.id,
// body.items[].price, body.prices.* for the values of a map.
type Field struct {
	Name   string  `json:"name" yaml:"name"`
	Types  Types   `json:"types" yaml:"types,omitempty"`
	Class  Class   `json:"class,omitempty" yaml:"class,omitempty"`   // of texts and numbers
	Marks  Marks   `json:"marks,omitzero" yaml:"marks,omitempty"`    // signs its texts held
	Prose  bool    `json:"prose,omitempty" yaml:"prose,omitempty"`   // texts of several words
	Length int64   `json:"length,omitempty" yaml:"length,omitempty"` // longest text in characters, or array in members
	Low    float64 `json:"low,omitempty" yaml:"low,omitempty"`       // of numbers
	High   float64 `json:"high,omitempty" yaml:"high,omitempty"`
	Manual bool    `json:"manual,omitempty" yaml:"manual,omitempty"` // a person allowed what it holds
	Seen   `yaml:",inline"`
	call   int64 // the last that held it
}

// table is one Route for fast use.
type table struct {
	route    Route
	fields   map[string]*Field
	children map[string]int // distinct keys below an object
	lost     int64
}

// maxChildren is how many keys an object may have before they count as one.
const maxChildren = 64

func newTable(name string) *table {
	return &table{route: Route{Name: name}, fields: map[string]*Field{}, children: map[string]int{}}
}

// find returns the field of a name or, in a map, the field of all its keys.
func (t *table) find(name string) *Field {
	if f := t.fields[name]; f != nil {
		return f
	}
	parent, rest := t.mapped(name)
	if parent == "" {
		return nil
	}
	return t.fields[parent+".*"+rest]
}

// mapped finds the level of a name whose keys count as one.
func (t *table) mapped(name string) (parent, rest string) {
	for i := strings.IndexByte(name, '.'); i >= 0; {
		next := strings.IndexByte(name[i+1:], '.')
		if t.fields[name[:i]+".*"] != nil || t.children[name[:i]] >= maxChildren {
			if end := strings.IndexAny(name[i+1:], ".["); end >= 0 {
				return name[:i], name[i+1+end:]
			}
			return name[:i], ""
		}
		if next < 0 {
			break
		}
		i += 1 + next
	}
	return "", ""
}

// admit returns the field of a name, made where there is room; nil if none.
func (t *table) admit(name string) *Field {
	if f := t.find(name); f != nil {
		return f
	}
	if parent, rest := t.mapped(name); parent != "" {
		name = parent + ".*" + rest
	}
	return t.put(&Field{Name: name})
}

func (t *table) put(f *Field) *Field {
	if old := t.fields[f.Name]; old != nil {
		old.merge(f)
		return old
	}
	if len(t.fields) >= MaxFields && !t.evict() {
		t.lost++
		return nil
	}
	t.fields[f.Name] = f
	if i := strings.LastIndexByte(f.Name, '.'); i > 0 && !strings.HasSuffix(f.Name, "*") {
		t.children[f.Name[:i]]++
	}
	return f
}

// evict drops the eighth of the learned fields of which least is known.
func (t *table) evict() bool {
	var all []*Field
	for _, f := range t.fields {
		if !f.Manual {
			all = append(all, f)
		}
	}
	slices.SortFunc(all, func(a, b *Field) int {
		return cmp.Or(cmp.Compare(a.Units, b.Units), a.Last.Compare(b.Last), strings.Compare(a.Name, b.Name))
	})
	for _, f := range all[:min(MaxFields/8, len(all))] {
		delete(t.fields, f.Name)
		t.lost++
	}
	return len(all) > 0
}

func (f *Field) add(v *value) {
	first := f.Types&(Number|String) == 0
	f.Types |= v.typ
	switch v.typ {
	case Number, String:
		f.Class |= v.look.class
		f.Marks.join(v.look.marks)
		f.Prose = f.Prose || v.look.space
		f.Length = max(f.Length, int64(v.look.runes))
		if v.look.class&(Integer|Decimal) != 0 {
			if first {
				f.Low, f.High = v.num, v.num
			}
			f.Low, f.High = min(f.Low, v.num), max(f.High, v.num)
		}
	case Array:
		f.Length = max(f.Length, int64(v.n))
	}
}

// drift follows numbers that rise, as ids and times do. Nothing else widens
// once learning is over: step by step, anything could become normal.
func (f *Field) drift(v *value) {
	if v.look.class&f.Class&(Integer|Decimal) != 0 && f.check(v) == nil {
		f.High = max(f.High, v.num)
	}
}

func (f *Field) merge(o *Field) {
	if o.Class&(Integer|Decimal) != 0 {
		if f.Class&(Integer|Decimal) == 0 {
			f.Low, f.High = o.Low, o.High
		}
		f.Low, f.High = min(f.Low, o.Low), max(f.High, o.High)
	}
	f.Types |= o.Types
	f.Class |= o.Class
	f.Marks.join(o.Marks)
	f.Prose, f.Manual = f.Prose || o.Prose, f.Manual || o.Manual
	f.Length = max(f.Length, o.Length)
	f.Seen.merge(&o.Seen)
}

func (f *Field) clone() Field {
	c := *f
	c.Seen = f.Seen.clone()
	return c
}

// put takes a whole route in, adding to what is there.
func (t *table) merge(r *Route) {
	t.route.Seen.merge(&r.Seen)
	t.route.Out.merge(&r.Out)
	for i := range r.Fields {
		f := r.Fields[i].clone()
		t.put(&f)
	}
}

// document is the route as it is kept.
func (t *table) document() Route {
	r := t.route
	r.Seen, r.Out = t.route.Seen.clone(), t.route.Out.clone()
	r.Fields = make([]Field, 0, len(t.fields))
	for _, f := range t.fields {
		r.Fields = append(r.Fields, f.clone())
	}
	slices.SortFunc(r.Fields, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	return r
}
