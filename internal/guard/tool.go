package guard

import (
	"path"
	"slices"
	"strings"

	"redoubt.dev/redoubt/internal/policy"
	"redoubt.dev/redoubt/internal/redoubt"
)

// tool is a program that attackers run soon after they are in.
type tool struct {
	names     []string // file names, or applets of a multi-call program
	args      []string // globs: one must fit an argument; empty is any
	technique string
	does      string // completes "NAME …"
	severity  redoubt.Severity
}

// tools are asked in order; the first that fits names the technique.
var tools = []tool{
	{[]string{"netstat", "ss", "lsof", "sockstat"}, nil, "T1049", "lists network connections", redoubt.Medium},
	{[]string{"nmap", "masscan", "zmap", "rustscan", "unicornscan", "fscan"}, nil, "T1046", "scans the network for services", redoubt.High},
	{[]string{"nikto", "gobuster", "dirb", "ffuf", "sqlmap", "wpscan"}, nil, "T1046", "probes web applications", redoubt.High},
	{[]string{"nc", "ncat", "netcat", "nc.openbsd", "nc.traditional", "socat"}, []string{"-e*", "-c*", "--exec*", "--sh-exec*", "EXEC:*", "exec:*"}, "T1059.004", "ties a program to a connection, as reverse shells do", redoubt.Critical},
	{[]string{"nc", "ncat", "netcat", "nc.openbsd", "nc.traditional", "socat", "socat1", "cryptcat"}, nil, "T1095", "opens raw network connections", redoubt.High},
	{[]string{"curl", "wget", "aria2c", "axel", "lwp-download"}, nil, "T1105", "fetches files from the network", redoubt.Medium},
	{[]string{"ftp", "tftp", "lftp", "ncftp", "ftpget", "ftpput"}, nil, "T1105", "moves files over the network", redoubt.Medium},
	{[]string{"apt", "apt-get", "dpkg", "yum", "dnf", "rpm", "apk", "pacman", "zypper"}, nil, "T1072", "installs or removes software", redoubt.Medium},
	{[]string{"pip", "pip3", "npm", "gem", "cpan"}, nil, "T1105", "installs packages from the network", redoubt.Medium},
	{[]string{"whoami", "id", "who", "w", "last", "lastlog", "logname", "users", "finger"}, nil, "T1033", "tells who is logged in", redoubt.Medium},
	{[]string{"groups", "getent"}, nil, "T1069.001", "lists users and groups", redoubt.Medium},
	{[]string{"uname", "hostname", "hostnamectl", "lscpu", "lshw", "dmidecode", "lsblk", "lspci", "uptime", "free", "arch", "nproc"}, nil, "T1082", "tells what machine this is", redoubt.Low},
	{[]string{"ps", "top", "htop", "pgrep", "pidof", "pstree"}, nil, "T1057", "lists processes", redoubt.Medium},
	{[]string{"ip", "ifconfig", "route", "arp", "iwconfig", "nmcli", "ipcalc"}, nil, "T1016", "shows the network configuration", redoubt.Medium},
	{[]string{"ping", "ping6", "fping", "arping", "arp-scan", "traceroute", "tracepath", "mtr", "nbtscan", "hping3"}, nil, "T1018", "looks for other machines", redoubt.Medium},
	{[]string{"dig", "nslookup", "host", "drill"}, nil, "T1018", "asks the name service for other machines", redoubt.Low},
	{[]string{"smbclient", "showmount", "rpcclient", "smbmap", "enum4linux"}, nil, "T1135", "lists network shares", redoubt.High},
	{[]string{"systemctl", "service", "rc-service", "chkconfig", "update-rc.d"}, nil, "T1543.002", "controls system services", redoubt.Medium},
	{[]string{"bash", "sh", "dash", "zsh", "ksh", "ash", "fish", "csh", "tcsh", "rbash", "mksh", "hush"}, nil, "T1059.004", "is a shell", redoubt.Medium},
	{[]string{"python", "python2", "python3", "pypy", "pypy3"}, nil, "T1059.006", "runs scripts", redoubt.Medium},
	{[]string{"node", "nodejs", "deno", "bun"}, nil, "T1059.007", "runs scripts", redoubt.Medium},
	{[]string{"perl", "ruby", "php", "lua", "awk", "gawk", "mawk", "tclsh", "expect", "osascript", "jrunscript", "groovy"}, nil, "T1059", "runs scripts", redoubt.Medium},
	{[]string{"crontab", "crond", "anacron"}, nil, "T1053.003", "runs programs on a clock", redoubt.High},
	{[]string{"at", "atd", "batch"}, nil, "T1053.001", "runs programs at a later time", redoubt.High},
	{[]string{"base64", "base32", "xxd", "uudecode", "uuencode", "openssl"}, nil, "T1140", "decodes hidden data", redoubt.Medium},
	{[]string{"chmod"}, []string{"+s", "*u+*s", "g+*s", "a+*s", "4???", "04???", "2???", "02???", "6???", "06???"}, "T1548.001", "sets the setuid bit", redoubt.High},
	{[]string{"setcap"}, nil, "T1548.001", "gives capabilities to a file", redoubt.High},
	{[]string{"chattr"}, nil, "T1222.002", "makes files unchangeable", redoubt.High},
	{[]string{"sudo", "su", "doas", "pkexec", "runuser"}, nil, "T1548.003", "changes to another user", redoubt.High},
	{[]string{"insmod", "modprobe", "rmmod", "kmod", "depmod"}, nil, "T1547.006", "loads kernel modules", redoubt.Critical},
	{[]string{"bpftool", "bpftrace"}, nil, "T1014", "loads programs into the kernel", redoubt.Critical},
	{[]string{"tcpdump", "tshark", "dumpcap", "ngrep", "ettercap", "tcpflow", "wireshark"}, nil, "T1040", "records network traffic", redoubt.High},
	{[]string{"xmrig", "xmr-stak", "minerd", "cpuminer", "ethminer", "kdevtmpfsi", "kinsing", "cgminer", "bfgminer", "nbminer", "t-rex", "lolminer", "phoenixminer", "xmrigdaemon", "ccminer"}, nil, "T1496", "mines coins", redoubt.Critical},
	{[]string{"ssh", "scp", "sftp", "dbclient", "sshpass", "ssh-keyscan", "autossh", "pssh"}, nil, "T1021.004", "logs in to other machines", redoubt.High},
	{[]string{"telnet", "rsh", "rlogin", "rexec"}, nil, "T1021", "logs in to other machines", redoubt.High},
	{[]string{"sshd", "dropbear", "telnetd", "in.telnetd", "ftpd"}, nil, "T1021", "lets others log in", redoubt.High},
	{[]string{"ssh-keygen", "chpasswd", "passwd", "usermod", "chage", "gpasswd", "vipw"}, nil, "T1098", "changes keys or passwords", redoubt.High},
	{[]string{"useradd", "adduser", "groupadd", "addgroup", "newusers"}, nil, "T1136.001", "makes accounts", redoubt.High},
	{[]string{"hydra", "medusa", "ncrack", "patator", "crowbar"}, nil, "T1110", "guesses passwords", redoubt.Critical},
	{[]string{"john", "hashcat", "unshadow", "mimipenguin"}, nil, "T1003.008", "cracks passwords", redoubt.Critical},
	{[]string{"gdb", "gdbserver", "strace", "ltrace", "gcore"}, nil, "T1055.008", "looks into other processes", redoubt.High},
	{[]string{"nsenter", "unshare", "chroot", "pivot_root", "mount", "umount", "capsh", "debugfs"}, nil, "T1611", "reaches for the host", redoubt.High},
	{[]string{"docker", "podman", "ctr", "crictl", "runc", "nerdctl"}, nil, "T1610", "controls containers", redoubt.High},
	{[]string{"kubectl", "helm", "kubeletctl", "peirates", "cdk", "amicontained", "deepce", "deepce.sh"}, nil, "T1613", "explores the cluster", redoubt.High},
	{[]string{"linpeas", "linpeas.sh", "lse.sh", "linenum", "linenum.sh", "pspy", "pspy64", "linux-exploit-suggester.sh"}, nil, "T1082", "searches for weak spots", redoubt.Critical},
	{[]string{"aws", "gcloud", "az", "gsutil"}, nil, "T1552.005", "speaks to the cloud with the machine's rights", redoubt.High},
	{[]string{"trufflehog", "gitleaks", "lazagne"}, nil, "T1552.001", "searches for credentials", redoubt.High},
	{[]string{"iptables", "ip6tables", "nft", "ufw", "firewall-cmd", "ebtables", "ipset"}, nil, "T1562.004", "changes the firewall", redoubt.High},
	{[]string{"auditctl", "setenforce", "apparmor_parser", "aa-disable", "falcoctl"}, nil, "T1562.001", "changes the machine's protection", redoubt.High},
	{[]string{"shred", "wipe", "srm"}, nil, "T1070.004", "destroys traces", redoubt.High},
	{[]string{"mkfs", "mkfs.ext4", "mkfs.xfs", "wipefs", "cryptsetup", "fdisk", "parted"}, nil, "T1485", "can destroy disks", redoubt.High},
	{[]string{"rsync", "rclone", "restic", "megacmd", "mega-put"}, nil, "T1048", "copies data elsewhere", redoubt.High},
	{[]string{"zip", "7z", "7za", "rar", "7zr"}, nil, "T1560.001", "packs data", redoubt.Low},
	{[]string{"chisel", "frpc", "frps", "ngrok", "cloudflared", "iodine", "dnscat", "dnscat2", "ligolo", "gost", "inadyn"}, nil, "T1572", "tunnels connections", redoubt.Critical},
	{[]string{"tor", "torsocks", "torify", "proxychains", "proxychains4", "obfs4proxy"}, nil, "T1090.003", "hides where connections go", redoubt.Critical},
	{[]string{"gcc", "cc", "tcc", "clang", "g++", "make", "as", "ld", "go", "rustc", "nasm"}, nil, "T1027", "builds programs on the spot", redoubt.High},
	{[]string{"find", "locate", "tree"}, []string{"-perm", "/root*", "/home*", "id_rsa*", "*.pem", "*.key"}, "T1083", "searches the file system", redoubt.Medium},
	{[]string{"cat", "less", "more", "head", "tail", "tac", "nl", "strings", "od"}, []string{"/etc/shadow*", "/etc/gshadow*", "/root/.ssh*", "/proc/*/environ"}, "T1003.008", "reads secrets", redoubt.High},
	{[]string{"cat", "less", "more", "head", "tail"}, []string{"/etc/passwd"}, "T1087.001", "reads the list of accounts", redoubt.Medium},
	{[]string{"history"}, nil, "T1070.003", "changes the command history", redoubt.Medium},
}

// toolByName finds the rows by program name; built from the table.
var toolByName = func() map[string][]*tool {
	out := map[string][]*tool{}
	for i := range tools {
		for _, n := range tools[i].names {
			out[n] = append(out[n], &tools[i])
		}
	}
	return out
}()

// toolOf returns the tool a process is and the name it went by, nil if none.
func toolOf(p *redoubt.Process) (t *tool, name string) {
	programs := policy.Programs(p)
	for i := len(programs) - 1; i >= 0; i-- {
		name = toolName(programs[i])
		for _, t := range toolByName[name] {
			if len(t.args) == 0 || slices.ContainsFunc(p.Args[min(1, len(p.Args)):], t.hasArg) {
				return t, name
			}
		}
	}
	return nil, ""
}

// toolName is a path's file name without a version, as in python3.11.
func toolName(p string) string {
	base := path.Base(p)
	if _, known := toolByName[base]; known {
		return base
	}
	return strings.TrimRight(base, ".-0123456789")
}

func (t *tool) hasArg(arg string) bool {
	return slices.ContainsFunc(t.args, func(a string) bool { return policy.NewGlob(a).Match(arg) })
}

// isShell says whether a process is a command shell.
func (t *tool) isShell() bool { return t != nil && t.technique == "T1059.004" && len(t.args) == 0 }

// interprets says whether a tool runs whatever its arguments hold.
func (t *tool) interprets() bool { return t != nil && strings.HasPrefix(t.technique, "T1059") }

// RunsOthers says whether the file at p is one that the kernel opens to run
// another: a dynamic loader, or a script's interpreter.
func RunsOthers(p string) bool {
	t, _ := toolOf(&redoubt.Process{Path: p})
	return policy.IsLoader(p) || policy.IsMulticall(p) || t.interprets() || path.Base(p) == "env"
}
