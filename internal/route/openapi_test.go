package route

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"redoubt.dev/redoubt/internal/fault"
)

const described = `openapi: 3.0.1
info: {title: shop, version: "1"}
servers: [{url: "https://api.example.com/v1/"}]
x-amazon-apigateway-cors: {allowOrigins: ["https://shop.example.com"], maxAge: 60}
x-company-owner: us
security: [{sig: []}]
paths:
  /orders/{id}:
    parameters:
      - {name: id, in: path, required: true, schema: {type: integer, minimum: 1}}
    get:
      operationId: GetOrder
      x-redoubt-function: orders:7
      parameters: [{name: limit, in: query, schema: {type: integer, maximum: 100}}]
      responses: {200: {description: ok}}
    put:
      security: [{key: []}]
      x-redoubt-route: {timeout: 5, firewall: {mode: prevent}, target: {function: orders, alias: prod}}
      requestBody:
        required: true
        content: {application/json: {schema: {$ref: "#/components/schemas/Order"}}}
      responses: {200: {description: ok}}
  /files/{proxy+}:
    x-amazon-apigateway-any-method:
      security: []
      x-amazon-apigateway-integration:
        type: aws_proxy
        payloadFormatVersion: "1.0"
        timeoutInMillis: 2500
        uri: arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:Files:prod/invocations
  /old/{id}.json:
    get: {x-redoubt-function: orders, responses: {200: {description: ok}}}
  /mock:
    get: {x-amazon-apigateway-integration: {type: mock}, x-amazon-apigateway-request-validator: all, responses: {200: {description: ok}}}
components:
  securitySchemes:
    sig: {type: apiKey, name: Authorization, in: header, x-amazon-apigateway-authtype: awsSigv4}
    key: {type: apiKey, name: x-api-key, in: header}
  schemas:
    Order: {type: object, required: [items], additionalProperties: false, properties: {items: {type: array, items: {$ref: "#/components/schemas/Item"}}}}
    Item: {type: object, properties: {count: {type: integer, minimum: 1}, parts: {type: array, items: {$ref: "#/components/schemas/Item"}}}}
    Unused: {type: string}
`

func imported(t testing.TB) *Imported {
	t.Helper()
	in, err := Import([]byte(described), ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestW3_OpenAPIBecomesRoutes(t *testing.T) {
	in := imported(t)
	var got []string
	for _, r := range in.Routes {
		got = append(got, strings.Join([]string{r.ID, r.Host, r.String(), string(r.Auth), r.Target.Function, r.Target.Alias}, " "))
	}
	want := []string{
		"any-v1-files--proxy api.example.com ANY /v1/files/{proxy...} none files prod",
		"getorder api.example.com GET /v1/orders/{id} iam orders ",
		"put-v1-orders--id api.example.com PUT /v1/orders/{id} key orders prod",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatal(d)
	}
	if r := in.Routes[0]; r.Timeout != 3 || r.Payload != "1.0" || r.CORS == nil || r.CORS.MaxAge != 60 || r.Schema != nil {
		t.Errorf("got %+v", r)
	}
	if r := in.Routes[2]; r.Timeout != 5 || r.Firewall.Mode != FirewallPrevent || !strings.Contains(string(r.Schema), `"Item"`) || strings.Contains(string(r.Schema), "Unused") {
		t.Errorf("got %+v", r)
	}
	notes, err := json.Marshal(in.Notes)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"x-company-owner", "x-amazon-apigateway-request-validator", `GET /mock","text":"integrations of type`, `a parameter is a whole segment`} {
		if !strings.Contains(string(notes), want) {
			t.Errorf("no note of %s in %s", want, notes)
		}
	}
	if _, err := Compile(in.Routes); err != nil {
		t.Error(err)
	}
}

func TestW3_ImportAndExportAreInverse(t *testing.T) {
	routes := imported(t).Routes
	hand := to("hand", "", "", "/x/{a}/{rest...}")
	hand.Firewall.Exclusions = []Exclusion{{Rule: 942100, Parameter: "ARGS:q"}}
	hand.Limits.Rate, hand.Quota.Day, hand.Compress, hand.Auth = 1.5, 10, true, JWT
	routes = append(routes, hand)
	text, err := Export("shop", routes)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Import(text, ImportOptions{})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	byID := func(all []Route) map[string]Route {
		out := map[string]Route{}
		for _, r := range all {
			out[r.ID] = r
		}
		return out
	}
	if d := cmp.Diff(byID(routes), byID(again.Routes)); d != "" || len(again.Notes) > 0 {
		t.Errorf("%s\n%v\n%s", d, again.Notes, text)
	}
	if _, err := Export("x", []Route{to("a", "a.com", "GET", "/x"), to("b", "b.com", "GET", "/x")}); !fault.Is(err, fault.Conflict) {
		t.Errorf("two hosts in one document: %v", err)
	}
}

func TestW3_RequestsAreHeldAgainstTheirDescription(t *testing.T) {
	table, err := Compile(imported(t).Routes)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		method, uri, kind, body string
		wrong                   string // part of the complaint; empty where honest
	}{
		"honest":        {"GET", "/v1/orders/7?limit=5", "", "", ""},
		"honest body":   {"PUT", "/v1/orders/7", "application/json", `{"items":[{"count":1,"parts":[{"count":2}]}]}`, ""},
		"type":          {"GET", "/v1/orders/seven", "", "", "path parameter id"},
		"range":         {"GET", "/v1/orders/7?limit=101", "", "", "query parameter limit"},
		"both":          {"GET", "/v1/orders/0?limit=101", "", "", "path parameter id"},
		"a body":        {"GET", "/v1/orders/7", "application/json", "{}", "has a body"},
		"no body":       {"PUT", "/v1/orders/7", "application/json", "", "body"},
		"missing":       {"PUT", "/v1/orders/7", "application/json", "{}", "items"},
		"unknown":       {"PUT", "/v1/orders/7", "application/json", `{"items":[],"admin":true}`, "admin"},
		"deep":          {"PUT", "/v1/orders/7", "application/json", `{"items":[{"parts":[{"count":0}]}]}`, "items.0.parts.0.count"},
		"no JSON":       {"PUT", "/v1/orders/7", "application/json", "{", "body"},
		"other content": {"PUT", "/v1/orders/7", "text/xml", "<a/>", "content type"},
	} {
		t.Run(name, func(t *testing.T) {
			u, err := url.Parse("http://api.example.com" + c.uri)
			if err != nil {
				t.Fatal(err)
			}
			path, err := Clean(u.EscapedPath())
			if err != nil {
				t.Fatal(err)
			}
			var m Match
			if table.Match(Query{Host: u.Host, Method: c.method, Path: path}, &m); m.Result != Found {
				t.Fatal("no route")
			}
			r := &http.Request{Method: c.method, URL: u, Header: http.Header{}}
			if c.kind != "" {
				r.Header.Set("Content-Type", c.kind)
			}
			err = m.Check.Check(r, m.Params(), []byte(c.body))
			if c.wrong == "" && err != nil || c.wrong != "" && (!fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.wrong)) {
				t.Errorf("got %v, want %q", err, c.wrong)
			}
		})
	}
}

func TestW3_ImportReadsNothingOutside(t *testing.T) {
	for name, source := range map[string]string{
		"file":      `{"openapi":"3.0.0","info":{"title":"a","version":"1"},"paths":{"/a":{"$ref":"/etc/passwd"}}}`,
		"component": strings.Replace(described, "#/components/schemas/Order", "http://127.0.0.1:1/x.yaml", 1),
		"swagger":   `{"swagger":"2.0","info":{"title":"a","version":"1"},"paths":{}}`,
		"aliases":   "openapi: &a 3.0.0\ninfo: {title: *a, version: *a}\npaths: {}",
		"nothing":   "",
		"a list":    "[]",
		"nested":    strings.Repeat("[", 20000),
	} {
		t.Run(name, func(t *testing.T) {
			if in, err := Import([]byte(source), ImportOptions{}); !fault.Is(err, fault.Invalid) {
				t.Errorf("got %v, %v", in, err)
			}
		})
	}
	if _, err := Import(make([]byte, MaxOpenAPI+1), ImportOptions{}); !fault.Is(err, fault.Limited) {
		t.Errorf("too long: %v", err)
	}
}

func FuzzImport(f *testing.F) {
	f.Add([]byte(described))
	f.Add([]byte(`{"openapi":"3.1.0","info":{"title":"a","version":"1"},"paths":{"/a/{b}":{"get":{"x-redoubt-route":{"target":{"url":"http://a"}},"parameters":[{"$ref":"#/components/parameters/b"}]}}},"components":{"parameters":{"b":{"name":"b","in":"path","required":true,"schema":{"type":"string"}}}}}`))
	f.Fuzz(func(t *testing.T, source []byte) {
		in, err := Import(source, ImportOptions{Function: "f"})
		if err != nil {
			return
		}
		for _, r := range in.Routes {
			if p := Validate(r); len(p) > 0 {
				t.Fatalf("%v of %+v", p, r)
			}
		}
	})
}
