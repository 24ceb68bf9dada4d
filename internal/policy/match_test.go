package policy

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"redoubt.dev/redoubt/internal/redoubt"
)

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "/a/b", true}, {"?", "", false}, {"?", "é", true}, {"??", "é", false},
		{"/usr/bin/*", "/usr/bin/a/b", true}, {"*/netstat", "/usr/bin/netstat", true}, {"*/netstat", "/usr/bin/netstat2", false}, {"*/netstat", "netstat", false},
		{"a*b*c", "abc", true}, {"a*b*c", "aXbYc", true}, {"a*b*c", "acb", false}, {"ab*ba", "aba", false}, {"ab*ba", "abba", true},
		{"*a*a*", "a", false}, {"*a*a*", "xaxax", true}, {"a?c", "abc", true}, {"*?b", "ab", true}, {"*?b", "b", false}, {"*?b", "bb", true},
		{"*b?d*", "xabcdx", true}, {"*b?d*", "bd", false}, {"**", "x", true}, {"a**b", "ab", true}, {"[a]", "a", false}, {"[a]", "[a]", true},
	} {
		if got := NewGlob(c.pattern).Match(c.text); got != c.want {
			t.Errorf("%q against %q: %v", c.pattern, c.text, got)
		}
	}
}

// A pattern that makes backtracking matchers take forever.
func TestGlobStaysLinear(t *testing.T) {
	for _, p := range []string{strings.Repeat("*a", 250) + "*b", strings.Repeat("*a?", 170) + "b", strings.Repeat("?", 500) + "*b"} {
		g := NewGlob(p)
		for range 100 {
			if g.Match(strings.Repeat("a", 4096)) {
				t.Error(p)
			}
		}
	}
}

func FuzzGlob(f *testing.F) {
	f.Add("a*b?c", "aXbYc")
	f.Add("*?*é", "xé")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 20 || len(text) > 100 || !utf8.ValidString(pattern) || !utf8.ValidString(text) {
			return
		}
		expr := "(?s)^" + strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(pattern)) + "$"
		if want, got := regexp.MustCompile(expr).MatchString(text), NewGlob(pattern).Match(text); want != got {
			t.Fatalf("%q against %q: %v, want %v", pattern, text, got, want)
		}
	})
}

func TestScope(t *testing.T) {
	w := redoubt.WorkloadRef{ID: "docker/shop/web", Name: "shop-web-1", Kind: redoubt.KindContainer, Image: "docker.io/library/nginx:1.25"}
	labels := map[string]string{"tier": "front", "team": "a"}
	for _, c := range []struct {
		name string
		s    Scope
		want bool
		why  string
	}{
		{"empty", Scope{}, true, ""},
		{"id", Scope{Workloads: []string{"docker/shop/*"}}, true, ""},
		{"name", Scope{Workloads: []string{"shop-web-?"}}, true, ""},
		{"other id", Scope{Workloads: []string{"docker/shop/db"}}, false, "docker/shop/db"},
		{"one of several", Scope{Workloads: []string{"x", "docker/shop/web"}}, true, ""},
		{"kind", Scope{Kinds: []redoubt.WorkloadKind{redoubt.KindHost}}, false, "for host"},
		{"image as people write it", Scope{Images: []string{"nginx"}}, true, ""},
		{"image with tag", Scope{Images: []string{"nginx:1.*"}}, true, ""},
		{"other tag", Scope{Images: []string{"nginx:1.26"}}, false, "image"},
		{"name that only begins alike", Scope{Images: []string{"ngin"}}, false, "image"},
		{"label", Scope{Labels: map[string]string{"tier": "fr*"}}, true, ""},
		{"label missing", Scope{Labels: map[string]string{"stage": "*"}}, false, "stage"},
		{"all labels", Scope{Labels: map[string]string{"tier": "front", "team": "b"}}, false, "team"},
		{"node", Scope{Nodes: []string{"n2"}}, false, "n2"},
		{"all fields must hold", Scope{Workloads: []string{"*"}, Nodes: []string{"n2"}}, false, "n2"},
	} {
		ok, why := c.s.Match(w, labels, "n1")
		if ok != c.want || !strings.Contains(why, c.why) {
			t.Errorf("%s: %v, %q", c.name, ok, why)
		}
	}
}

func TestRuleSaysWhy(t *testing.T) {
	yes := true
	netstat := &redoubt.Event{Kind: redoubt.EventExec, Process: &redoubt.Process{
		Path: "/usr/bin/netstat", Args: []string{"netstat", "-an"}, File: &redoubt.File{Digest: "sha256:ab", Origin: redoubt.OriginImage},
		Parent: &redoubt.Process{Path: "/bin/sh"},
	}}
	connect := &redoubt.Event{Kind: redoubt.EventConnect, Process: netstat.Process, Network: &redoubt.Connection{Proto: redoubt.TCP, Remote: netip.MustParseAddrPort("10.0.0.7:5432"), Peer: "docker/shop/db"}}
	mapped := &redoubt.Event{Kind: redoubt.EventConnect, Network: &redoubt.Connection{Proto: redoubt.TCP, Remote: netip.MustParseAddrPort("[::ffff:10.0.0.7]:5432")}}
	listen := &redoubt.Event{Kind: redoubt.EventListen, Network: &redoubt.Connection{Proto: redoubt.UDP, Local: netip.MustParseAddrPort("0.0.0.0:53")}}
	for _, c := range []struct {
		name string
		r    Rule
		ev   *redoubt.Event
		f    Facts
		want bool
		why  string
	}{
		{"path", Rule{Exec: &Exec{Paths: []string{"*/netstat"}}}, netstat, Facts{}, true, "its path /usr/bin/netstat fits */netstat"},
		{"other path", Rule{Exec: &Exec{Paths: []string{"*/ss"}}}, netstat, Facts{}, false, "not one of */ss"},
		{"content", Rule{Exec: &Exec{Paths: []string{"*/ss"}}, Effect: "prevent"}, netstat, Facts{Names: []string{"/bin/ss"}}, true, "its content is that of /bin/ss"},
		{"content does not permit", Rule{Exec: &Exec{Paths: []string{"*/ss"}}, Effect: "ignore"}, netstat, Facts{Names: []string{"/bin/ss"}}, false, "its path"},
		{"digest", Rule{Exec: &Exec{Digests: []redoubt.Digest{"sha256:ab"}}}, netstat, Facts{}, true, "its content is ab"},
		{"parent", Rule{Exec: &Exec{Parents: []string{"/bin/sh"}}}, netstat, Facts{}, true, "its parent /bin/sh"},
		{"other parent", Rule{Exec: &Exec{Parents: []string{"/bin/bash"}}}, netstat, Facts{}, false, "its parent /bin/sh is not one of /bin/bash"},
		{"argument", Rule{Exec: &Exec{Args: []string{"-a*"}}}, netstat, Facts{}, true, "an argument fits -a*"},
		{"every pattern needs its argument", Rule{Exec: &Exec{Args: []string{"-a*", "-z"}}}, netstat, Facts{}, false, "no argument fits -z"},
		{"origin", Rule{Exec: &Exec{Origins: []redoubt.Origin{"written"}}}, netstat, Facts{}, false, "did not come from written"},
		{"entered", Rule{Exec: &Exec{Entered: &yes}}, netstat, Facts{}, false, "the workload started it itself"},
		{"every program", Rule{Exec: &Exec{}}, netstat, Facts{}, true, "every program"},
		{"another kind", Rule{Listen: &Listen{}}, netstat, Facts{}, false, "the event is exec"},
		{"novel", Rule{Novel: &Novel{}}, netstat, Facts{Novel: true}, true, "does not hold"},
		{"not novel", Rule{Novel: &Novel{}}, netstat, Facts{}, false, "the profile holds it"},
		{"novel of another kind", Rule{Novel: &Novel{Kinds: []redoubt.EventKind{"listen"}}}, netstat, Facts{Novel: true}, false, "novel listen"},
		{"prefix", Rule{Connect: &Connect{To: []string{"10.0.0.0/8"}}}, connect, Facts{}, true, "10.0.0.7 is in 10.0.0.0/8"},
		{"prefix of a mapped address", Rule{Connect: &Connect{To: []string{"10.0.0.0/8"}}}, mapped, Facts{}, true, "10.0.0.0/8"},
		{"workload", Rule{Connect: &Connect{To: []string{"docker/shop/*"}}}, connect, Facts{}, true, "docker/shop/*"},
		{"private", Rule{Connect: &Connect{To: []string{"private"}}}, connect, Facts{}, true, "private"},
		{"public", Rule{Connect: &Connect{To: []string{"public"}}}, connect, Facts{}, false, "10.0.0.7 is not in public"},
		{"port", Rule{Connect: &Connect{Ports: []uint16{1}}}, connect, Facts{}, false, "its port is 5432"},
		{"program of a connection", Rule{Connect: &Connect{Paths: []string{"*/netstat"}}}, connect, Facts{}, true, "its program"},
		{"protocol", Rule{Listen: &Listen{Ports: []uint16{53}, Proto: "tcp"}}, listen, Facts{}, false, "udp, not tcp"},
		{"listening", Rule{Listen: &Listen{Ports: []uint16{53}}}, listen, Facts{}, true, "its port is 53"},
		{"nobody judges it", Rule{Exec: &Exec{}}, &redoubt.Event{Kind: redoubt.EventExit}, Facts{}, false, "exit events"},
		{"no process", Rule{Exec: &Exec{}}, &redoubt.Event{Kind: redoubt.EventExec}, Facts{}, false, "names no program"},
		{"no connection", Rule{Connect: &Connect{}}, &redoubt.Event{Kind: redoubt.EventConnect}, Facts{}, false, "names no connection"},
	} {
		ok, why := c.r.Match(c.ev, c.f)
		if ok != c.want || !strings.Contains(why, c.why) {
			t.Errorf("%s: %v, %q", c.name, ok, why)
		}
		o := NewSet([]Policy{{Name: "p", Rules: []Rule{c.r}}}).Overlay(c.ev.Workload, nil, "")
		for _, test := range o.Tests() {
			if test(c.ev, c.f, 0) != ok {
				t.Errorf("%s: a test that skips nothing differs", c.name)
			}
			if e := c.r.Exec; ok && !test(c.ev, c.f, SkipArgs|SkipParents|SkipPaths) || !ok && e != nil && e.Origins == nil && c.ev.Process != nil && !test(c.ev, c.f, SkipArgs|SkipParents|SkipPaths) {
				t.Errorf("%s: it does not match with its conditions skipped", c.name)
			}
		}
	}
}

func TestProgramsOfManyNames(t *testing.T) {
	for _, c := range []struct {
		path string
		args []string
		want string
	}{
		{"/usr/bin/netstat", []string{"innocent"}, "/usr/bin/netstat"},
		{"/bin/busybox", []string{"nc", "-l"}, "/bin/nc"},
		{"/bin/busybox", []string{"busybox", "nc"}, "/bin/nc"},
		{"/bin/busybox", []string{"/bin/busybox", "--list"}, "/bin/busybox"},
		{"/bin/busybox", []string{"-sh"}, "/bin/sh"},
		{"/bin/busybox", nil, "/bin/busybox"},
		{"/lib64/ld-linux-x86-64.so.2", []string{"ld.so", "--library-path", "/l", "/usr/bin/netstat"}, "/usr/bin/netstat"},
		{"/lib/ld-musl-x86_64.so.1", []string{"x", "/bin/ss"}, "/bin/ss"},
		{"/lib64/ld-linux-x86-64.so.2", []string{"ld.so", "--list"}, "/lib64/ld-linux-x86-64.so.2"},
	} {
		got := Programs(&redoubt.Process{Path: c.path, Args: c.args})
		if got[0] != c.path || got[len(got)-1] != c.want {
			t.Errorf("%s %v: %v", c.path, c.args, got)
		}
	}
}

func alertOn(name string, priority int, s Scope) Policy {
	return Policy{Name: name, Priority: priority, Scope: s, Rules: []Rule{{Name: "r", Exec: &Exec{}, Effect: redoubt.EffectAlert}}}
}

func TestR9_FirstRuleOfTheFirstPolicyDecides(t *testing.T) {
	off := alertOn("a", -9, Scope{})
	off.Disabled = true
	s := NewSet([]Policy{alertOn("z", 0, Scope{}), alertOn("c", 5, Scope{}), alertOn("b", 0, Scope{Labels: map[string]string{"x": "1"}}), off})
	ev := &redoubt.Event{Kind: redoubt.EventExec, Process: &redoubt.Process{Path: "/x"}}
	for want, labels := range map[string]map[string]string{"policy/z/r": nil, "policy/b/r": {"x": "1"}} {
		hit, ok := s.Overlay(redoubt.WorkloadRef{ID: "docker/w"}, labels, "n").First(ev, Facts{})
		if !ok || hit.Name() != want || hit.Why == "" {
			t.Errorf("%+v, want %s", hit, want)
		}
	}
	if steps := s.Overlay(redoubt.WorkloadRef{ID: "docker/w"}, nil, "n").Steps(ev, Facts{}); len(steps) != 1 || !steps[0].Matched {
		t.Error(steps)
	}
	var none *Set
	if _, ok := none.Overlay(redoubt.WorkloadRef{}, nil, "").First(ev, Facts{}); ok {
		t.Error("no set, but a rule")
	}
}

func TestSetIsBoundedAndSharable(t *testing.T) {
	s := NewSet([]Policy{alertOn("a", 0, Scope{Workloads: []string{"docker/*"}})})
	var wait sync.WaitGroup
	for g := range 4 {
		wait.Go(func() {
			for i := range 3000 {
				o := s.Overlay(redoubt.WorkloadRef{ID: redoubt.WorkloadID(fmt.Sprintf("docker/%d-%d", g, i))}, nil, "n")
				if len(o.rules) != 1 {
					t.Error("a rule is missing")
				}
			}
		})
	}
	wait.Wait()
	if len(s.known) > maxKnown {
		t.Error(len(s.known))
	}
}

func BenchmarkFirst(b *testing.B) {
	var ps []Policy
	for i := range 100 {
		p := Policy{Name: fmt.Sprintf("p%d", i), Scope: Scope{Workloads: []string{fmt.Sprintf("docker/w%d*", i)}}}
		for j := range 10 {
			p.Rules = append(p.Rules, Rule{Name: fmt.Sprintf("r%d", j), Exec: &Exec{Paths: []string{fmt.Sprintf("*/tool%d", j)}}, Effect: redoubt.EffectPrevent})
		}
		ps = append(ps, p)
	}
	s := NewSet(ps)
	w := redoubt.WorkloadRef{ID: "docker/w7", Kind: redoubt.KindContainer}
	ev := &redoubt.Event{Kind: redoubt.EventExec, Workload: w, Process: &redoubt.Process{Path: "/usr/sbin/nginx", Args: []string{"nginx"}}}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := s.Overlay(w, nil, "n").First(ev, Facts{}); ok {
			b.Fatal("matched")
		}
	}
}
