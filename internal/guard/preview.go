package guard

import (
	"iter"

	"redoubt.dev/redoubt/internal/policy"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

// maxSamples is how many changed events a Preview shows.
const maxSamples = 50

// Known is what Decide needs to know of one workload.
type Known struct {
	Matcher *profile.Matcher
	State   profile.State
	Context Context
}

// PreviewOf replays recorded events against two sets of policies and says
// where the answer differs in effect or in the rule that gives it. Profiles
// are today's on both sides, so that only the policies make a difference.
func PreviewOf(before, after *policy.Set, events iter.Seq[redoubt.Event], known func(*redoubt.Event) Known) Preview {
	var out Preview
	for ev := range events {
		if !profile.Judges(ev.Kind) {
			continue
		}
		out.Events++
		if out.From.IsZero() || ev.Time.Before(out.From) {
			out.From = ev.Time
		}
		k := known(&ev)
		now := Decide(&ev, k.Matcher, k.State, before, k.Context)
		then := Decide(&ev, k.Matcher, k.State, after, k.Context)
		if now.Effect == then.Effect && now.Rule == then.Rule {
			continue
		}
		out.Changed++
		if len(out.Samples) < maxSamples {
			then.Enforced = ""
			out.Samples = append(out.Samples, PreviewChange{Event: ev, Then: then})
		}
	}
	return out
}
