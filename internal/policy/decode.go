package policy

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

const (
	maxList     = 1000 // items in one list
	maxProblems = 100  // reported of one source
)

// decoder fills typed values from YAML nodes by their yaml tags. It is strict
// where the library is lenient: names it does not know, names given twice,
// aliases and values of another type are problems, and it goes on after each.
type decoder struct {
	problems []Problem
	at       map[string]*yaml.Node // where each value stood, by its path
}

func (d *decoder) problem(n *yaml.Node, format string, args ...any) {
	if len(d.problems) < maxProblems {
		d.problems = append(d.problems, Problem{Line: n.Line, Column: n.Column, Message: fmt.Sprintf(format, args...)})
	}
}

// locate returns the node of the value at path, or of the nearest one around it.
func (d *decoder) locate(path string) *yaml.Node {
	for {
		if n := d.at[path]; n != nil {
			return n
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut < 0 {
			return d.at[""]
		}
		path = path[:cut]
	}
}

func (d *decoder) value(n *yaml.Node, v reflect.Value, path string) {
	d.at[path] = n
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		d.problem(n, "anchors and aliases are not supported: write the value out")
		return
	}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		d.problem(n, "%s has no value: give it one or remove the line", label(path))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem(), path)
	case reflect.Struct:
		d.mapping(n, path, func(key, val *yaml.Node) { d.field(key, val, v, path) })
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		d.mapping(n, path, func(key, val *yaml.Node) {
			item := reflect.New(v.Type().Elem()).Elem()
			d.value(val, item, path+"."+key.Value)
			v.SetMapIndex(reflect.ValueOf(key.Value), item)
		})
	case reflect.Slice:
		d.sequence(n, v, path)
	default:
		d.scalar(n, v, path)
	}
}

const wantsNames = "takes names with values"

func (d *decoder) mapping(n *yaml.Node, path string, each func(key, val *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		d.problem(n, "%s %s, not %s", label(path), wantsNames, kindOf(n))
		return
	}
	if len(n.Content)/2 > maxList {
		d.problem(n, "%s holds more than %d names", label(path), maxList)
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, val := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			d.problem(key, "a name must be plain text")
			continue
		}
		if first, twice := seen[key.Value]; twice {
			d.problem(key, "%q is given twice, first in line %d", clip(key.Value), first)
			continue
		}
		seen[key.Value] = key.Line
		each(key, val)
	}
}

func (d *decoder) field(key, val *yaml.Node, v reflect.Value, path string) {
	known := make([]string, 0, v.NumField())
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		if name == key.Value {
			d.value(val, v.Field(i), strings.TrimPrefix(path+"."+name, "."))
			return
		}
		known = append(known, name)
	}
	d.problem(key, "%s has no %q, %s", label(path), clip(key.Value), didYouMean(key.Value, known))
}

func (d *decoder) sequence(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.SequenceNode {
		if n.Kind == yaml.ScalarNode {
			d.problem(n, "%s takes a list: write [%s]", label(path), clip(n.Value))
		} else {
			d.problem(n, "%s takes a list, not %s", label(path), kindOf(n))
		}
		return
	}
	if len(n.Content) > maxList {
		d.problem(n, "%s holds %d items, at most %d are allowed", label(path), len(n.Content), maxList)
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		d.value(item, v.Index(i), path+"["+strconv.Itoa(i)+"]")
	}
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.ScalarNode {
		d.problem(n, "%s takes one value, not %s", label(path), kindOf(n))
		return
	}
	switch v.Kind() {
	case reflect.String:
		if n.Tag == "!!binary" {
			d.problem(n, "%s takes text, not binary data", label(path))
			return
		}
		v.SetString(n.Value)
	case reflect.Bool:
		if !slices.Contains([]string{"true", "false"}, n.Value) || n.Tag != "!!bool" {
			d.problem(n, "%s is true or false, not %q", label(path), clip(n.Value))
			return
		}
		v.SetBool(n.Value == "true")
	case reflect.Int:
		i, err := strconv.ParseInt(n.Value, 10, 32)
		if err != nil {
			d.problem(n, "%s takes a whole number, not %q", label(path), clip(n.Value))
			return
		}
		v.SetInt(i)
	case reflect.Uint16:
		u, err := strconv.ParseUint(n.Value, 10, 16)
		if err != nil || u == 0 {
			d.problem(n, "%s takes a port from 1 to 65535, not %q", label(path), clip(n.Value))
			return
		}
		v.SetUint(u)
	}
}

// label is a path for people: the document for the empty one.
func label(path string) string {
	if path == "" {
		return "the document"
	}
	return path
}

func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "names with values"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		return fmt.Sprintf("%q", clip(n.Value))
	}
	return "nothing"
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
