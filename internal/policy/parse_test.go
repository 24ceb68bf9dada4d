package policy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"redoubt.dev/redoubt/internal/redoubt"
)

const web = `apiVersion: redoubt/v1
kind: Policy
metadata:
  name: web
  description: nothing but nginx
spec:
  priority: 10
  scope:
    workloads: [docker/shop/web, "docker/nginx*"]
    kinds: [container]
    labels: {tier: front}
  rules:
    - name: no-recon
      exec:
        paths:
          - "*/netstat"
          - /usr/bin/ss
        entered: true
      effect: prevent
      note: they have no business here
    - name: db-only
      connect: {to: [10.0.0.0/8, docker/shop/db, loopback], ports: [5432], proto: tcp}
      effect: ignore
    - {name: no-backdoor, listen: {ports: [4444]}, effect: block}
    - {name: rest, novel: {kinds: [exec]}, effect: alert}
`

func TestParseReadsADocument(t *testing.T) {
	got, problems := Parse([]byte(web))
	if problems != nil {
		t.Fatal(problems)
	}
	yes := true
	want := []Policy{{
		Name: "web", Description: "nothing but nginx", Priority: 10,
		Scope: Scope{Workloads: []string{"docker/shop/web", "docker/nginx*"}, Kinds: []redoubt.WorkloadKind{"container"}, Labels: map[string]string{"tier": "front"}},
		Rules: []Rule{
			{Name: "no-recon", Exec: &Exec{Paths: []string{"*/netstat", "/usr/bin/ss"}, Entered: &yes}, Effect: "prevent", Note: "they have no business here"},
			{Name: "db-only", Connect: &Connect{To: []string{"10.0.0.0/8", "docker/shop/db", "loopback"}, Ports: []uint16{5432}, Proto: "tcp"}, Effect: "ignore"},
			{Name: "no-backdoor", Listen: &Listen{Ports: []uint16{4444}}, Effect: "block"},
			{Name: "rest", Novel: &Novel{Kinds: []redoubt.EventKind{"exec"}}, Effect: "alert"},
		},
	}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestParseTakesSeveralDocuments(t *testing.T) {
	one := "apiVersion: redoubt/v1\nkind: Policy\nmetadata: {name: %s}\nspec: {rules: [{name: r, exec: {}, effect: alert}]}\n"
	got, problems := Parse([]byte("---\n" + fmt.Sprintf(one, "a") + "---\n# nothing\n---\n" + fmt.Sprintf(one, "b")))
	if problems != nil || len(got) != 2 || got[1].Name != "b" {
		t.Fatal(got, problems)
	}
	_, problems = Parse([]byte(fmt.Sprintf(one, "a") + "---\n" + fmt.Sprintf(one, "a")))
	if len(problems) != 1 || problems[0].Line != 8 || !strings.Contains(problems[0].Message, "line 3") {
		t.Fatal(problems)
	}
}

// edit replaces one line of the document above, counted from 1.
func edit(line int, text string) string {
	lines := strings.Split(web, "\n")
	lines[line-1] = text
	return strings.Join(lines, "\n")
}

func TestR9_ProblemsPointAtTheirLine(t *testing.T) {
	for _, c := range []struct {
		name    string
		line    int
		text    string
		column  int // 0: not compared
		message string
	}{
		{"unknown field", 7, "  prioriti: 10", 3, "did you mean priority?"},
		{"number wanted", 7, "  priority: soon", 13, "whole number"},
		{"number too large", 7, "  priority: 99999999", 13, "priority must lie"},
		{"tab", 7, "\tpriority: 10", 0, "not YAML"},
		{"no colon", 7, "  priority 10", 0, "not YAML"},
		{"open quote", 7, "  priority: \"10", 0, "not YAML"},
		{"open bracket", 9, "    workloads: [docker/shop/web", 0, "not YAML"},
		{"too deep", 7, "  priority: 10: 11", 0, "not YAML"},
		{"wrong version", 1, "apiVersion: redoubt/v2", 13, "redoubt/v1"},
		{"wrong kind", 2, "kind: Polcy", 7, "Policy"},
		{"bad name", 4, "  name: Web Server", 9, "small letters"},
		{"unknown workload kind", 10, "    kinds: [contaner]", 13, "did you mean container?"},
		{"list wanted", 10, "    kinds: container", 12, "write [container]"},
		{"relative path", 16, `          - netstat`, 13, "*/netstat"},
		{"boolean wanted", 18, "        entered: perhaps", 18, "true or false"},
		{"unknown effect", 19, "      effect: prevnt", 15, "did you mean prevent?"},
		{"no value", 19, "      effect:", 0, "no value"},
		{"bad destination", 22, "      connect: {to: [10.0.0.0/33]}", 22, "prefix"},
		{"port zero", 22, "      connect: {ports: [0]}", 25, "1 to 65535"},
		{"two conditions", 24, "    - {name: x, listen: {}, exec: {}, effect: block}", 7, "exactly one"},
		{"no condition", 24, "    - {name: x, effect: block}", 7, "exactly one"},
		{"same rule name", 24, "    - {name: rest, listen: {}, effect: block}", 0, ""},
		{"twice", 20, "      effect: alert", 7, "given twice, first in line 19"},
		{"alias", 20, "      note: *x", 0, ""},
		{"anchor", 20, "      note: &x hello", 13, "anchors"},
		{"not text", 20, "      note: \xff", 13, "UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, problems := Parse([]byte(edit(c.line, c.text)))
			if got != nil || len(problems) == 0 {
				t.Fatalf("policies %v, problems %v", got, problems)
			}
			p := problems[0]
			wantLine := c.line
			if c.name == "same rule name" {
				wantLine = 25
			}
			if p.Line != wantLine || c.column > 0 && p.Column != c.column || !strings.Contains(p.Message, c.message) {
				t.Errorf("%+v, want line %d column %d with %q", problems, wantLine, c.column, c.message)
			}
		})
	}
}

func TestParseReportsEveryProblemAtOnce(t *testing.T) {
	_, problems := Parse([]byte(`apiVersion: redoubt/v1
kind: Policy
metadata: {name: x}
spec:
  skope: {}
  rules:
    - {name: a, exec: {pathes: [/x]}, effect: prevent}
    - {name: b, listen: {ports: [70000]}, effect: stop}
`))
	lines := []int{}
	for _, p := range problems {
		lines = append(lines, p.Line)
	}
	if d := cmp.Diff([]int{5, 7, 8, 8}, lines); d != "" {
		t.Error(d, problems)
	}
}

func TestParseIsBounded(t *testing.T) {
	for name, source := range map[string]string{
		"long":     strings.Repeat("#", MaxSource+1),
		"deep":     strings.Repeat("[", 100_000),
		"rules":    "apiVersion: redoubt/v1\nkind: Policy\nmetadata: {name: x}\nspec:\n  rules:\n" + strings.Repeat("    - {name: a, exec: {}, effect: alert}\n", 2000),
		"bomb":     "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n",
		"empty":    "",
		"list":     "- a\n- b\n",
		"scalar":   "hello",
		"problems": "spec: {rules: [" + strings.Repeat("{x: y},", 900) + "]}",
	} {
		t.Run(name, func(t *testing.T) {
			got, problems := Parse([]byte(source))
			if got != nil || len(problems) == 0 || len(problems) > maxProblems+2 {
				t.Fatalf("policies %d, problems %d", len(got), len(problems))
			}
			if problems[0].Line < 1 {
				t.Error(problems[0])
			}
		})
	}
}

func TestFormatIsReadBack(t *testing.T) {
	want, problems := Parse([]byte(web))
	if problems != nil {
		t.Fatal(problems)
	}
	text, err := Format(want...)
	if err != nil {
		t.Fatal(err)
	}
	got, problems := Parse(text)
	if problems != nil {
		t.Fatal(problems, string(text))
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d, string(text))
	}
}

func TestValidateNamesTheField(t *testing.T) {
	got := Validate(Policy{Name: "x", Rules: []Rule{{Name: "r", Exec: &Exec{Digests: []redoubt.Digest{"md5:1"}}, Effect: "alert"}}})
	if len(got) != 1 || !strings.HasPrefix(got[0].Message, "rules[0].exec.digests[0]: ") {
		t.Error(got)
	}
	ok, _ := Parse([]byte(web))
	if got := Validate(ok[0]); got != nil {
		t.Error(got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(web))
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("{? [a]: b}\n---\n- 1"))
	f.Add([]byte("apiVersion: redoubt/v1\nkind: Policy\nmetadata: {name: x, description: \"a\\n b\"}\nspec: {rules: [{name: r, exec: {}, effect: alert}]}\n"))
	f.Fuzz(func(t *testing.T, source []byte) {
		got, problems := Parse(source)
		for _, p := range problems {
			if p.Line < 1 || p.Line > strings.Count(string(source), "\n")+1 {
				t.Fatalf("problem outside the text: %+v", p)
			}
		}
		if problems != nil {
			return
		}
		text, err := Format(got...)
		if err != nil {
			t.Fatal(err)
		}
		again, problems := Parse(text)
		if problems != nil {
			t.Fatalf("%v\n%s", problems, text)
		}
		if d := cmp.Diff(got, again); d != "" {
			t.Fatal(d)
		}
	})
}

// Texts chosen to be slow to read: none may take long enough to be felt.
func BenchmarkParseHostile(b *testing.B) {
	for name, source := range map[string]string{
		"broken at the end": strings.Repeat("a: [1,\n2]\n", 6000) + "b: \"",
		"open from line 1":  "a: [" + strings.Repeat("1,\n", 20_000),
		"many empty lists":  "a: [" + strings.Repeat("[],", MaxSource/4) + "]",
		"full":              "apiVersion: redoubt/v1\nkind: Policy\nmetadata: {name: x}\nspec:\n  rules:\n" + strings.Repeat("    - {name: aaaaaaaaaaaaaaaaa, exec: {paths: [/aaaaaaaaaaaa/bbbbbbbbbbbbbb/ccccccccccc]}, effect: prevent}\n", 9000),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, problems := Parse([]byte(source)); problems == nil {
					b.Fatal("read")
				}
			}
		})
	}
}
