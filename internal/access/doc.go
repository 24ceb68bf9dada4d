// Package access decides whether a principal may do an action on a resource. It
// knows the policies, written in Cedar; who the principal is was proven
// elsewhere (package iam), and what a function may use comes from its role.
//
// The rules:
//
//   - what no statement permits is denied;
//   - a forbid that matches wins over every permit, and so does one that fails:
//     a statement that cannot be evaluated is reported, and where it forbids it
//     counts as having matched;
//   - no policy is loaded that does not fit the schema, and none that is
//     imported loses a part silently;
//   - nothing that ships permits anything to anonymous.
//
// Statements are indexed by the resource and the principal in their scope, so
// that a decision looks at the few that can matter.
package access
