package route

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"redoubt.dev/redoubt/internal/fault"
)

// MaxOpenAPI is the longest OpenAPI document that is read, in bytes.
const MaxOpenAPI = 4 << 20

// ImportOptions say what a document leaves open.
type ImportOptions struct {
	Stage    string // of all routes
	Host     string // of all routes; the document's first server where empty
	Function string // target of operations that name none
	Lambda   bool   // API Gateway integrations stay on AWS, and are not taken for functions here of that name
}

// Imported is what a document holds.
type Imported struct {
	Routes []Route
	Notes  []Note
}

// Note is something in a document that a person should know: an extension that
// was not understood, an operation that became no route.
type Note struct {
	Where   string `json:"where"` // "GET /orders/{id}", or empty for the document
	Text    string `json:"text"`
	Skipped bool   `json:"skipped,omitempty"` // the operation became no route
}

// Import reads an OpenAPI 3 document, JSON or YAML, that refers to nothing
// outside itself. Of extensions it understands x-redoubt-route (a route's
// fields, in the document, a path or an operation), x-redoubt-function
// ("NAME", "NAME:ALIAS" or "NAME:VERSION"), x-redoubt-unchecked, x-amazon-apigateway-integration,
// x-amazon-apigateway-cors and x-amazon-apigateway-any-method; others are
// noted. Operations with parameters or a body get a schema. What an operation
// says of security becomes the route's Auth; where it says nothing that is IAM.
func Import(source []byte, o ImportOptions) (*Imported, error) {
	if len(source) > MaxOpenAPI {
		return nil, fault.New(fault.Limited, "read OpenAPI: the document is longer than 4 MiB")
	}
	tree, err := readTree(source)
	if err != nil {
		return nil, fault.New(fault.Invalid, "read OpenAPI: %w", err)
	}
	text, err := json.Marshal(tree)
	if err != nil {
		return nil, fault.New(fault.Invalid, "read OpenAPI: %w", err)
	}
	if _, err := load(text); err != nil {
		return nil, fault.New(fault.Invalid, "read OpenAPI: %w", err)
	}
	i := &importer{options: o, doc: tree, ids: map[string]bool{}}
	i.extensions("", tree, "x-redoubt-route", "x-amazon-apigateway-cors")
	paths := object(tree["paths"])
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		if strings.HasPrefix(path, "x-") {
			continue
		}
		i.path(path, object(paths[path]))
	}
	return &i.out, nil
}

// readTree reads JSON or YAML into plain maps, lists and scalars.
func readTree(source []byte) (map[string]any, error) {
	var tree map[string]any
	if b := bytes.TrimSpace(source); len(b) > 0 && b[0] == '{' {
		if err := json.Unmarshal(b, &tree); err == nil {
			return tree, nil
		}
	}
	var root yaml.Node
	if err := yaml.Unmarshal(source, &root); err != nil {
		return nil, fmt.Errorf("it is neither JSON nor YAML: %s", clipLine(err.Error()))
	}
	if p, bad := aliased(&root, 0); bad {
		return nil, fmt.Errorf("line %d: %s", p.Line, p.Message)
	}
	var decoded any
	if err := root.Decode(&decoded); err != nil {
		return nil, fmt.Errorf("it is not YAML: %s", clipLine(err.Error()))
	}
	tree, ok := plain(decoded).(map[string]any)
	if !ok {
		return nil, fmt.Errorf("it holds no names with values")
	}
	return tree, nil
}

// plain gives every map names of text: YAML reads a status code as a number.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = plain(v[k])
		}
	case map[any]any:
		out := map[string]any{}
		for k, e := range v {
			out[fmt.Sprint(k)] = plain(e)
		}
		return out
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	}
	return v
}

func object(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

type importer struct {
	options ImportOptions
	doc     map[string]any
	ids     map[string]bool
	out     Imported
}

func (i *importer) note(where string, skipped bool, format string, args ...any) {
	if len(i.out.Notes) < 1000 {
		i.out.Notes = append(i.out.Notes, Note{Where: where, Text: fmt.Sprintf(format, args...), Skipped: skipped})
	}
}

// extensions notes those that are not understood here.
func (i *importer) extensions(where string, m map[string]any, known ...string) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if strings.HasPrefix(k, "x-") && !slices.Contains(known, k) {
			i.note(where, false, "%s is not understood and was left out", clip(k))
		}
	}
}

const (
	anyMethod = "x-amazon-apigateway-any-method"
	unchecked = "x-redoubt-unchecked" // true: the operation is described, but requests are not held against it
)

func (i *importer) path(path string, item map[string]any) {
	i.extensions(path, item, "x-redoubt-route", anyMethod)
	if item["$ref"] != nil {
		i.note(path, true, "paths that are references are not read: write the path out")
		return
	}
	for _, method := range methods {
		if op := object(item[strings.ToLower(method)]); op != nil {
			i.operation(path, method, item, op)
		}
	}
	if op := object(item[anyMethod]); op != nil {
		i.operation(path, "", item, op)
	}
	if item["trace"] != nil {
		i.note("TRACE "+path, true, "TRACE is never served")
	}
}

func (i *importer) operation(path, method string, item, op map[string]any) {
	where := strings.TrimSpace(method + " " + path)
	i.extensions(where, op, "x-redoubt-route", "x-redoubt-function", unchecked, "x-amazon-apigateway-integration")
	prefix, host := i.server(item, op)
	template := prefix + strings.ReplaceAll(path, "+}", "...}")
	r := Route{Stage: i.options.Stage, Host: host, Method: method, Path: template, Description: text(op["summary"]), CORS: i.cors(), Auth: i.auth(op)}
	for _, place := range []map[string]any{i.doc, item, op} {
		if err := overlay(&r, place["x-redoubt-route"]); err != nil {
			i.note(where, true, "x-redoubt-route: %s", clipLine(err.Error()))
			return
		}
	}
	if err := i.target(&r, op); err != nil {
		i.note(where, false, "%s", clipLine(err.Error()))
	}
	if r.ID == "" {
		r.ID = text(op["operationId"])
	}
	r.ID = i.id(r)
	if schema, err := i.schema(&r, item, op); err != nil {
		i.note(where, false, "requests are not held against the description: %s", clipLine(err.Error()))
	} else if len(schema) > 0 {
		r.Schema = schema
		if _, err := NewChecker(&r); err != nil {
			r.Schema = nil
			i.note(where, false, "requests are not held against the description: %s", clipLine(err.Error()))
		}
	}
	if problems := Validate(r); len(problems) > 0 {
		for _, p := range problems {
			i.note(where, true, "%s", p.String())
		}
		return
	}
	i.out.Routes = append(i.out.Routes, r)
}

// overlay lays fields over a route; names it does not know are refused.
func overlay(r *Route, fields any) error {
	if fields == nil {
		return nil
	}
	text, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	return dec.Decode(r)
}

// server is the path and host that the document's first server stands for.
func (i *importer) server(places ...map[string]any) (prefix, host string) {
	host = i.options.Host
	for _, p := range append([]map[string]any{i.doc}, places...) {
		list, _ := p["servers"].([]any)
		if len(list) == 0 {
			continue
		}
		u, err := url.Parse(text(object(list[0])["url"]))
		if err != nil || strings.ContainsAny(u.Host+u.Path, "{}") {
			continue // its variables are the document's own affair
		}
		prefix = strings.TrimSuffix(u.Path, "/")
		if prefix != "" && prefix[0] != '/' {
			prefix = "/" + prefix
		}
		if i.options.Host == "" {
			host = u.Hostname()
		}
	}
	return prefix, host
}

// id makes an id of what a document calls an operation, each once.
func (i *importer) id(r Route) string {
	name := r.ID
	if name == "" {
		name = strings.ToLower(cmp.Or(r.Method, "any")) + r.Path
	}
	name = strings.Trim(strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
			return c
		case c >= 'A' && c <= 'Z':
			return c + 'a' - 'A'
		}
		return '-'
	}, name), "-._")
	name = strings.Trim(name[:min(len(name), 100)], "-._")
	name = cmp.Or(name, "route")
	unique := name
	for n := 2; i.ids[unique]; n++ {
		unique = fmt.Sprintf("%s-%d", name, n)
	}
	i.ids[unique] = true
	return unique
}
