package sandbox

import "strconv"

// cpuPeriod is the time, in microseconds, over which processor time is shared
// out.
const cpuPeriod = 100_000

// SetCPU changes how many cores the sandbox may use from now on: a program may
// be let start with more than it runs with.
func (s *Sandbox) SetCPU(cores float64) error {
	return s.alive("limit", func() error { return s.group.setCPU(cores) })
}

func (g *group) setCPU(cores float64) error {
	quota := strconv.Itoa(max(1000, int(cores*cpuPeriod)))
	if g.h.dirs["cpu"] != "" {
		if err := g.write("cpu", "cpu.cfs_quota_us", quota); err != nil {
			return err
		}
	}
	if g.h.limits["cpu"] {
		return g.write("", "cpu.max", quota+" "+strconv.Itoa(cpuPeriod))
	}
	return nil
}
