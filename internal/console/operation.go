package console

import (
	"context"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/identity"
)

const (
	apiPath      = "/api/v1"
	smallBody    = 64 << 10
	documentBody = 8 << 20 // a whole profile or policy
)

// operation is one row of the API: what it is called, where it is and what it
// asks of the caller.
type operation struct {
	method, path string
	needs        identity.Permission
	tag, summary string
	id           string
	body         int64  // largest request body in bytes; 0 is smallBody
	created      bool   // answers 201
	media        string // of the answer where it is not JSON
}

// add makes h reachable. It is the only way to register an operation, so that
// none can be without a permission: an unknown one stops the program at start.
func add[I, O any](api huma.API, o operation, h func(context.Context, *I) (*O, error)) {
	if !may(identity.Admin, o.needs) {
		panic("operation " + o.id + " needs permission " + string(o.needs) + ", which no role holds")
	}
	op := huma.Operation{
		OperationID:   o.id,
		Method:        o.method,
		Path:          o.path,
		Tags:          []string{o.tag},
		Summary:       o.summary,
		MaxBodyBytes:  o.body,
		Extensions:    map[string]any{"x-permission": string(o.needs)},
		Metadata:      map[string]any{"permission": o.needs},
		Security:      []map[string][]string{{"session": {}}, {"token": {}}},
		DefaultStatus: http.StatusOK,

		RejectUnknownQueryParameters: true,
	}
	if op.MaxBodyBytes == 0 {
		op.MaxBodyBytes = smallBody
	}
	if o.needs == public {
		op.Security = []map[string][]string{}
	}
	if o.created {
		op.DefaultStatus = http.StatusCreated
	}
	if _, has := reflect.TypeFor[O]().FieldByName("Body"); !has {
		op.DefaultStatus = http.StatusNoContent
	}
	if o.media != "" {
		op.Responses = map[string]*huma.Response{"200": {
			Description: "OK",
			Content:     map[string]*huma.MediaType{o.media: {Schema: &huma.Schema{Type: "string"}}},
		}}
	}
	huma.Register(api, op, func(ctx context.Context, i *I) (*O, error) {
		answer, err := h(ctx, i)
		if err != nil {
			return nil, problem(ctx, err)
		}
		return answer, nil
	})
}

// newAPI makes an empty API on mux. It serves no document itself.
func newAPI(mux *http.ServeMux, version string) huma.API {
	config := huma.DefaultConfig("Redoubt console", version)
	config.OpenAPIPath, config.DocsPath, config.SchemasPath, config.CreateHooks = "", "", "", nil
	config.Info.Description = "Everything the web UI and the command line do goes through this interface. " +
		"Lists are newest first; errors are RFC 9457 problem documents; x-permission names what an operation asks of the caller's role."
	config.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	spellAll(config.Components.Schemas)
	config.Components.Schemas.Schema(reflect.TypeFor[api.StreamMessage](), true, "")
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"session": {Type: "apiKey", In: "cookie", Name: cookieName, Description: "Changing requests also carry the session's csrf in X-CSRF-Token."},
		"token":   {Type: "http", Scheme: "bearer"},
	}
	return humago.New(mux, config)
}

// schemaName keeps the parts of profiles and policies apart, which share names
// because each package speaks of its own.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	for pkg, prefix := range map[string]string{
		"internal/profile": "Profile", "internal/policy": "Policy", "internal/function": "Function", "internal/model": "Model",
		"internal/route": "Route", "internal/access": "Access", "internal/iam": "Access",
	} {
		switch {
		case !strings.HasSuffix(t.PkgPath(), pkg):
		case !strings.HasPrefix(name, prefix):
			return prefix + name
		case pkg == "internal/function" && name == prefix, pkg == "internal/route" && name == prefix:
			return name + "Record" // what lists show is called by the name itself
		}
	}
	return name
}
