package identity

import "slices"

// Role is what a person or token may do.
type Role string

// The roles; each may do what those above it may.
const (
	Auditor  Role = "auditor"
	Operator Role = "operator"
	Admin    Role = "admin"
)

// Permission is what an operation asks for. Each operation names one.
type Permission string

// The permissions.
const (
	Read         Permission = "read"
	ReadAudit    Permission = "audit.read"
	Triage       Permission = "triage"  // status and comments of alerts and incidents
	Respond      Permission = "respond" // isolate, release, block
	WriteProfile Permission = "profile.write"
	WritePolicy  Permission = "policy.write"
	WriteToken   Permission = "token.write" // one's own API tokens
	WriteUser    Permission = "user.write"  // accounts, and everybody's tokens
	WriteNode    Permission = "node.write"  // join tokens, forgetting nodes

	WriteFunction  Permission = "function.write"
	InvokeFunction Permission = "function.invoke"
	WriteRoute     Permission = "route.write"
	WriteAccess    Permission = "access.write" // access policies, principals, and what they come in with
)

// grants says who holds a permission; what is not listed nobody may.
var grants = map[Permission][]Role{
	Read:         {Auditor, Operator, Admin},
	ReadAudit:    {Auditor, Operator, Admin},
	Triage:       {Operator, Admin},
	Respond:      {Operator, Admin},
	WriteProfile: {Operator, Admin},
	WritePolicy:  {Operator, Admin},
	WriteToken:   {Operator, Admin},
	WriteUser:    {Admin},
	WriteNode:    {Admin},

	WriteFunction:  {Operator, Admin},
	InvokeFunction: {Operator, Admin},
	WriteRoute:     {Operator, Admin},
	WriteAccess:    {Admin},
}

// May says whether r holds p.
func (r Role) May(p Permission) bool { return slices.Contains(grants[p], r) }

var rank = map[Role]int{Auditor: 1, Operator: 2, Admin: 3}

// Valid says whether r is a role.
func (r Role) Valid() bool { return rank[r] > 0 }

// Within says whether r may do no more than most.
func (r Role) Within(most Role) bool { return r.Valid() && rank[r] <= rank[most] }

// least returns the weaker of two roles.
func least(a, b Role) Role {
	if a.Within(b) {
		return a
	}
	return b
}
