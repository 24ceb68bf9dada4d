package access

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Import says how a policy document of AWS IAM is to be read.
type Import struct {
	Name    string // of the document it becomes
	For     string // the principal it is attached to, where it names none itself
	Account string // the AWS account whose ARNs mean this installation; "" takes none but *, "" and 000000000000
}

// IAMProblem is a part of an IAM policy that cannot be honoured here.
type IAMProblem struct {
	Path    string `json:"path"` // $.Statement[0].Condition.StringLike
	Message string `json:"message"`
}

// FromIAM turns a policy document of AWS IAM into one of ours. What it cannot
// honour is a problem, and then there is no document: nothing is left out.
//
// Known are Effect, Principal, Action, NotAction, Resource, NotResource and
// Condition, patterns with * and ?, and the operators and keys in iamcond.go.
func (e *Engine) FromIAM(source []byte, o Import) (Document, []IAMProblem) {
	im := &importer{l: e.l, o: o}
	root, err := readTree(source)
	if err != nil {
		return Document{}, []IAMProblem{{"$", err.Error()}}
	}
	im.document(root)
	d := Document{Name: o.Name, Description: "Imported from AWS IAM.", Cedar: im.out.String()}
	if len(im.problems) == 0 {
		for _, p := range e.Check(&d) {
			im.problems = append(im.problems, IAMProblem{"$", p.Message})
		}
	}
	if len(im.problems) > 0 {
		return Document{}, im.problems
	}
	return d, nil
}

type importer struct {
	l        *language
	o        Import
	out      strings.Builder
	ids      map[string]bool
	problems []IAMProblem
}

func (im *importer) say(t *tree, format string, args ...any) {
	if len(im.problems) < mostProblems {
		im.problems = append(im.problems, IAMProblem{t.path, fmt.Sprintf(format, args...)})
	}
}

// names checks that an object holds nothing but known names.
func (im *importer) names(t *tree, known ...string) bool {
	if t.kind != '{' {
		im.say(t, "an object is expected here")
		return false
	}
	for _, m := range t.object {
		if !slices.Contains(known, m.name) {
			im.say(m.value, "%.60q is not known here: %s", m.name, didYouMean(m.name, known))
		}
	}
	return true
}

func (im *importer) document(t *tree) {
	if !im.names(t, "Version", "Id", "Statement") {
		return
	}
	if v := t.get("Version"); v != nil && v.value != "2012-10-17" && v.value != "2008-10-17" {
		im.say(v, "the version is to be 2012-10-17")
	}
	s := t.get("Statement")
	if s == nil || len(s.each()) == 0 {
		im.say(t, "there is no Statement")
		return
	}
	im.ids = map[string]bool{}
	for i, st := range s.each() {
		im.statement(st, i)
	}
}

func (im *importer) statement(t *tree, i int) {
	if !im.names(t, "Sid", "Effect", "Principal", "Action", "NotAction", "Resource", "NotResource", "Condition") {
		return
	}
	id := im.id(t, i)
	var effect string
	if e := t.get("Effect"); e != nil && e.value == "Allow" {
		effect = "permit"
	} else if e != nil && e.value == "Deny" {
		effect = "forbid"
	} else {
		im.say(t, "Effect is to be Allow or Deny")
	}
	var when []string
	action, actionCond := im.action(t)
	resource, resourceCond := im.resource(t)
	for _, c := range append([]string{actionCond, resourceCond}, im.conditions(t.get("Condition"))...) {
		if c != "" {
			when = append(when, c)
		}
	}
	body := ""
	if len(when) > 0 {
		body = "\nwhen { " + strings.Join(when, " && ") + " }"
	}
	for n, p := range im.principals(t) {
		name := id
		if n > 0 {
			name += "-" + strconv.Itoa(n+1)
		}
		fmt.Fprintf(&im.out, "@id(%s)\n%s (%s, %s, %s)%s;\n", quote(name), effect, p, action, resource, body)
	}
}

func (im *importer) id(t *tree, i int) string {
	id := "s" + strconv.Itoa(i+1)
	if sid := t.get("Sid"); sid != nil {
		if text, ok := sid.value.(string); !ok || len(text) > 100 {
			im.say(sid, "a Sid is a text of up to 100 bytes")
		} else if text != "" {
			id = text
		}
	}
	if im.ids[id] {
		im.say(t, "the Sid %q is given twice", id)
	}
	im.ids[id] = true
	return id
}

func (im *importer) principals(t *tree) []string {
	p := t.get("Principal")
	if p == nil {
		uid, err := principalUID(im.o.For)
		if err != nil {
			im.say(t, "it names no Principal: say to whom it is attached")
			return nil
		}
		return []string{"principal == " + literal(uid)}
	}
	if p.value == "*" {
		return []string{"principal"}
	}
	if !im.names(p, "AWS", "Redoubt") || len(p.object) == 0 {
		im.say(p, "name principals under AWS as ARNs of users and roles, or under Redoubt as user/alice")
		return nil
	}
	var out []string
	for _, m := range p.object {
		for _, v := range m.value.each() {
			text, _ := v.value.(string)
			if text == "*" {
				out = append(out, "principal")
				continue
			}
			if m.name == "AWS" {
				text = im.arn(v, text, "iam")
			}
			uid, err := principalUID(text)
			if err != nil {
				im.say(v, "this names no user or role of this installation")
				continue
			}
			out = append(out, "principal == "+literal(uid))
		}
	}
	return out
}

// counterparts are AWS's names for our actions. A wildcard means all that match.
var counterparts = []struct{ aws, ours string }{
	{"lambda:InvokeFunction", "function:Invoke"}, {"lambda:InvokeFunction", "function:InvokeAsync"}, {"lambda:InvokeAsync", "function:InvokeAsync"},
	{"lambda:GetFunction", "function:Read"}, {"lambda:UpdateFunctionCode", "function:Deploy"}, {"lambda:UpdateFunctionConfiguration", "function:Configure"}, {"lambda:DeleteFunction", "function:Delete"},
	{"s3:GetObject", "bucket:Get"}, {"s3:PutObject", "bucket:Put"}, {"s3:DeleteObject", "bucket:Delete"}, {"s3:ListBucket", "bucket:List"},
	{"sqs:SendMessage", "queue:Send"}, {"sqs:ReceiveMessage", "queue:Receive"},
	{"iot:Publish", "topic:Publish"}, {"iot:Subscribe", "topic:Subscribe"},
	{"secretsmanager:GetSecretValue", "secret:Read"}, {"secretsmanager:PutSecretValue", "secret:Write"}, {"secretsmanager:DeleteSecret", "secret:Delete"},
	{"sts:AssumeRole", "role:Assume"}, {"iam:PassRole", "function:Grant"},
}

func (im *importer) action(t *tree) (scope, cond string) {
	yes, no := t.get("Action"), t.get("NotAction")
	if (yes == nil) == (no == nil) {
		im.say(t, "give either Action or NotAction")
		return "action", ""
	}
	if yes != nil && yes.value == "*" {
		return "action", ""
	}
	from := yes
	if from == nil {
		from = no
	}
	var found []string
	for _, v := range from.each() {
		found = append(found, im.actions(v)...)
	}
	slices.Sort(found)
	found = slices.Compact(found)
	for i, name := range found {
		found[i] = "Action::" + quote(name)
	}
	set := "[" + strings.Join(found, ", ") + "]"
	if yes != nil {
		return "action in " + set, ""
	}
	return "action", "!(action in " + set + ")"
}

func (im *importer) actions(v *tree) (found []string) {
	pattern, ok := v.value.(string)
	if !ok {
		im.say(v, "an action is a text")
		return nil
	}
	low := strings.ToLower(pattern)
	for _, c := range counterparts {
		if globFits(low, strings.ToLower(c.aws)) {
			found = append(found, c.ours)
		}
	}
	for _, name := range im.l.actions {
		if globFits(low, strings.ToLower(name)) {
			found = append(found, name)
		}
	}
	if len(found) == 0 {
		names := slices.Clone(im.l.actions)
		for _, c := range counterparts {
			names = append(names, c.aws)
		}
		im.say(v, "the action %.100q has no counterpart here: %s", pattern, didYouMean(pattern, names))
	}
	return found
}

func (im *importer) resource(t *tree) (scope, cond string) {
	yes, no := t.get("Resource"), t.get("NotResource")
	if (yes == nil) == (no == nil) {
		im.say(t, "give either Resource or NotResource")
		return "resource", ""
	}
	if yes != nil && yes.value == "*" {
		return "resource", ""
	}
	from := yes
	if from == nil {
		from = no
	}
	var tests []string
	for _, v := range from.each() {
		text, ok := v.value.(string)
		if !ok {
			im.say(v, "a resource is a text")
			continue
		}
		tests = append(tests, im.pattern(v, text))
	}
	if len(tests) == 0 {
		im.say(from, "there is no resource in the list")
	}
	if yes != nil && len(tests) == 1 && strings.HasPrefix(tests[0], "resource == ") {
		return tests[0], ""
	}
	cond = "(" + strings.Join(tests, " || ") + ")"
	if no != nil {
		cond = "!" + cond
	}
	return "resource", cond
}

var variable = regexp.MustCompile(`\$\{`)

// pattern is the test for one resource.
func (im *importer) pattern(v *tree, text string) string {
	if variable.MatchString(text) {
		im.say(v, "policy variables are not known here")
		return "false"
	}
	if text == "*" {
		return "true"
	}
	path := text
	if strings.HasPrefix(text, "arn:") {
		path = im.arn(v, text, "")
	}
	switch {
	case strings.Contains(path, "?"):
		return "resource.globs.contains(" + quote(path) + ")"
	case strings.Contains(path, "*"):
		return "resource.path like " + globText(path)
	}
	uid, _, err := resourceUID(path)
	if err != nil {
		im.say(v, "%.160q names nothing here", text)
		return "false"
	}
	return "resource == " + literal(uid)
}

// arn turns an ARN into a path of ours.
func (im *importer) arn(v *tree, text, service string) string {
	f := strings.SplitN(text, ":", 6)
	if len(f) != 6 || f[0] != "arn" || service != "" && f[2] != service {
		im.say(v, "%.160q is not an ARN that is known here", text)
		return ""
	}
	if a := f[4]; a != "" && a != "*" && a != "000000000000" && a != im.o.Account {
		im.say(v, "the ARN is of account %.20q: say that this account means this installation", a)
	}
	rest := f[5]
	kind, name, _ := strings.Cut(rest, ":")
	switch {
	case f[2] == "lambda" && kind == "function":
		return "function/" + name
	case f[2] == "s3" && f[3] == "" && f[4] == "":
		return "bucket/" + rest
	case f[2] == "sqs":
		return "queue/" + rest
	case f[2] == "secretsmanager" && kind == "secret":
		return "secret/" + name
	case f[2] == "iot" && strings.HasPrefix(rest, "topic/"):
		return rest
	case f[2] == "iam" && (strings.HasPrefix(rest, "user/") || strings.HasPrefix(rest, "role/")):
		return rest
	}
	im.say(v, "the ARN %.160q has no counterpart here", text)
	return ""
}
