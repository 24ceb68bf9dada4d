// Package guard decides: it holds an event against the workload's profile and
// the policies and says what is to happen, why, and what would have to change
// for another answer. All of it is pure. The rules by which the kernel decides
// alone are package kernel's, carrying a verdict out is the defender's
// business, keeping it the console's.
package guard

import (
	"fmt"
	"time"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/policy"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

// Explanation answers why an event got its verdict.
type Explanation struct {
	Event    redoubt.Event   `json:"event"`
	Verdict  redoubt.Verdict `json:"verdict"`
	Rules    []RuleStep      `json:"rules"` // in the order they were asked, up to the one that decided
	Nearest  *profile.Entry  `json:"nearest,omitempty"`
	Compared []Difference    `json:"compared,omitempty"` // against Nearest
	Allow    *Change         `json:"allow,omitempty"`    // the smallest change that would let it pass
	Prevent  *Change         `json:"prevent,omitempty"`  // the smallest rule that would make it fail; nil where none can
	Advice   string          `json:"advice"`
}

// RuleStep is one rule's answer.
type RuleStep struct {
	Rule    string `json:"rule"`
	Matched bool   `json:"matched"`
	Why     string `json:"why"`
}

// Difference is one compared field.
type Difference struct {
	Field string `json:"field"`
	Want  string `json:"want"`
	Got   string `json:"got"`
	Same  bool   `json:"same"`
}

// Change is what "allow this" writes: an entry for the profile, or, where a
// policy rule said no, a rule to put before it; and what "prevent this" writes:
// a rule to put first in the policy named after the workload.
type Change struct {
	Text   string         `json:"text"`
	Entry  *profile.Entry `json:"entry,omitempty"`
	Policy string         `json:"policy,omitempty"`
	Rule   *policy.Rule   `json:"rule,omitempty"`
}

// Preview is what a policy would have changed on recorded events.
type Preview struct {
	Problems []policy.Problem `json:"problems,omitempty"`
	Events   int              `json:"events"`        // replayed
	From     time.Time        `json:"from,omitzero"` // the oldest of them
	Changed  int              `json:"changed"`
	Samples  []PreviewChange  `json:"samples,omitempty"` // at most fifty
}

// PreviewChange is one event whose verdict would differ.
type PreviewChange struct {
	Event redoubt.Event   `json:"event"`
	Then  redoubt.Verdict `json:"then"`
}

// Explain says why an event got its verdict, by today's profile and policies.
// The verdict in the answer is the recorded one where there is one; Advice
// says so when today's would be another. Arguments are those of Decide.
func Explain(ev *redoubt.Event, m *profile.Matcher, state profile.State, set *policy.Set, c Context) Explanation {
	today := Decide(ev, m, state, set, c)
	out := Explanation{Event: *ev, Verdict: ev.Verdict, Rules: []RuleStep{}}
	if out.Verdict.Effect == "" {
		out.Verdict = today
	}
	if !profile.Judges(ev.Kind) {
		out.Advice = fmt.Sprintf("Nothing judges %s events; they are kept as a record.", ev.Kind)
		return out
	}
	facts := policy.Facts{Novel: today.Novel, Names: c.Names}
	var decided *policy.Hit
	for _, h := range set.Overlay(ev.Workload, c.Labels, ev.Node).Steps(ev, facts) {
		out.Rules = append(out.Rules, RuleStep{Rule: h.Name(), Matched: h.Matched, Why: printable(h.Why)})
		if h.Matched {
			decided = &h
		}
	}
	if decided == nil {
		out.Rules = append(out.Rules, profileSteps(today, state)...)
	}
	if m != nil {
		if e, ok := m.Match(ev); ok {
			out.Nearest = e
		} else if e, compared := m.Nearest(ev); e != nil && related(ev, compared) {
			out.Nearest = e
			for _, d := range compared {
				out.Compared = append(out.Compared, Difference(d))
			}
		}
	}
	var reason string
	if Alarms(today) || today.Novel && decided == nil {
		out.Allow, reason = allow(ev, m, today, decided, set, c)
	}
	if out.Allow != nil {
		out.Allow.Text = printable(out.Allow.Text)
	}
	if change, err := PreventChange(ev, m); err == nil {
		out.Prevent = &change
	}
	out.Advice = printable(advice(&out, today, decided, reason))
	return out
}

func profileSteps(v redoubt.Verdict, state profile.State) []RuleStep {
	if !v.Novel {
		return []RuleStep{{Rule: RuleProfile, Matched: true, Why: v.Reason}}
	}
	first := RuleStep{Rule: RuleProfile, Why: "the profile does not hold it"}
	if Learns(v) {
		return []RuleStep{first, {Rule: RuleLearning, Matched: true, Why: v.Reason}}
	}
	if state == "" {
		state = profile.Learning
	}
	return []RuleStep{first, {Rule: RuleProfile + "/" + string(state), Matched: true, Why: v.Reason}}
}

// allow finds the smallest change that lets an event pass; where there is
// none, it says why.
func allow(ev *redoubt.Event, m *profile.Matcher, v redoubt.Verdict, decided *policy.Hit, set *policy.Set, c Context) (change *Change, why string) {
	if decided == nil || decided.Rule.Novel != nil && v.Novel {
		e, err := profile.EntryFor(ev)
		if err == nil {
			return &Change{Text: fmt.Sprintf("add to the profile of %s: %s", ev.Workload.ID, &e), Entry: &e}, ""
		}
		if decided == nil {
			return nil, explainFault(err)
		}
	}
	if !nameable(ev) {
		return nil, "the event does not say enough about itself"
	}
	r := narrowest(ev, redoubt.EffectIgnore)
	r.Name = "allow-" + r.Name
	if why := invalid(r); why != "" {
		return nil, "no rule can name it: " + why
	}
	if ok, _ := r.Match(ev, policy.Facts{Novel: v.Novel, Names: c.Names}); !ok {
		return nil, "the event does not say enough about itself to be allowed by itself"
	}
	return &Change{Text: fmt.Sprintf("in policy %s, before rule %s: ignore %s", decided.Policy, decided.Rule.Name, ruleText(&r)), Policy: decided.Policy, Rule: &r}, ""
}

func explainFault(err error) string {
	if fault.Of(err) == fault.Internal {
		return "it cannot be put into words"
	}
	return err.Error()
}

func advice(out *Explanation, today redoubt.Verdict, decided *policy.Hit, reason string) string {
	var s string
	switch {
	case Learns(today):
		s = "It is being learned and needs nothing."
	case !Alarms(today):
		s = "It is allowed and needs nothing."
	case out.Allow == nil:
		s = "It cannot be allowed: " + reason + "."
	case out.Allow.Rule != nil:
		s = fmt.Sprintf("If it is right, %s; otherwise leave the policy as it is.", out.Allow.Text)
	case decided != nil:
		s = fmt.Sprintf("If it is normal, %s; rule %s then no longer matches it.", out.Allow.Text, decided.Rule.Name)
	case today.Effect == redoubt.EffectPrevent:
		s = fmt.Sprintf("If it is normal, %s; until then it is prevented.", out.Allow.Text)
	default:
		s = fmt.Sprintf("If it is normal, %s; if not, prevent it.", out.Allow.Text)
	}
	if out.Verdict.Effect != today.Effect {
		s = fmt.Sprintf("By today's profile and policies the answer is %s (%s). %s", today.Effect, today.Reason, s)
	}
	return s
}
