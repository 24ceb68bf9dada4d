package route

import (
	"cmp"
	"slices"
	"strings"
	"sync/atomic"

	"redoubt.dev/redoubt/internal/fault"
)

// Table is a compiled set of routes. It never changes, so it is read without a
// lock; Router swaps whole tables.
type Table struct {
	routes []Route
	checks []*Checker // by index in routes; nil where a route has no schema
	stages map[string]*hosts
}

// hosts are one stage's trees by host.
type hosts struct {
	exact map[string]*node
	wild  []wildcard // longest first
	any   *node
}

type wildcard struct {
	suffix string // ".example.com"
	root   *node
}

// node is a place in a tree of path segments.
type node struct {
	literal map[string]*node
	param   *node
	rest    *node // only its methods count
	methods []entry
}

// entry is a route that ends at a node.
type entry struct {
	method string // any where empty
	route  int
	names  []string // of its parameters, in order
}

// Compile makes a table. Every problem of every route is in the error, a
// fault.Invalid; two routes that no request could tell apart are a
// fault.Conflict that names both.
func Compile(routes []Route) (*Table, error) {
	t := &Table{stages: map[string]*hosts{}}
	var problems []Problem
	ids, shapes := map[string]bool{}, map[string]string{}
	for _, r := range routes {
		for _, p := range Validate(r) {
			p.Message = "route " + clip(r.ID) + ": " + p.Message
			problems = append(problems, p)
		}
		if ids[r.ID] {
			problems = append(problems, Problem{Path: "id", Message: "route " + clip(r.ID) + " is given twice"})
		}
		ids[r.ID] = true
	}
	if err := Invalid(problems); err != nil {
		return nil, err
	}
	for _, r := range routes {
		r = r.withDefaults()
		segments, err := parseTemplate(r.Path)
		if err != nil {
			return nil, fault.New(fault.Invalid, "route %s: %w", r.ID, err)
		}
		place := strings.Join([]string{r.Stage, strings.ToLower(r.Host), r.Method, shape(segments)}, " ")
		if other, taken := shapes[place]; taken {
			return nil, fault.New(fault.Conflict, "routes %s and %s both take %s of host %q in stage %s; change one or remove it", other, r.ID, r.String(), cmp.Or(r.Host, "any"), r.Stage)
		}
		shapes[place] = r.ID
		if err := t.add(r, segments); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (t *Table) add(r Route, segments []segment) error {
	var check *Checker
	if len(r.Schema) > 0 {
		var err error
		if check, err = NewChecker(&r); err != nil {
			return err
		}
	}
	t.routes, t.checks = append(t.routes, r), append(t.checks, check)
	n := t.root(r.Stage, strings.ToLower(r.Host))
	var names []string
	for _, s := range segments {
		n = n.child(s)
		if s.param != "" {
			names = append(names, s.param)
		}
	}
	n.methods = append(n.methods, entry{r.Method, len(t.routes) - 1, names})
	return nil
}

func (t *Table) root(stage, host string) *node {
	h := t.stages[stage]
	if h == nil {
		h = &hosts{exact: map[string]*node{}, any: &node{}}
		t.stages[stage] = h
	}
	if host == "" {
		return h.any
	}
	if suffix, wild := strings.CutPrefix(host, "*"); wild {
		for _, w := range h.wild {
			if w.suffix == suffix {
				return w.root
			}
		}
		h.wild = append(h.wild, wildcard{suffix, &node{}})
		n := h.wild[len(h.wild)-1].root
		slices.SortFunc(h.wild, func(a, b wildcard) int { return cmp.Compare(len(b.suffix), len(a.suffix)) })
		return n
	}
	if h.exact[host] == nil {
		h.exact[host] = &node{}
	}
	return h.exact[host]
}

func (n *node) child(s segment) *node {
	switch {
	case s.rest:
		if n.rest == nil {
			n.rest = &node{}
		}
		return n.rest
	case s.param != "":
		if n.param == nil {
			n.param = &node{}
		}
		return n.param
	}
	if n.literal == nil {
		n.literal = map[string]*node{}
	}
	if n.literal[s.literal] == nil {
		n.literal[s.literal] = &node{}
	}
	return n.literal[s.literal]
}

// Routes returns the table's routes with their defaults filled in.
func (t *Table) Routes() []Route { return slices.Clone(t.routes) }

// Router holds the table in force. The zero Router has no routes.
type Router struct{ table atomic.Pointer[Table] }

// Swap puts t in force for requests that come from now on.
func (r *Router) Swap(t *Table) { r.table.Store(t) }

// Table returns the one in force.
func (r *Router) Table() *Table {
	if t := r.table.Load(); t != nil {
		return t
	}
	return &Table{}
}
