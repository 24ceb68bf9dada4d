package function

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Action is what a finding proposes.
type Action string

// The actions; each is one call of the Registry or a new deployment.
const (
	ProposeDisable       Action = "disable"        // undone by enable
	ProposeDeleteVersion Action = "delete-version" // of Finding.Version
	ProposeDropTrigger   Action = "drop-trigger"   // deploy without Finding.Trigger
	ProposeUpgrade       Action = "upgrade"        // deploy for a newer language
)

// Finding is something deployed that nobody seems to need, or that is out of
// date.
type Finding struct {
	Function string `json:"function"`
	Version  int    `json:"version,omitempty"`
	Trigger  string `json:"trigger,omitempty"`
	Text     string `json:"text"` // what was found and what to do, for people
	Action   Action `json:"action"`
}

// Activity is when a function was last called: at all, by version, and by
// trigger, named as Trigger.String does. Calls that never reached the code do
// not count: an attacker's knocking keeps nothing alive.
type Activity struct {
	Last     time.Time
	Versions map[int]time.Time
	Triggers map[string]time.Time
}

// Reached says whether a call with that outcome is activity.
func (o Outcome) Reached() bool {
	switch o {
	case Denied, Refused, Throttled, Gone:
		return false
	}
	return true
}

// Note adds a call.
func (a *Activity) Note(inv *Invocation) {
	if !inv.Outcome.Reached() {
		return
	}
	if a.Versions == nil {
		a.Versions, a.Triggers = map[int]time.Time{}, map[string]time.Time{}
	}
	if inv.Time.After(a.Last) {
		a.Last = inv.Time
	}
	if inv.Time.After(a.Versions[inv.Version]) {
		a.Versions[inv.Version] = inv.Time
	}
	if inv.Route != "" && inv.Time.After(a.Triggers[inv.Route]) {
		a.Triggers[inv.Route] = inv.Time
	}
}

// Unused finds what has not been needed for that long: the function itself;
// else triggers of its live versions that never fired and versions behind no
// alias. What is younger than that is left alone, and so is a disabled
// function. A live version in a language past its end is a finding at any age.
func (f *Function) Unused(a Activity, idle time.Duration, now time.Time) []Finding {
	if f.State == Disabled {
		return nil
	}
	out := f.outdated(now)
	days := int(idle.Hours() / 24)
	quiet := func(last, since time.Time) bool { return now.Sub(last) > idle && now.Sub(since) > idle }
	if quiet(a.Last, f.newest()) {
		text := fmt.Sprintf("%s was never called since it was made on %s", f.Name, f.Created.Format(time.DateOnly))
		if !a.Last.IsZero() {
			text = fmt.Sprintf("%s was last called on %s, more than %d days ago", f.Name, a.Last.Format(time.DateOnly), days)
		}
		return append(out, Finding{Function: f.Name, Action: ProposeDisable, Text: text + ": disable it; that can be undone"})
	}
	for i := range f.Versions {
		v := &f.Versions[i]
		if len(f.pointedAt(v.Number)) > 0 {
			out = append(out, f.silent(v, a, idle, now)...)
			continue
		}
		if quiet(a.Versions[v.Number], v.Created) {
			out = append(out, Finding{Function: f.Name, Version: v.Number, Action: ProposeDeleteVersion,
				Text: fmt.Sprintf("version %d of %s is behind no alias and was not called for %d days: delete it", v.Number, f.Name, days)})
		}
	}
	slices.SortStableFunc(out, func(a, b Finding) int { return cmp.Compare(a.Version, b.Version) })
	return out
}

// newest is when the function last got a version.
func (f *Function) newest() time.Time {
	if len(f.Versions) == 0 {
		return f.Created
	}
	return f.Versions[0].Created
}

// silent finds triggers of a version that never fired.
func (f *Function) silent(v *Version, a Activity, idle time.Duration, now time.Time) []Finding {
	if now.Sub(v.Created) <= idle {
		return nil
	}
	var out []Finding
	for _, t := range v.Spec.Triggers {
		name := t.String()
		if last := a.Triggers[name]; now.Sub(last) > idle {
			out = append(out, Finding{Function: f.Name, Version: v.Number, Trigger: name, Action: ProposeDropTrigger,
				Text: fmt.Sprintf("%q of %s made no call for %d days: leave it out of the next deployment", name, f.Name, int(idle.Hours()/24))})
		}
	}
	return out
}

// outdated finds live versions whose language is past its end.
func (f *Function) outdated(now time.Time) []Finding {
	var out []Finding
	for i := range f.Versions {
		v := &f.Versions[i]
		day, source, ok := end(v.Spec.Runtime, v.Spec.Language)
		if !ok || now.Before(day) || len(f.pointedAt(v.Number)) == 0 {
			continue
		}
		out = append(out, Finding{Function: f.Name, Version: v.Number, Action: ProposeUpgrade,
			Text: fmt.Sprintf("version %d of %s is written for %s %s, which gets no security fixes since %s (%s): deploy it for a newer one",
				v.Number, f.Name, v.Spec.Runtime, v.Spec.Language, day.Format(time.DateOnly), source)})
	}
	return out
}
