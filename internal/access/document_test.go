package access

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redoubt.dev/redoubt/internal/fault"
)

const header = "apiVersion: redoubt/v1\nkind: AccessPolicy\nmetadata:\n  name: orders\nspec:\n  cedar: |\n"

func TestS3_ReadSaysWhatIsWrongAndWhere(t *testing.T) {
	e := engine(t, "")
	for name, tt := range map[string]struct {
		source string
		line   int
		says   string
	}{
		"misspelt type":      {header + "    // who\n    permit (principal == Usr::\"a\", action, resource);\n", 8, "did you mean User?"},
		"misspelt action":    {header + "    permit (principal,\n      action == Action::\"function:Invok\",\n      resource);\n", 8, "did you mean function:Invoke?"},
		"misspelt attribute": {header + "    permit (principal, action, resource)\n    when { context.ipp == ip(\"10.0.0.1\") };\n", 8, "did you mean ip?"},
		"in an is":           {header + "    permit (principal is Rol, action, resource);\n", 7, "did you mean Role?"},
		"wrong type":         {header + "    permit (principal, action, resource) when { context.mtls == \"yes\" };\n", 7, "type"},
		"action of another":  {header + "    permit (principal, action == Action::\"queue:Send\", resource in Bucket::\"b\");\n", 7, ""},
		"not Cedar":          {header + "    permit (principal, action, resource);\n    permitt (principal, action, resource);\n", 8, "not Cedar"},
		"misspelt field":     {strings.Replace(header, "spec:", "spce:", 1) + "    permit (principal, action, resource);\n", 5, "did you mean spec?"},
		"misspelt inner":     {strings.Replace(header, "cedar:", "ceder:", 1) + "    permit (principal, action, resource);\n", 6, "did you mean cedar?"},
		"other kind":         {strings.Replace(header, "AccessPolicy", "Policy", 1) + "    permit (principal, action, resource);\n", 1, "AccessPolicy"},
		"bad name":           {strings.Replace(header, "orders", "Orders!", 1) + "    permit (principal, action, resource);\n", 1, "a-z"},
		"no statement":       {header + "    // nothing\n", 7, "no statement"},
		"same id twice":      {header + "    @id(\"a\") permit (principal, action, resource);\n    @id(\"a\") forbid (principal, action, resource);\n", 8, "twice"},
		"alias":              {"a: &x 1\nb: *x\n", 1, "aliases"},
		"not YAML":           {"a: [\n", 1, "YAML"},
		"list":               {"- a\n", 1, "names with values"},
		"empty":              {"\n---\n", 1, "no"},
		"deep":               {"permit (principal, action, resource) when { " + strings.Repeat("(", 5000) + "true" + strings.Repeat(")", 5000) + " };", 1, "brackets"},
		"Cedar alone":        {"// x\npermit (principal == Usr::\"a\", action, resource);\n", 2, "did you mean User?"},
		"large":              {strings.Repeat(" ", mostSource+1), 1, "bytes"},
		"not UTF-8":          {"permit (principal, action, resource) when { \"\xff\" == \"\" };", 1, "UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			documents, problems := e.Read("p", []byte(tt.source))
			if len(documents) > 0 || len(problems) == 0 {
				t.Fatalf("accepted: %+v", documents)
			}
			if p := problems[0]; p.Line != tt.line || !strings.Contains(p.Message, tt.says) {
				t.Errorf("got %+v, want line %d and %q", problems, tt.line, tt.says)
			}
		})
	}
	source := header + "    permit (principal, action, resource);\n---\n" + strings.Replace(header, "orders", "other", 1) + "    forbid (principal, action, resource);\n"
	documents, problems := e.Read("", []byte(source))
	if len(problems) > 0 || len(documents) != 2 || documents[1].Name != "other" {
		t.Errorf("honest: %+v, %v", documents, problems)
	}
	text, err := documents[0].YAML()
	if err != nil {
		t.Fatal(err)
	}
	again, problems := e.Read("", text)
	if diff := cmp.Diff(documents[:1], again); diff != "" || len(problems) > 0 {
		t.Error(diff, problems)
	}
}

// memory is a Store in memory.
type memory struct {
	mu   sync.Mutex
	all  map[string][]Document // newest first
	gone map[string]bool
}

func newMemory() *memory { return &memory{all: map[string][]Document{}, gone: map[string]bool{}} }

func (m *memory) PutDocument(_ context.Context, d *Document) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	latest := int64(0)
	if old := m.all[d.Name]; len(old) > 0 {
		latest = old[0].Revision
	}
	if d.Revision != latest+1 {
		return fault.New(fault.Conflict, "policy %s was changed meanwhile", d.Name)
	}
	m.all[d.Name] = append([]Document{*d}, m.all[d.Name]...)
	delete(m.gone, d.Name)
	return nil
}

func (m *memory) Documents(context.Context) (out []Document, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(m.all)) {
		if !m.gone[name] {
			out = append(out, m.all[name][0])
		}
	}
	return out, nil
}

func (m *memory) Revisions(_ context.Context, name string) ([]Document, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.all[name], nil
}

func (m *memory) DeleteDocument(_ context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.all[name] == nil || m.gone[name] {
		return fault.New(fault.NotFound, "there is no policy %s", name)
	}
	m.gone[name] = true
	return nil
}

func TestS3_PoliciesAreDecidedByOnceKept(t *testing.T) {
	ctx, store := context.Background(), newMemory()
	p, err := Open(ctx, store, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	may := func(text string) bool {
		d, err := p.Decide(ask(text))
		if err != nil {
			t.Fatal(err)
		}
		return d.Allow
	}
	const q = "user/alice function:Invoke function/orders"
	d, err := p.Put(ctx, "admin", Document{Name: "a", Cedar: `permit (principal == User::"alice", action, resource);`})
	if err != nil || d.Revision != 1 || !may(q) {
		t.Fatalf("%+v, %v", d, err)
	}
	if _, err := p.Put(ctx, "admin", Document{Name: "a", Cedar: `permit (principal, action, resource);`}); !fault.Is(err, fault.Conflict) {
		t.Errorf("over another's change: %v", err)
	}
	if _, err := p.Put(ctx, "admin", Document{Name: "b", Cedar: `forbid (principal == Usr::"alice", action, resource);`}); !fault.Is(err, fault.Invalid) || !may(q) {
		t.Errorf("broken: %v", err)
	}
	if _, err := p.Put(ctx, "admin", Document{Name: "function-orders", Cedar: `permit (principal, action, resource);`}); !fault.Is(err, fault.Invalid) {
		t.Errorf("in a role's name: %v", err)
	}
	d.Disabled = true
	if d, err = p.Put(ctx, "admin", d); err != nil || may(q) {
		t.Errorf("disabled: %v", err)
	}
	d.Disabled = false
	if _, err = p.Put(ctx, "admin", d); err != nil || !may(q) {
		t.Errorf("enabled: %v", err)
	}
	if again, err := Open(ctx, store, time.Now); err != nil || len(again.Engine.now.Load().all) != 1 {
		t.Errorf("after a restart: %v", err)
	}
	if err := p.Delete(ctx, "a"); err != nil || may(q) {
		t.Errorf("deleted: %v", err)
	}
	if r, _ := p.Revisions(ctx, "a"); len(r) != 3 {
		t.Errorf("%d revisions", len(r))
	}
	store.all["x"] = []Document{{Name: "x", Cedar: "forbid (principal, action, Resource);", Revision: 1}}
	if err := p.Refresh(ctx); !fault.Is(err, fault.Invalid) {
		t.Errorf("a policy that cannot be read is passed over: %v", err)
	}
}

func TestS3_GrantsOfARole(t *testing.T) {
	p, err := Open(context.Background(), newMemory(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	odd := `we"ird\é`
	err = p.SetRoles(map[string]Grants{
		"orders": {Functions: []string{"mail"}, Buckets: []string{"photos:read", odd + ":write"}, Queues: []string{"jobs"}, Secrets: []string{"db"}, Callers: []string{"service/schedule"}},
		"page":   {Callers: []string{"anonymous"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		"function/orders function:Invoke function/mail":      true,
		"function/orders function:Invoke function/mail:prod": true,
		"function/orders function:Deploy function/mail":      false,
		"function/orders function:Invoke function/orders":    false,
		"function/mail function:Invoke function/mail":        false,
		"function/orders bucket:Get bucket/photos/a":         true,
		"function/orders bucket:List bucket/photos":          true,
		"function/orders bucket:Put bucket/photos/a":         false,
		"function/orders bucket:Put bucket/" + odd + "/x":    true,
		"function/orders bucket:Get bucket/" + odd + "/x":    false,
		"function/orders queue:Send queue/jobs":              true,
		"function/orders queue:Receive queue/jobs":           false,
		"function/orders secret:Read secret/db":              true,
		"function/orders secret:Read secret/db2":             false,
		"user/orders secret:Read secret/db":                  false,
		"service/schedule function:Invoke function/orders":   true,
		"service/schedule function:Invoke function/page":     false,
		"anonymous function:Invoke function/page":            true,
		"anonymous function:Invoke function/orders":          false,
	} {
		if d, err := p.Decide(ask(text)); err != nil || d.Allow != want {
			t.Errorf("%s: %v, %v", text, d.Allow, err)
		}
	}
	if err := p.SetRoles(map[string]Grants{"page": {}, "orders": {Buckets: []string{"photos"}}}); !fault.Is(err, fault.Invalid) {
		t.Errorf("got %v", err)
	}
	if err := p.SetRoles(map[string]Grants{"page": {}}); err != nil {
		t.Error(err)
	}
	if d, _ := p.Decide(ask("anonymous function:Invoke function/page")); d.Allow {
		t.Error("taken away, and still there")
	}
}

func TestS4_Ask(t *testing.T) {
	e := engine(t, shop+`@id("all") forbid (principal, action, resource == Secret::"root");`)
	for text, kinds := range map[string][]string{
		"user/alice@dev function:Invoke function/orders":    nil,
		"user/alice function:Invoke function/orders":        {"group", "add"},
		"user/alice function:Invoke function/other":         {"add"},
		"user/mallory@dev function:Read function/orders":    {"narrow"},
		"user/mallory function:Invoke function/other":       {"narrow", "add"},
		"user/mallory secret:Read secret/root":              {"narrow", "narrow", "add"},
		`key/K"1 function:InvokeAsync function/orders:prod`: {"group", "add"},
	} {
		r := ask(text)
		a, err := e.Ask(r)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		changed := map[string]string{}
		var add string
		for _, c := range a.Changes {
			got = append(got, c.Kind)
			switch c.Kind {
			case "group":
				r := *r
				r.Principal.Groups = append(slices.Clone(r.Principal.Groups), c.Group)
				if d, err := e.Decide(&r); err != nil || !d.Allow {
					t.Errorf("%s: joining %s does not help", text, c.Group)
				}
			case "narrow":
				changed[c.Policy] = c.Text
			case "add":
				add = c.Text
			}
		}
		if diff := cmp.Diff(kinds, got); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
		var cedar strings.Builder
		for _, s := range e.now.Load().all {
			if c := changed[s.ID]; c != "" {
				cedar.WriteString(c)
			} else {
				cedar.WriteString(s.Text)
			}
		}
		if d, err := engine(t, cedar.String()+add).Decide(r); err != nil || !d.Allow {
			t.Errorf("%s: the changes do not allow it: %+v, %v", text, d, err)
		}
	}
}

func TestS4_WhoCanAndWhatCan(t *testing.T) {
	e := engine(t, shop)
	known := []Principal{{ID: "user/alice", Groups: []string{"dev"}}, {ID: "user/mallory", Groups: []string{"dev"}}, {ID: "role/web"}, {ID: "user/bob"}}
	got, err := e.WhoCan("function:Invoke", "function/orders:prod", known, Context{})
	want := []Access{{"user/alice", "function:Invoke", "function/orders:prod", "t#dev"}, {"role/web", "function:Invoke", "function/orders:prod", "t#2"}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	got, err = e.WhatCan(Principal{ID: "service/bucket/photos"}, []string{"function/thumb", "function/orders", "bucket/photos", "system"}, Context{})
	want = []Access{{"service/bucket/photos", "function:Invoke", "function/thumb", "t#6"}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	principals, resources := e.Named()
	if !slices.Contains(principals, "service/bucket/photos") || !slices.Contains(resources, "function/orders:prod") {
		t.Error(principals, resources)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(shop))
	f.Add([]byte(header + "    permit (principal, action, resource);\n"))
	f.Add([]byte("permit (principal, action, resource) when { if context.mtls then -1 < context.bytes else principal has tenant };"))
	f.Add([]byte("a: &x [*x]\n"))
	e, err := NewEngine()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		documents, problems := e.Read("p", source)
		if (len(documents) == 0) == (len(problems) == 0) {
			t.Fatalf("%d documents, %d problems", len(documents), len(problems))
		}
		for _, p := range problems {
			if p.Line < 1 || p.Message == "" {
				t.Errorf("problem %+v", p)
			}
		}
		for i := range documents {
			s, problems := e.Statements(&documents[i])
			if len(problems) > 0 {
				t.Fatalf("read, and then not: %v", problems)
			}
			x := newIndex(s)
			if _, err := x.decide(e.l, ask("user/alice function:Invoke function/orders")); err != nil {
				t.Error(err)
			}
		}
	})
}
