package access

import (
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	cedar "github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// Reason is a statement that mattered to a decision.
type Reason struct {
	Policy    string `json:"policy"` // the statement's id
	Statement string `json:"statement"`
	Forbid    bool   `json:"forbid,omitempty"`
	Error     string `json:"error,omitempty"` // why it could not be evaluated
}

// Decision is the answer to a Request. Policy and Statement are those that
// decided, empty where nothing permits.
type Decision struct {
	Allow       bool              `json:"allow"`
	Policy      string            `json:"policy,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Statement   string            `json:"statement,omitempty"`
	Reasons     []Reason          `json:"reasons,omitempty"` // all that say the same
	Errors      []Reason          `json:"errors,omitempty"`  // statements that failed
	Took        time.Duration     `json:"took"`
}

// Engine decides by a set of statements that can be replaced at any time. Safe
// for concurrent use.
type Engine struct {
	l   *language
	now atomic.Pointer[index]
}

// NewEngine makes an Engine without statements: it denies everything.
func NewEngine() (*Engine, error) {
	l, err := newLanguage()
	if err != nil {
		return nil, err
	}
	e := &Engine{l: l}
	e.Load(nil)
	return e, nil
}

// Actions lists what can be asked for.
func (e *Engine) Actions() []string { return slices.Clone(e.l.actions) }

// Load replaces all statements.
func (e *Engine) Load(statements []*Statement) { e.now.Store(newIndex(statements)) }

// Decide answers r. An error is a question that makes no sense, fault.Invalid;
// it is no permission.
func (e *Engine) Decide(r *Request) (Decision, error) { return e.now.Load().decide(e.l, r) }

func (x *index) decide(l *language, r *Request) (Decision, error) {
	start := time.Now()
	f, err := l.facts(r, x.globs)
	if err != nil {
		return Decision{}, err
	}
	d := decideBy(x.find(f), f)
	d.Took = time.Since(start)
	return d, nil
}

// few are the statements one request is decided by.
type few []*Statement

// All numbers them, which is how a diagnosis names them.
func (s few) All() iter.Seq2[cedar.PolicyID, *cedar.Policy] {
	return func(yield func(cedar.PolicyID, *cedar.Policy) bool) {
		for _, st := range s {
			if !yield(cedar.PolicyID(st.ID), st.policy) {
				return
			}
		}
	}
}

func (s few) byID(id cedar.PolicyID) *Statement {
	for _, st := range s {
		if st.ID == string(id) {
			return st
		}
	}
	return nil
}

func decideBy(candidates few, f *facts) Decision {
	f.tell(candidates)
	allow, diagnosis := cedar.Authorize(candidates, f, f.request)
	d := Decision{Allow: bool(allow)}
	var decided *Statement
	for _, r := range diagnosis.Reasons {
		st := candidates.byID(r.PolicyID)
		d.Reasons = append(d.Reasons, Reason{Policy: st.ID, Statement: st.Text, Forbid: st.Forbid})
		if decided == nil {
			decided = st
		}
	}
	for _, e := range diagnosis.Errors {
		st := candidates.byID(e.PolicyID)
		reason := Reason{Policy: st.ID, Statement: st.Text, Forbid: st.Forbid, Error: e.Message}
		d.Errors = append(d.Errors, reason)
		if st.Forbid && (d.Allow || decided == nil) { // it might have matched
			d.Allow, decided, d.Reasons = false, st, []Reason{reason}
		}
	}
	if decided != nil {
		d.Policy, d.Statement, d.Annotations = decided.ID, decided.Text, decided.Annotations
	}
	return d
}

// index finds the statements that can matter to a request: each stands in one
// room, by the resource and then the principal its scope names.
type index struct {
	all   []*Statement
	rooms map[types.EntityUID]*room // by resource; the zero one for statements about any
	globs []string
}

type room struct {
	any    []*Statement
	person map[types.EntityUID][]*Statement // by principal or group
}

func newIndex(statements []*Statement) *index {
	x := &index{all: statements, rooms: map[types.EntityUID]*room{}}
	for _, s := range statements {
		p := s.ast()
		resource, person := scopeEntity(p.Resource), scopeEntity(p.Principal)
		r := x.rooms[resource]
		if r == nil {
			r = &room{person: map[types.EntityUID][]*Statement{}}
			x.rooms[resource] = r
		}
		if person == (types.EntityUID{}) {
			r.any = append(r.any, s)
		} else {
			r.person[person] = append(r.person[person], s)
		}
		x.globs = append(x.globs, s.globs...)
	}
	slices.Sort(x.globs)
	x.globs = slices.Compact(x.globs)
	return x
}

// scopeEntity is the one entity a scope is about, zero where there is none.
func scopeEntity(scope any) types.EntityUID {
	switch s := scope.(type) {
	case ast.ScopeTypeEq:
		return s.Entity
	case ast.ScopeTypeIn:
		return s.Entity
	case ast.ScopeTypeIsIn:
		return s.Entity
	}
	return types.EntityUID{}
}

func (x *index) find(f *facts) few {
	var out few
	action := f.l.bits[f.request.Action]
	add := func(list []*Statement) {
		for _, s := range list {
			if s.actions&action != 0 {
				out = append(out, s)
			}
		}
	}
	look := func(uid types.EntityUID) {
		r := x.rooms[uid]
		if r == nil {
			return
		}
		add(r.any)
		if len(r.person) > 0 {
			add(r.person[f.request.Principal])
			for _, g := range f.groups {
				add(r.person[g])
			}
		}
	}
	look(types.EntityUID{})
	look(f.request.Resource)
	if f.parent.UID.Type != "" {
		look(f.parent.UID)
	}
	if len(out) > 1 { // so that of several that say the same the same one decides
		slices.SortFunc(out, func(a, b *Statement) int { return strings.Compare(a.ID, b.ID) })
	}
	return out
}
