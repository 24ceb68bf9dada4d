package access

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// iamStatement is a statement as IAM writes it.
type iamStatement struct {
	Sid         string                         `json:",omitempty"`
	Effect      string                         //
	Principal   any                            //
	Action      []string                       `json:",omitempty"`
	NotAction   []string                       `json:",omitempty"`
	Resource    []string                       `json:",omitempty"`
	NotResource []string                       `json:",omitempty"`
	Condition   map[string]map[string][]string `json:",omitempty"`
}

type iamDocument struct {
	Version   string
	Statement []iamStatement
}

// ToIAM writes a document the way AWS IAM has it. What IAM cannot say, such as
// groups or conditions of another form than FromIAM makes, is a problem under
// the statement's id, and then there is no text.
func (e *Engine) ToIAM(d *Document) ([]byte, []IAMProblem) {
	statements, problems := e.Statements(d)
	if len(problems) > 0 {
		return nil, []IAMProblem{{d.Name, problems[0].Message}}
	}
	out := iamDocument{Version: "2012-10-17"}
	var bad []IAMProblem
	for _, s := range statements {
		x := &exporter{e: e, s: s}
		if st := x.statement(); x.problem != "" {
			bad = append(bad, IAMProblem{s.ID, x.problem})
		} else {
			out.Statement = append(out.Statement, st)
		}
	}
	if len(bad) > 0 {
		return nil, bad
	}
	text, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		return nil, []IAMProblem{{d.Name, err.Error()}}
	}
	return text, nil
}

type exporter struct {
	e       *Engine
	s       *Statement
	problem string
}

func (x *exporter) say(text string) {
	if x.problem == "" {
		x.problem = text
	}
}

func (x *exporter) statement() iamStatement {
	st := iamStatement{Sid: x.s.Annotations["id"], Effect: "Allow"}
	if x.s.Forbid {
		st.Effect = "Deny"
	}
	x.conditions(&st)
	x.proof(st)
	p := x.s.ast()
	switch who := p.Principal.(type) {
	case ast.ScopeTypeAll:
		st.Principal = "*"
	case ast.ScopeTypeEq:
		st.Principal = map[string]string{"Redoubt": pathOf(who.Entity)}
	default:
		x.say("IAM names principals one by one: it has no groups and no types")
	}
	if action := x.actions(p.Action); st.NotAction == nil {
		st.Action = action
	} else if !isAll(p.Action) {
		x.say("IAM takes either Action or NotAction")
	}
	if st.Resource == nil && st.NotResource == nil {
		st.Resource = x.resources(p.Resource)
	} else if !isAll(p.Resource) {
		x.say("IAM takes resources in one place only")
	}
	return st
}

// proof reads the conditions back in: what comes must be what was there.
func (x *exporter) proof(st iamStatement) {
	if len(x.s.ast().Conditions) == 0 || x.problem != "" {
		return
	}
	st.Principal, st.Sid = "*", ""
	if st.NotAction == nil {
		st.Action = []string{"*"}
	}
	if st.Resource == nil && st.NotResource == nil {
		st.Resource = []string{"*"}
	}
	text, _ := json.Marshal(iamDocument{"2012-10-17", []iamStatement{st}})
	text = []byte(strings.ReplaceAll(string(text), `["*"]`, `"*"`))
	d, problems := x.e.FromIAM(text, Import{Name: "proof"})
	if len(problems) == 0 {
		if again, _ := x.e.Statements(&d); len(again) == 1 && reflect.DeepEqual(again[0].ast().Conditions, x.s.ast().Conditions) {
			return
		}
	}
	x.say("its conditions cannot be written in IAM")
}

func (x *exporter) actions(scope any) []string {
	var bits uint64
	switch a := scope.(type) {
	case ast.ScopeTypeAll:
		return []string{"*"}
	case ast.ScopeTypeEq:
		bits = x.e.l.bits[a.Entity]
	case ast.ScopeTypeIn:
		return []string{string(a.Entity.ID)}
	case ast.ScopeTypeInSet:
		for _, uid := range a.Entities {
			bits |= x.e.l.bits[uid]
		}
	}
	return x.names(bits)
}

// names are AWS's where they mean just these actions, ours where not.
func (x *exporter) names(bits uint64) (out []string) {
	left := bits
	for i := 0; i < len(counterparts); {
		var all uint64
		name := counterparts[i].aws
		for ; i < len(counterparts) && counterparts[i].aws == name; i++ {
			all |= x.e.l.bits[actionUID(counterparts[i].ours)]
		}
		if all&^bits == 0 && all&left != 0 {
			out, left = append(out, name), left&^all
		}
	}
	for _, name := range x.e.l.actions {
		if left&x.e.l.bits[actionUID(name)] != 0 {
			out = append(out, name)
		}
	}
	return out
}

func (x *exporter) resources(scope any) []string {
	switch r := scope.(type) {
	case ast.ScopeTypeAll:
		return []string{"*"}
	case ast.ScopeTypeEq:
		return []string{arnOf(pathOf(r.Entity))}
	case ast.ScopeTypeIn:
		path := arnOf(pathOf(r.Entity))
		switch r.Entity.Type {
		case "Function":
			return []string{path, path + ":*"}
		case "Bucket":
			return []string{path, path + "/*"}
		}
		return []string{path}
	case ast.ScopeTypeIs:
		for kind, t := range kinds {
			if t == r.Type && t != "Function" && t != "Bucket" {
				return []string{kind + "/*"}
			}
		}
	}
	x.say("IAM names resources by pattern: it has no types with versions or objects apart")
	return nil
}

// arnOf is the ARN of a path of ours, where AWS has one.
func arnOf(path string) string {
	kind, name := splitPath(path)
	switch kind {
	case "function":
		return "arn:aws:lambda:*:000000000000:function:" + name
	case "bucket":
		return "arn:aws:s3:::" + name
	case "queue":
		return "arn:aws:sqs:*:000000000000:" + name
	case "secret":
		return "arn:aws:secretsmanager:*:000000000000:secret:" + name
	case "topic":
		return "arn:aws:iot:*:000000000000:topic/" + name
	case "role":
		return "arn:aws:iam::000000000000:role/" + name
	}
	return path
}

func (x *exporter) conditions(st *iamStatement) {
	cs := x.s.ast().Conditions
	if len(cs) == 0 {
		return
	}
	if len(cs) > 1 || cs[0].Condition != ast.ConditionWhen {
		x.say("its conditions are to be one when")
		return
	}
	items := flatten(cs[0].Body, true)
	for i, n := range items {
		if not, ok := n.(ast.NodeTypeNot); ok {
			if key := absentKey(not.Arg); key != "" && i+1 < len(items) && x.leafKey(items[i+1]) == key {
				continue // it belongs to the comparison that follows
			}
		}
		x.item(st, n)
	}
}

// flatten takes a chain of && or || apart.
func flatten(n ast.IsNode, and bool) []ast.IsNode {
	if b, ok := n.(ast.NodeTypeAnd); ok && and {
		return append(flatten(b.Left, and), flatten(b.Right, and)...)
	}
	if b, ok := n.(ast.NodeTypeOr); ok && !and {
		return append(flatten(b.Left, and), flatten(b.Right, and)...)
	}
	return []ast.IsNode{n}
}

func (x *exporter) item(st *iamStatement, n ast.IsNode) {
	suffix, not := "", false
	if or, ok := n.(ast.NodeTypeOr); ok {
		if v, isValue := or.Left.(ast.NodeValue); absentKey(or.Left) != "" || isValue && v.Value == types.False {
			suffix, n = "IfExists", or.Right
		}
	}
	if inner, ok := n.(ast.NodeTypeNot); ok {
		if key := absentKey(inner.Arg); key != "" {
			x.put(st, "Null", key, []string{"false"})
			return
		}
		not, n = true, inner.Arg
	}
	if key := absentKey(n); key != "" && suffix == "" {
		x.put(st, "Null", key, []string{"true"})
		return
	}
	if and, ok := n.(ast.NodeTypeAnd); ok {
		n = and.Right
	}
	leaves := flatten(n, false)
	if x.resourceItem(st, leaves, not) || x.actionItem(st, n, not) {
		return
	}
	var key, compare string
	var values []string
	for _, l := range leaves {
		k, c, v := leafOf(l)
		if k == "" || key != "" && (k != key || c != compare) {
			x.say("its conditions cannot be written in IAM")
			return
		}
		key, compare, values = k, c, append(values, v)
	}
	for name, op := range condOps {
		if op.kind == condKeys[strings.ToLower(key)].kind && op.compare == compare && op.not == not {
			x.put(st, name+suffix, key, values)
			return
		}
	}
	x.say("its conditions cannot be written in IAM")
}

func (x *exporter) put(st *iamStatement, operator, key string, values []string) {
	if st.Condition == nil {
		st.Condition = map[string]map[string][]string{}
	}
	if st.Condition[operator] == nil {
		st.Condition[operator] = map[string][]string{}
	}
	if st.Condition[operator][key] != nil {
		x.say("IAM compares a key with one operator once")
	}
	st.Condition[operator][key] = values
}

func (x *exporter) leafKey(n ast.IsNode) string { k, _, _ := leafOf(flatten(n, false)[0]); return k }

// keyOf is the IAM key of an attribute.
func keyOf(n ast.IsNode) string {
	a, ok := n.(ast.NodeTypeAccess)
	if !ok {
		return ""
	}
	v, ok := a.Arg.(ast.NodeTypeVariable)
	if !ok {
		return ""
	}
	for name, k := range condKeys {
		if k.cedar == string(v.Name)+"."+string(a.Value) {
			return name
		}
	}
	return ""
}

// absentKey is the key n tests the absence of, "" where it does not.
func absentKey(n ast.IsNode) string {
	eq, ok := n.(ast.NodeTypeEquals)
	if !ok {
		return ""
	}
	key := keyOf(eq.Left)
	if text := plain(eq.Right); text == "" && condKeys[key].kind == "string" || text == "0.0.0.0" && condKeys[key].kind == "ip" {
		return key
	}
	return ""
}

// leafOf takes one comparison apart.
func leafOf(n ast.IsNode) (key, compare, value string) {
	switch n := n.(type) {
	case ast.NodeTypeEquals:
		return keyOf(n.Left), "==", plain(n.Right)
	case ast.NodeTypeLessThan:
		return keyOf(n.Left), "<", plain(n.Right)
	case ast.NodeTypeLessThanOrEqual:
		return keyOf(n.Left), "<=", plain(n.Right)
	case ast.NodeTypeGreaterThan:
		return keyOf(n.Left), ">", plain(n.Right)
	case ast.NodeTypeGreaterThanOrEqual:
		return keyOf(n.Left), ">=", plain(n.Right)
	case ast.NodeTypeLike:
		return keyOf(n.Arg), "like", likeText(n.Value)
	case ast.NodeTypeExtensionCall:
		if n.Name == "isInRange" && len(n.Args) == 2 {
			return keyOf(n.Args[0]), "range", plain(n.Args[1])
		}
	}
	return "", "", ""
}

// plain is a literal as IAM writes it.
func plain(n ast.IsNode) string {
	switch n := n.(type) {
	case ast.NodeValue:
		if s, ok := n.Value.(types.String); ok {
			return string(s)
		}
		return n.Value.String()
	case ast.NodeTypeExtensionCall:
		if len(n.Args) == 1 {
			return plain(n.Args[0])
		}
	}
	return "?"
}

func likeText(p types.Pattern) string {
	text := string(p.MarshalCedar())
	var plain string
	if err := json.Unmarshal([]byte(text), &plain); err != nil {
		return "?" // an escape JSON does not have: the proof will fail
	}
	return plain
}

func (x *exporter) resourceItem(st *iamStatement, leaves []ast.IsNode, not bool) bool {
	var out []string
	for _, l := range leaves {
		text := resourceTest(l)
		if text == "" {
			return false
		}
		out = append(out, text)
	}
	if st.Resource != nil || st.NotResource != nil {
		x.say("IAM takes resources in one place only")
	}
	if not {
		st.NotResource = out
	} else {
		st.Resource = out
	}
	return true
}

func resourceTest(n ast.IsNode) string {
	attribute := func(n ast.IsNode, name types.String) bool {
		a, ok := n.(ast.NodeTypeAccess)
		if !ok || a.Value != name {
			return false
		}
		v, ok := a.Arg.(ast.NodeTypeVariable)
		return ok && v.Name == "resource"
	}
	switch n := n.(type) {
	case ast.NodeTypeEquals:
		v, isVariable := n.Left.(ast.NodeTypeVariable)
		e, isValue := n.Right.(ast.NodeValue)
		if uid, isEntity := e.Value.(types.EntityUID); isVariable && v.Name == "resource" && isValue && isEntity {
			return pathOf(uid)
		}
	case ast.NodeTypeLike:
		if attribute(n.Arg, "path") {
			return likeText(n.Value)
		}
	case ast.NodeTypeContains:
		if attribute(n.Left, "globs") {
			return plain(n.Right)
		}
	}
	return ""
}

func (x *exporter) actionItem(st *iamStatement, n ast.IsNode, not bool) bool {
	in, ok := n.(ast.NodeTypeIn)
	if !ok || !not {
		return false
	}
	set, ok := in.Right.(ast.NodeTypeSet)
	if v, isVariable := in.Left.(ast.NodeTypeVariable); !ok || !isVariable || v.Name != "action" {
		return false
	}
	for _, e := range set.Elements {
		if v, ok := e.(ast.NodeValue); ok {
			if uid, ok := v.Value.(types.EntityUID); ok {
				st.NotAction = append(st.NotAction, string(uid.ID))
			}
		}
	}
	slices.Sort(st.NotAction)
	return true
}
