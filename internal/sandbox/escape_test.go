package sandbox_test

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/sandbox"
	"redoubt.dev/redoubt/internal/sandbox/sandboxtest"
)

var (
	ok      = []string{"ok"}
	refused = []string{"EPERM"}
)

func TestS7_EveryNamespaceIsItsOwn(t *testing.T) {
	h := sandboxtest.Open(t)
	kinds := []string{"user", "pid", "mnt", "net", "ipc", "uts", "cgroup"}
	spec := probe(t)
	for _, k := range kinds {
		spec.Argv = append(spec.Argv, "namespace="+k)
	}
	got := answers(t, h, spec)
	for _, k := range kinds {
		host, err := os.Readlink("/proc/self/ns/" + k)
		if err != nil {
			t.Fatal(err)
		}
		if link := got["namespace="+k]; link == host || !strings.HasPrefix(link, k+":[") {
			t.Errorf("%s namespace: inside %q, outside %q", k, link, host)
		}
	}
}

func TestS7_NobodyWithoutPrivileges(t *testing.T) {
	try(t, sandboxtest.Open(t), probe(t), []trial{
		{"identity", "id", []string{"993 993 993 993 1"}},
		{"effective capabilities", "status=CapEff", []string{"0000000000000000"}},
		{"bounding set", "status=CapBnd", []string{"0000000000000000"}},
		{"ambient capabilities", "status=CapAmb", []string{"0000000000000000"}},
		{"no new privileges", "status=NoNewPrivs", []string{"1"}},
		{"filter", "status=Seccomp", []string{"2"}},
		{"groups", "status=Groups", []string{""}},
		{"become root", call(unix.SYS_SETUID, 0), refused},
		{"processes in sight", "pids", []string{"1"}},
		{"inherited files", "files", []string{"0 1 2"}},
		{"file limit", "limit", []string{"1024"}},
		{"host's process", fmt.Sprintf("kill=%d", os.Getpid()), []string{"ESRCH"}},
		{"twin: own process", "kill=1", ok},
	})
}

func TestS7_SystemCallsThatLeadOut(t *testing.T) {
	self := uint64(0)
	trials := []trial{
		{"clone3", call(unix.SYS_CLONE3, self, 88), []string{"ENOSYS"}},
		{"newer than the table", call(9999), []string{"ENOSYS"}},
		{"x32 table", call(0x40000000 | 39), []string{"ENOSYS"}},
		{"setns", "setns=/proc/self/ns/net", refused},
		{"mount", "mount", refused},
		{"unmask", "umount=/proc/keys", refused},
		{"device", "mknod=/tmp/null", refused},
		{"chroot", call(unix.SYS_CHROOT, self), refused},
		{"pivot root", call(unix.SYS_PIVOT_ROOT, self, self), refused},
		{"open tree", call(unix.SYS_OPEN_TREE, 0, 0, 1), refused},
		{"open file system", call(unix.SYS_FSOPEN, 0), refused},
		{"mount attributes", call(unix.SYS_MOUNT_SETATTR), refused},
		{"move mount", call(unix.SYS_MOVE_MOUNT), refused},
		{"add key", call(unix.SYS_ADD_KEY), refused},
		{"request key", call(unix.SYS_REQUEST_KEY), refused},
		{"keyring", call(unix.SYS_KEYCTL, 0, 0), refused},
		{"io_uring", call(unix.SYS_IO_URING_SETUP, 8), refused},
		{"userfaultfd", call(unix.SYS_USERFAULTFD), refused},
		{"perf", call(unix.SYS_PERF_EVENT_OPEN), refused},
		{"bpf", call(unix.SYS_BPF), refused},
		{"ptrace", call(unix.SYS_PTRACE, 0), refused},
		{"read other memory", call(unix.SYS_PROCESS_VM_READV, 1), refused},
		{"write other memory", call(unix.SYS_PROCESS_VM_WRITEV, 1), refused},
		{"take descriptor", call(unix.SYS_PIDFD_GETFD), refused},
		{"compare processes", call(unix.SYS_KCMP), refused},
		{"handle of file", call(unix.SYS_NAME_TO_HANDLE_AT), refused},
		{"file by handle", call(unix.SYS_OPEN_BY_HANDLE_AT), refused},
		{"second filter", call(unix.SYS_SECCOMP, 1), refused},
		{"filter by prctl", call(unix.SYS_PRCTL, unix.PR_SET_SECCOMP, 2), refused},
		{"outlive the host", call(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, 0), refused},
		{"kernel log", call(unix.SYS_SYSLOG, 3), refused},
		{"module", call(unix.SYS_FINIT_MODULE), refused},
		{"kexec", call(unix.SYS_KEXEC_LOAD), refused},
		{"reboot", call(unix.SYS_REBOOT), refused},
		{"swap", call(unix.SYS_SWAPON), refused},
		{"clock", call(unix.SYS_CLOCK_SETTIME), refused},
		{"host name", call(unix.SYS_SETHOSTNAME), refused},
		{"fanotify", call(unix.SYS_FANOTIFY_INIT), refused},
		{"quota", call(unix.SYS_QUOTACTL), refused},
		{"predictable addresses", call(unix.SYS_PERSONALITY, 0x40000), refused},
		{"terminal input", call(unix.SYS_IOCTL, 0, unix.TIOCSTI, 0), refused},
		{"terminal input, high bits", call(unix.SYS_IOCTL, 0, unix.TIOCSTI|1<<32, 0), refused},
		{"memory file to execute", "memfd=0", refused},
		{"data past TCP rules", call(unix.SYS_SENDTO, 99, 0, 0, unix.MSG_FASTOPEN, 0, 0), []string{"ENOTSUP"}},
		{"message past TCP rules", call(unix.SYS_SENDMSG, 99, 0, unix.MSG_FASTOPEN), []string{"ENOTSUP"}},
		{"messages past TCP rules", call(unix.SYS_SENDMMSG, 99, 0, 0, unix.MSG_FASTOPEN|1<<32), []string{"ENOTSUP"}},
		{"twin: data", call(unix.SYS_SENDTO, 99, 0, 0, 0, 0, 0), []string{"EBADF"}},
		{"twin: clone", "clone=0", ok},
		{"twin: threads", "threads=20", ok},
		{"twin: personality as it is", call(unix.SYS_PERSONALITY, 0xffffffff), ok},
		{"twin: process name", call(unix.SYS_PRCTL, unix.PR_GET_DUMPABLE), ok},
	}
	for name, flag := range map[string]int{
		"user": unix.CLONE_NEWUSER, "mount": unix.CLONE_NEWNS, "pid": unix.CLONE_NEWPID, "network": unix.CLONE_NEWNET,
		"ipc": unix.CLONE_NEWIPC, "uts": unix.CLONE_NEWUTS, "cgroup": unix.CLONE_NEWCGROUP,
	} {
		trials = append(trials,
			trial{"unshare " + name, fmt.Sprintf("unshare=%d", flag), refused},
			trial{"clone " + name, fmt.Sprintf("clone=%d", flag), refused})
	}
	try(t, sandboxtest.Open(t), probe(t), trials)
}

func TestS7_FilesOutOfReach(t *testing.T) {
	h := sandboxtest.Open(t)
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mknod(filepath.Join(dir, "null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))); err != nil {
		t.Fatal(err)
	}
	spec := probe(t)
	spec.Mounts = append(spec.Mounts, sandbox.Mount{Source: dir, Target: "/opt/layer"})
	closed := []string{"EROFS", "EACCES"}
	try(t, h, spec, []trial{
		{"root", "write=/x", closed},
		{"usr", "write=/usr/bin/x", closed},
		{"code", "write=/var/task/x", closed},
		{"layer", "write=/opt/layer/x", closed},
		{"etc", "write=/etc/passwd", closed},
		{"dev", "write=/dev/x", closed},
		{"own memory as file", "write=/proc/self/mem", closed},
		{"kernel settings", "write=/proc/sys/kernel/hostname", closed},
		{"core pattern", "write=/proc/sys/kernel/core_pattern", closed},
		{"sysrq", "write=/proc/sysrq-trigger", append(closed, "ENOENT")},
		{"out of memory score", "write=/proc/self/oom_score_adj", closed},
		{"kernel memory", "read=/proc/kcore", []string{`""`, "ENOENT"}},
		{"keys", "read=/proc/keys", []string{`""`, "ENOENT"}},
		{"symbols", "read=/proc/kallsyms", []string{`""`, "ENOENT"}},
		{"kernel command line", "read=/proc/cmdline", []string{`""`, "ENOENT"}},
		{"layout of memory", "read=/proc/zoneinfo", []string{`""`, "ENOENT"}},
		{"free memory", "read=/proc/buddyinfo", []string{`""`, "ENOENT"}},
		{"sys", "list=/sys", []string{""}},
		{"run", "list=/run", []string{""}},
		{"devices", "list=/dev", []string{"fd full null random shm stderr stdin stdout urandom zero"}},
		{"host's home", "list=/root", []string{"ENOENT"}},
		{"host's shadow", "read=/etc/shadow", []string{"ENOENT"}},
		{"device in a bundle", "write=/opt/layer/null", []string{"EACCES", "EROFS"}},
		{"twin: tmp", "write=/tmp/x", ok},
		{"twin: shared memory", "write=/dev/shm/y", ok},
		{"twin: null", "write=/dev/null", ok},
		{"twin: users", "read=/etc/hostname", []string{`"sandbox\n"`}},
	})
}

func TestS7_SetuidMeansNothing(t *testing.T) {
	h := sandboxtest.Open(t)
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cp", filepath.Join(bundle(t), "probe"), filepath.Join(dir, "suid")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.Chmod(filepath.Join(dir, "suid"), 0o755|os.ModeSetuid|os.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	spec := probe(t, "exec=/opt/layer/suid id")
	spec.Mounts = append(spec.Mounts, sandbox.Mount{Source: dir, Target: "/opt/layer", Exec: true})
	spec.Exec = []string{"/opt/layer/suid"}
	got := answers(t, h, spec)["exec=/opt/layer/suid id"]
	if !strings.HasPrefix(got, "ran id: 993 993 993 993 ") {
		t.Errorf("a setuid program ran as %q", got)
	}
}

func TestS7_NetworkReachesOnlyPorts(t *testing.T) {
	h := sandboxtest.Open(t)
	spec := probe(t)
	spec.Ports = []sandbox.Port{
		{Network: "tcp", Addr: netip.MustParseAddrPort("127.0.0.1:9001")},
		{Network: "tcp", Addr: netip.MustParseAddrPort("0.0.0.0:443")},
		{Network: "tcp", Addr: netip.MustParseAddrPort("[::]:443")},
		{Network: "udp", Addr: netip.MustParseAddrPort("0.0.0.0:53")},
	}
	trials := append(sockets(),
		trial{"twin: port", "connect=127.0.0.1:9001", []string{"to 127.0.0.1:9001"}},
		trial{"twin: any address", "connect=203.0.113.7:443", []string{"to 203.0.113.7:443"}},
		trial{"twin: any IPv6 address", "connect=[2001:db8::7]:443", []string{"to [2001:db8::7]:443"}},
		trial{"twin: name service", "udp=192.0.2.53:53", []string{"heard q"}},
		trial{"other port", "connect=203.0.113.7:22", []string{"EACCES", "ECONNREFUSED"}},
		trial{"metadata", "connect=169.254.169.254:80", []string{"EACCES", "ECONNREFUSED"}},
		trial{"other datagram", "udp=203.0.113.7:123", []string{"ECONNREFUSED"}},
		trial{"port past TCP rules", "mptcp=127.0.0.1:22", []string{"EPROTONOSUPPORT"}},
		trial{"listen", "listen=127.0.0.1:8080", []string{"EACCES"}},
		trial{"take a host's port", "listen=127.0.0.1:443", []string{"EACCES"}},
		trial{"twin: interfaces", "interfaces", []string{"lo"}},
	)
	for _, tr := range trials {
		spec.Argv = append(spec.Argv, tr.probe)
	}
	var out output
	spec.Output = out.take
	s := start(t, h, spec)
	for i := range 3 {
		go greet(s.Listener(i))
	}
	go echo(s.PacketConn(3))
	finish(t, s)
	for _, tr := range trials {
		t.Run(tr.name, func(t *testing.T) {
			for _, want := range tr.want {
				if strings.Contains(out.String(), tr.probe+": "+want+"\n") {
					return
				}
			}
			t.Errorf("%s: want one of %q in\n%s", tr.probe, tr.want, out.String())
		})
	}
}

func sockets() []trial {
	socket := func(family, kind, protocol int) string { return fmt.Sprintf("socket=%d,%d,%d", family, kind, protocol) }
	none := []string{"EAFNOSUPPORT"}
	other := []string{"EPROTONOSUPPORT"}
	return []trial{
		{"packet socket", socket(unix.AF_PACKET, unix.SOCK_RAW, 0), none},
		{"vsock", socket(unix.AF_VSOCK, unix.SOCK_STREAM, 0), none},
		{"kernel crypto", socket(unix.AF_ALG, unix.SOCK_SEQPACKET, 0), none},
		{"xdp", socket(unix.AF_XDP, unix.SOCK_RAW, 0), none},
		{"audit", socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_AUDIT), none},
		{"netfilter", socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_NETFILTER), none},
		{"device events", socket(unix.AF_NETLINK, unix.SOCK_DGRAM, unix.NETLINK_KOBJECT_UEVENT), none},
		{"raw", socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP), other},
		{"raw as TCP", socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_TCP), other},
		{"ping", socket(unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_ICMP), other},
		{"multipath TCP", socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP), other},
		{"multipath TCP 6", socket(unix.AF_INET6, unix.SOCK_STREAM, unix.IPPROTO_MPTCP), other},
		{"sctp", socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_SCTP), other},
		{"twin: tcp", socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0), ok},
		{"twin: tcp 6", socket(unix.AF_INET6, unix.SOCK_STREAM, unix.IPPROTO_TCP), ok},
		{"twin: udp", socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK, unix.IPPROTO_UDP), ok},
		{"twin: local", socket(unix.AF_UNIX, unix.SOCK_STREAM, 0), ok},
		{"twin: routes", socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE), ok},
	}
}

func TestS7_NothingOfTheHostIsReachable(t *testing.T) {
	h := sandboxtest.Open(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go greet(l)
	abstract := fmt.Sprintf("@redoubt-sandbox-test-%d", os.Getpid())
	u, err := net.Listen("unix", abstract)
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	spec := probe(t)
	spec.Loopback = true // so that only the network namespace stands between
	try(t, h, spec, []trial{
		{"host's port", "connect=" + l.Addr().String(), []string{"ECONNREFUSED"}},
		{"host's abstract socket", "unix=" + abstract, []string{"ECONNREFUSED"}},
		{"twin: own port", "listen=127.0.0.1:8080", ok},
	})
}

func greet(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		fmt.Fprintf(c, "to %s", c.LocalAddr())
		c.Close()
	}
}

func echo(p net.PacketConn) {
	b := make([]byte, 64)
	for {
		n, from, err := p.ReadFrom(b)
		if err != nil {
			return
		}
		p.WriteTo(append([]byte("heard "), b[:n]...), from)
	}
}
