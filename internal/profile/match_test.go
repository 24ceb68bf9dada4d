package profile

import (
	"strings"
	"testing"

	"redoubt.dev/redoubt/internal/redoubt"
)

// Each deviation has its honest neighbour, which the same profile allows.
func TestR1_R2_R19_EachDeviationHasAnHonestTwin(t *testing.T) {
	master := ran(shim(), 10, "/usr/sbin/nginx", "-g", "daemon off;")
	shell := ran(master, 11, "/bin/sh", "-c", "logrotate 12345")
	copied := func(path, content string, origin redoubt.Origin) *redoubt.Process {
		p := ran(master, 12, "/usr/sbin/nginx", "-g", "daemon off;")
		p.Path, p.File = path, &redoubt.File{Digest: contentOf(content), Origin: origin}
		return p
	}
	argv := func(p *redoubt.Process, args ...string) *redoubt.Process {
		c := *p
		c.Args = args
		return &c
	}
	enter := func(p *redoubt.Process) *redoubt.Process {
		c := *p
		c.Entered = true
		return &c
	}
	udp := func(ev *redoubt.Event) *redoubt.Event {
		ev.Network.Proto = redoubt.UDP
		return ev
	}
	peer := func(ev *redoubt.Event, id redoubt.WorkloadID) *redoubt.Event {
		ev.Network.Peer = id
		return ev
	}
	worker := ran(master, 20, "/usr/sbin/nginx", "-g", "daemon off;")
	health := enter(ran(shim(), 30, "/bin/sh", "-c", "curl -f http://localhost/"))
	loader := ran(master, 40, "/lib64/ld-linux-x86-64.so.2", "/usr/bin/uptime")

	p := allowing(t, exec(0, master), exec(0, worker), exec(0, shell), exec(0, health), exec(0, loader),
		socket(0, redoubt.EventListen, master, "0.0.0.0:80", ""),
		socket(0, redoubt.EventConnect, worker, "", "10.0.0.5:5432"),
		socket(0, redoubt.EventConnect, worker, "", "127.0.0.1:9000"),
		peer(socket(0, redoubt.EventConnect, worker, "", "172.17.0.9:6379"), "docker/redis"))
	p.Entries = append(p.Entries, Entry{Kind: redoubt.EventConnect, Connect: &Connect{Proto: redoubt.TCP, Peer: "203.0.113.0/24", Port: 443}, Source: Manual},
		Entry{Kind: redoubt.EventListen, Listen: &Listen{Proto: redoubt.UDP, Path: "/usr/sbin/nginx"}, Source: Manual})
	m := Compile(p)

	for _, c := range []struct {
		name           string
		attack, honest *redoubt.Event
		why            string // said of the attack
	}{
		{"new program", exec(0, ran(master, 50, "/bin/netstat")), exec(0, worker), "other program"},
		{"allowed name, other content", exec(0, copied("/usr/sbin/nginx", "netstat", redoubt.OriginWritten)), exec(0, copied("/usr/sbin/nginx", "/usr/sbin/nginx", redoubt.OriginWritten)), "other content"},
		{"allowed content, other name", exec(0, copied("/tmp/x", "/usr/sbin/nginx", redoubt.OriginWritten)), exec(0, worker), "other program"},
		{"unreadable content", exec(0, copied("/usr/sbin/nginx", "", redoubt.OriginImage)), exec(0, worker), ""},
		{"unexpected parent", exec(0, ran(shell, 51, "/usr/sbin/nginx", "-g", "daemon off;")), exec(0, worker), "other parent"},
		{"other command in a shell", exec(0, argv(shell, "/bin/sh", "-c", "logrotate 12345; id")), exec(0, argv(shell, "/bin/sh", "-c", "logrotate 999")), "other arguments"},
		{"other target of the loader", exec(0, argv(loader, loader.Path, "/bin/netstat")), exec(0, argv(loader, loader.Path, "/usr/bin/uptime")), "other arguments"},
		{"one more argument", exec(0, argv(worker, "/usr/sbin/nginx", "-g", "daemon off;", "-c")), exec(0, worker), "other arguments"},
		{"health check with more in it", exec(0, argv(health, "/bin/sh", "-c", "curl -f http://localhost/;id")), exec(0, health), "other arguments"},
		{"docker exec of what the workload does itself", exec(0, enter(worker)), exec(0, worker), "other parent"},
		{"health check run from inside", exec(0, ran(master, 52, "/bin/sh", "-c", "curl -f http://localhost/")), exec(0, health), "other parent"},
		{"new port", socket(0, redoubt.EventListen, master, "0.0.0.0:4444", ""), socket(0, redoubt.EventListen, master, "[::]:80", ""), "other port"},
		{"known port, other program", socket(0, redoubt.EventListen, shell, "0.0.0.0:80", ""), socket(0, redoubt.EventListen, master, "0.0.0.0:80", ""), "other program"},
		{"not an ephemeral port", udp(socket(0, redoubt.EventListen, master, "0.0.0.0:53", "")), udp(socket(0, redoubt.EventListen, master, "0.0.0.0:45000", "")), "other port"},
		{"accepted where nobody may listen", socket(0, redoubt.EventAccept, nil, "10.0.0.2:4444", "10.0.0.9:999"), socket(0, redoubt.EventAccept, nil, "10.0.0.2:80", "10.0.0.9:999"), "other port"},
		{"new peer", socket(0, redoubt.EventConnect, worker, "", "10.0.0.6:5432"), socket(0, redoubt.EventConnect, worker, "", "[::ffff:10.0.0.5]:5432"), "other peer"},
		{"known peer, other port", socket(0, redoubt.EventConnect, worker, "", "10.0.0.5:22"), socket(0, redoubt.EventConnect, worker, "", "10.0.0.5:5432"), "other port"},
		{"known peer, other program", socket(0, redoubt.EventConnect, shell, "", "10.0.0.5:5432"), socket(0, redoubt.EventConnect, worker, "", "10.0.0.5:5432"), "other program"},
		{"known peer, other protocol", udp(socket(0, redoubt.EventConnect, worker, "", "10.0.0.5:5432")), socket(0, redoubt.EventConnect, worker, "", "10.0.0.5:5432"), "other protocol"},
		{"stranger at a workload's old address", socket(0, redoubt.EventConnect, worker, "", "172.17.0.9:6379"), peer(socket(0, redoubt.EventConnect, worker, "", "172.17.0.77:6379"), "docker/redis"), "other peer"},
		{"outside the prefix", socket(0, redoubt.EventConnect, shell, "", "203.0.114.1:443"), socket(0, redoubt.EventConnect, shell, "", "203.0.113.1:443"), "other peer"},
		{"not loopback", socket(0, redoubt.EventConnect, worker, "", "10.9.9.9:9000"), socket(0, redoubt.EventConnect, worker, "", "[::1]:9000"), "other peer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "unreadable content" {
				c.attack.Process.File = &redoubt.File{Origin: redoubt.OriginImage, Error: "too large to hash"}
				c.why = "could not be read, so nothing can vouch for it: too large to hash"
			}
			if e, ok := m.Match(c.attack); ok {
				t.Errorf("attack allowed by %s", e)
			}
			if why := m.Why(c.attack); !strings.Contains(why, c.why) {
				t.Errorf("attack explained as %q, want %q in it", why, c.why)
			}
			if _, ok := m.Match(c.honest); !ok {
				t.Errorf("honest neighbour not allowed: %s", m.Why(c.honest))
			}
		})
	}
}

func TestEntryForAllowsItsEventAndNothingNear(t *testing.T) {
	master := ran(shim(), 10, "/usr/sbin/nginx")
	netstat := exec(0, ran(master, 11, "/bin/netstat", "-an"))
	p := allowing(t, exec(0, master))
	if _, ok := Compile(p).Match(netstat); ok {
		t.Fatal("netstat allowed before")
	}
	e, err := EntryFor(netstat)
	if err != nil {
		t.Fatal(err)
	}
	p.Entries = append(p.Entries, e)
	m := Compile(p)
	if got, ok := m.Match(netstat); !ok || got.ID != e.ID {
		t.Errorf("netstat still not allowed: %s", m.Why(netstat))
	}
	if _, ok := m.Match(exec(0, ran(master, 12, "/bin/netstat", "-anp"))); ok {
		t.Error("other arguments allowed as well")
	}
	near, diff := m.Nearest(exec(0, ran(master, 12, "/bin/netstat", "-anp")))
	if near == nil || near.ID != e.ID || len(diff) != 4 || !diff[0].Same || diff[3].Same {
		t.Errorf("nearest is %v with %+v", near, diff)
	}
}

func TestSeededWithoutContentAllowsOnlyWhatTheImageShipped(t *testing.T) {
	p := &Profile{Entries: []Entry{{Kind: redoubt.EventExec, Source: Seeded, Exec: &Exec{Path: "/bin/tool"}}}}
	honest, attack := exec(0, ran(nil, 2, "/bin/tool")), exec(0, ran(nil, 2, "/bin/tool"))
	attack.Process.File = &redoubt.File{Digest: contentOf("evil"), Origin: redoubt.OriginWritten}
	m := Compile(p)
	if _, ok := m.Match(honest); !ok {
		t.Error("shipped file not allowed")
	}
	if _, ok := m.Match(attack); ok {
		t.Error("file written after the start allowed")
	}
}

func BenchmarkMatch(b *testing.B) {
	master := ran(shim(), 10, "/usr/sbin/nginx", "-g", "daemon off;")
	var events []*redoubt.Event
	for i := range 500 {
		events = append(events, exec(0, ran(master, 11, "/usr/bin/tool"+portText(uint16(i)), "--run", "x")))
	}
	for i := range 12 {
		events = append(events, exec(0, ran(master, 11, "/bin/sh", "-c", "echo step "+string(rune('a'+i))+" of 1234 in /var/lib")))
	}
	m := Compile(allowing(b, events...))
	last := events[len(events)-1]
	for _, c := range []struct {
		name string
		ev   *redoubt.Event
		want bool
	}{{"known", events[250], true}, {"shell", last, true}, {"unknown", exec(0, ran(master, 12, "/bin/netstat")), false}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := m.Match(c.ev); ok != c.want {
					b.Fatal("wrong answer")
				}
			}
		})
	}
}
