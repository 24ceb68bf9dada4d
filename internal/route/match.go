package route

import (
	"slices"
	"strings"
)

// Result says what a table has for a request.
type Result int

// The results.
const (
	NoPath   Result = iota // 404
	NoMethod               // 405, with Allow
	Options                // OPTIONS that no route takes: answer 204 with Allow, or a preflight
	Found
)

// Query is a request as tables see it.
type Query struct {
	Stage  string // Live where empty
	Host   string // the Host header
	Method string
	Path   Path
}

// Param is a value that a template took out of a path.
type Param struct{ Name, Value string }

// Match is where a query leads.
type Match struct {
	Result Result
	Route  *Route   // of the table: read only
	Check  *Checker // of the route's schema; nil where it has none
	node   *node
	params [maxParams]Param
	count  int
}

// Params are the values taken out of the path, in order.
func (m *Match) Params() []Param { return m.params[:m.count] }

// Param returns the value of one parameter, empty where there is none.
func (m *Match) Param(name string) string {
	for _, p := range m.Params() {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}

// Allow lists the methods the path takes, sorted: what the Allow header of a
// 405 holds. A path that takes any method never answers 405.
func (m *Match) Allow() []string {
	if m.node == nil {
		return nil
	}
	out := []string{"OPTIONS"}
	for _, e := range m.node.methods {
		out = append(out, e.method)
		if e.method == "GET" {
			out = append(out, "HEAD")
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Match finds the route of a query; the package comment has the order. HEAD is
// served by GET where it has no route of its own: the gateway leaves the body
// out. It fills m, so that a caller may keep one and nothing is allocated.
func (t *Table) Match(q Query, m *Match) {
	m.Result, m.Route, m.Check, m.node, m.count = NoPath, nil, nil, nil, 0
	if q.Stage == "" {
		q.Stage = Live
	}
	h := t.stages[q.Stage]
	if h == nil || len(q.Path) == 0 || q.Path[0] != '/' {
		return
	}
	if !h.walk(cleanHost(q.Host), string(q.Path), m) {
		return
	}
	e := m.node.method(q.Method)
	switch {
	case e != nil:
		m.Result, m.Route, m.Check = Found, &t.routes[e.route], t.checks[e.route]
		for i, name := range e.names {
			m.params[i].Name = name
		}
	case q.Method == "OPTIONS":
		m.Result = Options
	default:
		m.Result = NoMethod
	}
}

// walk tries the hosts from the most specific on.
func (h *hosts) walk(host, path string, m *Match) bool {
	if n := h.exact[host]; n != nil && host != "" && m.walk(n, path[1:], 0) {
		return true
	}
	for _, w := range h.wild {
		if len(host) > len(w.suffix) && strings.HasSuffix(host, w.suffix) && m.walk(w.root, path[1:], 0) {
			return true
		}
	}
	return m.walk(h.any, path[1:], 0)
}

// walk follows the segments of path below n. Every node is reached on one way
// only, so however it turns back it visits none twice.
func (m *Match) walk(n *node, path string, params int) bool {
	if path == "" {
		if len(n.methods) == 0 {
			return false
		}
		m.node, m.count = n, params
		return true
	}
	head, tail := path, ""
	if i := strings.IndexByte(path, '/'); i >= 0 {
		head, tail = path[:i], path[i+1:]
	}
	if c := n.literal[head]; c != nil && m.walk(c, tail, params) {
		return true
	}
	if n.param != nil && m.walk(n.param, tail, params+1) {
		m.params[params].Value = head
		return true
	}
	if n.rest != nil {
		m.params[params].Value = path
		m.node, m.count = n.rest, params+1
		return true
	}
	return false
}

func (n *node) method(method string) *entry {
	var head, any *entry
	for i := range n.methods {
		switch e := &n.methods[i]; {
		case e.method == method:
			return e
		case e.method == "GET" && method == "HEAD":
			head = e
		case e.method == "":
			any = e
		}
	}
	if head != nil {
		return head
	}
	return any
}
