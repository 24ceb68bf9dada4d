package coraza

import (
	"cmp"
	"slices"
	"strings"

	"github.com/corazawaf/coraza/v3/types"

	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/route"
	"redoubt.dev/redoubt/internal/waf"
)

const (
	defaultThreshold = 5
	answers          = 950000 // rules from here on look at answers
	maxTags          = 8
)

// scores are the Core Rule Set's: what a match of each severity adds.
var scores = map[types.RuleSeverity]int{types.RuleSeverityCritical: 5, types.RuleSeverityError: 4, types.RuleSeverityWarning: 3, types.RuleSeverityNotice: 2}

// judge adds up what matched in a request.
func judge(matched []types.MatchedRule, r *waf.Request, over bool) *waf.Verdict {
	v := tally(matched, r, func(rule int) bool { return rule < answers })
	v.Oversize = over
	v.Action = action(v.Score >= v.Threshold, over, r.Setting)
	return v
}

func judgeAnswer(matched []types.MatchedRule, r *waf.Request) *waf.Verdict {
	v := tally(matched, r, func(rule int) bool { return rule >= answers })
	v.Threshold--
	v.Action = action(v.Score >= v.Threshold, false, r.Setting)
	return v
}

func action(tripped, over bool, s route.Firewall) waf.Action {
	switch {
	case s.Mode == route.FirewallPrevent && (tripped || over && s.Oversize != "pass"):
		return waf.Refuse
	case tripped || over:
		return waf.Alert
	}
	return waf.Pass
}

// tally counts every rule once, however many parameters it matched: what is
// left of it after the exclusions.
func tally(matched []types.MatchedRule, r *waf.Request, counts func(rule int) bool) *waf.Verdict {
	v := &waf.Verdict{Threshold: cmp.Or(r.Setting.Threshold, defaultThreshold)}
	seen := map[int]bool{}
	for _, m := range matched {
		rule := m.Rule().ID()
		class, technique, known := waf.Classify(rule)
		score := scores[m.Rule().Severity()]
		if !known || score == 0 || !counts(rule) || r.Event && (class == waf.Protocol || class == waf.Scanner) {
			continue
		}
		var left []types.MatchData
		for _, d := range m.MatchedDatas() {
			if d.ChainLevel() == 0 {
				if excluded(r.Setting.Exclusions, rule, variable(d)) {
					v.Excluded++
				} else {
					left = append(left, d)
				}
			}
		}
		if len(left) == 0 || seen[rule] {
			continue
		}
		seen[rule] = true
		v.Score += score
		v.Findings = append(v.Findings, finding(m, left[0], class, technique))
	}
	slices.SortStableFunc(v.Findings, func(a, b waf.Finding) int { return cmp.Compare(b.Severity, a.Severity) })
	if len(v.Findings) > waf.MaxFindings {
		v.Findings = v.Findings[:waf.MaxFindings]
	}
	return v
}

func finding(m types.MatchedRule, d types.MatchData, class waf.Class, technique string) waf.Finding {
	name := variable(d)
	return waf.Finding{
		Rule: m.Rule().ID(), Class: class, Technique: technique, Severity: severity(m.Rule().Severity()),
		Tags: tags(m.Rule().Tags()), Message: waf.Clip(m.Message()), Variable: waf.Clip(name), Excerpt: waf.Excerpt(name, d.Value()),
		Exclusion: route.Exclusion{Rule: m.Rule().ID(), Parameter: waf.Parameter(name)},
	}
}

// tags leaves out what every rule carries.
func tags(all []string) []string {
	var out []string
	for _, t := range all {
		if !strings.HasPrefix(t, "application-") && !strings.HasPrefix(t, "language-") && !strings.HasPrefix(t, "platform-") && t != "OWASP_CRS" && len(out) < maxTags {
			out = append(out, t)
		}
	}
	return out
}

// variable names what matched. Several parameters of one name share it.
func variable(d types.MatchData) string {
	name := d.Variable().Name()
	switch name {
	case "ARGS_GET", "ARGS_POST":
		name = "ARGS"
	case "ARGS_GET_NAMES", "ARGS_POST_NAMES":
		name = "ARGS_NAMES"
	}
	if d.Key() != "" {
		name += ":" + d.Key()
	}
	return name
}

func excluded(list []route.Exclusion, rule int, variable string) bool {
	return slices.ContainsFunc(list, func(e route.Exclusion) bool {
		return e.Rule == rule && (e.Parameter == "" || strings.EqualFold(waf.Parameter(e.Parameter), waf.Parameter(variable)))
	})
}

func severity(s types.RuleSeverity) redoubt.Severity {
	switch s {
	case types.RuleSeverityCritical:
		return redoubt.High // a request that tries; what succeeds is critical, and others see that
	case types.RuleSeverityError:
		return redoubt.Medium
	}
	return redoubt.Low
}
