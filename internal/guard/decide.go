package guard

import (
	"fmt"
	"strings"

	"redoubt.dev/redoubt/internal/policy"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

// Rules that are not a policy's, as Verdict.Rule names them.
const (
	RuleProfile  = "profile"
	RuleLearning = "profile/learning"
)

// Context is what deciding needs to know of a workload beyond the event.
type Context struct {
	Labels    map[string]string
	Health    []string // the health-check command, as the engine gives it
	Listening bool     // this instance listens: its start is over
	Starting  bool     // the process belongs to the instance's start
	Servers   []string // programs of the workload that listen
	Names     []string // other paths at which its image holds the content that ran
}

// Learns says whether what got this verdict is to be added to the profile.
func Learns(v redoubt.Verdict) bool { return v.Rule == RuleLearning }

// Alarms says whether a verdict is worth a person's eye.
func Alarms(v redoubt.Verdict) bool { return v.Effect != "" && v.Effect != redoubt.EffectIgnore }

// Decide says what is to happen about an event. The first policy rule that
// matches decides; without one, what the profile holds is ignored and what it
// does not hold is learned, alerted on or prevented by the profile's state.
// A nil matcher holds nothing, an empty state is learning, a nil set has no
// policy. Kinds that nobody judges get the zero Verdict. What is known to have
// been enforced stays in the verdict. Decide changes nothing and may be called
// by any number of goroutines.
func Decide(ev *redoubt.Event, m *profile.Matcher, state profile.State, set *policy.Set, c Context) redoubt.Verdict {
	v := decide(ev, m, state, set, c)
	v.Reason = printable(v.Reason)
	return v
}

func decide(ev *redoubt.Event, m *profile.Matcher, state profile.State, set *policy.Set, c Context) redoubt.Verdict {
	if !profile.Judges(ev.Kind) {
		return redoubt.Verdict{}
	}
	var entry *profile.Entry
	if m != nil {
		entry, _ = m.Match(ev)
	}
	v := redoubt.Verdict{Novel: entry == nil, Enforced: ev.Verdict.Enforced}
	if entry != nil {
		v.Entry = entry.ID
	}
	overlay := set.Overlay(ev.Workload, c.Labels, ev.Node)
	if hit, ok := overlay.First(ev, policy.Facts{Novel: v.Novel, Names: c.Names}); ok {
		v.Effect, v.Rule = hit.Rule.Effect, hit.Name()
		v.Reason = fmt.Sprintf("policy %s, rule %s: %s", hit.Policy, hit.Rule.Name, hit.Why)
		if Alarms(v) {
			judge(ev, m, c, &v)
		}
		return v
	}
	if entry != nil {
		v.Effect, v.Rule, v.Reason = redoubt.EffectIgnore, RuleProfile, "the profile holds it"
		return v
	}
	byState(ev, m, state, c, &v)
	return v
}

// byState decides on what neither a policy nor the profile knows.
func byState(ev *redoubt.Event, m *profile.Matcher, state profile.State, c Context, v *redoubt.Verdict) {
	v.Rule, v.Effect = RuleProfile, redoubt.EffectAlert
	switch state {
	case profile.Learning, "":
		if why := visiting(ev, c); why != "" {
			v.Effect, v.Reason = redoubt.EffectIgnore, why
			return
		}
		why, alarm := unlearnable(ev, c)
		if !alarm {
			v.Rule, v.Effect, v.Reason = RuleLearning, redoubt.EffectIgnore, "new, and the workload is still being learned"
			return
		}
		judge(ev, m, c, v)
		v.Reason = why
		return
	case profile.Enforcing:
		if ev.Kind != redoubt.EventAccept && !Exempt(ev.Workload) {
			v.Effect = redoubt.EffectPrevent
		}
	}
	judge(ev, m, c, v)
	v.Reason = novelty(ev, m)
}

// visiting says why a connection is not learned: who makes it came in from
// outside. Its program was alerted on when it started; what it then does is
// told by the event and is no second alarm. A socket it opens for others is.
func visiting(ev *redoubt.Event, c Context) string {
	if ev.Workload.Kind != redoubt.KindContainer || ev.Kind != redoubt.EventConnect || visitor(ev.Process, c.Health) == nil {
		return ""
	}
	return "made by what somebody started from outside; what people do is not learned"
}

// unlearnable picks out what is not the workload's normal behaviour even while
// that is being learned: a person's act from outside, and an attacker's tool
// in a workload that already serves. On a host people are at home, so there
// only tools that are rarely honest count.
func unlearnable(ev *redoubt.Event, c Context) (why string, alarm bool) {
	p := ev.Process
	if p == nil {
		return "", false
	}
	if ev.Kind == redoubt.EventListen && ev.Workload.Kind == redoubt.KindContainer && visitor(p, c.Health) != nil {
		return fmt.Sprintf("%s, which somebody started from outside, opens a port; what people do is not learned", p.Path), true
	}
	if ev.Kind != redoubt.EventExec {
		return "", false
	}
	if ev.Workload.Kind == redoubt.KindContainer {
		if by := visitor(p, c.Health); by == p {
			return fmt.Sprintf("somebody started %s from outside; what people do is not learned", p.Path), true
		} else if by != nil {
			return fmt.Sprintf("%s was started by %s, which somebody started from outside; what people do is not learned", p.Path, by.Path), true
		}
	}
	t, name := toolOf(p)
	if t == nil || !c.Listening || c.Starting || isHealth(p, c.Health) {
		return "", false
	}
	if ev.Workload.Kind == redoubt.KindHost && t.severity < redoubt.Critical {
		return "", false
	}
	if underHealth(p, c.Health) {
		return "", false
	}
	return fmt.Sprintf("%s %s and had not run before in this workload, which serves already; it is not learned", name, t.does), true
}

// maxChain is how far up a chain of parents is looked.
const maxChain = 64

// visitor returns the process in p's chain that came in from outside, nil if
// none did or it was the engine's health check.
func visitor(p *redoubt.Process, health []string) *redoubt.Process {
	for range maxChain {
		switch {
		case p == nil:
			return nil
		case p.Entered && isHealth(p, health):
			return nil
		case p.Entered:
			return p
		}
		p = p.Parent
	}
	return nil
}

func underHealth(p *redoubt.Process, health []string) bool {
	for range maxChain {
		if p == nil {
			return false
		}
		if p.Entered {
			return isHealth(p, health)
		}
		p = p.Parent
	}
	return false
}

// isHealth says whether p is the engine's health check: the command itself, a
// shell with its text, or the program such a shell turned into.
func isHealth(p *redoubt.Process, health []string) bool {
	if !p.Entered || len(health) == 0 || p.Truncated {
		return false
	}
	command := health
	switch health[0] {
	case "CMD":
		command = health[1:]
	case "CMD-SHELL":
		command = append([]string{"/bin/sh", "-c"}, health[1:]...)
	case "NONE":
		return false
	}
	if len(command) == 0 {
		return false
	}
	text := command[len(command)-1]
	n := len(p.Args)
	switch {
	case equalArgs(p.Args, command):
		return true
	case n >= 2 && p.Args[n-2] == "-c" && p.Args[n-1] == text:
		return len(command) == 1 || len(command) == 3 && command[1] == "-c"
	}
	simple := !strings.ContainsAny(text, "|&;<>()$`\\\"'*?[#~=%\n")
	return simple && len(command) > 1 && command[len(command)-2] == "-c" && n > 0 && strings.Join(p.Args, " ") == strings.TrimPrefix(text, "exec ")
}

// equalArgs compares all but the program's own name, which a shebang or a
// search path may have changed, by which its last part must still agree.
func equalArgs(got, want []string) bool {
	if len(got) != len(want) || baseName(got[0]) != baseName(want[0]) {
		return false
	}
	for i := 1; i < len(got); i++ {
		if got[i] != want[i] {
			return false
		}
	}
	return true
}

func baseName(p string) string { return p[strings.LastIndexByte(p, '/')+1:] }

// system are services a node does not live without.
var system = []string{
	"systemd", "init", "dbus", "docker", "containerd", "podman", "crio", "kubelet", "redoubt", "ssh", "sshd", "cron", "crond",
	"getty", "login", "networking", "networkmanager", "rsyslog", "syslog", "udev", "polkit", "chrony", "chronyd", "ntp", "ntpd",
	"user", "user-runtime-dir", "wpa_supplicant", "ifup", "dhclient", "dhcpcd", "auditd", "snapd", "unattended-upgrades", "apt-daily",
}

// Exempt says whether a workload is one that nothing is denied to by default:
// a host, or a service the node needs to stay reachable and manageable. Such a
// workload in the enforcing state is alerted on; only a policy rule that a
// person wrote prevents anything in it.
func Exempt(w redoubt.WorkloadRef) bool {
	if w.Kind == redoubt.KindHost {
		return true
	}
	if w.Kind != redoubt.KindService {
		return false
	}
	name := strings.ToLower(strings.TrimPrefix(string(w.ID), "service/"))
	name = strings.TrimSuffix(strings.TrimSuffix(name, ".service"), ".socket")
	name, _, _ = strings.Cut(name, "@")
	for _, s := range system {
		if name == s || strings.HasPrefix(name, s+"-") {
			return true
		}
	}
	return false
}
