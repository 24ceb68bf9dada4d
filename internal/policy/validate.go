package policy

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"unicode"

	"redoubt.dev/redoubt/internal/redoubt"
)

var (
	effects   = []redoubt.Effect{redoubt.EffectIgnore, redoubt.EffectAlert, redoubt.EffectPrevent, redoubt.EffectBlock, redoubt.EffectIsolate}
	workloads = []redoubt.WorkloadKind{redoubt.KindContainer, redoubt.KindService, redoubt.KindHost}
	origins   = []redoubt.Origin{redoubt.OriginImage, redoubt.OriginWritten, redoubt.OriginMemory}
	protos    = []redoubt.Proto{redoubt.TCP, redoubt.UDP}
	judged    = []redoubt.EventKind{redoubt.EventExec, redoubt.EventListen, redoubt.EventConnect}
	places    = []string{"loopback", "private", "public"}
)

const (
	maxPattern  = 512 // bytes
	maxText     = 4096
	maxPriority = 1_000_000
)

var (
	nameForm   = regexp.MustCompile(`^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$`)
	digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// Validate reports everything wrong with a policy that did not come through
// Parse. Its problems name the field and have no line.
func Validate(p Policy) []Problem {
	var out []Problem
	check(&p, func(path, message string) {
		if len(out) < maxProblems {
			out = append(out, Problem{Message: path + ": " + message})
		}
	})
	if len(p.Rules) > MaxRules && len(out) < maxProblems {
		out = append(out, Problem{Message: fmt.Sprintf("rules: %d rules, at most %d are allowed", len(p.Rules), MaxRules)})
	}
	return out
}

// check calls report for each problem with the path of the value, as in
// "rules[2].exec.paths[0]".
func check(p *Policy, report func(path, message string)) {
	if !nameForm.MatchString(p.Name) {
		report("name", fmt.Sprintf("a policy's name has 1 to 63 small letters, digits, dots, dashes or underscores, not %q", clip(p.Name)))
	}
	checkText("description", p.Description, report)
	if p.Priority < -maxPriority || p.Priority > maxPriority {
		report("priority", fmt.Sprintf("priority must lie between -%d and %d", maxPriority, maxPriority))
	}
	p.Scope.check("scope", report)
	if len(p.Rules) == 0 {
		report("rules", "a policy needs at least one rule")
	}
	first := map[string]int{}
	for i := range p.Rules {
		r, path := &p.Rules[i], fmt.Sprintf("rules[%d]", i)
		r.check(path, report)
		if j, twice := first[r.Name]; twice && r.Name != "" {
			report(path+".name", fmt.Sprintf("rule %d is called %q already", j+1, clip(r.Name)))
			continue
		}
		first[r.Name] = i
	}
}

func (s *Scope) check(path string, report func(path, message string)) {
	checkPatterns(path+".workloads", s.Workloads, report)
	checkNames(path+".kinds", s.Kinds, workloads, report)
	checkPatterns(path+".images", s.Images, report)
	checkPatterns(path+".nodes", s.Nodes, report)
	for k, v := range s.Labels {
		if k == "" || len(k) > maxPattern || hasControl(k) {
			report(path+".labels", "a label needs a name without control characters")
		}
		checkPattern(path+".labels."+k, v, report)
	}
}

func (r *Rule) check(path string, report func(path, message string)) {
	if !nameForm.MatchString(r.Name) {
		report(path+".name", fmt.Sprintf("a rule's name has 1 to 63 small letters, digits, dots, dashes or underscores, not %q", clip(r.Name)))
	}
	checkText(path+".note", r.Note, report)
	switch {
	case r.Effect == "":
		report(path+".effect", "a rule needs an effect: "+strings.Join(names(effects), ", "))
	case !oneOf(r.Effect, effects):
		report(path+".effect", fmt.Sprintf("there is no effect %q, %s", clip(string(r.Effect)), didYouMean(string(r.Effect), names(effects))))
	}
	parts := 0
	for _, set := range []bool{r.Exec != nil, r.Listen != nil, r.Connect != nil, r.Novel != nil} {
		if set {
			parts++
		}
	}
	if parts != 1 {
		report(path, fmt.Sprintf("a rule has exactly one of exec, listen, connect or novel, this one has %d", parts))
	}
	if e := r.Exec; e != nil {
		e.check(path+".exec", report)
	}
	if l := r.Listen; l != nil {
		checkPorts(path+".listen.ports", l.Ports, report)
		checkProto(path+".listen.proto", l.Proto, report)
		checkPaths(path+".listen.paths", l.Paths, report)
	}
	if c := r.Connect; c != nil {
		c.check(path+".connect", report)
	}
	if r.Novel != nil {
		checkNames(path+".novel.kinds", r.Novel.Kinds, judged, report)
	}
}

func (e *Exec) check(path string, report func(path, message string)) {
	checkPaths(path+".paths", e.Paths, report)
	checkPaths(path+".parents", e.Parents, report)
	checkPatterns(path+".args", e.Args, report)
	checkNames(path+".origins", e.Origins, origins, report)
	for i, d := range e.Digests {
		if !digestForm.MatchString(string(d)) {
			report(fmt.Sprintf("%s.digests[%d]", path, i), fmt.Sprintf("a digest is sha256: and 64 small hex digits, not %q", clip(string(d))))
		}
	}
}

func (c *Connect) check(path string, report func(path, message string)) {
	checkPorts(path+".ports", c.Ports, report)
	checkProto(path+".proto", c.Proto, report)
	checkPaths(path+".paths", c.Paths, report)
	for i, to := range c.To {
		if oneOf(to, places) || strings.Contains(to, "/") && isWorkload(to) {
			continue
		}
		if _, err := netip.ParsePrefix(to); err == nil {
			continue
		}
		if a, err := netip.ParseAddr(to); err == nil && a.Zone() == "" {
			continue
		}
		report(fmt.Sprintf("%s.to[%d]", path, i), fmt.Sprintf("%q is no address, prefix or workload id: write 10.0.0.0/8, 192.0.2.7, docker/NAME, loopback, private or public", clip(to)))
	}
}

// isWorkload says whether to names workloads by id.
func isWorkload(to string) bool {
	for _, p := range []string{"docker/", "service/", "host/"} {
		if strings.HasPrefix(to, p) && len(to) > len(p) && len(to) <= maxPattern && !hasControl(to) {
			return true
		}
	}
	return false
}

func checkPorts(path string, ports []uint16, report func(path, message string)) {
	for i, p := range ports {
		if p == 0 {
			report(fmt.Sprintf("%s[%d]", path, i), "a port lies between 1 and 65535")
		}
	}
}

func checkProto(path string, p redoubt.Proto, report func(path, message string)) {
	if p != "" && !oneOf(p, protos) {
		report(path, fmt.Sprintf("there is no protocol %q, %s", clip(string(p)), didYouMean(string(p), names(protos))))
	}
}

func checkNames[T ~string](path string, got, known []T, report func(path, message string)) {
	for i, g := range got {
		if !oneOf(g, known) {
			report(fmt.Sprintf("%s[%d]", path, i), fmt.Sprintf("there is no %q here, %s", clip(string(g)), didYouMean(string(g), names(known))))
		}
	}
}

func checkPaths(path string, patterns []string, report func(path, message string)) {
	for i, p := range patterns {
		at := fmt.Sprintf("%s[%d]", path, i)
		checkPattern(at, p, report)
		if p != "" && p[0] != '/' && p[0] != '*' && p[0] != '?' {
			report(at, fmt.Sprintf("program paths are absolute, so %q matches nothing: write */%s", clip(p), clip(p)))
		}
	}
}

func checkPatterns(path string, patterns []string, report func(path, message string)) {
	for i, p := range patterns {
		checkPattern(fmt.Sprintf("%s[%d]", path, i), p, report)
	}
}

func checkPattern(path, p string, report func(path, message string)) {
	switch {
	case p == "":
		report(path, "a pattern must not be empty: write * to match anything")
	case len(p) > maxPattern:
		report(path, fmt.Sprintf("a pattern has at most %d bytes, this one has %d", maxPattern, len(p)))
	case hasControl(p):
		report(path, "a pattern must be text without control characters")
	}
}

func checkText(path, s string, report func(path, message string)) {
	if len(s) > maxText || hasControl(strings.ReplaceAll(s, "\n", "")) {
		report(path, fmt.Sprintf("a text has at most %d bytes and no control characters", maxText))
	}
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar })
}
