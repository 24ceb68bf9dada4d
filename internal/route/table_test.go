package route

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"redoubt.dev/redoubt/internal/fault"
)

// to makes a route of "METHOD host/path", with the text as its id.
func to(id, host, method, path string) Route {
	return Route{ID: id, Host: host, Method: method, Path: path, Target: Target{Function: "f"}}
}

func compile(t testing.TB, routes ...Route) *Table {
	t.Helper()
	table, err := Compile(routes)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func shop(t testing.TB) *Table {
	return compile(t,
		to("root", "", "GET", "/"),
		to("list", "", "GET", "/orders"),
		to("add", "", "POST", "/orders"),
		to("one", "", "GET", "/orders/{id}"),
		to("latest", "", "GET", "/orders/latest"),
		to("items", "", "", "/orders/{order}/items/{item}"),
		to("files", "", "GET", "/files/{rest...}"),
		to("readme", "", "GET", "/files/readme"),
		to("deep", "", "GET", "/files/{dir}/index"),
		to("api", "api.example.com", "GET", "/orders"),
		to("wild", "*.example.com", "GET", "/orders"),
		to("wilder", "*.eu.example.com", "GET", "/orders"),
		to("admin", "", "DELETE", "/admin"),
		to("page", "", "GET", "/{page}"),
		Route{ID: "test", Stage: "test", Method: "GET", Path: "/orders", Target: Target{Function: "f", Version: 3}},
	)
}

func TestS1_TheMostSpecificRouteWins(t *testing.T) {
	table := shop(t)
	for _, c := range []struct{ stage, host, method, path, want string }{
		{"", "x", "GET", "/", "root"},
		{"", "x", "GET", "/orders", "list"},
		{"", "x", "POST", "/orders", "add"},
		{"", "x", "GET", "/orders/7", "one id=7"},
		{"", "x", "GET", "/orders/latest", "latest"},
		{"", "x", "PUT", "/orders/7/items/8", "items order=7 item=8"},
		{"", "x", "PUT", "/orders/latest/items/8", "items order=latest item=8"}, // turns back from the literal
		{"", "x", "GET", "/files/a/b/c", "files rest=a/b/c"},
		{"", "x", "GET", "/files/readme", "readme"},
		{"", "x", "GET", "/files/readme/index", "deep dir=readme"},
		{"", "x", "GET", "/files/readme/other", "files rest=readme/other"},
		{"", "x", "GET", "/files", "page page=files"}, // a rest takes at least one segment
		{"", "API.example.com:443", "GET", "/orders", "api"},
		{"", "shop.example.com", "GET", "/orders", "wild"},
		{"", "a.b.example.com", "GET", "/orders", "wild"},
		{"", "a.eu.example.com", "GET", "/orders", "wilder"},
		{"", "example.com", "GET", "/orders", "list"},
		{"", "evilexample.com", "GET", "/orders", "list"},
		{"", "api.example.com", "GET", "/orders/7", "one id=7"}, // the host has no such path
		{"", "x", "HEAD", "/orders", "list"},
		{"", "x", "OPTIONS", "/orders", "options: GET HEAD OPTIONS POST"},
		{"", "x", "PATCH", "/orders", "405: GET HEAD OPTIONS POST"},
		{"", "x", "GET", "/admin", "405: DELETE OPTIONS"}, // and not the page of that name
		{"", "x", "get", "/orders", "405: GET HEAD OPTIONS POST"},
		{"", "x", "OPTIONS", "/orders/7/items/8", "items order=7 item=8"},
		{"", "x", "GET", "/Orders", "page page=Orders"},
		{"", "x", "GET", "/orders/7/8", "404"},
		{"test", "x", "GET", "/orders", "test"},
		{"test", "x", "GET", "/orders/7", "404"},
		{"other", "x", "GET", "/orders", "404"},
	} {
		var m Match
		path, err := Clean(c.path)
		if err != nil {
			t.Fatal(err)
		}
		table.Match(Query{Stage: c.stage, Host: c.host, Method: c.method, Path: path}, &m)
		if got := say(&m); got != c.want {
			t.Errorf("%s %s%s: %q, want %q", c.method, c.host, c.path, got, c.want)
		}
	}
}

func say(m *Match) string {
	switch m.Result {
	case NoPath:
		return "404"
	case NoMethod:
		return "405: " + strings.Join(m.Allow(), " ")
	case Options:
		return "options: " + strings.Join(m.Allow(), " ")
	}
	out := m.Route.ID
	for _, p := range m.Params() {
		out += " " + p.Name + "=" + p.Value
	}
	return out
}

func TestS17_ARouteWithoutSettingsIsProtected(t *testing.T) {
	var m Match
	shop(t).Match(Query{Method: "GET", Path: "/orders"}, &m)
	r := m.Route
	if r.Auth != IAM || r.Firewall.Mode != FirewallAlert || r.Firewall.Paranoia != 1 || r.MaxRequest == 0 || r.Timeout == 0 || r.CORS != nil || r.Target.Alias != Live {
		t.Errorf("got %+v", r)
	}
}

func TestConflictsNameBothRoutes(t *testing.T) {
	for name, c := range map[string]struct {
		a, b     Route
		conflict bool
	}{
		"same":               {to("a", "", "GET", "/x"), to("b", "", "GET", "/x"), true},
		"parameter's name":   {to("a", "", "GET", "/x/{id}"), to("b", "", "GET", "/x/{name}"), true},
		"slash at the end":   {to("a", "", "GET", "/x"), to("b", "", "GET", "/x/"), true},
		"host's case":        {to("a", "A.example.com", "GET", "/x"), to("b", "a.example.com", "GET", "/x"), true},
		"stage by default":   {to("a", "", "GET", "/x"), Route{ID: "b", Stage: Live, Method: "GET", Path: "/x", Target: Target{Function: "f"}}, true},
		"any and one":        {to("a", "", "", "/x"), to("b", "", "GET", "/x"), false},
		"literal, parameter": {to("a", "", "GET", "/x"), to("b", "", "GET", "/{x}"), false},
		"hosts":              {to("a", "a.com", "GET", "/x"), to("b", "*.a.com", "GET", "/x"), false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Compile([]Route{c.a, c.b})
			if c.conflict && (!fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "routes a and b")) || !c.conflict && err != nil {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestCompileNamesEveryProblem(t *testing.T) {
	_, err := Compile([]Route{{ID: "A", Path: "x"}, to("b", "", "FETCH", "/{a}/{a}"), to("c", "", "GET", "/"), to("c", "", "GET", "/y")})
	for _, want := range []string{"route A: a route's id", "a path starts with a slash", "exactly one of function", `no method "FETCH"`, "{a} is there twice", "route c is given twice"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in %v", want, err)
		}
	}
}

func TestValidateTargetsAndCORS(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Route)
		path   string
	}{
		"weights":      {func(r *Route) { r.Target.Weights = []Weight{{1, 50}, {2, 40}} }, "target.weights"},
		"two ways":     {func(r *Route) { r.Target.Version, r.Target.Alias = 1, "x" }, "target"},
		"URL's scheme": {func(r *Route) { r.Target = Target{URL: "file:///etc/passwd"} }, "target.url"},
		"credentials":  {func(r *Route) { r.Target = Target{URL: "http://a:b@c/"} }, "target.url"},
		"ARN":          {func(r *Route) { r.Target = Target{Lambda: "arn:aws:s3:::x"} }, "target.lambda"},
		"any origin":   {func(r *Route) { r.CORS = &CORS{Origins: []string{"*"}, Credentials: true} }, "cors.origins[0]"},
		"null":         {func(r *Route) { r.CORS = &CORS{Origins: []string{"null"}} }, "cors.origins[0]"},
		"origin":       {func(r *Route) { r.CORS = &CORS{Origins: []string{"https://a.com/x"}} }, "cors.origins[0]"},
		"any header": {func(r *Route) {
			r.CORS = &CORS{Origins: []string{"https://a.com"}, Headers: []string{"*"}, Credentials: true}
		}, "cors.headers[0]"},
		"mode":     {func(r *Route) { r.Firewall.Mode = "on" }, "firewall.mode"},
		"paranoia": {func(r *Route) { r.Firewall.Paranoia = 5 }, "firewall.paranoia"},
		"rate":     {func(r *Route) { r.Limits.Rate = -1 }, "limits.rate"},
		"burst":    {func(r *Route) { r.Limits.Burst = 5 }, "limits"},
		"timeout":  {func(r *Route) { r.Timeout = 901 }, "timeout"},
		"host":     {func(r *Route) { r.Host = "a.*.com" }, "host"},
		"rest":     {func(r *Route) { r.Path = "/{a...}/b" }, "path"},
		"dots":     {func(r *Route) { r.Path = "/a/../b" }, "path"},
		"escape":   {func(r *Route) { r.Path = "/a%20b" }, "path"},
		"half":     {func(r *Route) { r.Path = "/a{b}" }, "path"},
	} {
		t.Run(name, func(t *testing.T) {
			r := to("a", "", "GET", "/x")
			c.change(&r)
			var got []string
			for _, p := range Validate(r) {
				got = append(got, p.Path)
			}
			if len(got) != 1 || got[0] != c.path {
				t.Errorf("problems at %v, want %s", got, c.path)
			}
		})
	}
	good := to("a", "*.example.com", "", "/x/{y...}")
	good.CORS = &CORS{Origins: []string{"https://*.example.com", "http://localhost:3000"}, Credentials: true, MaxAge: 60}
	good.Target.Weights = []Weight{{1, 90}, {2, 10}}
	if p := Validate(good); len(p) > 0 {
		t.Errorf("problems of a good route: %v", p)
	}
}

func TestCanariesKeepTheirShares(t *testing.T) {
	target := Target{Function: "f", Weights: []Weight{{7, 90}, {8, 10}}}
	got := map[int]int{}
	for n := range uint64(1000) {
		got[target.Pick(n)]++
	}
	if d := cmp.Diff(map[int]int{7: 900, 8: 100}, got); d != "" {
		t.Error(d)
	}
	if fixed := (&Target{Function: "f", Version: 5}); fixed.Pick(99) != 5 {
		t.Error("one version is not always picked")
	}
}

func TestTablesAreSwappedUnderLoad(t *testing.T) {
	var router Router
	var m Match
	if router.Table().Match(Query{Path: "/orders", Method: "GET"}, &m); m.Result != NoPath {
		t.Error("the empty router knows a path")
	}
	a, b := shop(t), compile(t, to("list", "", "GET", "/orders"))
	router.Swap(a)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			var m Match
			for range 2000 {
				if router.Table().Match(Query{Path: "/orders", Method: "GET"}, &m); m.Result != Found || m.Route.ID != "list" {
					t.Errorf("got %s", say(&m))
					return
				}
			}
		})
	}
	for range 100 {
		router.Swap(b)
		router.Swap(a)
	}
	wg.Wait()
}

func FuzzMatch(f *testing.F) {
	f.Add("GET", "x", "/orders/7")
	f.Add("PUT", "a.eu.example.com:1", "/orders/latest/items/x")
	f.Add("OPTIONS", "", "/files/a/b")
	table := shop(f)
	f.Fuzz(func(t *testing.T, method, host, raw string) {
		path, err := Clean(raw)
		if err != nil {
			return
		}
		var m Match
		if table.Match(Query{Host: host, Method: method, Path: path}, &m); m.Result != Found {
			return
		}
		// What the template says, filled in, is the path.
		want := m.Route.Path
		for _, p := range m.Params() {
			if p.Value == "" {
				t.Fatalf("%q: empty parameter %s", path, p.Name)
			}
		}
		segments, _ := parseTemplate(want)
		built, n := "", 0
		for _, s := range segments {
			if s.param == "" {
				built += "/" + s.literal
				continue
			}
			built += "/" + m.Params()[n].Value
			n++
		}
		if built == "" {
			built = "/"
		}
		if built != string(path) || n != len(m.Params()) {
			t.Fatalf("%q matched %s and was taken for %q", path, want, built)
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	var routes []Route
	for i := range 250 {
		for _, r := range []struct{ method, path string }{{"GET", "/svc%d/orders"}, {"POST", "/svc%d/orders"}, {"GET", "/svc%d/orders/{id}"}, {"GET", "/svc%d/orders/{id}/items/{item}"}} {
			routes = append(routes, to(fmt.Sprintf("r%d", len(routes)), "", r.method, fmt.Sprintf(r.path, i)))
		}
	}
	table := compile(b, routes...)
	var m Match
	b.ReportAllocs()
	for b.Loop() {
		path, err := Clean("/svc117/orders/4711/items/12")
		if err != nil {
			b.Fatal(err)
		}
		if table.Match(Query{Host: "api.example.com", Method: "GET", Path: path}, &m); m.Result != Found {
			b.Fatal("not found")
		}
	}
}
