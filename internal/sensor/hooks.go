package sensor

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// hook is one program, where it is attached and what is lost without it.
// docs/reference/sensor-hooks.md shows this table; a test compares them.
type hook struct {
	name   string // as Coverage lists it
	prog   string
	attach func(*Sensor, *ebpf.Program) (link.Link, error)
	gap    string // in plain words, what is not seen or enforced without it
	must   bool   // without it there is no sensor
}

var hooks = []hook{
	{"tp_btf/sched_process_exec", bpfProgExecSeen, (*Sensor).tracepoint, "programs that are started are not seen", true},
	{"tp_btf/sched_process_fork", bpfProgForked, (*Sensor).tracepoint, "of a process whose parent ended before it became another program, the adopter is told as parent", false},
	{"tp_btf/sched_process_exit", bpfProgExitSeen, (*Sensor).tracepoint, "the end of processes is not seen", false},
	{"tp_btf/cgroup_mkdir", bpfProgCgroupBorn, (*Sensor).tracepoint, "new workloads are noticed late: their first programs may be told as the host's", false},
	{"tp_btf/cgroup_rmdir", bpfProgCgroupGone, (*Sensor).tracepoint, "the end of workloads is noticed late", false},
	{"tp_btf/inet_sock_set_state", bpfProgStateChanged, (*Sensor).tracepoint, "TCP listening sockets and accepted connections are not seen", false},
	{"cgroup/connect4", bpfProgConnect4, cgroupHook(ebpf.AttachCGroupInet4Connect), "outbound IPv4 connections cannot be refused, and over UDP are not seen", false},
	{"cgroup/connect6", bpfProgConnect6, cgroupHook(ebpf.AttachCGroupInet6Connect), "outbound IPv6 connections cannot be refused, and over UDP are not seen", false},
	{"cgroup/sendmsg4", bpfProgSendmsg4, cgroupHook(ebpf.AttachCGroupUDP4Sendmsg), "unconnected UDP over IPv4 is neither seen nor refused", false},
	{"cgroup/sendmsg6", bpfProgSendmsg6, cgroupHook(ebpf.AttachCGroupUDP6Sendmsg), "unconnected UDP over IPv6 is neither seen nor refused", false},
	{"cgroup/bind4", bpfProgBind4, cgroupHook(ebpf.AttachCGroupInet4Bind), "IPv4 listening cannot be refused, and over UDP is not seen", false},
	{"cgroup/bind6", bpfProgBind6, cgroupHook(ebpf.AttachCGroupInet6Bind), "IPv6 listening cannot be refused, and over UDP is not seen", false},
	{"lsm/bprm_check_security", bpfProgExecAsked, (*Sensor).lsm, "the kernel itself refuses no exec with EPERM: the file gate does, where there is one, or the program is killed before its first instruction", false},
}

// errNoCgroup means there is no unified hierarchy to attach to.
var errNoCgroup = errors.New("no cgroup v2 hierarchy is mounted")

func (s *Sensor) tracepoint(p *ebpf.Program) (link.Link, error) {
	return link.AttachTracing(link.TracingOptions{Program: p})
}

func cgroupHook(t ebpf.AttachType) func(*Sensor, *ebpf.Program) (link.Link, error) {
	return func(s *Sensor, p *ebpf.Program) (link.Link, error) {
		if s.root == "" {
			return nil, errNoCgroup
		}
		return link.AttachCgroup(link.CgroupOptions{Path: s.root, Attach: t, Program: p})
	}
}

func (s *Sensor) lsm(p *ebpf.Program) (link.Link, error) {
	l, err := link.AttachLSM(link.LSMOptions{Program: p})
	if err != nil {
		return nil, err
	}
	// A kernel built with BPF LSM but booted without it accepts the program
	// and never asks it.
	before := s.stat(statLSM)
	if err := tryExec(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if s.stat(statLSM) == before {
		return nil, errors.Join(errors.New("the kernel does not ask it: bpf is not in its lsm= list"), l.Close())
	}
	return l, nil
}

// load makes the maps, then each program on its own, so that one the kernel
// refuses costs only itself.
func (s *Sensor) load(spec *ebpf.CollectionSpec) error {
	cache := btf.NewCache()
	only := &ebpf.CollectionSpec{Maps: spec.Maps, Variables: spec.Variables, Types: spec.Types, ByteOrder: spec.ByteOrder}
	maps, err := ebpf.NewCollection(only)
	if err != nil {
		return fmt.Errorf("create kernel maps: %w", err)
	}
	s.maps = maps.Maps
	s.overlay(cache)
	if s.root == "" {
		s.gaps = append(s.gaps, "workloads cannot be told apart: "+errNoCgroup.Error())
	}
	for _, h := range hooks {
		if s.cfg.Without != nil && s.cfg.Without(h.name) && !h.must {
			s.gaps = append(s.gaps, h.gap+" ("+h.name+": switched off)")
			continue
		}
		err := s.loadOne(spec, h, cache)
		if err == nil {
			s.sensing = append(s.sensing, h.name)
			continue
		}
		if h.must {
			return fmt.Errorf("attach %s: %w", h.name, err)
		}
		s.gaps = append(s.gaps, fmt.Sprintf("%s (%s: %s)", h.gap, h.name, firstLine(err)))
		s.log.Info("sensor hook missing", "hook", h.name, "error", firstLine(err))
	}
	if err := s.takeConnectsFromStates(); err != nil {
		return err
	}
	for _, name := range []string{bpfProgDropIn, bpfProgDropOut} {
		p, err := s.program(spec, name, cache)
		if err != nil {
			s.gaps = append(s.gaps, "a workload's network cannot be cut ("+firstLine(err)+")")
			break
		}
		s.drops = append(s.drops, p)
	}
	return nil
}

// takeConnectsFromStates lets the socket-state tracepoint tell of outbound TCP
// where the hook that would is missing.
func (s *Sensor) takeConnectsFromStates() error {
	for i, name := range []string{"cgroup/connect4", "cgroup/connect6"} {
		if !slices.Contains(s.sensing, name) {
			s.settings.ByState |= 1 << i
		}
	}
	return s.maps[bpfMapSetting].Put(uint32(0), s.settings)
}

func (s *Sensor) loadOne(spec *ebpf.CollectionSpec, h hook, cache *btf.Cache) error {
	p, err := s.program(spec, h.prog, cache)
	if err != nil {
		return err
	}
	l, err := h.attach(s, p)
	if err != nil {
		return errors.Join(err, p.Close())
	}
	s.links = append(s.links, l)
	s.programs = append(s.programs, p)
	return nil
}

func (s *Sensor) program(spec *ebpf.CollectionSpec, name string, cache *btf.Cache) (*ebpf.Program, error) {
	one := &ebpf.CollectionSpec{
		Maps: spec.Maps, Types: spec.Types, ByteOrder: spec.ByteOrder,
		Programs: map[string]*ebpf.ProgramSpec{name: spec.Programs[name]},
	}
	coll, err := ebpf.NewCollectionWithOptions(one, ebpf.CollectionOptions{MapReplacements: s.maps, Cache: cache})
	if err != nil {
		return nil, err
	}
	defer coll.Close()
	return coll.DetachProgram(name), nil
}

// firstLine says why in a few words. A program the kernel does not permit comes
// back with a guess about memory limits that is rarely the reason.
func firstLine(err error) string {
	if errors.Is(err, unix.EPERM) {
		return "this kernel does not permit it"
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// mounted finds where the unified hierarchy is, and which kind of cgroups the
// node has.
func mounted(hint string) (root, kind string) {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return hint, "v2"
	}
	v1 := false
	for line := range strings.Lines(string(mounts)) {
		f := strings.Fields(line)
		if len(f) < 3 {
			continue
		}
		switch f[2] {
		case "cgroup":
			v1 = true
		case "cgroup2":
			if root == "" || strings.HasPrefix(f[1], "/sys/fs/cgroup") {
				root = f[1]
			}
		}
	}
	if hint != "" {
		root = hint
	}
	switch {
	case root == "":
		return "", "v1"
	case v1:
		return root, "hybrid"
	}
	return root, "v2"
}
