package route

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"redoubt.dev/redoubt/internal/fault"
)

// Checker holds requests against one OpenAPI operation. It is safe for
// concurrent use.
type Checker struct{ op routers.Route }

// NewChecker compiles a route's schema: an OpenAPI document that holds exactly
// one operation, with everything it refers to inside. What it says of security
// and servers is not looked at, the route says that.
func NewChecker(r *Route) (*Checker, error) {
	doc, err := load(r.Schema)
	if err != nil {
		return nil, fault.New(fault.Invalid, "route %s: its schema: %w", clip(r.ID), err)
	}
	if doc.Paths == nil || doc.Paths.Len() != 1 {
		return nil, fault.New(fault.Invalid, "route %s: its schema must hold exactly one operation", clip(r.ID))
	}
	for path, item := range doc.Paths.Map() {
		ops := item.Operations()
		if len(ops) != 1 {
			break
		}
		for method, op := range ops {
			op.Security = nil
			return &Checker{routers.Route{Spec: doc, Path: path, PathItem: item, Method: method, Operation: op}}, nil
		}
	}
	return nil, fault.New(fault.Invalid, "route %s: its schema must hold exactly one operation", clip(r.ID))
}

// Check reports everything in which a request breaks the operation: its
// parameters, their types and bounds, its body. The error is fault.Invalid and
// meant for the caller. params come from the match; body was read before, and
// r's own is not touched.
func (c *Checker) Check(r *http.Request, params []Param, body []byte) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault.New(fault.Invalid, "the request could not be held against its description: %v", p)
		}
	}()
	req := r.Clone(context.WithoutCancel(r.Context()))
	req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	in := &openapi3filter.RequestValidationInput{Request: req, PathParams: map[string]string{}, Route: &c.op, Options: &openapi3filter.Options{
		MultiError: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, SkipSettingDefaults: true,
		ExcludeRequestBody: len(body) > 0 && !readable(r.Header.Get("Content-Type")),
	}}
	for _, p := range params {
		in.PathParams[p.Name] = p.Value
	}
	if err := c.bodyType(r, body); err != nil {
		return err
	}
	if err := openapi3filter.ValidateRequest(context.Background(), in); err != nil {
		return fault.New(fault.Invalid, "the request is not as its description says: %s", strings.Join(reasons(err), "; "))
	}
	return nil
}

// readable are the types bodies are looked into; of others only the type is
// checked, so that no archive is unpacked here.
func readable(kind string) bool {
	kind, _, _ = mime.ParseMediaType(kind)
	return kind == "application/json" || strings.HasSuffix(kind, "+json") || kind == "application/x-www-form-urlencoded" || kind == "multipart/form-data" || kind == "text/plain"
}

// bodyType refuses a type the operation does not name, and any body where it
// names none.
func (c *Checker) bodyType(r *http.Request, body []byte) error {
	if len(body) == 0 {
		return nil
	}
	ref := c.op.Operation.RequestBody
	if ref == nil || ref.Value == nil {
		return fault.New(fault.Invalid, "the request is not as its description says: it has a body")
	}
	if len(ref.Value.Content) > 0 && ref.Value.Content.Get(r.Header.Get("Content-Type")) == nil {
		return fault.New(fault.Invalid, "the request is not as its description says: its content type %q is not among those taken", clip(r.Header.Get("Content-Type")))
	}
	return nil
}

// reasons takes the library's errors apart: what is wrong where, without the
// value and the schema.
func reasons(err error) []string {
	const most = 10
	// errors.As would look into a RequestError and lose which part it is of.
	if all, ok := err.(openapi3.MultiError); ok {
		var out []string
		for _, e := range all {
			out = append(out, reasons(e)...)
		}
		return out[:min(len(out), most)]
	}
	where := "request"
	if broken, ok := err.(*openapi3filter.RequestError); ok {
		switch {
		case broken.Parameter != nil:
			where = broken.Parameter.In + " parameter " + broken.Parameter.Name
		case broken.RequestBody != nil:
			where = "body"
		}
		if inner, ok := broken.Err.(openapi3.MultiError); ok {
			var out []string
			for _, e := range inner {
				out = append(out, where+": "+reason(e))
			}
			return out[:min(len(out), most)]
		}
	}
	return []string{where + ": " + reason(err)}
}

func reason(err error) string {
	var schema *openapi3.SchemaError
	if errors.As(err, &schema) {
		if at := strings.Join(schema.JSONPointer(), "."); at != "" {
			return clip(at) + ": " + clip(schema.Reason)
		}
		return clip(schema.Reason)
	}
	var broken *openapi3filter.RequestError
	if errors.As(err, &broken) && broken.Err == nil {
		return clip(broken.Reason)
	} else if broken != nil {
		return clip(strings.TrimSpace(broken.Reason + " " + broken.Err.Error()))
	}
	return clip(err.Error())
}

// load reads an OpenAPI 3 document that refers to nothing outside itself.
func load(source []byte) (doc *openapi3.T, err error) {
	defer func() {
		if p := recover(); p != nil {
			doc, err = nil, fmt.Errorf("the document cannot be read: %v", p)
		}
	}()
	loader := openapi3.NewLoader()
	doc, err = loader.LoadFromData(source)
	if err != nil {
		return nil, fmt.Errorf("the document is not OpenAPI 3: %s", clipLine(err.Error()))
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.") {
		return nil, fmt.Errorf("the document is OpenAPI %q, this reads 3.0 and 3.1", clip(doc.OpenAPI))
	}
	return doc, nil
}

func clipLine(s string) string {
	s = strings.ReplaceAll(s, "\n", " ")
	if len(s) > 300 {
		s = strings.ToValidUTF8(s[:300], "") + "…"
	}
	return s
}
