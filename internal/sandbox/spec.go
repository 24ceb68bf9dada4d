package sandbox

import (
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"

	"redoubt.dev/redoubt/internal/fault"
)

// Spec says what one sandbox runs and what it may have. The zero value of a
// limit means its default.
type Spec struct {
	ID   string // names the sandbox on this host: letters, digits, dots, dashes
	Argv []string
	Env  []string
	Dir  string // working directory, / if empty

	// Root is a directory of the host whose content takes the place of the
	// host's own programs: an unpacked container image, for instance. What it
	// has at /proc, /sys, /dev, /tmp and /run is left out.
	Root   string
	Mounts []Mount
	Tmp    int64 // bytes of the private /tmp, 64 MiB if 0
	// Write are the directories below /tmp that it may write to; they are made
	// for it. None named is all of /tmp.
	Write    []string
	Memory   int64   // bytes, 128 MiB if 0; what lies in /tmp does not count
	CPU      float64 // cores, 1 if 0
	Pids     int     // processes and threads, 256 if 0, never below 32
	FileSize int64   // bytes in one file; Tmp alone bounds it if 0
	Files    int     // open at once in one process, 1024 if 0

	// Exec are the programs it may start beyond Argv[0], as absolute paths in
	// the sandbox. A script here grants its interpreter. The one word "*"
	// grants whatever the root and the mounts hold; nothing can be started
	// from /tmp or from memory in any case.
	Exec  []string
	Ports []Port
	// Loopback lets it listen and talk to itself on any TCP port, where it
	// otherwise reaches the Ports only. Either way no packet leaves.
	Loopback bool
	Stem     bool // takes more mounts once, with Attach

	// Output gets what the program prints, at most 32 KiB a call, from one
	// goroutine per stream (1 and 2). While it does not return, the program's
	// writes wait; nobody else does. Nil drops it.
	Output func(stream int, data []byte)
	// OnExec hears of every attempt to start a program beyond the first and
	// may refuse what Exec grants; it cannot grant. The program waits for it,
	// and it may be called before Start returns. It may kill the sandbox.
	OnExec func(Exec) bool
}

// Mount is a file or directory of the host, seen read-only at Target, without
// setuid and devices. Exec lets code in it be mapped and, where Spec.Exec
// agrees, started. Others than its owner must be able to read it: inside, the
// program is nobody the host knows.
type Mount struct {
	Source, Target string
	Exec           bool
}

// Port is a listener of the host inside the sandbox's network, open before
// the program starts. 0.0.0.0 and :: answer for every address there is.
type Port struct {
	Network string // "tcp" or "udp"
	Addr    netip.AddrPort
}

// Exec is one attempt to start a program, as its process stated it. Path and
// Args are for the record: the process may have changed them since.
type Exec struct {
	Path    string
	Args    []string
	PID     int // on the host
	Allowed bool
	Why     string // where refused
}

const (
	defaultTmp    = 64 << 20
	defaultMemory = 128 << 20
	minMemory     = 16 << 20
	defaultPids   = 256
	minPids       = 32 // init's own threads, before there is a program
	defaultFiles  = 1024
	maxMounts     = 64
	maxPorts      = 64
	maxExec       = 256
	maxWrite      = 64
	anything      = "*"
)

var validID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// complete fills defaults in and refuses what cannot be done.
func (s *Spec) complete() error {
	switch {
	case !validID.MatchString(s.ID):
		return fault.New(fault.Invalid, "sandbox id %q: use up to 100 letters, digits, dots and dashes", s.ID)
	case len(s.Argv) == 0 || !path.IsAbs(s.Argv[0]):
		return fault.New(fault.Invalid, "sandbox %s: the program must be an absolute path", s.ID)
	case len(s.Mounts) > maxMounts || len(s.Ports) > maxPorts || len(s.Exec) > maxExec:
		return fault.New(fault.Invalid, "sandbox %s: at most %d mounts, %d ports and %d programs", s.ID, maxMounts, maxPorts, maxExec)
	case s.Memory > 0 && s.Memory < minMemory:
		return fault.New(fault.Invalid, "sandbox %s: %d bytes of memory are too little to start anything: give %d or more", s.ID, s.Memory, minMemory)
	case s.Tmp < 0 || s.Memory < 0 || s.CPU < 0 || s.FileSize < 0:
		return fault.New(fault.Invalid, "sandbox %s: a limit is negative", s.ID)
	}
	for _, text := range slices.Concat([]string{s.Dir}, s.Argv, s.Env, s.Write) {
		if strings.ContainsRune(text, 0) {
			return fault.New(fault.Invalid, "sandbox %s: an argument or variable holds a zero byte", s.ID)
		}
	}
	for _, e := range s.Exec {
		if e != anything && !path.IsAbs(e) {
			return fault.New(fault.Invalid, "sandbox %s: program %q must be an absolute path", s.ID, e)
		}
	}
	for _, d := range s.Write {
		if !strings.HasPrefix(d, "/tmp/") || path.Clean(d) != d || len(s.Write) > maxWrite {
			return fault.New(fault.Invalid, "sandbox %s: %q: name up to %d plain directories below /tmp to write to", s.ID, d, maxWrite)
		}
	}
	for _, m := range s.Mounts {
		if err := m.check(); err != nil {
			return err
		}
	}
	for _, p := range s.Ports {
		if (p.Network != "tcp" && p.Network != "udp") || !p.Addr.IsValid() || p.Addr.Port() == 0 {
			return fault.New(fault.Invalid, "sandbox %s: port %s %s: say tcp or udp, an address and a port", s.ID, p.Network, p.Addr)
		}
	}
	if s.Root != "" && !path.IsAbs(s.Root) {
		return fault.New(fault.Invalid, "sandbox %s: root %q must be an absolute path", s.ID, s.Root)
	}
	s.Dir = or(s.Dir, "/")
	s.Tmp = or(s.Tmp, defaultTmp)
	s.Memory = or(s.Memory, defaultMemory)
	s.CPU = or(s.CPU, 1)
	s.Pids = max(or(s.Pids, defaultPids), minPids)
	s.Files = or(s.Files, defaultFiles)
	return nil
}

func or[T comparable](v, other T) T {
	var zero T
	if v == zero {
		return other
	}
	return v
}

// reserved are the places a mount must not cover.
var reserved = []string{"/proc", "/dev", "/sys", "/tmp", "/etc", "/run"}

func (m Mount) check() error {
	if !path.IsAbs(m.Source) || !path.IsAbs(m.Target) || path.Clean(m.Target) != m.Target || m.Target == "/" {
		return fault.New(fault.Invalid, "mount of %q at %q: both must be absolute, and the target plain", m.Source, m.Target)
	}
	for _, r := range reserved {
		if m.Target == r || (strings.HasPrefix(m.Target, r+"/") && r != "/etc" && r != "/run") {
			return fault.New(fault.Invalid, "mount of %q at %q: %s belongs to the sandbox", m.Source, m.Target, r)
		}
	}
	return nil
}
