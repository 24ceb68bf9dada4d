package route

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const written = `apiVersion: redoubt/v1
kind: Route
metadata:
  name: orders.add
  description: takes an order
spec:
  stage: live
  host: "*.example.com"
  method: POST
  path: /orders/{shop}
  target:
    function: orders
    weights: [{version: 3, percent: 90}, {version: 4, percent: 10}]
  auth: jwt
  timeout: 10
  max_request: 65536
  cors:
    origins: ["https://shop.example.com"]
    credentials: true
  limits: {rate: 0.5, burst: 10, concurrent: 4}
  quota: {day: 1000}
  compress: true
  firewall:
    mode: prevent
    paranoia: 2
    exclusions:
      - {rule: 942100, parameter: "ARGS:json.note", note: notes quote SQL}
  schema:
    openapi: 3.0.3
    info: {title: operation, version: "1"}
    paths:
      /orders/{shop}:
        post:
          parameters: [{name: shop, in: path, required: true, schema: {type: string}}]
          responses: {default: {description: any}}
`

func TestParseAndFormatAreInverse(t *testing.T) {
	routes, problems := Parse([]byte(written))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	r := routes[0]
	if r.ID != "orders.add" || r.Target.Weights[1].Percent != 10 || r.Firewall.Exclusions[0].Rule != 942100 || r.Limits.Rate != 0.5 || !r.CORS.Credentials || len(r.Schema) == 0 {
		t.Errorf("got %+v", r)
	}
	text, err := Format(routes...)
	if err != nil {
		t.Fatal(err)
	}
	again, problems := Parse(text)
	if d := cmp.Diff(routes, again); d != "" || len(problems) > 0 {
		t.Errorf("%s %v\n%s", d, problems, text)
	}
}

func TestEveryProblemHasItsLine(t *testing.T) {
	_, problems := Parse([]byte(`apiVersion: redoubt/v1
kind: Rout
metadata:
  name: Orders
spec:
  path: orders
  method: FETCH
  timout: 3
  target:
    function: orders
    url: http://x/
  timeout: soon
  cors:
    origins: ["*"]
    credentials: true
  firewall: prevent
---
apiVersion: redoubt/v1
kind: Route
metadata: {name: fine}
spec: {path: /x, target: {function: f}}
---
apiVersion: redoubt/v1
kind: Route
metadata: {name: fine}
spec: {path: /x, target: {function: f, weights: [{version: 1, percent: 30}]}}
`))
	var got []string
	for _, p := range problems {
		got = append(got, p.String())
	}
	text := strings.Join(got, "\n")
	for _, want := range []string{
		`line 2: kind: kind must be Route, not "Rout"`,
		`line 4: metadata.name: a route's id`,
		`line 6: spec.path: a path starts with a slash`,
		`line 7: spec.method: there is no method "FETCH"`,
		`line 8: spec has no "timout"`,
		`line 10: spec.target: a target has exactly one`,
		`line 12: this takes a whole number, not "soon"`,
		`line 14: spec.cors.origins[0]: any origin with credentials`,
		`line 16: this takes names with values, not "prevent"`,
		`line 26: spec.target.weights: the percentages add up to 30`,
		`line 25: metadata.name: route "fine" is given twice, first in line 20`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if len(problems) != 11 {
		t.Errorf("%d problems:\n%s", len(problems), text)
	}
}

func TestParseRefusesWhatIsNoRoute(t *testing.T) {
	for name, source := range map[string]string{
		"nothing":   "",
		"null":      "---\n~\n",
		"no YAML":   "a: [",
		"a list":    "- a",
		"an alias":  "apiVersion: &a redoubt/v1\nkind: *a",
		"text":      "hello",
		"nested":    strings.Repeat("[", 5000),
		"too long":  strings.Repeat("#", MaxSource+1),
		"twice":     "kind: Route\nkind: Route",
		"no schema": strings.Replace(written, "openapi: 3.0.3", "swagger: '2.0'", 1),
	} {
		t.Run(name, func(t *testing.T) {
			if routes, problems := Parse([]byte(source)); len(problems) == 0 || problems[0].Line == 0 {
				t.Errorf("got %v, %v", routes, problems)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(written))
	f.Add([]byte("spec: {cors: {origins: [~]}}\n---\n- &a [*a]\n"))
	f.Add([]byte("apiVersion: redoubt/v1\nkind: Route\nmetadata: {name: a}\nspec: {path: /{x...}, target: {url: 'http://a/'}}"))
	f.Fuzz(func(t *testing.T, source []byte) {
		routes, problems := Parse(source)
		if len(problems) > 0 {
			return
		}
		text, err := Format(routes...)
		if err != nil {
			t.Fatal(err)
		}
		if again, problems := Parse(text); len(problems) > 0 || len(again) != len(routes) {
			t.Fatalf("%v\n%s", problems, text)
		}
	})
}
