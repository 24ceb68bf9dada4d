package model

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/profile"
)

// Measure brings Novel and Coverage up to date: the share of independent units
// that were alone with something, and its bound, as package profile estimates
// them.
func (m *Model) Measure(now time.Time) {
	once, twice := m.rare()
	m.Novel = int64(len(once))
	m.Coverage = profile.Estimate(m.Units, m.Novel, int64(len(twice)))
	m.Coverage.Missing = m.missing(now)
}

// Ready reports whether learning can end. Call Measure first.
func (m *Model) Ready() bool {
	return m.State == profile.Learning && m.Coverage.Lower >= profile.Enough
}

// rare returns the units that alone showed something, and the pairs that did.
// A field nobody judges is no news.
func (m *Model) rare() (once, twice map[string]bool) {
	once, twice = map[string]bool{}, map[string]bool{}
	note := func(s *Seen) {
		switch {
		case s.Units == 1 && s.Unit != "":
			once[s.Unit] = true
		case s.Units == 2 && s.Unit != "":
			twice[s.Unit] = true
		}
	}
	for i := range m.Entries {
		if e := &m.Entries[i]; e.Source == profile.Learned {
			note(&e.Seen)
		}
	}
	for i := range m.Routes {
		note(&m.Routes[i].Seen)
		for k := range m.Routes[i].Fields {
			if f := &m.Routes[i].Fields[k]; !f.Manual && !foreign(f.Name) {
				note(&f.Seen)
			}
		}
	}
	return once, twice
}

// missing says in plain words what is probably still unseen.
func (m *Model) missing(now time.Time) []string {
	if m.Calls == 0 {
		return []string{"no call has been seen yet"}
	}
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	switch watched := m.Last.Sub(m.First); {
	case watched < 24*time.Hour:
		say("watched for %s only: what happens once a day may be unseen", spanText(watched))
	case watched < 7*24*time.Hour:
		say("watched for %s only: what happens once a week may be unseen", spanText(watched))
	}
	if n := len(m.Versions); n > 0 {
		if v := &m.Versions[n-1]; v.Changed && !slices.ContainsFunc(m.Entries, func(e Entry) bool { return slices.Contains(e.Seen.Versions, v.Number) }) {
			say("version %d has other code and was not seen at work yet", v.Number)
		}
	}
	var single, weak []string
	for i := range m.Entries {
		e := &m.Entries[i]
		if e.Source == profile.Learned && e.Units == 1 {
			single = append(single, e.String())
		}
		if e.Source == profile.Learned && e.weak() && outbound(e.Kind) {
			weak = append(weak, e.String()+" (only "+callerText(&e.Seen)+")")
		}
	}
	if len(single) > 0 {
		say("seen once: %s", list(single))
	}
	if len(weak) > 0 {
		say("seen from one caller in one burst, look at them before enforcing: %s", list(weak))
	}
	if m.Lost > 0 {
		say("%d names did not fit and were forgotten, the least known first", m.Lost)
	}
	return out
}

// outbound kinds reach beyond the sandbox.
func outbound(k function.UseKind) bool {
	return k != function.UseRead && k != function.UseWrite && k != function.UseDNS
}

func callerText(s *Seen) string {
	if len(s.Callers) == 0 {
		return "one caller"
	}
	return s.Callers[0]
}

const named = 5

func list(names []string) string {
	if len(names) > named {
		return strings.Join(names[:named], ", ") + fmt.Sprintf(" and %d more", len(names)-named)
	}
	return strings.Join(names, ", ")
}

func spanText(d time.Duration) string {
	switch {
	case d < 2*time.Hour:
		return fmt.Sprintf("%d minutes", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d hours", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// verbs complete "the function …".
var verbs = map[function.UseKind]string{
	function.UseEgress: "connects to", function.UseDNS: "looks up", function.UseAWS: "calls", function.UseExec: "starts", function.UseRead: "reads",
	function.UseWrite: "writes", function.UseFunction: "invokes function", function.UseBucket: "uses bucket", function.UseQueue: "sends to queue", function.UseSecret: "reads secret",
}

// String says in a few words what the entry allows.
func (e *Entry) String() string {
	s := verbs[e.Kind] + " " + plain(e.Target)
	if e.Args != nil {
		s += " [" + plain(strings.Join(e.Args, " ")) + "]"
	}
	return s
}

// plain takes the escapes out of folded text.
func plain(s string) string { return strings.NewReplacer(`\*`, "*", `\<`, "<", `\\`, `\`).Replace(s) }
