package kernel

import (
	"slices"

	"redoubt.dev/redoubt/internal/guard"
	"redoubt.dev/redoubt/internal/policy"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/sensor"
)

// The kernel and fanotify know less of an exec than an event does: not its
// arguments, perhaps not its parent. So a rule's answer to them is yes, no, or
// maybe, and what may come out is a set of effects.

type fit int

const (
	no fit = iota
	maybe
	yes
)

// outcome is the set of effects that remain possible.
type outcome struct {
	ignore, report, deny bool
	written              bool // a policy rule is among the denials
}

func (o *outcome) add(e redoubt.Effect) {
	switch e {
	case redoubt.EffectIgnore:
		o.ignore = true
	case redoubt.EffectPrevent, redoubt.EffectBlock:
		o.deny = true
	default:
		o.report = true
	}
}

// action is the kernel's answer: only what is certain is decided there. Doubt
// that includes a denial holds the process until user space has decided.
func (o outcome) action() sensor.Action {
	switch {
	case o.deny && !o.ignore && !o.report:
		return sensor.Deny
	case o.deny:
		return sensor.Hold
	case o.report:
		return sensor.Report
	}
	return sensor.Allow
}

// execView is what is known of an exec before it happens.
type execView struct {
	path      string
	digest    redoubt.Digest
	origin    redoubt.Origin
	names     []string // other located paths of this content
	multicall bool
	parent    string // path; empty is unknown, and then it may come from outside
}

// event is the view as an event that policies can judge.
func (v *execView) event() *redoubt.Event {
	p := &redoubt.Process{Path: v.path, File: &redoubt.File{Digest: v.digest, Origin: v.origin}}
	if v.parent != "" {
		p.Parent = &redoubt.Process{Path: v.parent}
	}
	return &redoubt.Event{Kind: redoubt.EventExec, Process: p}
}

// execRule is a policy rule about programs with its test.
type execRule struct {
	effect  redoubt.Effect
	novel   bool
	narrow  bool // has conditions on arguments or on coming from outside
	parents bool
	paths   bool
	test    policy.Test
}

func execRules(o *policy.Overlay) []execRule {
	var out []execRule
	for r, test := range o.Tests() {
		if n := r.Novel; n != nil && (len(n.Kinds) == 0 || slices.Contains(n.Kinds, redoubt.EventExec)) {
			out = append(out, execRule{effect: r.Effect, novel: true})
		}
		if x := r.Exec; x != nil {
			out = append(out, execRule{effect: r.Effect, narrow: len(x.Args) > 0 || x.Entered != nil, parents: len(x.Parents) > 0, paths: len(x.Paths) > 0, test: test})
		}
	}
	return out
}

// fits says whether a rule matches a program in view.
func (r *execRule) fits(v *execView, ev *redoubt.Event, known fit) fit {
	if r.novel {
		return yes - known
	}
	skip := policy.SkipArgs | policy.SkipParents
	if v.parent != "" {
		skip = policy.SkipArgs
	}
	// A loader's and a multi-call program's names come with the arguments.
	doubtful := v.multicall || policy.IsLoader(v.path)
	switch matched := r.test(ev, policy.Facts{Names: v.names}, skip); {
	case matched && !r.narrow && (v.parent != "" || !r.parents):
		return yes
	case matched:
		return maybe
	case doubtful && r.paths && r.test(ev, policy.Facts{}, skip|policy.SkipPaths):
		return maybe
	}
	return no
}

// knows says whether the profile holds a program in view.
func knows(entries []profile.Entry, v *execView) fit {
	best := no
	for i := range entries {
		x := entries[i].Exec
		if x == nil || x.Path != v.path || !holds(x, v) {
			continue
		}
		switch {
		case v.parent == "":
			best = max(best, maybe) // its parent, or whether it came from outside, decides
		case x.Parent != "" && x.Parent != v.parent:
		case x.Args == nil:
			return yes
		default:
			best = max(best, maybe)
		}
	}
	return best
}

// holds compares contents as the profile does.
func holds(x *profile.Exec, v *execView) bool {
	if v.digest == "" {
		return false
	}
	if len(x.Digests) == 0 {
		return v.origin == redoubt.OriginImage
	}
	return slices.Contains(x.Digests, v.digest)
}

// execOutcome is what may come out for a program in view.
func execOutcome(rules []execRule, entries []profile.Entry, state profile.State, w redoubt.WorkloadRef, v *execView) outcome {
	var out outcome
	known, ev := knows(entries, v), v.event()
	for i := range rules {
		r := &rules[i]
		f := r.fits(v, ev, known)
		if f != no {
			out.add(r.effect)
			out.written = out.deny
		}
		if f == yes {
			return out
		}
	}
	if known != no {
		out.add(redoubt.EffectIgnore)
	}
	if known != yes {
		out.add(fallback(state, w))
	}
	return out
}

// fallback is the effect on what neither policy nor profile knows, as far as
// the kernel is concerned: learning and observing both let it pass and report.
func fallback(state profile.State, w redoubt.WorkloadRef) redoubt.Effect {
	if state == profile.Enforcing && !guard.Exempt(w) {
		return redoubt.EffectPrevent
	}
	return redoubt.EffectAlert
}
