package access

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	cedar "github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// Bounds of one text.
const (
	mostSource     = 256 << 10 // bytes
	mostStatement  = 16 << 10
	mostStatements = 1000
	mostDepth      = 32 // brackets within brackets
	mostProblems   = 50
)

// Statement is one permit or forbid, ready to be decided by.
type Statement struct {
	ID          string            // DOCUMENT#1, or DOCUMENT#NAME where it has an @id
	Text        string            // as it was written
	Line        int               // in its document
	Forbid      bool              //
	Annotations map[string]string // @key("value")

	policy  *cedar.Policy
	actions uint64 // that its scope lets through
	globs   []string
	context bool // its conditions look at the call
	names   bool // its conditions look at entities
}

func (s *Statement) ast() *ast.Policy { return (*ast.Policy)(s.policy.AST()) }

// parse reads Cedar text whose first line is line base+1 of the document.
func (l *language) parse(document, source string, base int) ([]*Statement, []Problem) {
	if p := checkText(source); p != nil {
		p.Line += base
		return nil, []Problem{*p}
	}
	list, err := cedar.NewPolicyListFromBytes("", []byte(source))
	if err != nil {
		return nil, []Problem{syntax(err, base)}
	}
	if len(list) > mostStatements {
		return nil, []Problem{{Line: base + 1, Message: fmt.Sprintf("there are %d statements: at most %d are read", len(list), mostStatements)}}
	}
	var out []*Statement
	var problems []Problem
	ids := map[string]bool{}
	for i, p := range list {
		s := l.statement(document, i, p, cut(source, list, i), base)
		if len(s.Text) > mostStatement {
			problems = append(problems, Problem{Line: s.Line, Message: fmt.Sprintf("the statement is %d bytes long: at most %d are read; divide it", len(s.Text), mostStatement)})
			continue
		}
		if ids[s.ID] {
			problems = append(problems, Problem{Line: s.Line, Message: fmt.Sprintf("the id %q is given twice", s.ID)})
		}
		ids[s.ID] = true
		problems = append(problems, l.check(s)...)
		out = append(out, s)
	}
	if len(problems) > mostProblems {
		problems = problems[:mostProblems]
	}
	return out, problems
}

// checkText refuses what the parser should not see.
func checkText(source string) *Problem {
	if len(source) > mostSource {
		return &Problem{Line: 1, Message: fmt.Sprintf("the text is %d bytes long: at most %d are read", len(source), mostSource)}
	}
	if !utf8.ValidString(source) {
		return &Problem{Line: 1, Message: "the text is not UTF-8"}
	}
	line, depth, quoted := 1, 0, false
	for i := 0; i < len(source); i++ {
		switch ch := source[i]; {
		case ch == '\n':
			line++
		case quoted && ch == '\\':
			i++
		case ch == '"':
			quoted = !quoted
		case quoted:
		case ch == '/' && strings.HasPrefix(source[i:], "//"):
			for i+1 < len(source) && source[i+1] != '\n' {
				i++
			}
		case strings.IndexByte("([{", ch) >= 0:
			if depth++; depth > mostDepth {
				return &Problem{Line: line, Message: fmt.Sprintf("more than %d brackets stand within each other", mostDepth)}
			}
		case strings.IndexByte(")]}", ch) >= 0:
			depth--
		}
	}
	return nil
}

var atPlace = regexp.MustCompile(`(?s)parse error at \D*(\d+):(\d+) (.*)$`)

func syntax(err error, base int) Problem {
	if m := atPlace.FindStringSubmatch(err.Error()); m != nil {
		line, _ := strconv.Atoi(m[1])
		column, _ := strconv.Atoi(m[2])
		return Problem{Line: base + max(line, 1), Column: column, Message: "this is not Cedar: at " + m[3]}
	}
	return Problem{Line: base + 1, Message: "this is not Cedar: " + err.Error()}
}

// cut returns the text of the statement with number i.
func cut(source string, list cedar.PolicyList, i int) string {
	end := len(source)
	if i+1 < len(list) {
		end = list[i+1].Position().Offset
	}
	text := source[list[i].Position().Offset:end]
	return strings.TrimSpace(text[:strings.LastIndexByte(text, ';')+1])
}

func (l *language) statement(document string, i int, p *cedar.Policy, text string, base int) *Statement {
	s := &Statement{Text: text, Line: base + p.Position().Line, Forbid: p.Effect() == cedar.Forbid, policy: p, Annotations: map[string]string{}}
	for k, v := range p.Annotations() {
		s.Annotations[string(k)] = string(v)
	}
	if s.ID = document + "#" + strconv.Itoa(i+1); s.Annotations["id"] != "" {
		s.ID = document + "#" + s.Annotations["id"]
	}
	switch a := s.ast().Action.(type) {
	case ast.ScopeTypeEq:
		s.actions = l.bits[a.Entity]
	case ast.ScopeTypeIn:
		s.actions = l.bits[a.Entity]
	case ast.ScopeTypeInSet:
		for _, uid := range a.Entities {
			s.actions |= l.bits[uid]
		}
	default:
		s.actions = ^uint64(0)
	}
	s.each(s.needs)
	return s
}

// needs notes what the statement has to be told when it is evaluated.
func (s *Statement) needs(n ast.IsNode) {
	switch n := n.(type) {
	case ast.NodeTypeVariable:
		s.context = s.context || n.Name == "context"
		s.names = s.names || n.Name != "context"
	case ast.NodeValue:
		_, entity := n.Value.(types.EntityUID)
		s.names = s.names || entity
	case ast.NodeTypeContains:
		of, isAccess := n.Left.(ast.NodeTypeAccess)
		v, isValue := n.Right.(ast.NodeValue)
		if text, isString := v.Value.(types.String); isAccess && isValue && isString && of.Value == "globs" {
			s.globs = append(s.globs, string(text))
		}
	}
}

// each visits every node of the conditions.
func (s *Statement) each(visit func(ast.IsNode)) {
	for _, c := range s.ast().Conditions {
		ast.Inspect(ast.NewNode(c.Body), func(n ast.IsNode) bool { visit(n); return true })
	}
}

// check says what of a statement does not fit the schema: names first, with
// the nearest that exists, and only where they are right the types.
func (l *language) check(s *Statement) []Problem {
	c := &checker{l: l, s: s}
	c.scope()
	entity, context := l.attributes()
	s.each(func(n ast.IsNode) { c.node(n, entity, context) })
	if len(c.problems) > 0 {
		return c.problems
	}
	if err := l.validator.Policy("", s.ast()); err != nil {
		for text := range strings.SplitSeq(err.Error(), "\n") {
			c.problems = append(c.problems, Problem{Line: s.Line, Message: text})
		}
	}
	return c.problems
}

// checker looks for names that do not exist.
type checker struct {
	l        *language
	s        *Statement
	problems []Problem
}

func (c *checker) say(needle, format string, args ...any) {
	p := Problem{Line: c.s.Line, Message: fmt.Sprintf(format, args...)}
	if at := strings.Index(c.s.Text, needle); at >= 0 {
		before := c.s.Text[:at]
		p.Line += strings.Count(before, "\n")
		if cut := strings.LastIndexByte(before, '\n'); cut >= 0 {
			p.Column = utf8.RuneCountInString(before[cut+1:]) + 1
		}
	}
	c.problems = append(c.problems, p)
}

func (c *checker) scope() {
	p := c.s.ast()
	for _, scope := range []any{p.Principal, p.Action, p.Resource} {
		switch s := scope.(type) {
		case ast.ScopeTypeEq:
			c.uid(s.Entity)
		case ast.ScopeTypeIn:
			c.uid(s.Entity)
		case ast.ScopeTypeInSet:
			for _, uid := range s.Entities {
				c.uid(uid)
			}
		case ast.ScopeTypeIs:
			c.kind(s.Type)
		case ast.ScopeTypeIsIn:
			c.kind(s.Type)
			c.uid(s.Entity)
		}
	}
}

func (c *checker) uid(uid types.EntityUID) {
	if uid.Type != "Action" {
		c.kind(uid.Type)
		return
	}
	if _, ok := c.l.Actions[uid]; !ok {
		c.say(`"`+string(uid.ID)+`"`, "there is no action %q: %s", uid.ID, didYouMean(string(uid.ID), c.l.actionNames()))
	}
}

func (c *checker) kind(t types.EntityType) {
	if _, ok := c.l.Entities[t]; !ok && t != "Action" {
		c.say(string(t), "there is no entity type %s: %s", t, didYouMean(string(t), c.l.typeNames()))
	}
}

func (c *checker) node(n ast.IsNode, entity, context []string) {
	switch n := n.(type) {
	case ast.NodeValue:
		if uid, ok := n.Value.(types.EntityUID); ok {
			c.uid(uid)
		}
	case ast.NodeTypeIs:
		c.kind(n.EntityType)
	case ast.NodeTypeIsIn:
		c.kind(n.EntityType)
	case ast.NodeTypeAccess:
		c.attribute(n.StrOpNode, entity, context)
	case ast.NodeTypeHas:
		c.attribute(n.StrOpNode, entity, context)
	}
}

func (c *checker) attribute(n ast.StrOpNode, entity, context []string) {
	v, ok := n.Arg.(ast.NodeTypeVariable)
	if !ok {
		return
	}
	names := entity
	if v.Name == "context" {
		names = context
	}
	for _, name := range names {
		if name == string(n.Value) {
			return
		}
	}
	c.say(string(n.Value), "%s has no attribute %q: %s", v.Name, n.Value, didYouMean(string(n.Value), names))
}
