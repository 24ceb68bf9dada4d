package sandbox

import (
	"slices"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/sandbox/plan"
)

// masks are the files of /proc that tell about the machine, or steer it. Most
// cannot be read without privilege; none is needed.
var masks = []string{
	"/proc/kcore", "/proc/keys", "/proc/key-users", "/proc/kallsyms", "/proc/kmsg", "/proc/sysrq-trigger", "/proc/timer_list",
	"/proc/cmdline", "/proc/config.gz", "/proc/modules", "/proc/kpageflags", "/proc/kpagecount", "/proc/kpagecgroup",
	"/proc/iomem", "/proc/ioports", "/proc/interrupts", "/proc/partitions", "/proc/diskstats", "/proc/locks", "/proc/slabinfo",
	"/proc/buddyinfo", "/proc/zoneinfo", "/proc/pagetypeinfo", "/proc/vmallocinfo", "/proc/softirqs",
}

// places are there in every sandbox, as on Lambda; a stem's are covered later.
var places = []string{codeDir, layerDir}

// write says to init what spec means.
func (h *Host) write(p *plan.Plan, s *Spec) {
	p.Argv, p.Env, p.Dir, p.Hostname, p.ID = s.Argv, s.Env, s.Dir, "sandbox", programID
	p.Base, p.Binds, p.Links, p.Masks = pieces, h.binds, h.links, masks
	p.Limits = limits(s)
	p.Filter, p.Notify = h.filter, true
	p.Rules = plan.Rules{
		ABI:     h.landlock,
		Write:   []string{"/tmp"},
		Devices: []string{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"},
		Exec:    append([]string{s.Argv[0]}, s.Exec...),
		Net:     !s.Loopback,
	}
	if slices.Contains(s.Exec, anything) {
		p.Rules.Trees = []string{"/usr", "/opt", "/var"}
		for _, b := range h.binds {
			p.Rules.Trees = append(p.Rules.Trees, b.To)
		}
		for _, m := range s.Mounts {
			p.Rules.Trees = append(p.Rules.Trees, m.Target)
		}
	}
	for _, port := range s.Ports {
		if port.Network == "tcp" {
			p.Rules.Ports = append(p.Rules.Ports, uint64(port.Addr.Port()))
		}
	}
	p.Places = places
	if len(s.Write) > 0 {
		p.Rules.Write, p.Own = s.Write, s.Write
	}
}

func limits(s *Spec) []plan.Limit {
	size := uint64(unix.RLIM_INFINITY)
	if s.FileSize > 0 {
		size = uint64(s.FileSize)
	}
	return []plan.Limit{
		{Resource: unix.RLIMIT_NOFILE, Value: uint64(s.Files)},
		{Resource: unix.RLIMIT_FSIZE, Value: size},
		// Not 0: with 1 the kernel also leaves a core handler of the host's alone.
		{Resource: unix.RLIMIT_CORE, Value: 1},
		{Resource: unix.RLIMIT_MEMLOCK, Value: 64 << 10},
		{Resource: unix.RLIMIT_MSGQUEUE, Value: 64 << 10},
		{Resource: unix.RLIMIT_SIGPENDING, Value: 1024},
		{Resource: unix.RLIMIT_NICE, Value: 0},
		{Resource: unix.RLIMIT_RTPRIO, Value: 0},
	}
}
