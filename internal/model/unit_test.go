package model

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

func sameMarks(a, b Marks) bool { return a == b }

func diff(a, b *Model) string {
	return cmp.Diff(a, b, cmpopts.IgnoreUnexported(Field{}), cmp.Comparer(sameMarks), cmpopts.EquateEmpty())
}

func TestS12_TargetsFold(t *testing.T) {
	for _, c := range []struct {
		kind     function.UseKind
		in, want string
	}{
		{function.UseWrite, "/tmp/upload-x7Ty2q", "/tmp/upload-*"},
		{function.UseWrite, "/tmp/report-20261124.pdf", "/tmp/report-*.pdf"},
		{function.UseRead, "/usr/lib/python3/os.py", "/usr/**"},
		{function.UseRead, "/usr/../etc/shadow", "/usr/../etc/shadow"},
		{function.UseRead, "/etc/passwd", "/etc/passwd"},
		{function.UseEgress, "API.example.com:443", "api.example.com:443"},
		{function.UseAWS, "s3:GetObject photos/2026/7f3a9c12e0.jpg", "s3:GetObject photos/<n>/<hex>.jpg"},
		{function.UseAWS, "dynamodb:ListTables *", `dynamodb:ListTables \*`},
		{function.UseSecret, "db-1", "db-1"},
	} {
		if got := fold(c.kind, c.in); got != c.want {
			t.Errorf("%s %s: folded to %s, want %s", c.kind, c.in, got, c.want)
		}
	}
}

func TestS12_NamesDrawnByLotMatchEvenWhenTheyLookLikeWords(t *testing.T) {
	l := NewLearner(New("f", epoch))
	feed(l, function.UseWrite, "/tmp/upload-x7Ty2q.png", "/tmp/upload-a1b2c3.png")
	l.SetState(profile.Observing, epoch)
	for target, want := range map[string]redoubt.Effect{
		"/tmp/upload-fadeed.png": redoubt.EffectIgnore, "/tmp/upload-fadeed.sh": redoubt.EffectAlert, "/tmp/implant-fadeed.png": redoubt.EffectAlert, "/tmp/upload-fadeed.png/x": redoubt.EffectAlert,
	} {
		if v := l.Judge(&Deed{Function: "f", Granted: true, Use: use(function.UseWrite, target, 0)}); v.Effect != want {
			t.Errorf("%s: %+v", target, v)
		}
	}
}

// feed learns uses of one kind, each of many calls.
func feed(l *Learner, kind function.UseKind, targets ...string) {
	for i, target := range targets {
		at := epoch.Add(time.Duration(i) * time.Hour)
		l.Learn(&function.Invocation{ID: fmt.Sprint(i), Time: at, Caller: fmt.Sprintf("user/u%d", i%3), Source: "http", Outcome: function.Succeeded, Uses: []function.Use{use(kind, target, 0)}}, nil)
	}
}

func targets(m *Model) (out []string) {
	for i := range m.Entries {
		out = append(out, m.Entries[i].Target)
	}
	return out
}

func TestS12_SiblingsGeneraliseAndStrangersDoNot(t *testing.T) {
	names := func(format string, n int) (out []string) {
		for i := range n {
			out = append(out, fmt.Sprintf(format, string(rune('a'+i))+"x"))
		}
		return out
	}
	for _, c := range []struct {
		name string
		kind function.UseKind
		in   []string
		want int // entries
		hold string
	}{
		{"hosts of one owner", function.UseEgress, names("%s.api.example.com:443", 5), 1, "zz.api.example.com:443"},
		{"buckets of strangers", function.UseEgress, names("%s.s3.amazonaws.com:443", 9), 9, ""},
		{"pages of strangers", function.UseEgress, names("%s.github.io:443", 9), 9, ""},
		{"registered names", function.UseEgress, names("%s.co.uk:443", 9), 9, ""},
		{"addresses of one network", function.UseEgress, []string{"10.1.2.3:5432", "10.1.2.4:5432", "10.1.2.5:5432", "10.1.2.6:5432"}, 1, "10.1.2.99:5432"},
		{"files of a directory", function.UseWrite, names("/tmp/%s", 9), 1, "/tmp/other"},
		{"secrets in files", function.UseRead, names("/run/secrets/%s", 9), 9, ""},
		{"tables", function.UseAWS, names("dynamodb:GetItem table/%s", 9), 9, ""},
		{"objects of a bucket", function.UseAWS, names("s3:GetObject photos/%s", 9), 1, "s3:GetObject photos/new"},
		{"functions", function.UseFunction, names("%s", 20), 20, ""},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			l := NewLearner(New("f", epoch))
			feed(l, c.kind, c.in...)
			m := l.Model()
			if len(m.Entries) != c.want {
				t.Errorf("%d entries, want %d: %v", len(m.Entries), c.want, targets(m))
			}
			l.SetState(profile.Observing, epoch)
			if c.hold != "" {
				if v := l.Judge(&Deed{Function: "f", Granted: true, Use: use(c.kind, c.hold, 0)}); v.Effect != redoubt.EffectIgnore {
					t.Errorf("%s: %s", c.hold, v.Reason)
				}
			}
			if v := l.Judge(&Deed{Function: "f", Granted: true, Use: use(c.kind, "unlike/all.evil.example.net:443", 0)}); v.Effect != redoubt.EffectAlert {
				t.Errorf("a stranger is let through: %+v", v)
			}
		})
	}
}

func TestS12_AFloodOfNamesCostsItself(t *testing.T) {
	l := NewLearner(New("f", epoch))
	for h := range 30 {
		l.Learn(&function.Invocation{ID: "a", Time: epoch.Add(time.Duration(h) * time.Hour), Caller: "user/a", Source: "http", Outcome: function.Succeeded, Uses: []function.Use{use(function.UseEgress, "api.example.com:443", 10)}}, nil)
	}
	for i := range 5000 {
		l.Learn(&function.Invocation{ID: "b", Time: epoch.Add(31*time.Hour + time.Duration(i)*time.Millisecond), Caller: "user/evil", Source: "http", Outcome: function.Succeeded,
			Uses: []function.Use{use(function.UseEgress, fmt.Sprintf("a%db.%dx.example-%d.net:443", i, i, i), 10)}}, nil)
	}
	m := l.Model()
	if len(m.Entries) > MaxEntries || m.Lost < 4000 {
		t.Errorf("%d entries, %d lost", len(m.Entries), m.Lost)
	}
	for i := range m.Entries {
		e := &m.Entries[i]
		if known := e.Target == "api.example.com:443"; known == e.Weak {
			t.Fatalf("%s: weak is %v", e.Target, e.Weak)
		} else if known {
			return
		}
	}
	t.Error("what was seen for thirty hours was forgotten")
}

func TestS12_OneCallersBurstIsWeakUntilOthersFollow(t *testing.T) {
	l := NewLearner(New("f", epoch))
	call := func(caller string, at time.Time, target string) {
		l.Learn(&function.Invocation{ID: "x", Time: at, Caller: caller, Source: "http", Outcome: function.Succeeded, Uses: []function.Use{use(function.UseEgress, target, 0)}}, nil)
	}
	for h := range 100 {
		call(fmt.Sprintf("user/u%d", h%4), epoch.Add(time.Duration(h)*time.Hour), "api.example.com:443")
	}
	for i := range 200 {
		call("user/evil", epoch.Add(50*time.Hour+time.Duration(i)*time.Second), "drop.example.net:443")
	}
	m := l.Model()
	if !strings.Contains(strings.Join(m.Coverage.Missing, "\n"), "drop.example.net:443 (only user/evil)") {
		t.Errorf("the burst is not named: %q", m.Coverage.Missing)
	}
	l.SetState(profile.Observing, epoch)
	l.SetState(profile.Enforcing, epoch)
	deed := func(target string) redoubt.Verdict {
		return l.Judge(&Deed{Function: "f", Granted: true, Use: use(function.UseEgress, target, 0)})
	}
	if v := deed("drop.example.net:443"); v.Effect != redoubt.EffectAlert {
		t.Errorf("planted: %+v", v)
	}
	if v := deed("api.example.com:443"); v.Effect != redoubt.EffectIgnore {
		t.Errorf("honest: %+v", v)
	}
	call("user/u1", epoch.Add(120*time.Hour), "drop.example.net:443")
	if v := deed("drop.example.net:443"); v.Effect != redoubt.EffectIgnore {
		t.Errorf("once others use it: %+v", v)
	}
}

func TestS12_VersionsInherit(t *testing.T) {
	l := NewLearner(New("f", epoch))
	if l.AddVersion(1, "sha256:aa", epoch) || l.AddVersion(2, "sha256:aa", epoch) {
		t.Error("the same code is called changed")
	}
	feed(l, function.UseEgress, "api.example.com:443", "api.example.com:443")
	l.SetState(profile.Observing, epoch)
	if !l.AddVersion(3, "sha256:bb", epoch) {
		t.Error("other code is not noted")
	}
	d := Deed{Function: "f", Version: 3, Granted: true, Use: use(function.UseEgress, "api.example.com:443", 0)}
	if v := l.Judge(&d); v.Effect != redoubt.EffectIgnore {
		t.Errorf("the new version starts with nothing: %+v", v)
	}
	m := l.Model()
	if m.State != profile.Observing || !m.Versions[2].Changed || m.Versions[1].Changed {
		t.Errorf("%+v", m.Versions)
	}
	if !strings.Contains(strings.Join(m.Coverage.Missing, "\n"), "version 3 has other code") {
		t.Errorf("%q", m.Coverage.Missing)
	}
}

func TestS12_NothingIsLearnedFromRefusedCallsAndProbes(t *testing.T) {
	l := NewLearner(New("f", epoch))
	req := &Request{Source: "http", Route: "GET /x", Params: []Param{{"query", "id", "1' OR 1=1"}}}
	for outcome, status := range map[function.Outcome]int{function.Denied: 403, function.Refused: 403, function.Throttled: 429, function.Gone: 410, function.Abandoned: 499} {
		l.Learn(&function.Invocation{ID: "1", Time: epoch, Outcome: outcome, Status: status, Uses: []function.Use{use(function.UseEgress, "a:1", 0)}}, req)
	}
	l.Learn(&function.Invocation{ID: "2", Time: epoch, Outcome: function.Succeeded, Status: 200, Verdicts: []redoubt.Verdict{{Effect: redoubt.EffectAlert, Severity: redoubt.High}}}, req)
	if m := l.Model(); m.Calls != 0 || len(m.Entries)+len(m.Routes) != 0 {
		t.Errorf("learned %+v", m)
	}
	l.Learn(&function.Invocation{ID: "3", Time: epoch, Outcome: function.Succeeded, Status: 400}, req)
	l.Learn(&function.Invocation{ID: "4", Time: epoch, Outcome: function.Failed, Uses: []function.Use{{Kind: function.UseEgress, Target: "b:1", Refused: true}}}, req)
	m := l.Model()
	if m.Calls != 2 || len(m.Routes) != 0 || len(m.Entries) != 1 || m.Entries[0].Refused != 1 || m.Entries[0].Count != 0 {
		t.Errorf("learned %+v", m)
	}
	if w := m.Wanted(); len(w) != 1 || w[0].Target != "b:1" {
		t.Errorf("wanted %+v", w)
	}
}

func TestS12_StatesAndEdits(t *testing.T) {
	l := NewLearner(New("f", epoch))
	if err := l.SetState(profile.Observing, epoch); !fault.Is(err, fault.Conflict) {
		t.Errorf("observing nothing: %v", err)
	}
	feed(l, function.UseEgress, "api.example.com:443")
	if err := l.SetState(profile.Enforcing, epoch); !fault.Is(err, fault.Conflict) {
		t.Errorf("from learning to enforcing: %v", err)
	}
	if err := l.SetState("x", epoch); !fault.Is(err, fault.Invalid) {
		t.Errorf("unknown state: %v", err)
	}
	for _, s := range []profile.State{profile.Observing, profile.Enforcing} {
		if err := l.SetState(s, epoch); err != nil {
			t.Fatal(err)
		}
	}
	d := Deed{Function: "f", Granted: true, Use: use(function.UseSecret, "db", 0)}
	v := l.Judge(&d)
	if v.Effect != redoubt.EffectPrevent || !strings.Contains(v.Reason, "to allow it, add to the model: reads secret db") {
		t.Errorf("%+v", v)
	}
	if err := l.Edit(Change{Add: []Entry{{Kind: function.UseSecret, Target: "db", Note: "rotated"}, {Kind: "x", Target: "y"}}}, epoch); !fault.Is(err, fault.Invalid) || l.Judge(&d).Effect != redoubt.EffectPrevent {
		t.Errorf("half an edit: %v", err)
	}
	if err := l.Edit(Change{Add: []Entry{{Kind: function.UseSecret, Target: "db", Note: "rotated"}}}, epoch); err != nil {
		t.Fatal(err)
	}
	if v = l.Judge(&d); v.Effect != redoubt.EffectIgnore {
		t.Errorf("after adding: %+v", v)
	}
	if err := l.Edit(Change{Remove: []string{v.Entry}}, epoch); err != nil || l.Judge(&d).Effect != redoubt.EffectPrevent {
		t.Errorf("after removing: %v", err)
	}
	if err := l.Edit(Change{Remove: []string{v.Entry}}, epoch); !fault.Is(err, fault.NotFound) {
		t.Errorf("removed twice: %v", err)
	}
	l.Edit(Change{Add: []Entry{{Kind: function.UseSecret, Target: "db"}}}, epoch)
	l.Relearn(epoch)
	if m := l.Model(); m.State != profile.Learning || len(m.Entries) != 1 || m.Entries[0].Source != profile.Manual || m.Calls != 0 {
		t.Errorf("relearning keeps %+v", m)
	}
}

func TestS12_AFieldMayBeAllowedByHand(t *testing.T) {
	l := learned(t, &archetypes[2], newCrowd(2), 48)
	l.SetState(profile.Observing, epoch)
	l.SetState(profile.Enforcing, epoch)
	k := honestCall(newCrowd(3), "search")
	k.req.Params[1].Value = "1|id"
	if v := l.JudgeRequest(&k.req); v.Effect != redoubt.EffectPrevent || !strings.Contains(v.Reason, `let field query.page of "http GET /search" hold anything`) {
		t.Fatalf("%+v", v)
	}
	if err := l.Edit(Change{Fields: []Allow{{Route: "http GET /search", Field: "query.page"}}}, epoch); err != nil {
		t.Fatal(err)
	}
	if v := l.JudgeRequest(&k.req); v.Effect != redoubt.EffectIgnore {
		t.Errorf("%+v", v)
	}
}

// An attacker cannot teach a model that has stopped learning, step by step.
func TestS12_NothingWidensOnceLearningIsOver(t *testing.T) {
	l := learned(t, &archetypes[2], newCrowd(2), 48)
	l.SetState(profile.Observing, epoch)
	before := l.Model()
	for i, page := range []string{"abc", "a b", "a'b", "(a", "31", "x=1", strings.Repeat("9", 30)} {
		k := honestCall(newCrowd(3), "search")
		k.req.Params[0].Value, k.req.Params[1].Value = page, page
		k.req.Params = append(k.req.Params, Param{"query", "extra", "1"})
		k.inv.Time = epoch.Add(time.Duration(60+i) * time.Hour)
		k.inv.Uses = append(k.inv.Uses, use(function.UseEgress, "evil.example.net:443", 1))
		l.Learn(&k.inv, &k.req)
	}
	after := l.Model()
	if len(after.Entries) != len(before.Entries) || len(after.Routes[0].Fields) != len(before.Routes[0].Fields) {
		t.Errorf("new entries or fields: %v, %+v", targets(after), after.Routes[0].Fields)
	}
	for i, f := range after.Routes[0].Fields {
		was := before.Routes[0].Fields[i]
		if f.Class != was.Class || f.Types != was.Types || f.Marks != was.Marks || f.Length != was.Length || f.Prose != was.Prose || f.High > was.High+10 {
			t.Errorf("%s widened from %+v to %+v", f.Name, was, f)
		}
	}
}

func TestS12_DocumentComesBackWhole(t *testing.T) {
	for i := range archetypes {
		m := learned(t, &archetypes[i], newCrowd(uint64(i)), 30).Model()
		text, err := Export(m)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Import(text, epoch)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if d := diff(m, back); d != "" {
			t.Errorf("%s: %s", m.Function, d)
		}
		again, _ := Export(back)
		if string(again) != string(text) {
			t.Errorf("%s: exported twice, it differs", m.Function)
		}
		doc, _ := json.Marshal(m)
		var fromJSON Model
		if err := json.Unmarshal(doc, &fromJSON); err != nil {
			t.Fatal(err)
		}
		if d := diff(m, &fromJSON); d != "" {
			t.Errorf("%s through JSON: %s", m.Function, d)
		}
	}
}

func TestS12_IncrementsOfGatewaysAddUp(t *testing.T) {
	a := &archetypes[0]
	whole, console := NewLearner(New(a.name, epoch)), NewLearner(New(a.name, epoch))
	gates := []*Learner{NewLearner(New(a.name, epoch)), NewLearner(New(a.name, epoch))}
	c := newCrowd(9)
	for h := range 40 {
		a.hour(c, h, func(k call) {
			whole.Learn(&k.inv, &k.req)
			gates[c.n%2].Learn(&k.inv, &k.req)
		})
		if h%7 == 6 || h == 39 {
			for _, g := range gates {
				if grown, ok := g.Take(); ok {
					console.Add(grown)
				}
			}
		}
	}
	for _, g := range gates {
		if _, ok := g.Take(); ok {
			t.Error("something is left")
		}
	}
	got, want := console.Model(), whole.Model()
	if got.Calls != want.Calls || !reflect.DeepEqual(targets(got), targets(want)) || got.Hours != want.Hours {
		t.Errorf("calls %d, want %d; %v, want %v", got.Calls, want.Calls, targets(got), targets(want))
	}
	for i := range got.Entries {
		if g, w := &got.Entries[i], &want.Entries[i]; g.Count != w.Count || g.Bytes.Count() != w.Bytes.Count() || g.Bytes.Max != w.Bytes.Max {
			t.Errorf("%s: %d times, want %d; %d sizes, want %d", g.Target, g.Count, w.Count, g.Bytes.Count(), w.Bytes.Count())
		}
	}
	for i := range want.Routes {
		for k := range want.Routes[i].Fields {
			g, w := got.Routes[i].Fields[k], want.Routes[i].Fields[k]
			if g.Name != w.Name || g.Class != w.Class || g.Types != w.Types || g.Marks != w.Marks || g.Length != w.Length || g.Low != w.Low || g.High != w.High || g.Count != w.Count {
				t.Errorf("field %+v, want %+v", g, w)
			}
		}
	}
	x, y := Merge(gates[0].Model(), gates[1].Model()), Merge(gates[1].Model(), gates[0].Model())
	x.Entries, y.Entries = nil, nil // callers are the first two
	x.Routes, y.Routes = nil, nil
	if d := diff(x, y); d != "" {
		t.Errorf("the order matters: %s", d)
	}
}

func TestS15_UnusedGrantsAndTheMinimalRole(t *testing.T) {
	a := &archetypes[0]
	m := learned(t, a, newCrowd(1), learnHours).Model()
	now := epoch.Add(learnHours*time.Hour + 34*24*time.Hour)
	var unused []string
	for _, g := range m.Unused(&a.role, epoch, now) {
		unused = append(unused, fmt.Sprintf("%s %s %d", g.Field, g.Grant, g.Days))
	}
	if d := cmp.Diff([]string{"secrets old-key 41", "functions billing 41"}, unused, cmpopts.SortSlices(func(a, b string) bool { return a > b })); d != "" {
		t.Error(d)
	}
	p := m.Minimal(&a.role, now)
	want := function.Role{Egress: []string{"*.tax.example.org:443", "payments.example.com:443"},
		AWS: []string{"dynamodb:GetItem table/orders", "dynamodb:PutItem table/orders"}, Secrets: []string{"payment-key"}, Functions: []string{"mailer"}}
	if !strings.Contains(strings.Join(targets(m), " "), "*.tax.example.org") {
		want.Egress = []string{"de.tax.example.org:443", "fr.tax.example.org:443", "payments.example.com:443", "us.tax.example.org:443"}
	}
	if d := cmp.Diff(want, p.Role); d != "" || !p.Ready {
		t.Errorf("%+v\n%s", p, d)
	}
	for _, c := range []string{"takes away secrets old-key: not used in 41 days", "narrows aws dynamodb:* table/* to dynamodb:GetItem table/orders, dynamodb:PutItem table/orders"} {
		if !strings.Contains(strings.Join(p.Changes, "\n"), c) {
			t.Errorf("%q is not said: %q", c, p.Changes)
		}
	}
	t.Log(p.Why, p.Changes)
	early := learned(t, a, newCrowd(1), 1).Model().Minimal(&a.role, now)
	if early.Ready || len(early.Changes) > 0 || !reflect.DeepEqual(early.Role, a.role) || !strings.Contains(early.Why, "a role is proposed from 95 %") {
		t.Errorf("proposed after an hour: %+v", early)
	}
}

func TestS12_SketchKnowsQuantiles(t *testing.T) {
	var s Sketch
	for i := int64(1); i <= 10000; i++ {
		s.add(i)
	}
	for q, want := range map[float64]int64{0.5: 5000, 0.9: 9000, 0.99: 9900, 1: 10000} {
		if got := s.Quantile(q); got < want*92/100 || got > want*115/100 {
			t.Errorf("quantile %v is %d, want about %d", q, got, want)
		}
	}
	if _, over := s.unusual(39_000, 0); over {
		t.Error("four times the largest is unusual")
	}
	if _, over := s.unusual(50_000, 0); !over {
		t.Error("five times the largest is usual")
	}
	if len(s.Buckets) > 100 || s.Count() != 10000 {
		t.Errorf("%d buckets of %d", len(s.Buckets), s.Count())
	}
}
