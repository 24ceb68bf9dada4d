package sensor

import (
	"context"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

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
	KernelNS uint64 // run time of the programs, reckoned from samples; 0 where the kernel does not measure it
}

// Stats reads the kernel's counters.
func (s *Sensor) Stats() Stats {
	st := Stats{Events: s.stat(statSent), Known: s.stat(statKnown), Lost: s.stat(statLost) + s.bursts.lost.Load(), Merged: s.stat(statHeld)}
	for _, p := range append(append([]*ebpf.Program(nil), s.programs...), s.drops...) {
		if ps, err := p.Stats(); err == nil {
			st.Lost += ps.RecursionMisses
		}
	}
	st.KernelNS = s.kernelNS.Load()
	return st
}

// The kernel times programs only when asked to, and asking makes every run of
// every program on the node dearer, so it is asked for a moment now and then.
const (
	timeEvery = 10 * time.Second
	timeFor   = 200 * time.Millisecond
)

// time samples the programs' run time until ctx ends.
func (s *Sensor) time(ctx context.Context) {
	for wait := time.Duration(0); ; wait = timeEvery - timeFor {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		stop, err := ebpf.EnableStats(unix.BPF_STATS_RUN_TIME)
		if err != nil {
			return // before Linux 5.8
		}
		before := s.runtime()
		select {
		case <-ctx.Done():
		case <-time.After(timeFor):
		}
		s.kernelNS.Add((s.runtime() - before) * uint64(timeEvery/timeFor))
		stop.Close()
	}
}

// runtime is how long the programs ran while the kernel timed them.
func (s *Sensor) runtime() uint64 {
	var sum uint64
	for _, p := range append(append([]*ebpf.Program(nil), s.programs...), s.drops...) {
		if ps, err := p.Stats(); err == nil {
			sum += uint64(ps.Runtime)
		}
	}
	return sum
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
