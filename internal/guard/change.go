package guard

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"strconv"
	"strings"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/policy"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

// PreventChange returns the smallest rule that prevents what an event shows,
// for the policy named after its workload. A program of the image is named by
// its path, which denies its content wherever it is copied; a file written
// later by its content alone, since its name is the attacker's choice. A
// general program, such as a shell, or one that the profile knows from another
// parent, is prevented from this parent only. Events that no rule can prevent
// are fault.Unsupported.
func PreventChange(ev *redoubt.Event, m *profile.Matcher) (Change, error) {
	if !nameable(ev) {
		return Change{}, fault.New(fault.Unsupported, "this %s event does not say enough to be prevented by a rule", ev.Kind)
	}
	r := widest(ev, m)
	if why := invalid(r); why != "" {
		return Change{}, fault.New(fault.Unsupported, "no rule can name this: %s", why)
	}
	name := PolicyName(ev.Workload.ID)
	return Change{Text: printable(fmt.Sprintf("in policy %s: prevent %s", name, ruleText(&r))), Policy: name, Rule: &r}, nil
}

// nameable says whether a rule can be about an event at all.
func nameable(ev *redoubt.Event) bool {
	switch ev.Kind {
	case redoubt.EventExec:
		return ev.Process != nil && ev.Process.Path != ""
	case redoubt.EventListen, redoubt.EventConnect:
		return ev.Network != nil
	}
	return false
}

// invalid says what keeps a rule out of a policy; empty if nothing does. Names
// and addresses are the workload's to choose, so anything may be in them.
func invalid(r policy.Rule) string {
	if problems := policy.Validate(policy.Policy{Name: "x", Rules: []policy.Rule{r}}); problems != nil {
		return problems[0].Message
	}
	return ""
}

// PolicyName is the name of the policy that holds what people decide about
// one workload by a click. Ids that only slashes divide keep their words;
// others get a tail that keeps two of them apart.
func PolicyName(w redoubt.WorkloadID) string {
	plain := strings.ReplaceAll(string(w), "/", "-")
	if name := slug(string(w), 63); name == plain && !strings.Contains(string(w), "-") {
		return name
	}
	sum := sha256.Sum256([]byte(w))
	return slug(string(w), 54) + "-" + hex.EncodeToString(sum[:4])
}

// PolicyFor is an empty policy of that name, for that workload only. It needs
// a rule before it is valid.
func PolicyFor(w redoubt.WorkloadID) policy.Policy {
	return policy.Policy{Name: PolicyName(w), Description: fmt.Sprintf("What was decided about %s.", w),
		Scope: policy.Scope{Workloads: []string{string(w)}}}
}

// Put returns p with a rule in front of its others, so that it is asked first,
// under a name that is free.
func Put(p policy.Policy, r policy.Rule) policy.Policy {
	taken := map[string]bool{}
	for _, other := range p.Rules {
		taken[other.Name] = true
	}
	base := r.Name
	for n := 2; taken[r.Name]; n++ {
		tail := "-" + strconv.Itoa(n)
		r.Name = base[:min(len(base), 63-len(tail))] + tail
	}
	p.Rules = append([]policy.Rule{r}, p.Rules...)
	return p
}

// narrowest is the rule for exactly this event: program, content, parent and
// whether it came from outside; or other end and port. Which program opened a
// socket is left out: the kernel does not compare it, so a rule with it could
// not be enforced.
func narrowest(ev *redoubt.Event, effect redoubt.Effect) policy.Rule {
	r := policy.Rule{Effect: effect}
	p := ev.Process
	switch ev.Kind {
	case redoubt.EventExec:
		r.Exec = &policy.Exec{}
		if p == nil {
			return r
		}
		r.Name = slug(path.Base(p.Path), 40)
		r.Exec.Paths = []string{literal(p.Path)}
		r.Exec.Digests = digests(p)
		r.Exec.Parents = parents(p)
		if p.Entered {
			r.Exec.Entered = &p.Entered
		}
		if policy.IsMulticall(p.Path) && len(p.Args) > 0 {
			r.Exec.Args = []string{literal(p.Args[0])}
		}
	case redoubt.EventListen:
		r.Name = "port-" + strconv.Itoa(int(ev.Network.Local.Port()))
		r.Listen = &policy.Listen{Proto: ev.Network.Proto, Ports: []uint16{ev.Network.Local.Port()}}
	default:
		r.Name = slug("to-"+peerText(ev.Network), 40)
		r.Connect = &policy.Connect{To: []string{peerText(ev.Network)}, Proto: ev.Network.Proto, Ports: []uint16{ev.Network.Remote.Port()}}
	}
	return r
}

// widest is the rule that prevents an event and what only looks different.
func widest(ev *redoubt.Event, m *profile.Matcher) policy.Rule {
	r := narrowest(ev, redoubt.EffectPrevent)
	r.Name = "no-" + r.Name
	if ev.Kind != redoubt.EventExec {
		return r
	}
	p, x := ev.Process, r.Exec
	x.Args = nil
	names := policy.Programs(p)
	name := names[len(names)-1]
	r.Name = "no-" + slug(path.Base(name), 40)
	if written := p.File != nil && p.File.Origin != redoubt.OriginImage; written && len(x.Digests) > 0 {
		x.Paths = nil
	} else {
		x.Paths, x.Digests = []string{literal(name)}, nil
	}
	known := otherwise(ev, m)
	if t, _ := toolOf(p); known == nil && !t.interprets() {
		x.Parents, x.Entered = nil, nil
	}
	if known != nil && (known.Parent == "" || known.Parent == parentPath(p)) && len(p.Args) > 1 {
		for _, a := range p.Args[1:min(len(p.Args), 16)] {
			x.Args = append(x.Args, literal(a))
		}
	}
	return r
}

// otherwise returns how the profile knows this very program, from another
// parent or with other arguments; nil if it does not.
func otherwise(ev *redoubt.Event, m *profile.Matcher) *profile.Exec {
	if m == nil || ev.Process.File == nil {
		return nil
	}
	near, _ := m.Nearest(ev)
	if near == nil || near.Exec == nil || near.Exec.Path != ev.Process.Path || changed(near.Exec, ev.Process) {
		return nil
	}
	return near.Exec
}

func digests(p *redoubt.Process) []redoubt.Digest {
	if p.File == nil || p.File.Digest == "" {
		return nil
	}
	return []redoubt.Digest{p.File.Digest}
}

func parents(p *redoubt.Process) []string {
	if p.Entered || p.Parent == nil || p.Parent.Path == "" {
		return nil
	}
	return []string{literal(p.Parent.Path)}
}

// literal makes a pattern of a name. A star in a name is matched by a
// question mark, the nearest a pattern comes to it.
func literal(s string) string { return strings.ReplaceAll(s, "*", "?") }

func peerText(c *redoubt.Connection) string {
	if c.Peer != "" {
		return string(c.Peer)
	}
	return c.Remote.Addr().Unmap().WithZone("").String()
}

// slug makes a name for a policy or rule of any text.
func slug(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '.', r == '_':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, s)
	s = strings.Trim(s[:min(len(s), most)], "-._")
	if s == "" {
		return "program"
	}
	return s
}

// ruleText words what a rule is about.
func ruleText(r *policy.Rule) string {
	var s []string
	add := func(format string, items []string) {
		if len(items) > 0 {
			s = append(s, fmt.Sprintf(format, strings.Join(items, ", ")))
		}
	}
	switch {
	case r.Exec != nil:
		if len(r.Exec.Paths) == 0 {
			s = append(s, "any program")
		}
		add("%s", r.Exec.Paths)
		for _, d := range r.Exec.Digests {
			s = append(s, "with content "+d.Short())
		}
		add("started by %s", r.Exec.Parents)
		add("with argument %s", r.Exec.Args)
		if r.Exec.Entered != nil && *r.Exec.Entered {
			s = append(s, "from outside")
		}
	case r.Listen != nil:
		s = append(s, fmt.Sprintf("listening on %s port %d", r.Listen.Proto, r.Listen.Ports[0]))
	case r.Connect != nil:
		s = append(s, fmt.Sprintf("connecting to %s over %s port %d", r.Connect.To[0], r.Connect.Proto, r.Connect.Ports[0]))
	}
	return strings.Join(s, " ")
}
