package alert

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"redoubt.dev/redoubt/internal/redoubt"
)

// Title says in a few words what happened, for an alert's heading.
func Title(ev *redoubt.Event) string {
	s := did(ev, func(p string) string { return path.Base(p) })
	if ev.Workload.Name != "" {
		s += " in " + plain(ev.Workload.Name)
	}
	return s
}

// line is a timeline's words for an event: longer than a title, with the paths
// whole and what is odd about it.
func line(ev *redoubt.Event) string {
	s := did(ev, func(p string) string { return p })
	if ev.Verdict.Novel {
		s += " (never seen before)"
	}
	if what := done(ev.Verdict); what != "" {
		s += "; " + what
	}
	return s
}

// did words what a workload did; short shortens the paths in it.
func did(ev *redoubt.Event, short func(string) string) string {
	name := func(p *redoubt.Process) string {
		if n := program(p); n != "" {
			return plain(short(n))
		}
		return "an unknown program"
	}
	p := ev.Process
	switch {
	case ev.Kind == redoubt.EventExec && p == nil:
		return "An unknown program was started"
	case ev.Kind == redoubt.EventExec:
		return started(p, name) + oddity(p)
	case ev.Network == nil:
		return name(p) + ": " + string(ev.Kind)
	case ev.Kind == redoubt.EventListen:
		return fmt.Sprintf("%s listens on %s port %d", name(p), ev.Network.Proto, ev.Network.Local.Port())
	case ev.Kind == redoubt.EventAccept:
		return fmt.Sprintf("%s is reached on %s port %d", name(p), ev.Network.Proto, ev.Network.Local.Port())
	}
	return fmt.Sprintf("%s connects to %s, %s port %d", name(p), plain(peer(ev.Network)), ev.Network.Proto, ev.Network.Remote.Port())
}

func started(p *redoubt.Process, name func(*redoubt.Process) string) string {
	switch {
	case p.Entered:
		return "Somebody started " + name(p) + " from outside"
	case p.Parent != nil && p.Parent.Path != "":
		return name(p.Parent) + " started " + name(p)
	}
	return name(p) + " was started"
}

func oddity(p *redoubt.Process) string {
	if p.File == nil {
		return ""
	}
	switch p.File.Origin {
	case redoubt.OriginWritten:
		return ", a file written since the start"
	case redoubt.OriginMemory:
		return ", a program without a file"
	}
	return ""
}

// done says what came of it where that was more than an alert.
func done(v redoubt.Verdict) string {
	carried := v.Enforced != ""
	switch v.Effect {
	case redoubt.EffectPrevent:
		if carried {
			return "it was prevented"
		}
		return "it should have been prevented but was not"
	case redoubt.EffectBlock:
		return "the workload is to be stopped"
	case redoubt.EffectIsolate:
		return "the workload's network is to be cut"
	}
	return ""
}

// times adds how often something happened.
func times(s string, n int) string {
	if n < 2 {
		return s
	}
	return s + ", " + strconv.Itoa(n) + " times"
}

const maxWords = 160

// plain makes a name that a workload chose fit to print: no control
// characters, no endless lines.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '\uFFFD'
	}, s)
	if r := []rune(s); len(r) > maxWords {
		return string(r[:maxWords]) + "…"
	}
	return s
}

// tactics in the order in which attacks run through them.
var tactics = []string{
	"Initial Access", "Execution", "Persistence", "Privilege Escalation", "Defense Evasion", "Credential Access",
	"Discovery", "Lateral Movement", "Collection", "Command and Control", "Exfiltration", "Impact",
}

// incidentTitle tells the story by its tactics; a story of one alert has that
// alert's title.
func incidentTitle(i *redoubt.Incident, only string) string {
	if len(i.Alerts) == 1 {
		return only
	}
	var seen []string
	for _, id := range i.Techniques {
		if t, ok := redoubt.TechniqueByID(id); ok && !slices.Contains(seen, t.Tactic) {
			seen = append(seen, t.Tactic)
		}
	}
	slices.SortFunc(seen, func(a, b string) int { return slices.Index(tactics, a) - slices.Index(tactics, b) })
	what := "Several alerts"
	if len(seen) > 0 {
		what = and(seen)
	}
	return what + " in " + plain(nameOf(i.Workload))
}

func nameOf(w redoubt.WorkloadRef) string {
	if w.Name != "" {
		return w.Name
	}
	return string(w.ID)
}

// and joins words as a sentence does: only the first keeps its capital.
func and(words []string) string {
	for i := 1; i < len(words); i++ {
		words[i] = strings.ToLower(words[i])
	}
	if len(words) == 1 {
		return words[0]
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}
