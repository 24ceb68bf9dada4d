package egress

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"strings"
)

// node is a value of a request's body. An object may hold a key more than
// once, as who reads it next may take either; keys are compared without case
// for the same reason.
type node struct {
	text string // of a string or number
	kids []kid  // of an object, or of an array, whose keys are empty
}

type kid struct {
	key string
	*node
}

// Limits of a body that is looked at; beyond them its resource is unknown.
const (
	maxDepth = 32
	maxNodes = 100_000
)

var errFields = errors.New("body cannot be read")

// readJSON reads one JSON document and nothing after it.
func readJSON(b []byte) (*node, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	left := maxNodes
	n, err := readValue(d, maxDepth, &left)
	if err != nil {
		return nil, errFields
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errFields
	}
	return n, nil
}

func readValue(d *json.Decoder, depth int, left *int) (*node, error) {
	if *left--; depth == 0 || *left < 0 {
		return nil, errFields
	}
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Delim:
		n := &node{}
		for d.More() {
			var k kid
			if t == '{' {
				key, err := d.Token()
				if err != nil {
					return nil, err
				}
				k.key, _ = key.(string)
			}
			if k.node, err = readValue(d, depth-1, left); err != nil {
				return nil, err
			}
			n.kids = append(n.kids, k)
		}
		_, err := d.Token()
		return n, err
	case string:
		return &node{text: t}, nil
	case json.Number:
		return &node{text: t.String()}, nil
	}
	return &node{}, nil
}

// readForm reads application/x-www-form-urlencoded.
func readForm(b []byte) (*node, error) {
	values, err := url.ParseQuery(string(b))
	if err != nil || len(values) > maxNodes {
		return nil, errFields
	}
	n := &node{}
	for key, all := range values {
		for _, v := range all {
			n.kids = append(n.kids, kid{key, &node{text: v}})
		}
	}
	return n, nil
}

// find returns the values at path: keys separated by dots, "*" for each
// element of an array or value of an object, "#" for an object's keys as
// values. A form writes arrays as Key.member.1 or Key.1: they are found by
// their whole name.
func (n *node) find(path string) []*node {
	first, rest, more := strings.Cut(path, ".")
	var all []*node
	for _, k := range n.kids {
		v := k.node
		switch {
		case first == "#":
			v = &node{text: k.key}
		case first != "*" && !strings.EqualFold(k.key, first):
			continue
		}
		if more {
			all = append(all, v.find(rest)...)
		} else {
			all = append(all, v)
		}
	}
	return all
}
