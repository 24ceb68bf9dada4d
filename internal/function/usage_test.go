package function

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const day = 24 * time.Hour

func TestS19_UsageSumsCallsUp(t *testing.T) {
	call := func(fn string, version int, caller string, o Outcome, s Start, at time.Time) Invocation {
		return Invocation{Function: fn, Version: version, Caller: caller, Outcome: o, Start: s, Time: at,
			Duration: 1500 * time.Microsecond, Billed: Bill(0, 1500*time.Microsecond), Limit: 1 << 30, In: 10, Out: 20}
	}
	all := []Invocation{
		call("shop", 1, "user/ann", Succeeded, Cold, noon), call("shop", 2, "user/bob", Failed, Warm, noon.Add(1)),
		call("shop", 2, "user/bob", Denied, "", noon.Add(2)), call("mail", 1, "user/ann", TimedOut, Claimed, noon),
	}
	got := Summarise(all, Group{})
	want := []Usage{
		{Function: "shop", Calls: 3, Errors: 1, Refused: 1, Cold: 1, Duration: 4500 * time.Microsecond, Billed: 6 * time.Millisecond, GBSeconds: 0.006, In: 30, Out: 60, Last: noon.Add(2)},
		{Function: "mail", Calls: 1, Errors: 1, Duration: 1500 * time.Microsecond, Billed: 2 * time.Millisecond, GBSeconds: 0.002, In: 10, Out: 20, Last: noon},
	}
	if d := cmp.Diff(want, got, cmp.Comparer(func(a, b float64) bool { return a-b < 1e-9 && b-a < 1e-9 })); d != "" {
		t.Error(d)
	}
	if got := Summarise(all, Group{Versions: true, Callers: true}); len(got) != 3 || got[0].Caller != "user/bob" || got[0].Version != 2 || got[0].Calls != 2 {
		t.Errorf("%+v", got)
	}
}

func TestBillRoundsUp(t *testing.T) {
	for _, c := range []struct{ init, run, want time.Duration }{
		{0, 0, 0}, {0, 1, time.Millisecond}, {0, time.Millisecond, time.Millisecond},
		{time.Millisecond, time.Millisecond + 1, 3 * time.Millisecond}, {-5, time.Millisecond, time.Millisecond},
	} {
		if got := Bill(c.init, c.run); got != c.want {
			t.Errorf("Bill(%s, %s) = %s, want %s", c.init, c.run, got, c.want)
		}
	}
}

// used is a function with three versions, of which live is the last.
func used(at time.Time) *Function {
	v := func(n int) Version {
		return Version{Number: n, Created: at, Spec: Spec{Runtime: NodeJS, Language: "24", Triggers: []Trigger{
			{HTTP: &HTTPTrigger{Method: "GET", Path: "/a"}}, {Queue: &QueueTrigger{Queue: "jobs"}}}}}
	}
	return &Function{Name: "shop", State: Active, Created: at, Aliases: map[string]Alias{Live: {Weights: All(3)}}, Versions: []Version{v(3), v(2), v(1)}}
}

func TestS20_UnusedIsFound(t *testing.T) {
	old := noon.Add(-100 * day)
	texts := func(fs []Finding) []string {
		var out []string
		for _, f := range fs {
			out = append(out, string(f.Action)+" "+f.Text)
		}
		return out
	}
	busy := Activity{}
	for _, inv := range []Invocation{
		{Version: 3, Route: "GET /a", Outcome: Succeeded, Time: noon.Add(-day)},
		{Version: 2, Outcome: Succeeded, Time: noon.Add(-day)},
		{Version: 1, Outcome: Gone, Time: noon.Add(-day)},
		{Version: 3, Route: "queue jobs", Outcome: Throttled, Time: noon.Add(-day)},
	} {
		busy.Note(&inv)
	}
	disabled := used(old)
	disabled.State = Disabled
	eol := used(old)
	eol.Versions[0].Spec.Language, eol.Versions[1].Spec.Language = "18", "16"
	for name, c := range map[string]struct {
		f    *Function
		a    Activity
		want []string
	}{
		"never called": {used(old), Activity{}, []string{"disable shop was never called since it was made on 2025-11-21: disable it; that can be undone"}},
		"long ago":     {used(old), Activity{Last: noon.Add(-91 * day)}, []string{"disable shop was last called on 2025-11-30, more than 90 days ago: disable it; that can be undone"}},
		"young":        {used(noon.Add(-day)), Activity{}, nil},
		"disabled":     {disabled, Activity{}, nil},
		"in use": {used(old), busy, []string{
			"delete-version version 1 of shop is behind no alias and was not called for 90 days: delete it",
			`drop-trigger "queue jobs" of shop made no call for 90 days: leave it out of the next deployment`}},
		"out of date": {eol, Activity{Last: noon.Add(-91 * day)}, []string{
			"upgrade version 3 of shop is written for nodejs 18, which gets no security fixes since 2025-04-30 (nodejs.org/en/about/previous-releases): deploy it for a newer one",
			"disable shop was last called on 2025-11-30, more than 90 days ago: disable it; that can be undone"}},
	} {
		if d := cmp.Diff(c.want, texts(c.f.Unused(c.a, 90*day, noon))); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestS21_HintsAboutAVersion(t *testing.T) {
	fresh := Version{Created: noon, Spec: Spec{Runtime: Python, Language: "3.12"}, Code: Code{Unpacked: 1 << 20, Files: 10}}
	if got := fresh.Hints(noon); got != nil {
		t.Errorf("nothing is wrong, but %v", got)
	}
	for _, c := range []struct {
		change func(*Version)
		want   string
	}{
		{func(v *Version) { v.Spec.Language = "3.8" }, "no security fixes since 2024-10-07"},
		{func(v *Version) { v.Spec.Runtime, v.Spec.Language = NodeJS, "20" }, "after 2026-04-30"},
		{func(v *Version) { v.Spec.Runtime, v.Spec.Language = DotNet, "8.0" }, ""},
		{func(v *Version) { v.Code.Unpacked = 200 << 20 }, "200 MiB"},
		{func(v *Version) { v.Code.Files = 20000 }, "20000 files"},
		{func(v *Version) { v.Created = noon.Add(-200 * day) }, "200 days ago"},
		{func(v *Version) { v.Spec.Runtime, v.Code.Unpacked, v.Code.Files = Image, 1<<31, 1<<17 }, ""},
		{func(v *Version) { v.Spec.Language = "99" }, ""},
	} {
		v := fresh
		c.change(&v)
		got := strings.Join(v.Hints(noon), "\n")
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestEndsAreWellFormed(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(ends), "\n")[1:]
	for _, l := range lines {
		f := strings.Split(l, ",")
		if _, source, ok := end(Runtime(f[0]), f[1]); !ok || source == "" {
			t.Errorf("%s cannot be read", l)
		}
	}
	if len(lines) < 20 {
		t.Errorf("%d lines", len(lines))
	}
}
