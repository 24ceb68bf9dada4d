package console

import "slices"

// permission is what an operation asks of whoever calls it. Each operation
// names exactly one.
type permission string

const (
	public  permission = "public"  // anybody, before login
	session permission = "session" // anybody who is logged in, about themselves
	read    permission = "read"
	respond permission = "respond" // triage, isolate, block, allow, prevent
	model   permission = "profiles"
	rules   permission = "policies"
	keys    permission = "tokens" // one's own
	fleet   permission = "nodes"
	people  permission = "users" // and everybody's tokens
)

// The roles.
const (
	auditor  = "auditor"
	operator = "operator"
	admin    = "admin"
)

// grants says which role holds which permission; what is not listed is denied.
var grants = map[string][]permission{
	auditor:  {public, session, read},
	operator: {public, session, read, respond, model, rules, keys},
	admin:    {public, session, read, respond, model, rules, keys, fleet, people},
}

// may says whether role holds p. No role is somebody who is not logged in.
func may(role string, p permission) bool {
	return p == public || slices.Contains(grants[role], p)
}
