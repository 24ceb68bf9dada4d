package access

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redoubt.dev/redoubt/internal/fault"
)

// engine loads Cedar text as document t.
func engine(t testing.TB, cedar string) *Engine {
	t.Helper()
	e, err := NewEngine()
	if err != nil {
		t.Fatal(err)
	}
	if cedar == "" {
		return e
	}
	s, problems := e.Statements(&Document{Name: "t", Cedar: cedar})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	e.Load(s)
	return e
}

// ask writes a request in short: "user/alice@dev@ops function:Invoke function/orders".
func ask(text string) *Request {
	f := strings.Fields(text)
	who := strings.Split(f[0], "@")
	return &Request{Principal: Principal{ID: who[0], Groups: who[1:]}, Action: f[1], Resource: f[2]}
}

const shop = `
@id("dev") @owner("team-a")
permit (principal in Group::"dev", action in Action::"function:*", resource in Function::"orders");
permit (principal == Role::"web", action == Action::"function:Invoke", resource == FunctionVersion::"orders:prod");
permit (principal is User, action == Action::"bucket:Get", resource in Bucket::"photos")
when { context.ip.isInRange(ip("10.0.0.0/8")) && resource.path like "bucket/photos/public/*" };
@id("freeze")
forbid (principal, action == Action::"function:Deploy", resource) when { context.time >= datetime("2026-12-20") };
@id("night")
forbid (principal == User::"mallory", action, resource);
permit (principal == Service::"bucket/photos", action == Action::"function:Invoke", resource in Function::"thumb");
permit (principal, action == Action::"queue:Send", resource) when { principal.tenant != "" && principal.tenant == context.tenant };
`

func TestS3_Decisions(t *testing.T) {
	e := engine(t, shop)
	in10 := func(r *Request) *Request { r.Context.IP = netip.MustParseAddr("10.1.2.3"); return r }
	tenant := func(r *Request, own, of string) *Request {
		r.Principal.Tenant, r.Context.Tenant = own, of
		return r
	}
	at := func(r *Request, day string) *Request { r.Context.Time, _ = time.Parse(time.DateOnly, day); return r }
	for _, tt := range []struct {
		r     *Request
		allow bool
		by    string
	}{
		{ask("user/alice@dev function:Invoke function/orders"), true, "t#dev"},
		{ask("user/alice@ops@dev function:Invoke function/orders:prod"), true, "t#dev"},
		{ask("user/alice@dev function:Invoke function/orders2"), false, ""},
		{ask("user/alice function:Invoke function/orders"), false, ""},
		{ask("user/alice@Dev function:Invoke function/orders"), false, ""},
		{ask("user/mallory@dev function:Invoke function/orders"), false, "t#night"},
		{ask("role/web function:Invoke function/orders:prod"), true, "t#2"},
		{ask("role/web function:Invoke function/orders"), false, ""},
		{ask("role/web function:InvokeAsync function/orders:prod"), false, ""},
		{ask("user/web function:Invoke function/orders:prod"), false, ""},
		{in10(ask("user/bob bucket:Get bucket/photos/public/a.jpg")), true, "t#3"},
		{in10(ask("user/bob bucket:Get bucket/photos/private/a.jpg")), false, ""},
		{ask("user/bob bucket:Get bucket/photos/public/a.jpg"), false, ""},
		{in10(ask("anonymous bucket:Get bucket/photos/public/a.jpg")), false, ""},
		{at(ask("user/alice@dev function:Deploy function/orders"), "2026-12-19"), true, "t#dev"},
		{at(ask("user/alice@dev function:Deploy function/orders"), "2026-12-21"), false, "t#freeze"},
		{ask("service/bucket/photos function:Invoke function/thumb"), true, "t#6"},
		{ask("service/bucket/other function:Invoke function/thumb"), false, ""},
		{tenant(ask("key/K1 queue:Send queue/jobs"), "blue", "blue"), true, "t#7"},
		{tenant(ask("key/K1 queue:Send queue/jobs"), "blue", "red"), false, ""},
	} {
		d, err := e.Decide(tt.r)
		if err != nil || d.Allow != tt.allow || d.Policy != tt.by {
			t.Errorf("%+v: %+v, %v", tt.r, d, err)
		}
		if (d.Policy == "") != (d.Statement == "") {
			t.Errorf("%+v: statement %q", tt.r, d.Statement)
		}
	}
	d, _ := e.Decide(ask("user/alice@dev function:Read function/orders"))
	if want := `permit (principal in Group::"dev", action in Action::"function:*", resource in Function::"orders");`; !strings.HasSuffix(d.Statement, want) || d.Annotations["owner"] != "team-a" {
		t.Errorf("statement %q, annotations %v", d.Statement, d.Annotations)
	}
}

func TestS3_QuestionsThatMakeNoSense(t *testing.T) {
	e := engine(t, `permit (principal, action, resource);`)
	for _, text := range []string{
		"alice function:Invoke function/orders", "user/ function:Invoke function/orders", "group/dev function:Invoke function/orders",
		"user/alice function:Invok function/orders", "user/alice function:* function/orders", "user/alice function:Invoke bucket/photos",
		"user/alice bucket:List bucket/photos/a", "user/alice function:Invoke function/", "user/alice function:Invoke user/bob", "user/alice function:Invoke system/x",
	} {
		if d, err := e.Decide(ask(text)); !fault.Is(err, fault.Invalid) || d.Allow {
			t.Errorf("%s: %+v, %v", text, d, err)
		}
	}
}

func TestS3_NothingShipsThatPermits(t *testing.T) {
	e := engine(t, "")
	for _, action := range e.Actions() {
		kind, _, _ := strings.Cut(action, ":")
		resource := kind + "/x"
		if kind == "access" {
			resource = "system"
		}
		for _, who := range []string{"anonymous", "user/admin", "service/schedule"} {
			if d, err := e.Decide(ask(who + " " + action + " " + resource)); err != nil || d.Allow {
				t.Errorf("%s %s %s: %+v, %v", who, action, resource, d, err)
			}
		}
	}
}

// A forbid that fails counts as one that matched; a permit that fails does not.
func TestS3_StatementsThatFail(t *testing.T) {
	const overflow = `context.bytes + 9223372036854775807 > 0`
	for name, tt := range map[string]struct {
		cedar string
		allow bool
		by    string
	}{
		"forbid":                {`permit (principal, action, resource); @id("f") forbid (principal, action, resource) when { ` + overflow + ` };`, false, "t#f"},
		"permit":                {`permit (principal, action, resource) when { ` + overflow + ` };`, false, ""},
		"permit beside another": {`permit (principal, action, resource) when { ` + overflow + ` }; @id("p") permit (principal, action, resource);`, true, "t#p"},
		"forbid about another":  {`@id("p") permit (principal, action, resource); forbid (principal == User::"bob", action, resource) when { ` + overflow + ` };`, true, "t#p"},
	} {
		r := ask("user/alice function:Invoke function/orders")
		r.Context.Bytes = 1
		d, err := engine(t, tt.cedar).Decide(r)
		if err != nil || d.Allow != tt.allow || d.Policy != tt.by || (len(d.Errors) == 0) != (name == "forbid about another") {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
	}
}

// manyStatements makes n of the kinds that a big installation has.
func manyStatements(n int) string {
	var b strings.Builder
	for i := range n {
		switch i % 5 {
		case 0:
			fmt.Fprintf(&b, "permit (principal in Group::\"g%d\", action in Action::\"function:*\", resource in Function::\"f%d\");\n", i%50, i)
		case 1:
			fmt.Fprintf(&b, "permit (principal == Role::\"r%d\", action == Action::\"function:Invoke\", resource == FunctionVersion::\"f%d:prod\") when { context.mtls };\n", i, i)
		case 2:
			fmt.Fprintf(&b, "permit (principal == Function::\"f%d\", action in [Action::\"bucket:Get\", Action::\"bucket:List\"], resource in Bucket::\"b%d\");\n", i, i)
		case 3:
			fmt.Fprintf(&b, "permit (principal == Key::\"k%d\", action == Action::\"function:Invoke\", resource in Function::\"f%d\") when { context.ip.isInRange(ip(\"10.0.0.0/8\")) };\n", i, i)
		case 4:
			fmt.Fprintf(&b, "forbid (principal in Group::\"g%d\", action == Action::\"function:Delete\", resource in Function::\"f%d\");\n", i%50, i)
		}
	}
	return b.String()
}

// The index must not change an answer: beside it stands all statements in a row.
func TestS3_IndexAnswersAsAllStatementsDo(t *testing.T) {
	e := engine(t, manyStatements(60)+shop)
	all := slices.Clone(few(e.now.Load().all))
	slices.SortFunc(all, func(a, b *Statement) int { return strings.Compare(a.ID, b.ID) })
	rng := rand.New(rand.NewPCG(1, 2))
	pick := func(words ...string) string { return words[rng.IntN(len(words))] }
	allowed := 0
	for range 5000 {
		n := rng.IntN(60)
		r := &Request{Principal: Principal{ID: pick(fmt.Sprintf("role/r%d", n), fmt.Sprintf("key/k%d", n), fmt.Sprintf("function/f%d", n), "user/mallory", "user/bob", "role/web"), Groups: []string{pick("dev", fmt.Sprintf("g%d", n%50)), pick("dev", fmt.Sprintf("g%d", n%50))}},
			Action: pick("function:Invoke", "function:Delete", "function:Read"), Resource: pick(fmt.Sprintf("function/f%d", n), fmt.Sprintf("function/f%d:prod", n), "function/orders")}
		if rng.IntN(3) == 0 {
			r.Action, r.Resource = "bucket:Get", pick(fmt.Sprintf("bucket/b%d", n), fmt.Sprintf("bucket/b%d/x", n), "bucket/photos/public/a")
		}
		r.Context.MTLS, r.Context.IP = rng.IntN(2) == 0, netip.AddrFrom4([4]byte{byte(10 + rng.IntN(2)), 0, 0, 1})
		d, err := e.Decide(r)
		if err != nil {
			t.Fatal(err)
		}
		f, _ := e.l.facts(r, nil)
		want := decideBy(all, f)
		if d.Took = 0; cmp.Diff(want, d) != "" {
			t.Fatalf("%+v:\n%s", r, cmp.Diff(want, d))
		}
		if d.Allow {
			allowed++
		}
	}
	if allowed < 100 {
		t.Errorf("only %d of 5000 were allowed: the test asks too little", allowed)
	}
}

func BenchmarkS3_Decide(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		e := engine(b, manyStatements(n))
		all := few(e.now.Load().all)
		r := ask("user/alice@g0@g5@g7@g9 function:Invoke function/f5:prod")
		b.Run(fmt.Sprintf("indexed-%d", n), func(b *testing.B) {
			slowest := make([]time.Duration, 0, 1<<20)
			for b.Loop() {
				d, err := e.Decide(r)
				if err != nil || !d.Allow {
					b.Fatal(d, err)
				}
				if len(slowest) < cap(slowest) {
					slowest = append(slowest, d.Took)
				}
			}
			b.ReportMetric(float64(percentile(slowest, 99).Nanoseconds()), "p99-ns")
		})
		b.Run(fmt.Sprintf("linear-%d", n), func(b *testing.B) {
			for b.Loop() {
				f, err := e.l.facts(r, nil)
				if err != nil || !decideBy(all, f).Allow {
					b.Fatal(err)
				}
			}
		})
	}
}

func percentile(d []time.Duration, p int) time.Duration {
	slices.Sort(d)
	return d[min(len(d)-1, len(d)*p/100)]
}
