package sensor

import "github.com/cilium/ebpf"

// Indexes of the kernel's counters, as in bpf/shapes.h.
const (
	statSent uint32 = iota
	statKnown
	statLost
	statHeld
	statLSM
)

// Stats are counts since Open.
type Stats struct {
	Events   uint64 // passed up by the kernel
	Known    uint64 // recognised in the kernel, whether passed up as the first in its cgroup or not
	Lost     uint64 // could not be passed up: ring full, or a program could not run
	Merged   uint64 // not passed up themselves but in the Count of a later sighting
	KernelNS uint64 // run time of the programs; 0 where the kernel does not measure it
}

// Stats reads the kernel's counters.
func (s *Sensor) Stats() Stats {
	st := Stats{Events: s.stat(statSent), Known: s.stat(statKnown), Lost: s.stat(statLost) + s.bursts.lost.Load(), Merged: s.stat(statHeld)}
	for _, p := range append(append([]*ebpf.Program(nil), s.programs...), s.drops...) {
		if ps, err := p.Stats(); err == nil {
			st.KernelNS += uint64(ps.Runtime)
			st.Lost += ps.RecursionMisses
		}
	}
	return st
}

func (s *Sensor) stat(i uint32) uint64 {
	var perCPU []uint64
	if err := s.maps[bpfMapStats].Lookup(i, &perCPU); err != nil {
		return 0
	}
	var sum uint64
	for _, n := range perCPU {
		sum += n
	}
	return sum
}
