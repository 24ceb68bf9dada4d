// Package host holds tests of the binary from outside: it starts `redoubt up`
// on this machine, with its real kernel and Docker engine, and speaks to it
// through the command line and the API as a user would.
package host
