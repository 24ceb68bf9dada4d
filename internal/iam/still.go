package iam

import "redoubt.dev/redoubt/internal/fault"

// Still checks that a caller who was let in a while ago, and holds a connection
// since, would be today: its proof has not ended, and neither it, nor the key
// it used, nor whoever it acts for was revoked.
func (s *Service) Still(c Caller) error {
	if !c.Expires.IsZero() && !s.c.Now().Before(c.Expires) {
		return fault.New(fault.Unauthenticated, "the proof of %s ended: connect anew", c.Principal)
	}
	if _, err := s.alive(c.Principal, c.epoch); err != nil {
		return err
	}
	if c.Via != "" {
		if _, err := s.alive(c.Via, c.viaEpoch); err != nil {
			return err
		}
	}
	return s.keyAlive(c.Key)
}
