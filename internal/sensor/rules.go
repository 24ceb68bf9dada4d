package sensor

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/cilium/ebpf"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/redoubt"
)

// Limits of the kernel's tables. Beyond them Replace and the Set methods
// refuse with fault.Limited and the rules in force stay as they were.
const (
	MaxSlots = 4096
	MaxRules = 65536 // of all slots together
)

// Rule is one kernel rule: exactly one of Exec, Connect and Listen is set.
type Rule struct {
	Exec    *ExecKey
	Connect *ConnectKey
	Listen  *redoubt.Port
	Action  Action
}

// ruleKey is a Rule's key as a comparable value.
type ruleKey struct {
	kind    uint8
	exec    ExecKey
	connect ConnectKey
	listen  redoubt.Port
}

const (
	ruleExec = 1 + iota
	ruleConnect
	ruleListen
)

// ref is the kernel's number for a rule. It outlives a change of generation,
// so counts go on and a cgroup's first sighting is not repeated.
type ref struct {
	index        uint32
	serial       uint64
	count, units uint64 // told so far
}

// set is what a slot has in the kernel.
type set struct {
	gen   uint32
	mode  Mode
	rules map[ruleKey]Action
	refs  map[ruleKey]*ref
	left  []Tally // of rules that were dropped before they were asked for
}

// rules is the user-space side of the kernel's rule tables.
type rules struct {
	mu      sync.Mutex
	maps    map[string]*ebpf.Map
	words   *mapped[uint64]
	tallies *mapped[tally]
	sets    map[Slot]*set
	free    []uint32 // indexes given back, oldest first
	used    uint32   // indexes ever given out
	serial  uint64
	total   int
}

// tally is struct tally of bpf/shapes.h.
type tally struct{ Count, Units, Last uint64 }

func (r *rules) open(m map[string]*ebpf.Map) (err error) {
	r.maps, r.sets = m, map[Slot]*set{}
	if r.words, err = mapMemory[uint64](m[bpfMapSlots]); err != nil {
		return err
	}
	r.tallies, err = mapMemory[tally](m[bpfMapTallies])
	return err
}

func (r *rules) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	err := errors.Join(r.words.close(), r.tallies.close())
	r.words, r.tallies = nil, nil
	return err
}

func (r *rules) slot(s Slot) (*set, error) {
	if s >= MaxSlots {
		return nil, fault.New(fault.Limited, "slot %d: there are %d", s, MaxSlots)
	}
	if r.words == nil {
		return nil, fault.New(fault.Unavailable, "the sensor is closed")
	}
	if r.sets[s] == nil {
		r.sets[s] = &set{gen: 1, rules: map[ruleKey]Action{}, refs: map[ruleKey]*ref{}}
	}
	return r.sets[s], nil
}

// publish makes a set's mode and generation the slot's, in one store.
func (r *rules) publish(slot Slot, s *set) {
	w := uint64(s.gen) | uint64(s.mode.Exec&3)<<32 | uint64(s.mode.Connect&3)<<34 | uint64(s.mode.Listen&3)<<36
	for k := range s.rules {
		switch k.kind {
		case ruleExec:
			w |= 1 << 40
			if k.exec.Args != 0 {
				w |= 1 << 38
			}
			if k.exec.Parent != (redoubt.FileKey{}) {
				w |= 1 << 39
			}
		case ruleConnect:
			w |= 1 << 41
		case ruleListen:
			w |= 1 << 42
		}
	}
	atomic.StoreUint64(&r.words.at[slot], w)
}

// SetMode sets what a slot does with what no rule matches.
func (s *Sensor) SetMode(slot Slot, m Mode) error {
	r := &s.rules
	r.mu.Lock()
	defer r.mu.Unlock()
	set, err := r.slot(slot)
	if err != nil {
		return err
	}
	set.mode = m
	r.publish(slot, set)
	return nil
}

// SetExec adds or changes one rule for exec. k.File must not be zero.
func (s *Sensor) SetExec(slot Slot, k ExecKey, a Action) error {
	return s.rules.add(slot, Rule{Exec: &k, Action: a})
}

// SetConnect adds or changes one rule for connect and sendto.
func (s *Sensor) SetConnect(slot Slot, k ConnectKey, a Action) error {
	return s.rules.add(slot, Rule{Connect: &k, Action: a})
}

// SetListen adds or changes one rule for listening on a port and for what is
// accepted there. Hold is taken for Report, as it is for SetConnect.
func (s *Sensor) SetListen(slot Slot, p redoubt.Port, a Action) error {
	return s.rules.add(slot, Rule{Listen: &p, Action: a})
}

// Renew drops all rules of a slot at once; its mode stays.
func (s *Sensor) Renew(slot Slot) error {
	s.rules.mu.Lock()
	set, err := s.rules.slot(slot)
	if err != nil {
		s.rules.mu.Unlock()
		return err
	}
	mode := set.mode
	s.rules.mu.Unlock()
	return s.Replace(slot, mode, nil)
}

// Replace gives a slot a new mode and new rules. The kernel goes from the old
// ones to the new ones in one step; on an error the old ones stay in force.
func (s *Sensor) Replace(slot Slot, m Mode, list []Rule) error {
	r := &s.rules
	r.mu.Lock()
	defer r.mu.Unlock()
	old, err := r.slot(slot)
	if err != nil {
		return err
	}
	next := &set{gen: old.gen + 1, mode: m, rules: map[ruleKey]Action{}, refs: maps.Clone(old.refs), left: old.left}
	for _, rule := range list {
		if err := r.put(slot, next, rule); err != nil {
			r.remove(slot, next, nil)
			r.release(next, old)
			return err
		}
	}
	r.publish(slot, next)
	r.sets[slot] = next
	// A program that read the old generation may still be looking its rules
	// up: they go after the last such one has ended.
	quiesce()
	r.remove(slot, old, nil)
	r.harvest(next)
	r.release(next, next)
	return nil
}

func (r *rules) add(slot Slot, rule Rule) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	set, err := r.slot(slot)
	if err != nil {
		return err
	}
	if err := r.put(slot, set, rule); err != nil {
		return err
	}
	r.publish(slot, set)
	return nil
}

// put writes one rule of set's generation into the kernel.
func (r *rules) put(slot Slot, s *set, rule Rule) error {
	key, err := rule.key()
	if err != nil {
		return err
	}
	_, known := s.rules[key]
	if !known && r.total >= MaxRules {
		return fault.New(fault.Limited, "rule tables are full at %d rules", MaxRules)
	}
	f := s.refs[key]
	if f == nil {
		if f = r.take(); f == nil {
			return fault.New(fault.Limited, "rule tables are full at %d rules", MaxRules)
		}
		s.refs[key] = f
	}
	if err := r.write(slot, s.gen, key, f, rule.Action); err != nil {
		return err
	}
	if !known {
		r.total++
	}
	s.rules[key] = rule.Action
	return nil
}

// remove deletes a generation's rules from the kernel.
func (r *rules) remove(slot Slot, s *set, keep map[ruleKey]Action) {
	for k := range s.rules {
		if _, ok := keep[k]; ok {
			continue
		}
		r.erase(slot, s.gen, k)
		r.total--
	}
}

// release gives back the numbers of s that neither s nor other has rules for.
func (r *rules) release(s, other *set) {
	for k, f := range s.refs {
		_, mine := s.rules[k]
		_, theirs := other.rules[k]
		if other != s && other.refs[k] == f {
			continue
		}
		if (!mine || other != s) && !theirs {
			delete(s.refs, k)
			r.free = append(r.free, f.index)
		}
	}
}

// take finds an unused index and zeroes its tally. Indexes given back wait
// their turn, so that a late count does not fall on a new rule.
func (r *rules) take() *ref {
	var i uint32
	switch {
	case r.used < MaxRules:
		i = r.used
		r.used++
	case len(r.free) > 0:
		i, r.free = r.free[0], r.free[1:]
	default:
		return nil
	}
	t := &r.tallies.at[i]
	r.serial++
	return &ref{index: i, serial: r.serial, count: atomic.LoadUint64(&t.Count), units: atomic.LoadUint64(&t.Units)}
}

func (rule Rule) key() (ruleKey, error) {
	switch {
	case rule.Exec != nil && rule.Connect == nil && rule.Listen == nil:
		if rule.Exec.File == (redoubt.FileKey{}) {
			return ruleKey{}, fault.New(fault.Invalid, "a rule for exec names no file")
		}
		return ruleKey{kind: ruleExec, exec: *rule.Exec}, nil
	case rule.Connect != nil && rule.Exec == nil && rule.Listen == nil:
		k := *rule.Connect
		switch {
		case k.Addr == [16]byte{}:
			k.Bits = 0
		case k.Bits == 0 || k.Bits > 128:
			k.Bits = 128
		}
		if _, err := protoNumber(k.Proto); err != nil {
			return ruleKey{}, err
		}
		return ruleKey{kind: ruleConnect, connect: k}, nil
	case rule.Listen != nil && rule.Exec == nil && rule.Connect == nil:
		if n, err := protoNumber(rule.Listen.Proto); err != nil || n == 0 {
			return ruleKey{}, fault.New(fault.Invalid, "a rule for listen names no protocol")
		}
		return ruleKey{kind: ruleListen, listen: *rule.Listen}, nil
	}
	return ruleKey{}, fault.New(fault.Invalid, "a kernel rule has one of exec, connect, listen")
}

func protoNumber(p redoubt.Proto) (uint8, error) {
	switch p {
	case "":
		return 0, nil
	case redoubt.TCP:
		return 6, nil
	case redoubt.UDP:
		return 17, nil
	}
	return 0, fmt.Errorf("protocol %q is neither tcp nor udp", p)
}
