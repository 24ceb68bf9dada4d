package sandbox

import "strings"

// OpenMounts opens a host that sees only these mounts of control groups.
func OpenMounts(cfg Config, mounts string) (*Host, error) {
	return open(cfg, strings.NewReader(mounts))
}

// EndSupervision closes the listener, as the death of the host would.
func (s *Sandbox) EndSupervision() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.execs.close()
}
