package guard

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"redoubt.dev/redoubt/internal/policy"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

// Events come from nodes over the network: whatever one holds or lacks,
// deciding, explaining and offering a change must not fail, and what is
// offered must be valid.
func FuzzEvents(f *testing.F) {
	for _, ev := range []*redoubt.Event{
		started(program("/usr/bin/netstat", netstatDigest, nginx())), started(entered(program("/bin/busybox", otherDigest, nil, "nc", "-e"))),
		flow(redoubt.EventConnect, nginx(), "203.0.113.9:443"), flow(redoubt.EventListen, nginx(), "[::]:4444"), flow(redoubt.EventAccept, nil, "[::]:4444"),
		{Kind: redoubt.EventExec}, {Kind: redoubt.EventConnect}, {Kind: redoubt.EventListen}, {Kind: redoubt.EventAccept}, {Kind: "x"},
		started(&redoubt.Process{}), started(program("/tmp/\x1b[31m\n"+strings.Repeat("x", 5000), otherDigest, nginx())), {Kind: redoubt.EventConnect, Network: &redoubt.Connection{}},
	} {
		b, err := json.Marshal(ev)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	set := rules(f, "    - {name: a, exec: {paths: ['*/netstat'], parents: ['*'], args: ['-*']}, effect: prevent}\n    - {name: b, connect: {to: [public], ports: [443]}, effect: alert}\n    - {name: c, novel: {kinds: [listen]}, effect: block}\n")
	m := known(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		var ev redoubt.Event
		if json.Unmarshal(b, &ev) != nil {
			return
		}
		for _, state := range []profile.State{profile.Learning, profile.Enforcing} {
			c := Context{Listening: true, Health: []string{"CMD-SHELL", "x"}}
			if v := Decide(&ev, m, state, set, c); Alarms(v) && (v.Reason == "" || v.Severity == 0 || v.Technique == "") {
				t.Fatalf("%+v", v)
			} else if strings.ContainsFunc(v.Reason, unicode.IsControl) {
				t.Fatalf("%q", v.Reason)
			}
			Decide(&ev, nil, state, nil, Context{})
			e := Explain(&ev, m, state, set, c)
			if e.Allow != nil && e.Allow.Rule != nil {
				mustBeValid(t, *e.Allow.Rule)
			}
		}
		if change, err := PreventChange(&ev, m); err == nil {
			mustBeValid(t, *change.Rule)
		}
	})
}

func mustBeValid(t *testing.T, r policy.Rule) {
	t.Helper()
	p := Put(PolicyFor("docker/x"), r)
	if problems := policy.Validate(p); problems != nil {
		t.Fatalf("%v in %+v", problems, r)
	}
	text, err := policy.Format(p)
	if err != nil {
		t.Fatal(err)
	}
	if _, problems := policy.Parse(text); problems != nil {
		t.Fatalf("%v in\n%s", problems, text)
	}
}

func BenchmarkDecide(b *testing.B) {
	m, set := known(b), rules(b, "    - {name: r, exec: {paths: ['*/netstat']}, effect: prevent}\n")
	b.ReportAllocs()
	for name, ev := range map[string]*redoubt.Event{"known": started(nginx()), "novel": started(program("/usr/bin/x", otherDigest, nginx())), "denied": started(program("/usr/bin/netstat", netstatDigest, nginx()))} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Decide(ev, m, profile.Observing, set, Context{})
			}
		})
	}
}
