package access

import (
	"fmt"
	"strconv"
	"strings"

	"redoubt.dev/redoubt/internal/fault"
)

// Grants are what one function's role lets it use of this installation, and
// who its triggers let call it. The lists are written as in a function's role.
type Grants struct {
	Functions []string // names it may invoke
	Buckets   []string // "photos:read" or "photos:write"
	Queues    []string // names it may send to
	Secrets   []string // names it may read
	Callers   []string // principals that may invoke it: service/schedule; anonymous for a route that asks for no proof
}

// FromRole makes the policy of a function's grants: document function-NAME
// with one statement for each. None is fault.NotFound.
func FromRole(function string, g Grants) (Document, error) {
	var b strings.Builder
	who := "Function::" + quote(function)
	permit := func(principal, actions, resource, why string) {
		fmt.Fprintf(&b, "@why(%s)\npermit (principal == %s, action in [%s], resource %s);\n", quote(why), principal, actions, resource)
	}
	const invoke = `Action::"function:Invoke", Action::"function:InvokeAsync"`
	for _, f := range g.Functions {
		permit(who, invoke, "in Function::"+quote(f), "the role of "+function+" may invoke "+f)
	}
	for _, entry := range g.Buckets {
		name, right, _ := strings.Cut(entry, ":")
		actions, ok := map[string]string{
			"read":  `Action::"bucket:Get", Action::"bucket:List"`,
			"write": `Action::"bucket:Put", Action::"bucket:Delete"`,
		}[right]
		if !ok || name == "" {
			return Document{}, fault.New(fault.Invalid, "function %s: the bucket grant %.80q is to end in :read or :write", function, entry)
		}
		permit(who, actions, "in Bucket::"+quote(name), "the role of "+function+" grants "+entry)
	}
	for _, q := range g.Queues {
		permit(who, `Action::"queue:Send"`, "== Queue::"+quote(q), "the role of "+function+" may send to "+q)
	}
	for _, s := range g.Secrets {
		permit(who, `Action::"secret:Read"`, "== Secret::"+quote(s), "the role of "+function+" grants secret "+s)
	}
	for _, c := range g.Callers {
		uid, err := principalUID(c)
		if err != nil {
			return Document{}, err
		}
		permit(string(uid.Type)+"::"+quote(string(uid.ID)), invoke, "in Function::"+quote(function), "a trigger of "+function+" lets "+c+" call it")
	}
	if b.Len() == 0 {
		return Document{}, fault.New(fault.NotFound, "function %s has no grants", function)
	}
	return Document{Name: rolePrefix + function, Description: "What the role and the triggers of function " + function + " grant.", Cedar: b.String()}, nil
}

// quote writes a Cedar string; what is not plain ASCII is escaped.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r > '~':
			b.WriteString(`\u{` + strconv.FormatInt(int64(r), 16) + `}`)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
