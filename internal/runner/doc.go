// Package runner runs functions: it keeps pools of environments, each a sandbox
// with the Lambda Runtime API, a way out through the egress proxy and the
// code's read-only mounts. It starts them when calls wait, freezes and ends
// them when none do, takes pre-started runtimes where it can, and notes what
// every call touched. Whether a call may be made is decided before it gets
// here; what the code may do while it runs is decided by its role, and on top
// of that by whoever is asked through Config.Judge.
//
//	Invoke ─► pool (function, version, tenant) ─► environment ─► answer
//	            │ none idle: claim a stem, or start cold │ sandbox
//	            │ as many as allowed: wait in line       │ lambda: Runtime API
//	            └ frozen when idle, ended when long idle │ egress: names, addresses
//	                                                     └ internal: other functions, buckets, queues
package runner
