package model

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/profile"
)

func FuzzRequest(f *testing.F) {
	f.Add("application/json", `{"a":{"b":[1,2.5,"x",null,true,{"c":"'; DROP TABLE x--"}]}}`, "1 OR 1=1")
	f.Add("", `[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]`, "\x00\xff")
	f.Add("application/x-www-form-urlencoded", "a=1&b=%zz&&=&c", "")
	f.Add("application/json; charset=x", `{"a":1}{"a":2} trailing`, "2026-01-01T00:00:00Z")
	f.Add("application/json", `{"`+strings.Repeat("k", 5000)+`":"`+strings.Repeat("v", 5000), "::1")
	f.Fuzz(func(t *testing.T, kind, body, param string) {
		r := Request{Source: "http", Route: "POST /x", Type: kind, Body: []byte(body), Params: []Param{{"query", param, param}}}
		l := NewLearner(New("f", epoch))
		for i := range 40 {
			l.Learn(&function.Invocation{ID: "i", Time: epoch.Add(time.Duration(i) * time.Hour), Source: "http", Route: "POST /x", Outcome: function.Succeeded}, &r)
		}
		l.SetState(profile.Observing, epoch)
		if v := l.JudgeRequest(&r); v.Effect != "ignore" {
			t.Errorf("what was learned alarms: %+v", v)
		}
		m := l.Model()
		text, err := Export(m)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Import(text, epoch)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if d := diff(m, back); d != "" {
			t.Error(d)
		}
	})
}

func FuzzDeed(f *testing.F) {
	for _, k := range kinds {
		f.Add(string(k), "api.example.com:443", "a\x00b")
		f.Add(string(k), "/tmp/../*<\\", "-c")
		f.Add(string(k), "[::1]:99", "")
	}
	f.Fuzz(func(t *testing.T, kind, target, arg string) {
		l := NewLearner(New("f", epoch))
		u := use(function.UseKind(kind), target, 1)
		for i := range 10 {
			l.Started("i", target, []string{target, arg})
			l.Learn(&function.Invocation{ID: "i", Time: epoch.Add(time.Duration(i) * time.Hour), Caller: fmt.Sprint(i), Source: "http", Outcome: function.Succeeded, Uses: []function.Use{u}}, nil)
		}
		l.SetState(profile.Observing, epoch)
		d := Deed{Function: "f", Granted: true, Use: u, Args: []string{target, arg}}
		if v := l.Judge(&d); v.Effect != "ignore" && v.Rule != RuleAlways {
			t.Errorf("what was learned alarms: %+v", v)
		}
		d.Use.Target, d.Granted = target+arg, false
		l.Judge(&d)
		role := function.Role{Egress: []string{target}, AWS: []string{target, arg}, Write: []string{arg}}
		l.Model().Minimal(&role, epoch)
		l.Model().Usage(&role, epoch)
	})
}

func FuzzImport(f *testing.F) {
	for _, i := range []int{2, 4} {
		text, err := Export(learned(f, &archetypes[i], newCrowd(uint64(i)), 1).Model())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte("apiVersion: redoubt/v1\nkind: FunctionModel\nfunction: f\nstate: learning\nrevision: 0\nentries:\n  - kind: exec\n    target: /bin/sh\n"))
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := Import(text, epoch)
		if err != nil {
			if fault.Of(err) == fault.Internal {
				t.Errorf("an error without a kind: %v", err)
			}
			return
		}
		again, err := Export(m)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Import(again, epoch)
		if err != nil {
			t.Fatalf("%v\n%s", err, again)
		}
		if d := diff(m, back); d != "" {
			t.Error(d)
		}
	})
}

func TestS12_ImportSaysWhatIsWrong(t *testing.T) {
	head := "apiVersion: redoubt/v1\nkind: FunctionModel\nfunction: f\nstate: learning\nrevision: 0\n"
	for text, want := range map[string]string{
		"": "the document is empty",
		"apiVersion: redoubt/v1\nkind: Profile\nfunction: f\nstate: learning\nrevision: 0\nentries: []\n": "this reads apiVersion redoubt/v1, kind FunctionModel",
		head + "entries: []\nextra: 1\n":                                                                                         "unknown field extra",
		head + "entries: []\n---\na: 1\n":                                                                                        "one document",
		head + "entries:\n  - {kind: exec, target: \"\", count: 0, units: 0}\n":                                                  "entry 1: a target",
		head + "entries:\n  - {kind: flight, target: x, count: 0, units: 0}\n":                                                   `entry 1: kind "flight"`,
		strings.Replace(head, "learning", "asleep", 1) + "entries: []\n":                                                         `state "asleep"`,
		head + "entries: []\nroutes:\n  - {name: x, fields: [{name: y, types: word, count: 0, units: 0}], count: 0, units: 0}\n": "none of null",
	} {
		if _, err := Import([]byte(text), epoch); err == nil || !strings.Contains(err.Error(), want) || fault.Of(err) == fault.Internal {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	m, err := Import([]byte(head+"entries:\n  - {kind: exec, target: /bin/sh, count: 0, units: 0}\n"), epoch)
	if err != nil || m.Entries[0].Source != profile.Manual {
		t.Errorf("%+v, %v", m, err)
	}
}

// An attacker who sends what he likes makes a model full, not large.
func TestS12_MemoryIsBounded(t *testing.T) {
	l := NewLearner(New("f", epoch))
	c := newCrowd(1)
	for i := range 3000 {
		body := object{}
		for k := range 40 {
			body[fmt.Sprintf("k%x%d", c.rnd.Uint64(), k)] = strings.Repeat("x", c.rnd.IntN(100))
		}
		raw, _ := json.Marshal(body)
		route := fmt.Sprintf("GET /%d", i%200)
		inv := function.Invocation{ID: fmt.Sprint(i), Time: epoch.Add(time.Duration(i) * time.Minute), Caller: fmt.Sprintf("user/%x%s", c.rnd.Uint64(), strings.Repeat("y", 600)), Source: "http", Route: route, Outcome: function.Succeeded, Status: 200}
		for range 60 {
			inv.Uses = append(inv.Uses, use(function.UseRead, fmt.Sprintf("/data/%x/%x%s", c.rnd.Uint64(), c.rnd.Uint64(), strings.Repeat("z", 600)), 1))
		}
		l.Started(inv.ID, "/bin/x", []string{fmt.Sprint(c.rnd.Uint64())})
		if i%2 == 0 {
			l.Learn(&inv, &Request{Source: "http", Route: route, Type: "application/json", Body: raw})
		}
	}
	m := l.Model()
	fields := 0
	for i := range m.Routes {
		fields = max(fields, len(m.Routes[i].Fields))
	}
	if len(m.Entries) > MaxEntries || len(m.Routes) > MaxRoutes || fields > MaxFields || m.Lost == 0 || len(l.started) > maxStarted {
		t.Errorf("%d entries, %d routes, %d fields, %d lost", len(m.Entries), len(m.Routes), fields, m.Lost)
	}
	doc, err := json.Marshal(m)
	if err != nil || len(doc) > 12<<20 {
		t.Errorf("%d bytes, %v", len(doc), err)
	}
	t.Logf("a model that is full takes %d KiB as a document", len(doc)>>10)
}

func BenchmarkJudge(b *testing.B) {
	l := learned(b, &archetypes[0], newCrowd(1), 48)
	l.SetState(profile.Observing, epoch)
	for name, u := range map[string]function.Use{
		"egress": use(function.UseEgress, "payments.example.com:443", 100), "aws": use(function.UseAWS, "dynamodb:GetItem table/orders", 100),
		"read": use(function.UseRead, "/var/task/node_modules/x/y.js", 0), "write": use(function.UseWrite, "/tmp/upload-x7Ty2q", 0), "novel": use(function.UseEgress, "evil.example.net:443", 0),
	} {
		b.Run(name, func(b *testing.B) {
			d := Deed{Function: "orders", Granted: true, Use: u}
			b.ReportAllocs()
			for range b.N {
				l.Judge(&d)
			}
		})
	}
}

func BenchmarkJudgeExec(b *testing.B) {
	l := learned(b, &archetypes[1], newCrowd(1), 48)
	l.SetState(profile.Observing, epoch)
	d := Deed{Function: "thumbnails", Granted: true, Use: use(function.UseExec, "/usr/bin/convert", 0), Args: []string{"convert", "-resize", "100x100", "/tmp/upload-x7Ty2q", "/tmp/out.jpg"}}
	b.ReportAllocs()
	for range b.N {
		l.Judge(&d)
	}
}

func BenchmarkJudgeRequest(b *testing.B) {
	for _, i := range []int{0, 2} {
		a := &archetypes[i]
		l := learned(b, a, newCrowd(1), 48)
		l.SetState(profile.Observing, epoch)
		c := newCrowd(2)
		calls := make([]call, 500)
		for k := range calls {
			calls[k] = a.make(c, epoch)
		}
		b.Run(a.name, func(b *testing.B) {
			b.ReportAllocs()
			for k := range b.N {
				l.JudgeRequest(&calls[k%len(calls)].req)
			}
		})
	}
}

func BenchmarkLearn(b *testing.B) {
	for i := range archetypes {
		a := &archetypes[i]
		b.Run(a.name, func(b *testing.B) {
			l := learned(b, a, newCrowd(1), 24)
			c := newCrowd(2)
			calls := make([]call, 500)
			for k := range calls {
				calls[k] = a.make(c, epoch.Add(25*time.Hour))
			}
			b.ReportAllocs()
			b.ResetTimer()
			for k := range b.N {
				l.Learn(&calls[k%len(calls)].inv, &calls[k%len(calls)].req)
			}
		})
	}
}

func BenchmarkModelMemory(b *testing.B) {
	var before, after runtime.MemStats
	for range b.N {
		runtime.GC()
		runtime.ReadMemStats(&before)
		all := make([]*Learner, 0, 50)
		for i := range 50 {
			all = append(all, learned(b, &archetypes[0], newCrowd(uint64(i)), 24))
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(len(all)), "B/model")
		runtime.KeepAlive(all)
	}
}
