package profile

const maxOpenUnits = 1024 // remembered; one that comes back later counts again

// touched remembers which entries recent units were part of.
type touched struct {
	units map[string]map[string]bool
	ring  []string
	next  int
}

func newTouched() *touched {
	return &touched{units: make(map[string]map[string]bool), ring: make([]string, maxOpenUnits)}
}

// unit reports whether this unit is new.
func (t *touched) unit(id string) bool {
	if t.units[id] != nil {
		return false
	}
	delete(t.units, t.ring[t.next])
	t.ring[t.next] = id
	t.next = (t.next + 1) % len(t.ring)
	t.units[id] = make(map[string]bool)
	return true
}

// entry reports whether this unit, which is known, touches the entry for the
// first time.
func (t *touched) entry(unit, entry string) bool {
	if t.units[unit][entry] {
		return false
	}
	t.units[unit][entry] = true
	return true
}
