package guard

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"redoubt.dev/redoubt/internal/policy"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

// The smallest change, once made, lets exactly this event pass.
func TestD16_AllowLetsItPassAndNothingElse(t *testing.T) {
	deny := rules(t, "    - {name: other, listen: {ports: [1]}, effect: alert}\n    - {name: no-netstat, exec: {paths: ['*/netstat', '*/ss']}, effect: prevent}\n    - {name: no-db, connect: {ports: [5432]}, effect: prevent}\n")
	novel := rules(t, "    - {name: rest, novel: {}, effect: prevent}\n")
	netstat := started(program("/usr/bin/netstat", netstatDigest, nginx()))
	fromShell := started(program("/usr/bin/netstat", netstatDigest, program("/bin/sh", shDigest, nil)))
	changedNetstat := started(program("/usr/bin/netstat", otherDigest, nginx()))
	out := flow(redoubt.EventConnect, nginx(), "203.0.113.9:443")
	outElse := flow(redoubt.EventConnect, nginx(), "203.0.113.10:443")
	db := flow(redoubt.EventConnect, nginx(), "10.0.0.5:5432")
	db2 := flow(redoubt.EventConnect, nginx(), "10.0.0.6:5432")
	for _, c := range []struct {
		name      string
		ev        *redoubt.Event
		set       *policy.Set
		inPolicy  bool
		mustNotBe []*redoubt.Event // allowed by it
	}{
		{"by profile", netstat, nil, false, []*redoubt.Event{fromShell, changedNetstat}},
		{"by a policy rule", netstat, deny, true, []*redoubt.Event{fromShell, changedNetstat}},
		{"by a policy rule about what is novel", netstat, novel, false, []*redoubt.Event{fromShell, changedNetstat}},
		{"connection by profile", out, nil, false, []*redoubt.Event{outElse}},
		{"connection by policy", db, deny, true, []*redoubt.Event{db2}},
		{"from outside", started(entered(program("/usr/bin/netstat", netstatDigest, nil))), deny, true, []*redoubt.Event{netstat}},
		{"applet", started(program("/bin/busybox", otherDigest, nginx(), "netstat")), deny, true, []*redoubt.Event{started(program("/bin/busybox", otherDigest, nginx(), "ss"))}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := Explain(c.ev, known(t), profile.Enforcing, c.set, Context{})
			if e.Allow == nil || (e.Allow.Rule != nil) != c.inPolicy || !strings.Contains(e.Advice, e.Allow.Text) {
				t.Fatalf("%+v, advice %q", e.Allow, e.Advice)
			}
			m, set := known(t), c.set
			if c.inPolicy {
				ps := policiesOf(t, c.set)
				ps[0] = Put(ps[0], *e.Allow.Rule)
				if problems := policy.Validate(ps[0]); problems != nil {
					t.Fatal(problems)
				}
				set = policy.NewSet(ps)
			} else {
				m = withEntry(t, *e.Allow.Entry)
			}
			if v := Decide(c.ev, m, profile.Enforcing, set, Context{}); Alarms(v) {
				t.Errorf("still %+v", v)
			}
			for _, ev := range c.mustNotBe {
				if v := Decide(ev, m, profile.Enforcing, set, Context{}); !Alarms(v) {
					t.Errorf("allowed too: %s: %+v", Did(ev), v)
				}
			}
		})
	}
}

// The rule that a click writes prevents the next attempt and its disguises,
// and leaves the workload's own behaviour alone.
func TestR10_PreventStopsTheNextAttempt(t *testing.T) {
	inImage := Context{Names: []string{"/usr/bin/netstat"}}
	shell := program("/bin/sh", shDigest, nginx(), "/bin/sh", "-c", "id")
	script := program("/bin/sh", shDigest, program("/docker-entrypoint.sh", shDigest, nil), "/bin/sh", "-c", "ls")
	dropped := program("/tmp/a", otherDigest, nginx())
	dropped.File.Origin = redoubt.OriginWritten
	renamed := program("/tmp/b", otherDigest, nginx())
	renamed.File.Origin = redoubt.OriginWritten
	type attempt struct {
		ev *redoubt.Event
		c  Context
	}
	for _, c := range []struct {
		name    string
		ev      *redoubt.Event
		next    []attempt
		neither []attempt
	}{
		{"netstat", started(program("/usr/bin/netstat", netstatDigest, nginx())),
			[]attempt{{started(entered(program("/usr/bin/netstat", netstatDigest, nil))), Context{}}, {started(program("/tmp/copy", netstatDigest, nginx())), inImage}},
			[]attempt{{started(nginx()), Context{}}, {started(program("/usr/bin/ss", otherDigest, nginx())), Context{}}}},
		{"shell of a server", started(shell), []attempt{{started(shell), Context{}}}, []attempt{{started(script), Context{}}}},
		{"dropped file", started(dropped), []attempt{{started(renamed), Context{}}}, []attempt{{started(program("/tmp/a", netstatDigest, nginx())), Context{}}}},
		{"other arguments", started(program("/bin/sh", shDigest, script.Parent, "/bin/sh", "-c", "reboot")), []attempt{{started(program("/bin/sh", shDigest, script.Parent, "/bin/sh", "-c", "reboot")), Context{}}}, []attempt{{started(script), Context{}}}},
		{"port", flow(redoubt.EventListen, nginx(), "0.0.0.0:4444"), []attempt{{flow(redoubt.EventListen, nginx(), "127.0.0.1:4444"), Context{}}}, []attempt{{flow(redoubt.EventListen, nginx(), "0.0.0.0:80"), Context{}}}},
		{"address", flow(redoubt.EventConnect, nginx(), "203.0.113.9:443"), []attempt{{flow(redoubt.EventConnect, shell, "203.0.113.9:443"), Context{}}}, []attempt{{flow(redoubt.EventConnect, nginx(), "10.0.0.5:5432"), Context{}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			change, err := PreventChange(c.ev, known(t))
			if err != nil {
				t.Fatal(err)
			}
			if e := Explain(c.ev, known(t), profile.Observing, nil, Context{}); !reflect.DeepEqual(e.Prevent, &change) {
				t.Errorf("explained as %+v, written as %+v", e.Prevent, change)
			}
			p := Put(PolicyFor(web.ID), *change.Rule)
			if problems := policy.Validate(p); problems != nil || p.Name != change.Policy || p.Name != "docker-nginx" {
				t.Fatal(p.Name, problems)
			}
			set := policy.NewSet([]policy.Policy{p})
			for _, a := range c.next {
				if v := Decide(a.ev, known(t), profile.Observing, set, a.c); v.Effect != redoubt.EffectPrevent {
					t.Errorf("%s passed by %s: %+v", Did(a.ev), change.Text, v)
				}
			}
			for _, a := range c.neither {
				if v := Decide(a.ev, known(t), profile.Observing, set, a.c); v.Effect == redoubt.EffectPrevent {
					t.Errorf("%s is prevented too by %s", Did(a.ev), change.Text)
				}
			}
		})
	}
	for _, ev := range []*redoubt.Event{flow(redoubt.EventAccept, nginx(), "203.0.113.9:443"), {Kind: redoubt.EventExec}, {Kind: redoubt.EventLoss}} {
		if _, err := PreventChange(ev, nil); err == nil {
			t.Errorf("%s can be prevented", ev.Kind)
		}
		if e := Explain(ev, known(t), profile.Observing, nil, Context{}); e.Prevent != nil {
			t.Errorf("%s is said to be prevented by %+v", ev.Kind, e.Prevent)
		}
	}
}

func TestPolicyNamesAreValidAndApart(t *testing.T) {
	seen := map[string]redoubt.WorkloadID{}
	for _, w := range []redoubt.WorkloadID{
		"docker/shop/web", "docker/shop-web", "docker/Shop/web", "docker/shop/web#bash", "docker/shop/web_bash", "host/n1", "service/a@b.service", "",
		redoubt.WorkloadID("docker/" + strings.Repeat("x", 200)), redoubt.WorkloadID("docker/" + strings.Repeat("x", 201)), "docker/-", "docker/é",
	} {
		name := PolicyName(w)
		if other, twice := seen[name]; twice {
			t.Errorf("%q and %q are both %q", w, other, name)
		}
		seen[name] = w
		if problems := policy.Validate(policy.Policy{Name: name, Rules: []policy.Rule{{Name: "r", Exec: &policy.Exec{}, Effect: "alert"}}}); problems != nil {
			t.Errorf("%q: %v", name, problems)
		}
	}
	if PolicyName("docker/shop/web") != "docker-shop-web" {
		t.Error(PolicyName("docker/shop/web"))
	}
}

func TestExplainShowsItsSteps(t *testing.T) {
	set := rules(t, "    - {name: a, listen: {ports: [1]}, effect: alert}\n    - {name: b, exec: {paths: ['*/ss']}, effect: alert}\n    - {name: c, exec: {paths: ['*/netstat']}, effect: alert}\n    - {name: d, exec: {}, effect: alert}\n")
	e := Explain(started(program("/usr/bin/netstat", netstatDigest, nginx())), known(t), profile.Observing, set, Context{})
	got := []string{}
	for _, s := range e.Rules {
		if s.Why == "" {
			t.Errorf("%+v gives no reason", s)
		}
		got = append(got, s.Rule)
	}
	if !slices.Equal(got, []string{"policy/p/a", "policy/p/b", "policy/p/c"}) || !e.Rules[2].Matched || e.Rules[1].Matched {
		t.Errorf("%+v", e.Rules)
	}

	e = Explain(started(program("/usr/sbin/nginx", otherDigest, nil)), known(t), profile.Observing, nil, Context{})
	if e.Nearest == nil || len(e.Compared) == 0 || len(e.Rules) != 2 || e.Rules[1].Rule != "profile/observing" {
		t.Errorf("%+v", e)
	}
	for _, d := range e.Compared {
		if d.Same == (d.Field == "content") {
			t.Errorf("%+v", d)
		}
	}
	e = Explain(started(nginx()), known(t), profile.Observing, nil, Context{})
	if e.Allow != nil || !strings.Contains(e.Advice, "needs nothing") {
		t.Errorf("%+v", e)
	}
}

func TestExplainSaysWhenTheAnswerChanged(t *testing.T) {
	ev := started(nginx())
	ev.Verdict = redoubt.Verdict{Effect: redoubt.EffectAlert, Rule: RuleProfile}
	if e := Explain(ev, known(t), profile.Observing, nil, Context{}); e.Verdict.Effect != redoubt.EffectAlert || !strings.Contains(e.Advice, "By today's") {
		t.Errorf("%+v", e)
	}
}

func TestPreviewReplays(t *testing.T) {
	events := slices.Values([]redoubt.Event{
		*started(nginx()), *started(program("/usr/bin/netstat", netstatDigest, nginx())), {Kind: redoubt.EventExit, Workload: web},
		*flow(redoubt.EventConnect, nginx(), "10.0.0.5:5432"),
	})
	set := rules(t, "    - {name: r, connect: {ports: [5432]}, effect: prevent}\n")
	p := PreviewOf(nil, set, events, func(*redoubt.Event) Known { return Known{Matcher: known(t), State: profile.Observing} })
	if p.Events != 3 || p.Changed != 1 || p.Samples[0].Then.Rule != "policy/p/r" || p.Samples[0].Event.Kind != redoubt.EventConnect {
		t.Errorf("%+v", p)
	}
}

func policiesOf(t *testing.T, s *policy.Set) []policy.Policy {
	t.Helper()
	p := policy.Policy{Name: "p"}
	for _, r := range s.Overlay(web, nil, "n1").Rules() {
		p.Rules = append(p.Rules, *r)
	}
	return []policy.Policy{p}
}

func withEntry(t *testing.T, e profile.Entry) *profile.Matcher {
	t.Helper()
	return profile.Compile(&profile.Profile{Workload: web.ID, Entries: []profile.Entry{e}})
}
