package sensor

import "sync/atomic"

// Tallies returns how often each rule of a slot matched since it was last
// asked, leaving out those that did not. Rules dropped since then are told
// too.
func (s *Sensor) Tallies(slot Slot) []Tally {
	r := &s.rules
	r.mu.Lock()
	defer r.mu.Unlock()
	set := r.sets[slot]
	if set == nil || r.tallies == nil {
		return nil
	}
	return r.tell(set)
}

// AllTallies is Tallies for every slot that has any.
func (s *Sensor) AllTallies() map[Slot][]Tally {
	r := &s.rules
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[Slot][]Tally{}
	if r.tallies == nil {
		return all
	}
	for slot, set := range r.sets {
		if t := r.tell(set); len(t) > 0 {
			all[slot] = t
		}
	}
	return all
}

func (r *rules) tell(s *set) []Tally {
	list := s.left
	s.left = nil
	for k, f := range s.refs {
		if t, ok := r.since(k, f); ok {
			list = append(list, t)
		}
	}
	return list
}

// harvest keeps the counts of rules that s no longer has.
func (r *rules) harvest(s *set) {
	for k, f := range s.refs {
		if _, ok := s.rules[k]; ok || len(s.left) >= MaxRules {
			continue
		}
		if t, ok := r.since(k, f); ok {
			s.left = append(s.left, t)
		}
	}
}

func (r *rules) since(k ruleKey, f *ref) (Tally, bool) {
	v := &r.tallies.at[f.index]
	count, units := atomic.LoadUint64(&v.Count), atomic.LoadUint64(&v.Units)
	t := Tally{Count: int64(count - f.count), Units: int64(units - f.units)}
	f.count, f.units = count, units
	switch k.kind {
	case ruleExec:
		t.Exec = &k.exec
	case ruleConnect:
		t.Connect = &k.connect
	case ruleListen:
		t.Listen = &k.listen
	}
	return t, t.Count > 0
}
