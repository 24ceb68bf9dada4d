package main

import "redoubt.dev/redoubt/internal/fault"

// The exit codes every command keeps to.
const (
	exitDone    = 0
	exitRefused = 1 // by policy, by the caller's role, or because the thing is not there
	exitFailed  = 2 // it could not run: wrong arguments, no console, an internal error
)

// exitCode is the one place that turns an error into an exit code.
func exitCode(err error) int {
	if err == nil {
		return exitDone
	}
	switch fault.Of(err) {
	case fault.NotFound, fault.Denied, fault.Conflict:
		return exitRefused
	default:
		return exitFailed
	}
}
