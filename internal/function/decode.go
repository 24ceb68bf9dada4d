package function

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// decode fills a typed value from a node by its yaml tags. It is strict: names
// it does not know and values of another type are problems. where remembers
// the node of every path.
func (n node) decode(v reflect.Value, path string, where map[string]node) {
	n = n.real()
	where[path] = n
	if !n.has() {
		n.t.problem(n, "%s has no value: give it one or remove the line", label(path))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		n.decode(v.Elem(), path, where)
	case reflect.Struct:
		n.fields(v, path, where)
	case reflect.Map:
		if !n.isMap() {
			n.t.problem(n, "%s takes names with values", label(path))
			return
		}
		v.Set(reflect.MakeMap(v.Type()))
		for _, p := range n.pairs() {
			item := reflect.New(v.Type().Elem()).Elem()
			p.value.decode(item, path+"."+clip(p.name), where)
			v.SetMapIndex(reflect.ValueOf(p.name), item)
		}
	case reflect.Slice:
		if n.isMap() || n.isScalar() {
			n.t.problem(n, "%s takes a list: write [ ] around it", label(path))
			return
		}
		items := n.items()
		v.Set(reflect.MakeSlice(v.Type(), len(items), len(items)))
		for i, item := range items {
			item.decode(v.Index(i), path+"["+strconv.Itoa(i)+"]", where)
		}
	default:
		n.scalar(v, path)
	}
}

func (n node) fields(v reflect.Value, path string, where map[string]node) {
	if !n.isMap() {
		n.t.problem(n, "%s takes names with values", label(path))
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		for j := 0; j < i; j += 2 {
			if n.Content[i].Value == n.Content[j].Value && i < maxTwice {
				n.t.problem(node{n.Content[i], n.t}, "%q is given twice, first in line %d", clip(n.Content[i].Value), n.Content[j].Line)
			}
		}
	}
	known := map[string]int{}
	var names []string
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		known[name] = i
		names = append(names, name)
	}
	for _, p := range n.pairs() {
		i, ok := known[p.name]
		if !ok {
			n.t.problem(p.key, "%s has no %q, %s", label(path), clip(p.name), oneOf(names))
			continue
		}
		p.value.decode(v.Field(i), strings.TrimPrefix(path+"."+p.name, "."), where)
	}
}

// maxTwice bounds the search for names given twice.
const maxTwice = 200

func (n node) scalar(v reflect.Value, path string) {
	if !n.isScalar() {
		n.t.problem(n, "%s takes one value", label(path))
		return
	}
	var err error
	switch v.Kind() {
	case reflect.String:
		v.SetString(n.Value)
	case reflect.Bool:
		if n.Tag != "!!bool" {
			err = fmt.Errorf("true or false")
		}
		v.SetBool(strings.EqualFold(n.Value, "true"))
	case reflect.Int:
		var i int64
		if i, err = strconv.ParseInt(n.Value, 10, 32); err != nil {
			err = fmt.Errorf("a whole number")
		}
		v.SetInt(i)
	case reflect.Float64:
		var f float64
		if f, err = strconv.ParseFloat(n.Value, 64); err != nil {
			err = fmt.Errorf("a number")
		}
		v.SetFloat(f)
	}
	if err != nil {
		n.t.problem(n, "%s takes %v, not %q", label(path), err, clip(n.Value))
	}
}

// label is a path for people.
func label(path string) string {
	if path == "" {
		return "the document"
	}
	return path
}
