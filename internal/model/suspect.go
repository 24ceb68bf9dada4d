package model

import (
	"path"
	"strings"

	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/redoubt"
)

// suspicion is a deed no function does honestly unless a person said so: it
// alarms in every state.
type suspicion struct {
	why       string // completes "the function …"
	technique string
	severity  redoubt.Severity
}

// suspect returns nil for what waits for the model's word.
func suspect(d *Deed) *suspicion {
	switch d.Use.Kind {
	case function.UseExec:
		return suspectExec(d)
	case function.UseEgress, function.UseDNS:
		host, _ := splitPort(d.Use.Target)
		if d.Use.Kind == function.UseDNS {
			host = d.Use.Target
		}
		if metadata[strings.Trim(host, "[]")] {
			return &suspicion{"reaches for the machine's cloud credentials at " + host, "T1552.005", redoubt.High}
		}
	case function.UseRead:
		if t, ok := secrets(d.Use.Target); ok {
			return &suspicion{"reads " + d.Use.Target + ", which holds secrets", t, redoubt.High}
		}
	}
	return nil
}

var metadata = words("169.254.169.254 169.254.170.2 169.254.170.23 fd00:ec2::254 fd00:ec2::23 100.100.100.200 metadata.google.internal metadata.azure.internal instance-data")

func secrets(p string) (technique string, yes bool) {
	switch {
	case p == "/etc/shadow" || p == "/etc/gshadow" || p == "/etc/shadow-":
		return "T1003.008", true
	case strings.HasPrefix(p, "/proc/") && (strings.HasSuffix(p, "/environ") || strings.HasSuffix(p, "/mem")):
		return "T1552.001", true
	case strings.HasPrefix(p, "/root/") || strings.Contains(p, "/.ssh/") || strings.Contains(p, "/.aws/credentials"):
		return "T1552.001", true
	}
	return "", false
}

func suspectExec(d *Deed) *suspicion {
	p := d.Use.Target
	name := toolName(p)
	switch {
	case reverse(name, d.Args):
		return &suspicion{"starts " + p + " tied to a connection, as reverse shells do", "T1059.004", redoubt.Critical}
	case temporary(p) || strings.HasPrefix(p, "/proc/") || strings.HasPrefix(p, "/run/") || strings.HasPrefix(p, "memfd:"):
		return &suspicion{"starts " + p + ", which came after its code was deployed", "T1620", redoubt.Critical}
	case d.Granted:
		return nil
	}
	if t := interpreters[name]; t != "" {
		return &suspicion{"starts " + p + ", which runs whatever it is told; its role grants no such program", t, redoubt.High}
	}
	if t := tools[name]; t != "" {
		return &suspicion{"starts " + p + ", a tool of attackers; its role grants no such program", t, redoubt.High}
	}
	return nil
}

// toolName is a path's file name without a version, as in python3.11.
func toolName(p string) string {
	base := path.Base(p)
	if interpreters[base] != "" || tools[base] != "" {
		return base
	}
	return strings.TrimRight(base, ".-0123456789")
}

// interpreters and the ATT&CK technique of what they run.
var interpreters = byName(map[string]string{
	"T1059.004": "sh bash dash ash zsh ksh mksh fish csh tcsh rbash hush busybox toybox script",
	"T1059.006": "python pypy",
	"T1059.007": "node nodejs deno bun",
	"T1059":     "perl ruby php lua luajit awk gawk mawk nawk tclsh expect osascript jrunscript env xargs find nohup timeout setsid",
})

// tools that people who broke in start first.
var tools = byName(map[string]string{
	"T1105":     "curl wget aria2c tftp ftp",
	"T1095":     "nc ncat netcat nc.openbsd nc.traditional socat cryptcat telnet",
	"T1033":     "whoami id who w",
	"T1082":     "uname hostname lscpu",
	"T1049":     "netstat ss lsof",
	"T1057":     "ps top pgrep",
	"T1016":     "ip ifconfig arp route",
	"T1046":     "nmap masscan zmap",
	"T1018":     "ping dig nslookup host",
	"T1087.001": "cat head tail less more strings od",
	"T1083":     "ls tree locate",
	"T1140":     "base64 base32 xxd openssl",
	"T1496":     "xmrig minerd cpuminer ethminer kdevtmpfsi kinsing",
	"T1552.005": "aws gcloud az",
	"T1611":     "unshare nsenter mount chroot capsh",
	"T1055.008": "gdb strace ltrace",
	"T1027":     "gcc cc tcc clang go rustc",
	"T1572":     "chisel ngrok frpc cloudflared",
	"T1021.004": "ssh scp sftp",
	"T1560.001": "tar zip 7z gzip",
})

func byName(rows map[string]string) map[string]string {
	out := map[string]string{}
	for technique, names := range rows {
		for _, n := range strings.Fields(names) {
			out[n] = technique
		}
	}
	return out
}

// reverse reports whether a program's arguments tie it to a connection.
func reverse(name string, args []string) bool {
	if len(args) < 2 {
		return false
	}
	all := strings.Join(args[1:], " ")
	if len(all) > 8192 {
		all = all[:8192]
	}
	switch {
	case strings.Contains(all, "/dev/tcp/") || strings.Contains(all, "/dev/udp/"):
		return true
	case strings.Contains(all, "mkfifo") && (strings.Contains(all, "nc ") || strings.Contains(all, "telnet ")):
		return true
	case strings.Contains(all, "socket") && (strings.Contains(all, "dup2") || strings.Contains(all, "pty.spawn") || strings.Contains(all, "/bin/sh") || strings.Contains(all, "/bin/bash")):
		return interpreters[name] != ""
	}
	switch name {
	case "nc", "ncat", "netcat", "nc.openbsd", "nc.traditional":
		return strings.Contains(" "+all, " -e") || strings.Contains(" "+all, " -c") || strings.Contains(all, "--exec") || strings.Contains(all, "--sh-exec")
	case "socat":
		return strings.Contains(strings.ToLower(all), "exec:")
	case "openssl":
		return strings.Contains(all, "s_client") && strings.Contains(all, "-quiet")
	}
	return false
}
