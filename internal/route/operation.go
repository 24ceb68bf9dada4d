package route

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// auth is what an operation says of security, in a route's words. The first
// scheme of the first alternative counts: routes have one.
func (i *importer) auth(op map[string]any) Auth {
	security, said := op["security"]
	if !said {
		security, said = i.doc["security"]
	}
	list, _ := security.([]any)
	if !said {
		return IAM
	}
	if len(list) == 0 {
		return None
	}
	schemes := object(object(i.doc["components"])["securitySchemes"])
	for name := range object(list[0]) {
		s := object(schemes[name])
		switch {
		case text(s["x-amazon-apigateway-authtype"]) == "awsSigv4":
			return IAM
		case text(s["type"]) == "apiKey" && text(s["x-amazon-apigateway-authtype"]) == "":
			return Key
		case text(s["type"]) == "oauth2", text(s["type"]) == "openIdConnect", text(s["scheme"]) == "bearer":
			return JWT
		}
	}
	return IAM
}

// cors reads API Gateway's cross-origin rules.
func (i *importer) cors() *CORS {
	m := object(i.doc["x-amazon-apigateway-cors"])
	if m == nil {
		return nil
	}
	list := func(name string) (out []string) {
		all, _ := m[name].([]any)
		for _, v := range all {
			out = append(out, text(v))
		}
		return out
	}
	c := &CORS{Origins: list("allowOrigins"), Methods: list("allowMethods"), Headers: list("allowHeaders"), Expose: list("exposeHeaders")}
	c.Credentials, _ = m["allowCredentials"].(bool)
	switch age := m["maxAge"].(type) {
	case float64:
		c.MaxAge = int(age)
	case int:
		c.MaxAge = age
	}
	return c
}

// target finds where an operation goes: x-redoubt-route said it, then
// x-redoubt-function, then API Gateway's integration, then the default.
func (i *importer) target(r *Route, op map[string]any) error {
	if r.Target.Function != "" || r.Target.URL != "" || r.Target.Lambda != "" {
		return nil
	}
	if f := text(op["x-redoubt-function"]); f != "" {
		r.Target = functionTarget(f)
		return nil
	}
	var err error
	if in := object(op["x-amazon-apigateway-integration"]); in != nil {
		if err = i.integration(r, in); err == nil {
			return nil
		}
	}
	if i.options.Function != "" {
		r.Target = functionTarget(i.options.Function)
		return err
	}
	if err == nil {
		err = fmt.Errorf("the operation names no target; give it x-redoubt-function")
	}
	return err
}

func functionTarget(s string) Target {
	name, qualifier, _ := strings.Cut(s, ":")
	if n, err := strconv.Atoi(qualifier); err == nil {
		return Target{Function: name, Version: n}
	}
	return Target{Function: name, Alias: qualifier}
}

var lambdaARN = regexp.MustCompile(`arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:([A-Za-z0-9_-]{1,64})(?::([A-Za-z0-9_$-]+))?`)

// integration reads x-amazon-apigateway-integration. Mapping templates and
// calls of other AWS services have no counterpart here.
func (i *importer) integration(r *Route, in map[string]any) error {
	kind, uri := strings.ToLower(text(in["type"])), text(in["uri"])
	switch v := in["timeoutInMillis"].(type) {
	case float64:
		r.Timeout = int((v + 999) / 1000)
	case int:
		r.Timeout = (v + 999) / 1000
	}
	switch kind {
	case "aws_proxy":
		arn := lambdaARN.FindStringSubmatch(uri)
		if arn == nil {
			return fmt.Errorf("the integration's uri %q names no Lambda function", clip(uri))
		}
		r.Payload = "1.0"
		if text(in["payloadFormatVersion"]) == "2.0" {
			r.Payload = "2.0"
		}
		if i.options.Lambda {
			r.Target = Target{Lambda: arn[0]}
		} else {
			r.Target = functionTarget(strings.ToLower(strings.ReplaceAll(arn[1], "_", "-")) + ":" + strings.TrimPrefix(arn[2], "$LATEST"))
		}
		return nil
	case "http_proxy":
		before, rest, _ := strings.Cut(uri, "{")
		if rest != "" && !strings.HasSuffix(before, "/") {
			return fmt.Errorf("the integration's uri %q has a parameter inside a segment", clip(uri))
		}
		r.Target = Target{URL: strings.TrimSuffix(strings.TrimSuffix(before, "/"), strings.TrimSuffix(literalPart(r.Path), "/"))}
		return nil
	}
	return fmt.Errorf("integrations of type %q are not understood", clip(kind))
}

// literalPart is a template up to its first parameter: upstreams get a
// request's whole path, so an address that repeats it is cut.
func literalPart(template string) string {
	before, _, _ := strings.Cut(template, "{")
	return before
}

// schema makes the document of one operation: its parameters and body, and of
// the components those they refer to.
func (i *importer) schema(r *Route, item, op map[string]any) (json.RawMessage, error) {
	params := parameters(item, op)
	if len(params) == 0 && op["requestBody"] == nil || r.Method == "" || op[unchecked] == true {
		return nil, nil
	}
	small := map[string]any{"responses": map[string]any{"default": map[string]any{"description": "any"}}}
	if len(params) > 0 {
		small["parameters"] = params
	}
	if op["requestBody"] != nil {
		small["requestBody"] = op["requestBody"]
	}
	version := text(i.doc["openapi"])
	if strings.HasPrefix(version, "3.0.") {
		version = "3.0.3"
	}
	doc := map[string]any{"openapi": version, "info": map[string]any{"title": "operation", "version": "1"},
		"paths": map[string]any{strings.ReplaceAll(r.Path, "...}", "}"): map[string]any{strings.ToLower(r.Method): small}}}
	if c := referred(i.doc, small); len(c) > 0 {
		doc["components"] = c
	}
	return json.Marshal(doc)
}

// parameters are an operation's own and those of its path that it does not
// give anew.
func parameters(item, op map[string]any) []any {
	own, _ := op["parameters"].([]any)
	shared, _ := item["parameters"].([]any)
	out := append([]any{}, own...)
	for _, p := range shared {
		if !slices.ContainsFunc(own, func(o any) bool {
			return object(o)["name"] != nil && object(o)["name"] == object(p)["name"] && object(o)["in"] == object(p)["in"]
		}) {
			out = append(out, p)
		}
	}
	return out
}

// referred collects the components that v refers to, and those that they
// refer to.
func referred(doc map[string]any, v any) map[string]any {
	out := map[string]any{}
	var walk func(v any, depth int)
	walk = func(v any, depth int) {
		const deepest = 1000
		if depth > deepest {
			return
		}
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e, depth+1)
			}
		case map[string]any:
			for k, e := range v {
				if ref := text(e); k == "$ref" && strings.HasPrefix(ref, "#/components/") {
					follow(doc, out, ref, func(next any) { walk(next, depth+1) })
				} else {
					walk(e, depth+1)
				}
			}
		}
	}
	walk(v, 0)
	return out
}

// follow copies the component that ref is in, once, and walks it.
func follow(doc, out map[string]any, ref string, walk func(any)) {
	steps := strings.SplitN(strings.TrimPrefix(ref, "#/components/"), "/", 3)
	if len(steps) < 2 {
		return
	}
	family, name := steps[0], strings.NewReplacer("~1", "/", "~0", "~").Replace(steps[1])
	component, ok := object(object(doc["components"])[family])[name]
	if !ok {
		return
	}
	if object(out[family]) == nil {
		out[family] = map[string]any{}
	}
	if _, known := object(out[family])[name]; known {
		return
	}
	object(out[family])[name] = component
	walk(component)
}
