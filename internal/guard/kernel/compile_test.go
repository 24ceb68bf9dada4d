package kernel

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"redoubt.dev/redoubt/internal/guard"
	"redoubt.dev/redoubt/internal/policy"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/sensor"
)

func key(n uint64) redoubt.FileKey { return redoubt.FileKey{Dev: 1, Ino: n} }

var imageFiles = []Located{
	{Path: "/usr/sbin/nginx", Key: key(1), Digest: nginxDigest, Origin: redoubt.OriginImage},
	{Path: "/usr/bin/netstat", Key: key(2), Digest: netstatDigest, Origin: redoubt.OriginImage},
	{Path: "/bin/sh", Key: key(3), Digest: shDigest, Origin: redoubt.OriginImage},
	{Path: "/bin/nc", Target: "/bin/busybox", Key: key(4), Digest: otherDigest, Origin: redoubt.OriginImage},
}

// nginxProfile holds nginx started by anyone and sh, any arguments, started by nginx.
func nginxProfile() *profile.Profile {
	return &profile.Profile{Workload: web.ID, Entries: []profile.Entry{
		{ID: "1", Kind: redoubt.EventExec, Exec: &profile.Exec{Path: "/usr/sbin/nginx", Digests: []redoubt.Digest{nginxDigest}}},
		{ID: "2", Kind: redoubt.EventExec, Exec: &profile.Exec{Path: "/bin/sh", Digests: []redoubt.Digest{shDigest}, Parent: "/usr/sbin/nginx"}},
		{ID: "3", Kind: redoubt.EventListen, Listen: &profile.Listen{Proto: redoubt.TCP, Port: 80}},
		{ID: "4", Kind: redoubt.EventConnect, Connect: &profile.Connect{Proto: redoubt.TCP, Peer: "10.0.0.5", Port: 5432}},
	}}
}

func subject(state profile.State, set *policy.Set) Subject {
	return Subject{Ref: web, State: state, Profile: nginxProfile(), Overlay: set.Overlay(web, nil, "n1"), Files: imageFiles, Resolver: true}
}

func TestR12_CompileDecidesOnlyWhatIsCertain(t *testing.T) {
	deny := "    - {name: r, exec: {paths: ['*/netstat']}, effect: prevent}\n"
	for _, c := range []struct {
		name  string
		state profile.State
		rules string
		key   sensor.ExecKey
		want  sensor.Action
	}{
		{"known program and parent", profile.Observing, "", sensor.ExecKey{File: key(3), Parent: key(1)}, sensor.Allow},
		{"known program, parent unknown", profile.Observing, "", sensor.ExecKey{File: key(3)}, sensor.Report},
		{"unknown program", profile.Observing, "", sensor.ExecKey{File: key(2)}, sensor.Report},
		{"unknown program enforced", profile.Enforcing, "", sensor.ExecKey{File: key(2)}, sensor.Deny},
		{"known program enforced, parent unknown", profile.Enforcing, "", sensor.ExecKey{File: key(1)}, sensor.Hold},
		{"denied by policy", profile.Learning, deny, sensor.ExecKey{File: key(2)}, sensor.Deny},
		{"neighbour of a denied one", profile.Learning, deny, sensor.ExecKey{File: key(1)}, sensor.Report},
		{"denied though known", profile.Learning, "    - {name: r, exec: {paths: [/bin/sh]}, effect: block}\n", sensor.ExecKey{File: key(3), Parent: key(1)}, sensor.Deny},
		{"denied with an argument", profile.Learning, "    - {name: r, exec: {paths: [/bin/sh], args: ['-i']}, effect: prevent}\n", sensor.ExecKey{File: key(3), Parent: key(1)}, sensor.Hold},
		{"denied from outside", profile.Learning, "    - {name: r, exec: {paths: [/bin/sh], entered: true}, effect: prevent}\n", sensor.ExecKey{File: key(3)}, sensor.Hold},
		{"denied to another parent", profile.Learning, "    - {name: r, exec: {paths: [/bin/sh], parents: [/x]}, effect: prevent}\n", sensor.ExecKey{File: key(3), Parent: key(1)}, sensor.Allow},
		{"denied to this parent", profile.Learning, "    - {name: r, exec: {paths: [/bin/sh], parents: ['*/nginx']}, effect: prevent}\n", sensor.ExecKey{File: key(3), Parent: key(1)}, sensor.Deny},
		{"alert only", profile.Learning, "    - {name: r, exec: {paths: [/bin/sh]}, effect: alert}\n", sensor.ExecKey{File: key(3), Parent: key(1)}, sensor.Report},
		{"ignored before denied", profile.Learning, "    - {name: a, exec: {paths: [/usr/bin/netstat]}, effect: ignore}\n" + deny, sensor.ExecKey{File: key(2)}, sensor.Report},
		{"denied by digest", profile.Learning, "    - {name: r, exec: {digests: ['" + string(netstatDigest) + "']}, effect: prevent}\n", sensor.ExecKey{File: key(2)}, sensor.Deny},
		{"one name of a multi-call program", profile.Learning, "    - {name: r, exec: {paths: ['*/nc']}, effect: prevent}\n", sensor.ExecKey{File: key(4)}, sensor.Hold},
		{"novel is denied", profile.Learning, "    - {name: r, novel: {}, effect: prevent}\n", sensor.ExecKey{File: key(2)}, sensor.Deny},
		{"novel is allowed while enforcing", profile.Enforcing, "    - {name: r, novel: {}, effect: ignore}\n", sensor.ExecKey{File: key(2)}, sensor.Report},
	} {
		t.Run(c.name, func(t *testing.T) {
			var set *policy.Set
			if c.rules != "" {
				set = rules(t, c.rules)
			}
			got := Compile(subject(c.state, set))
			a, found := got.Exec[c.key]
			if !found {
				a = got.Mode.Exec
			}
			if a != c.want {
				t.Errorf("%d, want %d; %+v", a, c.want, got)
			}
		})
	}
}

func TestR12_ModeFollowsStateAndNeverHarmsTheNode(t *testing.T) {
	deny := rules(t, "    - {name: r, exec: {paths: ['*/netstat']}, effect: prevent}\n")
	for _, c := range []struct {
		name     string
		state    profile.State
		kind     redoubt.WorkloadKind
		id       redoubt.WorkloadID
		set      *policy.Set
		resolver bool
		want     sensor.Action
	}{
		{"learning", profile.Learning, redoubt.KindContainer, "docker/nginx", nil, true, sensor.Report},
		{"enforcing", profile.Enforcing, redoubt.KindContainer, "docker/nginx", nil, true, sensor.Deny},
		{"enforcing, nobody to ask first", profile.Enforcing, redoubt.KindContainer, "docker/nginx", nil, false, sensor.Hold},
		{"a denied program may be copied", profile.Learning, redoubt.KindContainer, "docker/nginx", deny, false, sensor.Hold},
		{"copies nobody was asked about first", profile.Learning, redoubt.KindContainer, "docker/nginx", deny, true, sensor.Hold},
		{"a denied program on a host", profile.Learning, redoubt.KindHost, "host/n1", deny, true, sensor.Report},
		{"host", profile.Enforcing, redoubt.KindHost, "host/n1", nil, true, sensor.Report},
		{"system service", profile.Enforcing, redoubt.KindService, "service/docker.service", nil, true, sensor.Report},
		{"instance of a system service", profile.Enforcing, redoubt.KindService, "service/systemd-udevd.service", nil, true, sensor.Report},
		{"other service", profile.Enforcing, redoubt.KindService, "service/shop.service", nil, true, sensor.Deny},
		{"service that only sounds like one", profile.Enforcing, redoubt.KindService, "service/sshop.service", nil, true, sensor.Deny},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := subject(c.state, c.set)
			s.Ref.Kind, s.Ref.ID, s.Resolver = c.kind, c.id, c.resolver
			if got := Compile(s).Mode; got.Exec != c.want {
				t.Errorf("%+v, want %d", got, c.want)
			}
		})
	}
}

// lookup answers as the kernel does: longest prefix, then port, then protocol.
func lookup(r *Ruleset, proto redoubt.Proto, to netip.AddrPort) sensor.Action {
	at := addrRegion(to.Addr())
	best, rank := r.Mode.Connect, -1
	for k, a := range r.Connect {
		own := region{addr: k.Addr, bits: int(k.Bits), port: k.Port, proto: k.Proto}
		at.port, at.proto = to.Port(), proto
		if !own.covers(at) {
			continue
		}
		n := own.bits * 4
		if own.port != 0 {
			n += 2
		}
		if own.proto != "" {
			n++
		}
		if n > rank {
			best, rank = a, n
		}
	}
	return best
}

func TestR10_ConnectRules(t *testing.T) {
	peers := func(string) []netip.Addr { return []netip.Addr{netip.MustParseAddr("172.17.0.9")} }
	for _, c := range []struct {
		name, rules string
		state       profile.State
		to          string
		want        sensor.Action
	}{
		{"known peer", "", profile.Learning, "10.0.0.5:5432", sensor.Allow},
		{"known peer, other port", "", profile.Learning, "10.0.0.5:22", sensor.Report},
		{"known peer enforced", "", profile.Enforcing, "10.0.0.5:5432", sensor.Allow},
		{"unknown peer enforced", "", profile.Enforcing, "10.0.0.6:5432", sensor.Deny},
		{"address denied", "    - {name: r, connect: {to: [10.0.0.5]}, effect: prevent}\n", profile.Learning, "10.0.0.5:5432", sensor.Deny},
		{"neighbour of a denied address", "    - {name: r, connect: {to: [10.0.0.5]}, effect: prevent}\n", profile.Learning, "10.0.0.6:5432", sensor.Report},
		{"prefix denied", "    - {name: r, connect: {to: [10.0.0.0/8]}, effect: prevent}\n", profile.Learning, "10.9.9.9:1", sensor.Deny},
		{"first rule wins over a longer prefix", "    - {name: r, connect: {to: [10.0.0.0/8], ports: [22]}, effect: prevent}\n    - {name: s, connect: {to: [10.0.0.5]}, effect: ignore}\n", profile.Learning, "10.0.0.5:22", sensor.Deny},
		{"second rule where the first is silent", "    - {name: r, connect: {to: [10.0.0.0/8], ports: [22]}, effect: prevent}\n    - {name: s, connect: {to: [10.0.0.5]}, effect: ignore}\n", profile.Learning, "10.0.0.5:23", sensor.Allow},
		{"public denied", "    - {name: r, connect: {to: [public]}, effect: prevent}\n", profile.Learning, "203.0.113.1:443", sensor.Deny},
		{"private when public is denied", "    - {name: r, connect: {to: [public]}, effect: prevent}\n", profile.Learning, "192.168.1.1:443", sensor.Report},
		{"loopback when public is denied", "    - {name: r, connect: {to: [public]}, effect: prevent}\n", profile.Learning, "127.0.0.1:443", sensor.Report},
		{"version 6 is public too", "    - {name: r, connect: {to: [public]}, effect: prevent}\n", profile.Learning, "[2001:db8::1]:443", sensor.Deny},
		{"public port denied, another port", "    - {name: r, connect: {to: [public], ports: [25]}, effect: prevent}\n", profile.Learning, "203.0.113.1:443", sensor.Report},
		{"port denied everywhere", "    - {name: r, connect: {ports: [25]}, effect: prevent}\n", profile.Learning, "[::1]:25", sensor.Deny},
		{"other protocol", "    - {name: r, connect: {ports: [25], proto: udp}, effect: prevent}\n", profile.Learning, "203.0.113.1:25", sensor.Report},
		{"workload denied", "    - {name: r, connect: {to: [docker/db]}, effect: prevent}\n", profile.Learning, "172.17.0.9:1", sensor.Deny},
		{"all but one denied", "    - {name: a, connect: {to: [203.0.113.0/24]}, effect: ignore}\n    - {name: b, connect: {}, effect: prevent}\n", profile.Learning, "203.0.113.7:80", sensor.Allow},
		{"the rest is denied", "    - {name: a, connect: {to: [203.0.113.0/24]}, effect: ignore}\n    - {name: b, connect: {}, effect: prevent}\n", profile.Learning, "203.0.114.7:80", sensor.Deny},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := subject(c.state, rules(t, c.rules+"    - {name: z, listen: {ports: [1]}, effect: alert}\n"))
			s.Peers = peers
			r := Compile(s)
			if got := lookup(&r, redoubt.TCP, netip.MustParseAddrPort(c.to)); got != c.want {
				t.Errorf("%d, want %d; mode %+v, rules %+v", got, c.want, r.Mode, r.Connect)
			}
		})
	}
}

// For any rules, what the kernel refuses is what Decide prevents.
func TestR10_KernelAndDecideAgreeOnConnections(t *testing.T) {
	places := []string{"10.0.0.0/8", "10.0.0.0/24", "10.0.0.5", "203.0.113.0/24", "public", "private", "loopback", "2001:db8::/32"}
	targets := []string{"10.0.0.5", "10.0.0.9", "10.1.2.3", "203.0.113.5", "198.51.100.1", "127.0.0.1", "::1", "2001:db8::5", "192.168.0.1", "224.0.0.1"}
	effects := []redoubt.Effect{redoubt.EffectIgnore, redoubt.EffectPrevent, redoubt.EffectAlert}
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 7))
		p := policy.Policy{Name: "p"}
		for i := range 1 + r.IntN(5) {
			c := &policy.Connect{}
			for range r.IntN(3) {
				c.To = append(c.To, places[r.IntN(len(places))])
			}
			if r.IntN(2) == 0 {
				c.Ports = []uint16{uint16(1 + r.IntN(3))}
			}
			if r.IntN(3) == 0 {
				c.Proto = redoubt.UDP
			}
			rule := policy.Rule{Name: fmt.Sprintf("r%d", i), Connect: c, Effect: effects[r.IntN(3)]}
			if r.IntN(8) == 0 {
				rule.Connect, rule.Novel = nil, &policy.Novel{}
			}
			p.Rules = append(p.Rules, rule)
		}
		set := policy.NewSet([]policy.Policy{p})
		state := []profile.State{profile.Learning, profile.Enforcing}[r.IntN(2)]
		s := subject(state, set)
		kernel := Compile(s)
		if len(kernel.Gaps) > 0 {
			t.Fatal(kernel.Gaps)
		}
		m := profile.Compile(s.Profile)
		for _, target := range targets {
			for port := range uint16(4) {
				for _, proto := range []redoubt.Proto{redoubt.TCP, redoubt.UDP} {
					to := netip.AddrPortFrom(netip.MustParseAddr(target), port+1)
					v := guard.Decide(connecting(proto, to), m, state, set, guard.Context{})
					got := lookup(&kernel, proto, to)
					if (got == sensor.Deny) != (v.Effect == redoubt.EffectPrevent) || got == sensor.Allow && guard.Alarms(v) {
						t.Fatalf("seed %d: %s %s: kernel %d, verdict %s by %s\n%+v", seed, proto, to, got, v.Effect, v.Rule, p.Rules)
					}
				}
			}
		}
	}
}

func TestR10_ListenRules(t *testing.T) {
	s := subject(profile.Enforcing, rules(t, "    - {name: a, listen: {ports: [9090], proto: tcp}, effect: ignore}\n    - {name: b, listen: {ports: [80]}, effect: alert}\n"))
	r := Compile(s)
	tcp := func(p uint16) redoubt.Port { return redoubt.Port{Proto: redoubt.TCP, Port: p} }
	if r.Listen[tcp(9090)] != sensor.Allow || r.Listen[tcp(80)] != sensor.Report || r.Mode.Listen != sensor.Deny {
		t.Errorf("%+v", r)
	}
	s = subject(profile.Enforcing, nil)
	s.Profile.Entries = append(s.Profile.Entries, profile.Entry{Kind: redoubt.EventListen, Listen: &profile.Listen{Proto: redoubt.UDP}})
	if r := Compile(s); r.Mode.Listen != sensor.Report || len(r.Gaps) == 0 || r.Listen[tcp(80)] != sensor.Allow {
		t.Errorf("%+v", r)
	}
}

func TestGapsAreSaid(t *testing.T) {
	s := subject(profile.Learning, rules(t, "    - {name: a, connect: {ports: [25], paths: [/bin/sh]}, effect: prevent}\n"))
	if r := Compile(s); len(r.Gaps) != 1 || lookup(&r, redoubt.TCP, netip.MustParseAddrPort("203.0.113.1:25")) != sensor.Report {
		t.Errorf("%+v", r)
	}
	var many []string
	for i := range 1000 {
		many = append(many, fmt.Sprintf("10.%d.0.0/16", i%256), fmt.Sprintf("10.0.%d.%d", i/256, i%256))
	}
	p := policy.Policy{Name: "p"}
	for i := range 8 {
		p.Rules = append(p.Rules, policy.Rule{Name: fmt.Sprint("r", i), Connect: &policy.Connect{To: many[:1000], Ports: []uint16{uint16(i + 1)}}, Effect: redoubt.EffectPrevent})
	}
	if r := Compile(subject(profile.Learning, policy.NewSet([]policy.Policy{p}))); len(r.Gaps) == 0 || len(r.Connect) != 0 || r.Mode.Connect != sensor.Report {
		t.Errorf("%d rules, %v, %+v", len(r.Connect), r.Gaps, r.Mode)
	}
}

func TestR12_DecideOpenDeniesByContent(t *testing.T) {
	deny := rules(t, "    - {name: r, exec: {paths: ['*/netstat']}, effect: prevent}\n")
	shallow := rules(t, "    - {name: r, exec: {paths: ['*/netstat'], args: ['-p']}, effect: prevent}\n")
	const loaderDigest = redoubt.Digest("sha256:5555555555555555555555555555555555555555555555555555555555555555")
	for _, c := range []struct {
		name   string
		state  profile.State
		set    *policy.Set
		o      Opening
		deny   bool
		action sensor.Action
	}{
		{"denied program", profile.Learning, deny, Opening{"/usr/bin/netstat", netstatDigest, redoubt.OriginImage, true}, true, sensor.Deny},
		{"its copy", profile.Learning, deny, Opening{"/tmp/innocent", netstatDigest, redoubt.OriginWritten, true}, true, sensor.Deny},
		{"its copy over an allowed name", profile.Learning, deny, Opening{"/usr/sbin/nginx", netstatDigest, redoubt.OriginWritten, true}, true, sensor.Deny},
		{"read by another program", profile.Learning, deny, Opening{"/usr/bin/netstat", netstatDigest, redoubt.OriginImage, false}, true, sensor.Deny},
		{"honest neighbour", profile.Learning, deny, Opening{"/tmp/other", otherDigest, redoubt.OriginWritten, true}, false, sensor.Report},
		{"it hangs on the arguments", profile.Learning, shallow, Opening{"/usr/bin/netstat", netstatDigest, redoubt.OriginImage, true}, false, sensor.Hold},
		{"unknown while enforcing", profile.Enforcing, nil, Opening{"/tmp/other", otherDigest, redoubt.OriginWritten, true}, true, sensor.Deny},
		{"unreadable while enforcing", profile.Enforcing, nil, Opening{"/usr/sbin/nginx", "", redoubt.OriginImage, true}, true, sensor.Deny},
		{"known while enforcing", profile.Enforcing, nil, Opening{"/usr/sbin/nginx", nginxDigest, redoubt.OriginImage, true}, false, sensor.Hold},
		{"loader while enforcing", profile.Enforcing, nil, Opening{"/lib64/ld-linux-x86-64.so.2", loaderDigest, redoubt.OriginImage, true}, false, sensor.Hold},
		{"written loader while enforcing", profile.Enforcing, nil, Opening{"/tmp/ld-linux.so.2", loaderDigest, redoubt.OriginWritten, true}, true, sensor.Deny},
		{"interpreter while enforcing", profile.Enforcing, nil, Opening{"/usr/bin/python3.11", loaderDigest, redoubt.OriginImage, true}, false, sensor.Hold},
		{"read while enforcing", profile.Enforcing, nil, Opening{"/tmp/other", otherDigest, redoubt.OriginWritten, false}, false, sensor.Deny},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := DecideOpen(subject(c.state, c.set), c.o)
			if a.Deny != c.deny || a.Action != c.action || a.Remember && (a.Deny || c.o.Origin != redoubt.OriginImage) {
				t.Errorf("%+v", a)
			}
		})
	}
	if got := Denied(subject(profile.Learning, deny)); len(got) != 1 || got[0].Path != "/usr/bin/netstat" {
		t.Error(got)
	}
}

func TestWantedNamesWhatIsToBeLocated(t *testing.T) {
	set := rules(t, "    - {name: r, exec: {paths: ['*/netstat', /opt/x, '/opt/*/y']}, effect: prevent}\n")
	got := Wanted(nginxProfile(), set.Overlay(web, nil, "n1"))
	for _, want := range []string{"/usr/bin/netstat", "/bin/netstat", "/opt/x", "/usr/sbin/nginx", "/bin/sh"} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is missing in %v", want, got)
		}
	}
	if slices.ContainsFunc(got, func(p string) bool { return strings.ContainsAny(p, "*") }) {
		t.Error(got)
	}
}

func TestExactRulesAreOnlyMadeOfWhatIsTheWorkloads(t *testing.T) {
	s := sensor.Sighting{Kind: redoubt.EventExec, Key: sensor.ExecKey{File: key(1), Parent: key(2), Args: 7}}
	ignored, denied, alerted := redoubt.Verdict{Effect: redoubt.EffectIgnore}, redoubt.Verdict{Effect: redoubt.EffectPrevent}, redoubt.Verdict{Effect: redoubt.EffectAlert}
	if k, a, ok := Exact(&s, ignored); !ok || a != sensor.Allow || k != s.Key {
		t.Error(k, a, ok)
	}
	if _, a, ok := Exact(&s, denied); !ok || a != sensor.Deny {
		t.Error(a, ok)
	}
	if _, _, ok := Exact(&s, alerted); ok {
		t.Error("an alert must be seen each time")
	}
	for name, change := range map[string]func(*sensor.Sighting){
		"entered": func(s *sensor.Sighting) { s.Entered = true }, "init": func(s *sensor.Sighting) { s.Init = true },
		"cut": func(s *sensor.Sighting) { s.Truncated = true }, "no parent": func(s *sensor.Sighting) { s.Key.Parent = redoubt.FileKey{} },
		"loader": func(s *sensor.Sighting) { s.Loader = true },
	} {
		changed := s
		change(&changed)
		if _, _, ok := Exact(&changed, ignored); ok {
			t.Errorf("%s: a rule was made", name)
		}
	}
}

func BenchmarkDecideOpen(b *testing.B) {
	for _, n := range []int{1, 100} {
		p := policy.Policy{Name: "p"}
		for i := range n {
			p.Rules = append(p.Rules, policy.Rule{Name: fmt.Sprint("r", i), Exec: &policy.Exec{Paths: []string{fmt.Sprintf("*/tool%d", i)}}, Effect: redoubt.EffectPrevent})
		}
		s := subject(profile.Enforcing, policy.NewSet([]policy.Policy{p}))
		for i := range 2000 {
			s.Profile.Entries = append(s.Profile.Entries, profile.Entry{Exec: &profile.Exec{Path: fmt.Sprint("/usr/bin/", i)}})
		}
		b.Run(fmt.Sprint(n, " rules"), func(b *testing.B) {
			for b.Loop() {
				DecideOpen(s, Opening{Path: "/usr/sbin/nginx", Digest: nginxDigest, Origin: redoubt.OriginImage, Exec: true})
			}
		})
	}
}
