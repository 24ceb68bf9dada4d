// Package kernel turns a workload's profile and policies into the rules by
// which the kernel, and the gate that asks before files are opened, decide
// alone. It agrees with package guard, which decides on whole events: what is
// not certain before an event is whole is left to guard. It changes nothing
// itself.
package kernel

import (
	"fmt"
	"net/netip"

	"redoubt.dev/redoubt/internal/policy"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/sensor"
)

// Subject is one workload as Compile and Open see it.
type Subject struct {
	Ref      redoubt.WorkloadRef
	State    profile.State
	Profile  *profile.Profile // nil holds nothing
	Overlay  *policy.Overlay
	Files    []Located
	Peers    func(workload string) []netip.Addr // addresses of workloads whose id fits a pattern; nil knows none
	Resolver bool                               // somebody is asked before a file is opened for execution
}

// Ruleset is what the kernel is to do in a slot by itself.
type Ruleset struct {
	Mode    sensor.Mode
	Exec    map[sensor.ExecKey]sensor.Action
	Connect map[sensor.ConnectKey]sensor.Action
	Listen  map[redoubt.Port]sensor.Action
	Gaps    []string // what is seen but cannot be prevented, in plain words
}

// maxRules bounds each kind of rule of one slot. What is beyond it falls to
// the mode, and Gaps says so.
const maxRules = 4096

// Compile turns profile, state and policies of a workload into kernel rules.
// The kernel decides only what is certain: Allow where profile and policies
// ignore the behaviour whatever its arguments are, Deny where they prevent it.
// What hangs on more is held before its first instruction where a denial is
// among the answers, and reported otherwise; user space then decides and may
// add an exact rule, see Exact. Learning and observing report what is unknown,
// enforcing denies it, save in workloads that guard.Exempt names.
//
// The kernel compares neither the program that opens a socket nor whether a
// process came in from outside. A program is therefore never allowed by its
// file alone, only together with its parent. A connection the profile knows
// from one program is allowed to every program of that workload, each of which
// was judged when it started.
func Compile(s Subject) Ruleset {
	c := compiler{Subject: s, exec: execRules(s.Overlay), out: Ruleset{
		Exec: map[sensor.ExecKey]sensor.Action{}, Connect: map[sensor.ConnectKey]sensor.Action{}, Listen: map[redoubt.Port]sensor.Action{},
	}}
	if s.Profile != nil {
		c.entries = s.Profile.Entries
	}
	c.out.Mode.Exec = c.execMode()
	c.files()
	c.connect()
	c.listen()
	return c.out
}

type compiler struct {
	Subject
	exec    []execRule
	entries []profile.Entry
	out     Ruleset
}

func (c *compiler) gap(format string, args ...any) {
	const most = 50
	text := fmt.Sprintf(format, args...)
	for _, g := range c.out.Gaps {
		if g == text {
			return
		}
	}
	if len(c.out.Gaps) < most {
		c.out.Gaps = append(c.out.Gaps, text)
	}
}

// execMode is the answer to a program that was never located. It is unknown to
// the profile by then: what it knows has been located, or is opened first. What
// nobody was asked about before it was opened, as a file in memory or on a
// mount that only its own namespace has, may hold a denied program: where one
// is denied by its content it is held. On hosts, where nobody is ever asked,
// that would be every exec; there it is judged when it has started.
func (c *compiler) execMode() sensor.Action {
	denied := false
	effect := fallback(c.State, c.Ref)
	anything := redoubt.Event{Kind: redoubt.EventExec, Process: &redoubt.Process{Path: "/"}}
	for i := range c.exec {
		r := &c.exec[i]
		if r.novel || !r.narrow && !r.parents && !r.paths && r.test(&anything, policy.Facts{}, 0) {
			effect = r.effect
			break
		}
		denied = denied || r.effect == redoubt.EffectPrevent || r.effect == redoubt.EffectBlock
	}
	var o outcome
	o.add(effect)
	switch {
	case o.deny && c.Resolver:
		return sensor.Deny
	case o.deny, denied && (!c.Resolver || c.Ref.Kind == redoubt.KindContainer):
		return sensor.Hold
	}
	return sensor.Report
}

// files makes the rules of located programs: one by the file, and one for each
// located parent that the profile names.
func (c *compiler) files() {
	byPath := map[string]redoubt.FileKey{}
	for i := range c.Files {
		byPath[c.Files[i].Path] = c.Files[i].Key
	}
	for i := range c.Files {
		f := &c.Files[i]
		if f.Key.Ino == 0 {
			continue
		}
		v := c.view(f)
		if a := c.decide(&v); a != sensor.Allow && a != c.out.Mode.Exec {
			c.put(sensor.ExecKey{File: f.Key}, a)
		}
		for j := range c.entries {
			x := c.entries[j].Exec
			if x == nil || x.Path != f.Path || x.Parent == "" {
				continue
			}
			if parent := byPath[x.Parent]; parent.Ino != 0 {
				v.parent = x.Parent
				c.put(sensor.ExecKey{File: f.Key, Parent: parent}, c.decide(&v))
			}
		}
	}
}

func (c *compiler) view(f *Located) execView {
	p := f.Path
	if f.multicall() && f.Target != "" {
		p = f.Target
	}
	return execView{path: p, digest: f.Digest, origin: f.Origin, multicall: f.multicall(), names: Names(c.Files, f.Digest)}
}

func (c *compiler) decide(v *execView) sensor.Action {
	a := execOutcome(c.exec, c.entries, c.State, c.Ref, v).action()
	if a == sensor.Allow && v.parent == "" {
		return sensor.Report
	}
	return a
}

// severity of actions where two paths lead to one file: doubt wins.
var strictness = map[sensor.Action]int{sensor.Allow: 0, sensor.Report: 1, sensor.Deny: 2, sensor.Hold: 3}

func (c *compiler) put(k sensor.ExecKey, a sensor.Action) {
	old, had := c.out.Exec[k]
	switch {
	case had && old != a && (old == sensor.Deny || a == sensor.Deny):
		a = sensor.Hold
	case had && strictness[old] > strictness[a]:
		a = old
	case !had && len(c.out.Exec) >= maxRules:
		c.gap("%s has more than %d programs with rules; the others are decided as unknown ones", c.Ref.ID, maxRules)
		return
	}
	c.out.Exec[k] = a
}

// Exact returns the kernel rule for exactly what a sighting showed once its
// event has a verdict; ok is false where there is none to make. What came from
// outside, and a container's first process, are always sent up: their parents
// are not the workload's. So is what is alerted on.
func Exact(s *sensor.Sighting, v redoubt.Verdict) (key sensor.ExecKey, a sensor.Action, ok bool) {
	k := s.Key
	if s.Kind != redoubt.EventExec || s.Entered || s.Init || s.Truncated || s.Unread || s.Loader || k.File.Ino == 0 || k.Parent.Ino == 0 || k.Args == 0 {
		return sensor.ExecKey{}, sensor.Report, false
	}
	switch v.Effect {
	case redoubt.EffectIgnore:
		return k, sensor.Allow, true
	case redoubt.EffectPrevent, redoubt.EffectBlock:
		return k, sensor.Deny, true
	}
	return sensor.ExecKey{}, sensor.Report, false
}
