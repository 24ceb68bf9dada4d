package sigv4

import (
	"errors"

	"redoubt.dev/redoubt/internal/fault"
)

// Code is AWS's name for what is wrong: SDKs read it and correct their clock
// or fetch new credentials by it.
type Code string

// The codes this package answers with.
const (
	Missing      Code = "MissingAuthenticationToken"
	Incomplete   Code = "IncompleteSignature"
	UnknownKey   Code = "InvalidAccessKeyId"
	BadToken     Code = "InvalidToken"
	TokenExpired Code = "ExpiredToken"
	Mismatch     Code = "SignatureDoesNotMatch"
	Skewed       Code = "RequestTimeTooSkewed"
	Expired      Code = "RequestExpired"
	Replayed     Code = "RequestReplayed"
	BadPayload   Code = "XAmzContentSHA256Mismatch"
	BadChecksum  Code = "BadDigest"
	TooLarge     Code = "EntityTooLarge"
	BadScope     Code = "AuthorizationHeaderMalformed"
)

// Error is a refusal with AWS's code for it. It wraps an error with a kind of
// fault.
type Error struct {
	Code Code
	err  error
}

func (e *Error) Error() string { return e.err.Error() }
func (e *Error) Unwrap() error { return e.err }

// Refuse makes an error with the code; Config.Keys uses it to say why a key
// does not work.
func Refuse(c Code, format string, args ...any) error {
	kind := fault.Unauthenticated
	switch c {
	case BadPayload, BadChecksum:
		kind = fault.Invalid
	case TooLarge:
		kind = fault.Limited
	}
	return &Error{c, fault.New(kind, format, args...)}
}

// CodeOf returns the code of err, or "" where it has none.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
