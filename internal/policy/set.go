package policy

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"

	"redoubt.dev/redoubt/internal/redoubt"
)

// Set is all policies of a node or console, compiled and in the order they are
// asked. It does not change after NewSet and any number of goroutines may use
// it. A nil Set holds no policy.
type Set struct {
	policies []compiled
	labels   []string // that any scope asks for

	mu    sync.RWMutex
	known map[string]*Overlay // by what scopes can see of a workload
}

// maxKnown bounds the overlays a Set keeps; with more, it starts afresh.
const maxKnown = 4096

type compiled struct {
	Policy
	scope scope
	rules []rule
}

// NewSet compiles policies, lower priority first, equal ones by name. Disabled
// ones are left out. They must be valid.
func NewSet(policies []Policy) *Set {
	s := &Set{known: map[string]*Overlay{}}
	labels := map[string]bool{}
	for _, p := range policies {
		if p.Disabled {
			continue
		}
		c := compiled{Policy: p, rules: make([]rule, len(p.Rules))}
		c.scope = compileScope(&c.Policy.Scope)
		for i := range p.Rules {
			c.rules[i] = compileRule(&p.Rules[i])
		}
		for l := range p.Scope.Labels {
			labels[l] = true
		}
		s.policies = append(s.policies, c)
	}
	s.labels = slices.Sorted(maps.Keys(labels))
	slices.SortStableFunc(s.policies, func(a, b compiled) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), strings.Compare(a.Name, b.Name))
	})
	return s
}

// Overlay returns the rules for one workload. The same overlay is returned for
// workloads that no scope can tell apart.
func (s *Set) Overlay(w redoubt.WorkloadRef, labels map[string]string, node redoubt.NodeID) *Overlay {
	if s == nil {
		return nil
	}
	key := s.key(w, labels, node)
	s.mu.RLock()
	o := s.known[key]
	s.mu.RUnlock()
	if o != nil {
		return o
	}
	o = &Overlay{}
	for i := range s.policies {
		p := &s.policies[i]
		if ok, _ := p.scope.match(w, labels, node); ok {
			for j := range p.rules {
				o.rules = append(o.rules, step{policy: p.Name, rule: &p.rules[j]})
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) >= maxKnown {
		clear(s.known)
	}
	s.known[key] = o
	return o
}

func (s *Set) key(w redoubt.WorkloadRef, labels map[string]string, node redoubt.NodeID) string {
	var b strings.Builder
	for _, part := range []string{string(w.ID), string(w.Kind), w.Name, w.Image, string(w.Digest), string(node)} {
		b.WriteString(part)
		b.WriteByte(0)
	}
	for _, l := range s.labels {
		v, has := labels[l]
		if has {
			b.WriteByte(1)
		}
		b.WriteString(v)
		b.WriteByte(0)
	}
	return b.String()
}

// Overlay is the ordered rules that hold for one workload. It does not change.
// A nil Overlay has none.
type Overlay struct{ rules []step }

type step struct {
	policy string
	rule   *rule
}

// Equal says whether two overlays of one Set hold the same rules.
func (o *Overlay) Equal(other *Overlay) bool {
	if o == nil || other == nil {
		return (o == nil || len(o.rules) == 0) && (other == nil || len(other.rules) == 0)
	}
	return slices.Equal(o.rules, other.rules)
}

// Hit is a rule that answered.
type Hit struct {
	Policy  string
	Rule    *Rule // not to be changed
	Matched bool
	Why     string
}

// Name is the rule's full name, "policy/NAME/RULE".
func (h Hit) Name() string { return "policy/" + h.Policy + "/" + h.Rule.Name }

// First returns the first rule that matches.
func (o *Overlay) First(ev *redoubt.Event, f Facts) (hit Hit, ok bool) {
	if o == nil {
		return Hit{}, false
	}
	for _, s := range o.rules {
		if ok, _ := s.rule.match(ev, f, answer{}); ok {
			_, why := s.rule.match(ev, f, answer{explain: true})
			return Hit{Policy: s.policy, Rule: s.rule.source, Matched: true, Why: why}, true
		}
	}
	return Hit{}, false
}

// Steps returns the answers of the rules in order, up to the first that matched.
func (o *Overlay) Steps(ev *redoubt.Event, f Facts) []Hit {
	if o == nil {
		return nil
	}
	var out []Hit
	for _, s := range o.rules {
		ok, why := s.rule.match(ev, f, answer{explain: true})
		out = append(out, Hit{Policy: s.policy, Rule: s.rule.source, Matched: ok, Why: why})
		if ok {
			break
		}
	}
	return out
}

// Rules yields the rules in order with the name of their policy.
func (o *Overlay) Rules() iter.Seq2[string, *Rule] {
	return func(yield func(string, *Rule) bool) {
		if o == nil {
			return
		}
		for _, s := range o.rules {
			if !yield(s.policy, s.rule.source) {
				return
			}
		}
	}
}

// Skip names conditions of exec rules that are taken for granted, because who
// asks cannot know them yet.
type Skip uint8

// The conditions that can be skipped.
const (
	SkipArgs    Skip = 1 << iota // arguments, and whether it came from outside
	SkipParents                  // parent
	SkipPaths                    // path
)

// Test answers whether a rule matches, given that the skipped conditions hold.
type Test func(ev *redoubt.Event, f Facts, skip Skip) bool

// Tests yields the rules in order, each with its test.
func (o *Overlay) Tests() iter.Seq2[*Rule, Test] {
	return func(yield func(*Rule, Test) bool) {
		if o == nil {
			return
		}
		for _, s := range o.rules {
			test := func(ev *redoubt.Event, f Facts, skip Skip) bool {
				ok, _ := s.rule.match(ev, f, answer{skip: skip})
				return ok
			}
			if !yield(s.rule.source, test) {
				return
			}
		}
	}
}
