package guard

import (
	"net/netip"
	"path"
	"slices"

	"redoubt.dev/redoubt/internal/policy"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

// judge sets technique, severity and the nearest entry of a verdict that
// alarms. It starts from what the program or the connection is and raises it:
//
//	a file written since the start, or without a lasting name   +1 (memory at least critical)
//	a shell or interpreter started by a server                  at least high
//	a program at a known path with other content                at least high
//	a policy that stops or cuts off the workload                at least high
//	a policy that prevents                                      at least medium
func judge(ev *redoubt.Event, m *profile.Matcher, c Context, v *redoubt.Verdict) {
	var near *profile.Entry
	if v.Novel && m != nil {
		if near, _ = m.Nearest(ev); near != nil {
			v.Entry = near.ID
		}
	}
	switch ev.Kind {
	case redoubt.EventExec:
		v.Technique, v.Severity = judgeExec(ev.Process, near, c)
	case redoubt.EventConnect:
		v.Technique, v.Severity = judgeConnect(ev)
	default:
		v.Technique, v.Severity = judgeListen(ev)
	}
	switch v.Effect {
	case redoubt.EffectPrevent:
		v.Severity = max(v.Severity, redoubt.Medium)
	case redoubt.EffectBlock, redoubt.EffectIsolate:
		v.Severity = max(v.Severity, redoubt.High)
	}
}

func judgeExec(p *redoubt.Process, near *profile.Entry, c Context) (string, redoubt.Severity) {
	if p == nil {
		return "T1204", redoubt.Medium
	}
	t, _ := toolOf(p)
	technique, severity := "T1204", redoubt.Medium
	if p.Entered {
		technique = "T1609"
	}
	if t != nil {
		technique, severity = t.technique, t.severity
	}
	if visitor(p, c.Health) != nil {
		severity = max(severity, redoubt.Medium)
	}
	if t.interprets() && serves(p.Parent, c) {
		severity = max(severity, redoubt.High)
	}
	if f := p.File; f != nil {
		switch {
		case f.Origin == redoubt.OriginMemory:
			return "T1620", redoubt.Critical
		case near != nil && near.Exec != nil && changed(near.Exec, p):
			technique, severity = "T1554", max(severity, redoubt.High)
		case f.Origin == redoubt.OriginWritten:
			severity = min(severity+1, redoubt.Critical)
			if t == nil {
				technique = "T1105"
			}
		case near != nil && near.Exec != nil && t == nil && moved(near.Exec, p):
			technique, severity = "T1036", max(severity, redoubt.High)
		case t == nil && near != nil && near.Exec != nil && near.Exec.Path == p.Path && near.Exec.Parent == parentPath(p):
			technique, severity = "T1059", redoubt.Low // the known program, from where it is known, with other arguments
		}
	}
	return technique, severity
}

// changed is a known path with content that the profile does not allow.
func changed(x *profile.Exec, p *redoubt.Process) bool {
	return x.Path == p.Path && p.File.Digest != "" && len(x.Digests) > 0 && !slices.Contains(x.Digests, p.File.Digest)
}

// moved is known content at a path that the profile does not know.
func moved(x *profile.Exec, p *redoubt.Process) bool {
	return x.Path != p.Path && p.File.Digest != "" && slices.Contains(x.Digests, p.File.Digest) && path.Base(x.Path) != path.Base(p.Path)
}

func parentPath(p *redoubt.Process) string {
	if p.Entered {
		return profile.Outside
	}
	if p.Parent == nil {
		return ""
	}
	return p.Parent.Path
}

// servers are programs that answer strangers.
var servers = []string{
	"nginx", "httpd", "apache2", "lighttpd", "caddy", "haproxy", "envoy", "traefik", "varnishd", "squid",
	"java", "node", "nodejs", "php-fpm", "php", "gunicorn", "uwsgi", "uvicorn", "puma", "unicorn", "ruby", "python", "dotnet", "catalina.sh",
	"postgres", "mysqld", "mariadbd", "mongod", "redis-server", "valkey-server", "memcached", "elasticsearch", "clickhouse-server", "etcd",
	"named", "dnsmasq", "unbound", "coredns", "smbd", "nmbd", "proftpd", "vsftpd", "exim4", "postfix", "dovecot", "slapd", "mosquitto", "rabbitmq-server", "beam.smp",
}

func serves(p *redoubt.Process, c Context) bool {
	if p == nil {
		return false
	}
	if slices.Contains(c.Servers, p.Path) {
		return true
	}
	return slices.ContainsFunc(policy.Programs(p), func(name string) bool {
		return slices.Contains(servers, path.Base(name)) || slices.Contains(servers, toolName(name))
	})
}

func judgeListen(ev *redoubt.Event) (string, redoubt.Severity) {
	severity := redoubt.Medium
	if suspect(ev.Process) {
		severity = redoubt.High
	}
	return "T1571", severity
}

var metadataServices = []netip.Addr{netip.MustParseAddr("169.254.169.254"), netip.MustParseAddr("fd00:ec2::254"), netip.MustParseAddr("100.100.100.200"), netip.MustParseAddr("169.254.170.2")}

// ports that say what a connection is for.
var (
	torPorts   = []uint16{9001, 9030, 9050, 9150}
	minerPorts = []uint16{3333, 4444, 5555, 7777, 14444, 45700}
	loginPorts = []uint16{22, 23, 3389, 5900, 5985}
	dnsPorts   = []uint16{53, 853}
)

func judgeConnect(ev *redoubt.Event) (string, redoubt.Severity) {
	technique, severity := "T1071", redoubt.Medium
	if ev.Network != nil {
		addr, port := ev.Network.Remote.Addr().Unmap(), ev.Network.Remote.Port()
		public := policy.Place("public")(addr)
		switch {
		case slices.Contains(metadataServices, addr):
			technique, severity = "T1552.005", redoubt.High
		case slices.Contains(dnsPorts, port):
			technique, severity = "T1071.004", redoubt.Low
		case addr.IsLoopback():
			technique, severity = "T1071", redoubt.Low
		case public && slices.Contains(torPorts, port):
			technique, severity = "T1090.003", redoubt.High
		case public && slices.Contains(minerPorts, port):
			technique, severity = "T1496", redoubt.High
		case slices.Contains(loginPorts, port):
			technique, severity = "T1021", redoubt.High
		case !public:
			technique = "T1018"
		}
	}
	if suspect(ev.Process) {
		severity = max(severity, redoubt.High)
	}
	return technique, severity
}

// suspect is a program that came after the start, or an attacker's tool.
func suspect(p *redoubt.Process) bool {
	if p == nil {
		return false
	}
	if p.File != nil && (p.File.Origin == redoubt.OriginWritten || p.File.Origin == redoubt.OriginMemory) {
		return true
	}
	t, _ := toolOf(p)
	return t != nil && (t.severity >= redoubt.High || t.isShell())
}
