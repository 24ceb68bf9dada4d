package console

import "redoubt.dev/redoubt/internal/identity"

// Two more permissions than roles have: nobody has to hold the first, and
// everybody who is logged in holds the second.
const (
	public identity.Permission = "public"
	member identity.Permission = "session" // what is about oneself
)

// may says whether role holds p. No role is somebody who is not logged in.
func may(role identity.Role, p identity.Permission) bool {
	return p == public || p == member && role.Valid() || role.May(p)
}
