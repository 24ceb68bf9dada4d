package runner

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/sandbox"
)

// The sockets of ours in a sandbox's network.
const (
	apiAddr      = "127.0.0.1:9001" // the Runtime API, as on Lambda
	internalAddr = "127.0.0.1:9002" // other functions, buckets, queues
)

type portRole int

const (
	portAPI portRole = iota
	portInternal
	portDNS
	portOut
	portServed
)

type port struct {
	sandbox.Port
	role portRole
}

// layout is what is listened on inside a sandbox, in the order of its ports.
type layout struct{ ports []port }

// newLayout lists what any function gets, and the ports its role names.
func (r *Runner) newLayout(grants []string) *layout {
	l := &layout{}
	add := func(role portRole, network, addr string) {
		l.ports = append(l.ports, port{sandbox.Port{Network: network, Addr: netip.MustParseAddrPort(addr)}, role})
	}
	add(portAPI, "tcp", apiAddr)
	if r.cfg.Internal != nil {
		add(portInternal, "tcp", internalAddr)
	}
	add(portDNS, "udp", "0.0.0.0:53")
	for _, p := range append([]uint16{53, 80, 443}, furtherPorts(grants)...) {
		add(portOut, "tcp", netip.AddrPortFrom(netip.IPv4Unspecified(), p).String())
		if r.ipv6 {
			add(portOut, "tcp", netip.AddrPortFrom(netip.IPv6Unspecified(), p).String())
		}
	}
	return l
}

func (l *layout) list() []sandbox.Port {
	out := make([]sandbox.Port, len(l.ports))
	for i, p := range l.ports {
		out[i] = p.Port
	}
	return out
}

const maxFurther = 16

// furtherPorts are those that grants name beyond what is there anyway.
func furtherPorts(grants []string) []uint16 {
	var out []uint16
	for _, g := range grants {
		first, _, _ := strings.Cut(g, " ")
		n, err := strconv.ParseUint(first[strings.LastIndexByte(first, ':')+1:], 10, 16)
		p := uint16(n)
		if err != nil || p == 0 || slices.Contains([]uint16{53, 80, 443, 9001, 9002}, p) || slices.Contains(out, p) {
			continue
		}
		if out = append(out, p); len(out) == maxFurther {
			break
		}
	}
	return out
}

// grantsOf are a role's ways out.
func grantsOf(role function.Role) []string { return slices.Concat(role.Egress, role.AWS) }

// kind is what a pre-started runtime must have in common with the version that
// takes it.
type kind struct {
	runtime function.Runtime
	memory  int
	tmp     int
}

func kindOf(v *function.Version) kind {
	return kind{v.Spec.Runtime, v.Spec.Memory, v.Spec.Tmp}
}

// spec is what all sandboxes of that kind have.
func (k kind) spec() sandbox.Spec {
	return sandbox.Spec{
		Dir: "/var/task", Memory: int64(k.memory) << 20, Tmp: int64(k.tmp) << 20, CPU: startCPU, Pids: maxPids, Files: maxFiles,
	}
}

// startCPU is how many cores code may start with. It runs with what its version
// has; held to that from the start, small functions would start slowly.
const startCPU = 2

// maxPids and maxFiles are Lambda's.
const (
	maxPids  = 1024
	maxFiles = 1024
)

// beyond is the layout of a stem that was taken: its Runtime API is served
// already.
func (l *layout) beyond() *layout {
	out := &layout{ports: slices.Clone(l.ports)}
	for i := range out.ports {
		if out.ports[i].role == portAPI {
			out.ports[i].role = portServed
		}
	}
	return out
}
