package guard

import (
	"slices"

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

// execRule is a policy rule with its doubtful conditions taken out, once for a
// known parent and once for an unknown one.
type execRule struct {
	effect          redoubt.Effect
	novel           bool
	narrow          bool // has conditions on arguments or origin of the caller
	parents         bool
	paths           bool
	withParent, any func(*redoubt.Event, policy.Facts) bool
	anyPath         func(*redoubt.Event, policy.Facts) bool // paths taken out too
}

func execRules(o *policy.Overlay) []execRule {
	var out []execRule
	for _, r := range o.Rules() {
		if n := r.Novel; n != nil && (len(n.Kinds) == 0 || slices.Contains(n.Kinds, redoubt.EventExec)) {
			out = append(out, execRule{effect: r.Effect, novel: true})
		}
		if r.Exec == nil {
			continue
		}
		x := *r.Exec
		e := execRule{effect: r.Effect, narrow: len(x.Args) > 0 || x.Entered != nil, parents: len(x.Parents) > 0, paths: len(x.Paths) > 0}
		x.Args, x.Entered = nil, nil
		e.withParent = relaxed(r.Effect, x)
		x.Parents = nil
		e.any = relaxed(r.Effect, x)
		x.Paths = nil
		e.anyPath = relaxed(r.Effect, x)
		out = append(out, e)
	}
	return out
}

func relaxed(effect redoubt.Effect, x policy.Exec) func(*redoubt.Event, policy.Facts) bool {
	r := policy.Rule{Exec: &x, Effect: effect}
	return r.Test()
}

// fits says whether a rule matches a program in view.
func (r *execRule) fits(v *execView, known fit) fit {
	if r.novel {
		return yes - known
	}
	ev := redoubt.Event{Kind: redoubt.EventExec, Process: &redoubt.Process{Path: v.path, File: &redoubt.File{Digest: v.digest, Origin: v.origin}}}
	test := r.any
	if v.parent != "" {
		ev.Process.Parent, test = &redoubt.Process{Path: v.parent}, r.withParent
	}
	// A loader's and a multi-call program's names come with the arguments.
	doubtful := v.multicall || policy.IsLoader(v.path)
	switch matched := test(&ev, policy.Facts{Names: v.names}); {
	case matched && !r.narrow && (v.parent != "" || !r.parents):
		return yes
	case matched:
		return maybe
	case doubtful && r.paths && r.anyPath(&ev, policy.Facts{}):
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
	known := knows(entries, v)
	for i := range rules {
		r := &rules[i]
		f := r.fits(v, known)
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
	if state == profile.Enforcing && !Exempt(w) {
		return redoubt.EffectPrevent
	}
	return redoubt.EffectAlert
}
