// Package fault gives errors a kind that crosses process borders: one switch
// turns a kind into an HTTP status, another into an exit code.
package fault

import (
	"errors"
	"fmt"
)

// Kind is why something was refused.
type Kind int

// The kinds. Internal is whatever nobody classified.
const (
	Internal Kind = iota
	NotFound
	Denied
	Invalid
	Conflict
	Unavailable
	Unsupported
	Unauthenticated
	Limited // too many requests or too large
)

var names = [...]string{"internal", "not found", "denied", "invalid", "conflict", "unavailable", "unsupported", "unauthenticated", "limited"}

func (k Kind) String() string { return names[k] }

// Error is an error with a kind. Its text is for the person who caused it: it
// names the input and the next step.
type Error struct {
	Kind Kind
	err  error
}

func (e *Error) Error() string { return e.err.Error() }
func (e *Error) Unwrap() error { return e.err }

// New makes an error of kind k; %w in format wraps as in fmt.Errorf.
func New(k Kind, format string, args ...any) error {
	return &Error{Kind: k, err: fmt.Errorf(format, args...)}
}

// Is reports whether err, or anything it wraps, is of kind k.
func Is(err error, k Kind) bool { return err != nil && Of(err) == k }

// Of returns the kind of the outermost Error in err's chain, Internal if none.
func Of(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}
