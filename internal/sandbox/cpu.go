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
	quota := strconv.Itoa(max(1000, int(min(cores, maxCores)*cpuPeriod)))
	switch {
	case g.h.limits["cpu"]:
		return g.write("", "cpu.max", quota+" "+strconv.Itoa(cpuPeriod))
	case g.h.dirs["cpu"] != "":
		return g.write("cpu", "cpu.cfs_quota_us", quota)
	}
	return nil
}

// maxCores is more than there are, and within what the kernel takes.
const maxCores = 4096
