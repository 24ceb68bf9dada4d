package sandbox

// EndSupervision closes the listener, as the death of the host would.
func (s *Sandbox) EndSupervision() {
	s.mu.Lock()
	execs := s.execs
	s.mu.Unlock()
	execs.close()
}
