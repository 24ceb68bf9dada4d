package route

import (
	"encoding/json"
	"reflect"
	"strings"

	"redoubt.dev/redoubt/internal/fault"
)

// Export writes routes as an OpenAPI 3 document, in JSON, that Import reads
// back to the same routes: what OpenAPI has no words for stands in
// x-redoubt-route. Two routes with the same method and path, of different
// hosts or stages, have no place in one document; nor have two schemas that
// call different things by one name. Both are fault.Conflict.
func Export(title string, routes []Route) ([]byte, error) {
	doc := map[string]any{"openapi": "3.0.3", "info": map[string]any{"title": title, "version": "1"}}
	paths, components := map[string]any{}, map[string]any{}
	for _, r := range routes {
		key := strings.ReplaceAll(r.Path, "...}", "+}")
		if object(paths[key]) == nil {
			paths[key] = map[string]any{}
		}
		method := strings.ToLower(r.Method)
		if r.Method == "" {
			method = anyMethod
		}
		if object(paths[key])[method] != nil {
			return nil, fault.New(fault.Conflict, "export route %s: another route has %s too; export one host and stage at a time", r.ID, r.String())
		}
		op, err := exported(r, doc, components)
		if err != nil {
			return nil, err
		}
		object(paths[key])[method] = op
	}
	doc["paths"] = paths
	if len(components) > 0 {
		doc["components"] = components
	}
	return json.MarshalIndent(doc, "", "  ")
}

func exported(r Route, doc, components map[string]any) (map[string]any, error) {
	op := map[string]any{"operationId": r.ID, "responses": map[string]any{"default": map[string]any{"description": "what the function answers"}}}
	if r.Description != "" {
		op["summary"] = r.Description
	}
	if err := describe(op, r, doc, components); err != nil {
		return nil, err
	}
	if r.Auth == None {
		op["security"] = []any{}
	}
	r.Schema = nil
	text, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, err
	}
	op["x-redoubt-route"] = fields
	return op, nil
}

// describe adds a route's schema, or the parameters of its path where it has
// none, without which the document would be wrong.
func describe(op map[string]any, r Route, doc, components map[string]any) error {
	if len(r.Schema) == 0 {
		segments, err := parseTemplate(r.Path)
		if err != nil {
			return fault.New(fault.Invalid, "export route %s: %w", r.ID, err)
		}
		var params []any
		for _, s := range segments {
			if s.param != "" {
				params = append(params, map[string]any{"name": s.param, "in": "path", "required": true, "schema": map[string]any{"type": "string"}})
			}
		}
		if len(params) > 0 {
			op["parameters"], op[unchecked] = params, true
		}
		return nil
	}
	var schema map[string]any
	if err := json.Unmarshal(r.Schema, &schema); err != nil {
		return fault.New(fault.Invalid, "export route %s: its schema: %w", r.ID, err)
	}
	if v := text(schema["openapi"]); strings.HasPrefix(v, "3.1") {
		doc["openapi"] = v
	}
	for _, item := range object(schema["paths"]) {
		described := object(object(item)[strings.ToLower(r.Method)])
		if all := parameters(object(item), described); len(all) > 0 {
			op["parameters"] = all
		}
		if body := described["requestBody"]; body != nil {
			op["requestBody"] = body
		}
	}
	for family, named := range object(schema["components"]) {
		if object(components[family]) == nil {
			components[family] = map[string]any{}
		}
		for name, c := range object(named) {
			if other, known := object(components[family])[name]; known && !reflect.DeepEqual(other, c) {
				return fault.New(fault.Conflict, "export route %s: its schema means something else by components/%s/%s than an earlier route's; export them apart", r.ID, family, name)
			}
			object(components[family])[name] = c
		}
	}
	return nil
}
