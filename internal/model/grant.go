package model

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/egress"
	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/profile"
)

// Grant is one line of a role and how it is used.
type Grant struct {
	Field string    `json:"field"` // of function.Role: egress, aws, exec, write, functions, buckets, queues, secrets
	Grant string    `json:"grant"`
	Last  time.Time `json:"last,omitzero"`  // when it was last used; zero: never since the model learns
	Days  int       `json:"days"`           // since then, or since the model learns
	Used  []string  `json:"used,omitempty"` // what was used of it, where that is less than it grants
}

// fields are the parts of a role, each with the kind of use it grants.
var fields = []struct {
	name string
	of   func(*function.Role) *[]string
	kind function.UseKind
}{
	{"egress", func(r *function.Role) *[]string { return &r.Egress }, function.UseEgress},
	{"aws", func(r *function.Role) *[]string { return &r.AWS }, function.UseAWS},
	{"exec", func(r *function.Role) *[]string { return &r.Exec }, function.UseExec},
	{"write", func(r *function.Role) *[]string { return &r.Write }, function.UseWrite},
	{"functions", func(r *function.Role) *[]string { return &r.Functions }, function.UseFunction},
	{"buckets", func(r *function.Role) *[]string { return &r.Buckets }, function.UseBucket},
	{"queues", func(r *function.Role) *[]string { return &r.Queues }, function.UseQueue},
	{"secrets", func(r *function.Role) *[]string { return &r.Secrets }, function.UseSecret},
}

// covers reports whether a grant of a role's field covers what an entry stands
// for, or part of it.
func covers(kind function.UseKind, grant string, e *Entry) bool {
	if e.Kind != kind || e.Count == 0 {
		return false
	}
	target := plain(e.Target)
	switch kind {
	case function.UseEgress:
		host, port := splitPort(e.Target)
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return false
		}
		if net, err := netip.ParsePrefix(host); err == nil {
			host = net.Addr().String()
			if g, _ := splitPort(grant); hostWithin(net.String(), g) {
				return true
			}
		} else if rest, ok := strings.CutPrefix(host, "*."); ok {
			if g, _ := splitPort(grant); hostWithin(host, g) {
				return true
			}
			host = "x." + rest
		}
		_, ok := egress.Match([]string{grant}, egress.Attempt{Kind: egress.KindTCP, Host: strings.Trim(host, "[]"), Port: uint16(n)})
		return ok
	case function.UseAWS:
		return awsCovers(grant, target)
	case function.UseWrite:
		dir := strings.TrimSuffix(grant, "/")
		return target == dir || strings.HasPrefix(target, dir+"/")
	}
	return grant == target
}

// awsCovers compares word by word: action, resource, and parameters where both
// name them. A general target is covered in part by a grant of one resource.
func awsCovers(grant, target string) bool {
	g, t := strings.Fields(grant), strings.Fields(target)
	if len(g) == 0 || len(t) == 0 || !starFits(strings.ToLower(g[0]), strings.ToLower(t[0])) {
		return false
	}
	for i, want := range g[1:] {
		name, _, param := strings.Cut(want, "=")
		switch {
		case !param && i == 0 && len(t) > 1:
			if wide, ok := strings.CutSuffix(t[1], "*"); !starFits(want, t[1]) && !(ok && wide != "" && strings.HasPrefix(want, wide)) {
				return false
			}
		case param:
			for _, got := range t[1:] {
				if strings.HasPrefix(got, name+"=") && !starFits(want, got) {
					return false
				}
			}
		}
	}
	return true
}

func starFits(pattern, s string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(s, prefix)
	}
	return pattern == s
}

// Usage says of each grant of role when it was last used, unused ones first.
func (m *Model) Usage(role *function.Role, now time.Time) []Grant {
	var out []Grant
	for _, f := range fields {
		for _, grant := range *f.of(role) {
			g := Grant{Field: f.name, Grant: grant}
			for i := range m.Entries {
				if e := &m.Entries[i]; covers(f.kind, grant, e) {
					g.Last = maxTime(g.Last, e.Last)
					if plain(e.Target) != grant {
						g.Used = append(g.Used, plain(e.Target))
					}
				}
			}
			since := g.Last
			if since.IsZero() {
				since = m.First
			}
			if !since.IsZero() {
				g.Days = max(int(now.Sub(since).Hours()/24), 0)
			}
			out = append(out, g)
		}
	}
	slices.SortStableFunc(out, func(a, b Grant) int { return a.Last.Compare(b.Last) })
	return out
}

// Unused lists the grants of role that were not used since a time.
func (m *Model) Unused(role *function.Role, since, now time.Time) []Grant {
	return slices.DeleteFunc(m.Usage(role, now), func(g Grant) bool { return !g.Last.Before(since) && !g.Last.IsZero() })
}

// Proposal is the smallest role that covers what was used.
type Proposal struct {
	Ready   bool             `json:"ready"` // enough was seen to propose anything; else Role is what it was
	Why     string           `json:"why"`   // what the proposal rests on, or what it still takes
	Role    function.Role    `json:"role"`
	Changes []string         `json:"changes,omitempty"` // in words
	Doubts  []string         `json:"doubts,omitempty"`  // uses that one caller led to in one burst: they are covered, look at them
	Cover   profile.Coverage `json:"coverage"`
}

// narrowest is how many things a wide grant is replaced by at most.
const narrowest = 8

// Minimal proposes the smallest role that covers what the function used. It
// takes away what was never used and narrows what was used in part; what the
// model knows only in general stays as wide as that. It proposes nothing
// before enough was seen.
func (m *Model) Minimal(role *function.Role, now time.Time) Proposal {
	p := Proposal{Role: *role, Cover: m.Coverage}
	known := fmt.Sprintf("%d calls over %s, %d of them independent, have shown at least %.1f %% of what it does", m.Calls, spanText(m.Last.Sub(m.First)), m.Units, min(math.Floor(1000*m.Coverage.Lower)/10, 99.9))
	if m.Coverage.Lower < profile.Enough {
		p.Why = fmt.Sprintf("%s; a role is proposed from %.0f %% on", known, 100*profile.Enough)
		return p
	}
	p.Ready, p.Why = true, known
	say := func(format string, args ...any) { p.Changes = append(p.Changes, fmt.Sprintf(format, args...)) }
	for _, f := range fields {
		var kept []string
		for _, grant := range *f.of(role) {
			used := m.used(f.kind, grant)
			switch narrow := narrower(f.kind, grant, used); {
			case len(used) == 0:
				say("takes away %s %s: not used in %s", f.name, grant, spanText(now.Sub(m.First)))
			case narrow != nil:
				say("narrows %s %s to %s", f.name, grant, list(narrow))
				kept = append(kept, narrow...)
			default:
				kept = append(kept, grant)
			}
		}
		slices.Sort(kept)
		*f.of(&p.Role) = slices.Compact(kept)
	}
	if len(role.Write) > 0 && len(p.Role.Write) == 0 {
		// An empty list would grant all of /tmp.
		p.Role.Write = slices.Clone(role.Write)
		p.Changes = slices.DeleteFunc(p.Changes, func(c string) bool { return strings.HasPrefix(c, "takes away write ") })
	}
	for i := range m.Entries {
		if e := &m.Entries[i]; e.Source == profile.Learned && e.weak() && outbound(e.Kind) {
			p.Doubts = append(p.Doubts, e.String()+": only "+callerText(&e.Seen)+" led to it")
		}
	}
	return p
}

func (m *Model) used(kind function.UseKind, grant string) (out []*Entry) {
	for i := range m.Entries {
		if e := &m.Entries[i]; covers(kind, grant, e) {
			out = append(out, e)
		}
	}
	return out
}

// narrower returns what may stand in a grant's place; nil where nothing
// narrower does.
func narrower(kind function.UseKind, grant string, used []*Entry) []string {
	wild := kind == function.UseEgress && strings.HasPrefix(grant, "*.") ||
		kind == function.UseAWS && (strings.HasSuffix(grant, "*") || !strings.Contains(grant, " "))
	if !wild || len(used) == 0 || len(used) > narrowest {
		return nil
	}
	var out []string
	for _, e := range used {
		target := plain(e.Target)
		if kind == function.UseAWS {
			if i := strings.IndexByte(e.Target, '<'); i > 0 && !strings.HasSuffix(e.Target[:i], `\`) {
				target = plain(e.Target[:i]) + "*" // a folded number or id
			}
		} else if general(kind, e.Target) || strings.Contains(grant, " ") {
			return nil
		}
		if target == grant {
			return nil
		}
		out = append(out, target)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// grantFor writes the line of a role that grants a deed.
func grantFor(d *Deed) string {
	for _, f := range fields {
		if f.kind == d.Use.Kind {
			return f.name + ": " + d.Use.Target
		}
	}
	if d.Use.Kind == function.UseDNS {
		return "egress: " + d.Use.Target + ":443"
	}
	return string(d.Use.Kind) + ": " + d.Use.Target
}

// Wanted lists what the function tried and its role refused, most tried first.
func (m *Model) Wanted() []Entry {
	var out []Entry
	for i := range m.Entries {
		if m.Entries[i].Refused > 0 {
			out = append(out, m.Entries[i].clone())
		}
	}
	slices.SortStableFunc(out, func(a, b Entry) int { return int(b.Refused - a.Refused) })
	return out
}
