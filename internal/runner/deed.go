package runner

import (
	"fmt"
	"slices"

	"redoubt.dev/redoubt/internal/egress"
	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/sandbox"
)

// backend names who carries refusals out: nothing in the sandbox can undo them.
const backend redoubt.Backend = "sandbox"

// judge decides about one deed: what the role does not grant is refused, and
// so is what Judge objects to. The verdict is kept where it matters.
func (e *environment) judge(use function.Use, args []string, granted bool) (allowed bool) {
	l := e.ledger()
	var v redoubt.Verdict
	if judge := e.r.cfg.Judge; judge != nil {
		v = judge(Deed{Function: e.key.function, Version: e.key.version, Invocation: l.invocation, Use: use, Args: args, Granted: granted})
	}
	if granted && !stops(v) {
		l.verdict(v)
		return true
	}
	if !granted {
		v = ungranted(use, v)
	}
	v.Enforced = backend
	l.verdict(v)
	return false
}

// techniques are the ATT&CK ids of what code does that it was not granted.
var techniques = map[function.UseKind]struct {
	id       string
	severity redoubt.Severity
}{
	function.UseExec:     {"T1059", redoubt.High},
	function.UseEgress:   {"T1041", redoubt.Medium},
	function.UseDNS:      {"T1071.004", redoubt.Low},
	function.UseAWS:      {"T1078.004", redoubt.High},
	function.UseFunction: {"T1648", redoubt.Medium},
	function.UseBucket:   {"T1530", redoubt.Medium},
	function.UseQueue:    {"T1567", redoubt.Medium},
}

// ungranted is the verdict on what the role does not grant. What a model said
// besides is more than that: its rule and entry stay.
func ungranted(use function.Use, v redoubt.Verdict) redoubt.Verdict {
	t := techniques[use.Kind]
	if v.Rule == "" {
		v.Rule = "role"
	}
	v.Effect = redoubt.EffectPrevent
	v.Reason = fmt.Sprintf("%s %s is not granted", use.Kind, use.Target)
	v.Technique = t.id
	v.Severity = max(v.Severity, t.severity)
	return v
}

// onExec decides about a program the code wants to start.
func (e *environment) onExec(x sandbox.Exec) bool {
	use := function.Use{Kind: function.UseExec, Target: clip(x.Path, maxTarget), Count: 1}
	allowed := e.judge(use, x.Args, x.Allowed)
	use.Refused = !allowed
	l := e.ledger()
	l.use(use)
	if !allowed && l.invocation != "" {
		l.taint()
	}
	return allowed
}

// decide answers the egress proxy.
func (e *environment) decide(a egress.Attempt) bool {
	_, granted := egress.Match(e.grants, a)
	return e.judge(useOf(a), nil, granted)
}

// report counts what the egress proxy did.
func (e *environment) report(u egress.Use) {
	use := useOf(u.Attempt)
	use.Refused, use.Bytes = !u.Allowed, u.In+u.Out
	if !u.First {
		use.Count = 0
	}
	e.ledger().use(use)
}

func useOf(a egress.Attempt) function.Use {
	u := function.Use{Kind: function.UseEgress, Target: clip(a.Target(), maxTarget), Count: 1}
	switch a.Kind {
	case egress.KindDNS:
		u.Kind = function.UseDNS
	case egress.KindAWS:
		u.Kind = function.UseAWS
	}
	return u
}

// note decides about and counts what code asks of Redoubt itself.
func (e *environment) note(use function.Use) bool {
	role := &e.version.Spec.Role
	granted := false
	switch use.Kind {
	case function.UseFunction:
		granted = slices.Contains(role.Functions, use.Target)
	case function.UseBucket:
		granted = slices.Contains(role.Buckets, use.Target)
	case function.UseQueue:
		granted = slices.Contains(role.Queues, use.Target)
	}
	use.Target = clip(use.Target, maxTarget)
	allowed := e.judge(use, nil, granted)
	use.Refused = !allowed
	e.ledger().use(use)
	return allowed
}

const maxTarget = 1024
