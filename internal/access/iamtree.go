package access

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// tree is a JSON value that remembers where it stood, and the order of its
// names: what is given twice must not be lost.
type tree struct {
	path   string
	value  any // string, json.Number, bool or nil where it is neither of the next
	object []member
	list   []*tree
	kind   byte // '{', '[' or 'v'
}

type member struct {
	name  string
	value *tree
}

const mostJSONDepth = 16

func readTree(source []byte) (*tree, error) {
	if len(source) > mostSource {
		return nil, fmt.Errorf("the policy is %d bytes long: at most %d are read", len(source), mostSource)
	}
	d := json.NewDecoder(bytes.NewReader(source))
	d.UseNumber()
	t, err := readValue(d, "$", 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more behind the policy")
	}
	return t, nil
}

func readValue(d *json.Decoder, path string, depth int) (*tree, error) {
	token, err := d.Token()
	if err != nil {
		return nil, fmt.Errorf("%s: this is not JSON: %w", path, err)
	}
	if depth > mostJSONDepth {
		return nil, fmt.Errorf("%s: the JSON is nested deeper than %d", path, mostJSONDepth)
	}
	t := &tree{path: path, kind: 'v', value: token}
	switch token {
	case json.Delim('{'):
		t.kind, t.value = '{', nil
		seen := map[string]bool{}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return nil, fmt.Errorf("%s: this is not JSON: %w", path, err)
			}
			name := key.(string)
			if seen[name] {
				return nil, fmt.Errorf("%s.%s is given twice", path, name)
			}
			seen[name] = true
			v, err := readValue(d, path+"."+name, depth+1)
			if err != nil {
				return nil, err
			}
			t.object = append(t.object, member{name, v})
		}
	case json.Delim('['):
		t.kind, t.value = '[', nil
		for d.More() {
			v, err := readValue(d, fmt.Sprintf("%s[%d]", path, len(t.list)), depth+1)
			if err != nil {
				return nil, err
			}
			t.list = append(t.list, v)
		}
	default:
		return t, nil
	}
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("%s: this is not JSON: %w", path, err)
	}
	return t, nil
}

func (t *tree) get(name string) *tree {
	for _, m := range t.object {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// each are the items of a list, or the one value there is.
func (t *tree) each() []*tree {
	if t.kind == '[' {
		return t.list
	}
	return []*tree{t}
}

// text is a scalar as a policy writes it.
func (t *tree) text() (string, bool) {
	switch v := t.value.(type) {
	case string:
		return v, true
	case bool:
		return fmt.Sprint(v), true
	case json.Number:
		return v.String(), true
	}
	return "", false
}

// globText writes an IAM pattern as one of Cedar's like: * is any text, all else
// itself.
func globText(s string) string { return quote(s) }
