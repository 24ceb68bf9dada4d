package link

import (
	"context"
	"errors"

	"connectrpc.com/connect"

	"redoubt.dev/redoubt/internal/fault"
)

var codes = map[fault.Kind]connect.Code{
	fault.Internal:        connect.CodeInternal,
	fault.NotFound:        connect.CodeNotFound,
	fault.Denied:          connect.CodePermissionDenied,
	fault.Invalid:         connect.CodeInvalidArgument,
	fault.Conflict:        connect.CodeAlreadyExists,
	fault.Unavailable:     connect.CodeUnavailable,
	fault.Unsupported:     connect.CodeFailedPrecondition,
	fault.Unauthenticated: connect.CodeUnauthenticated,
	fault.Limited:         connect.CodeResourceExhausted,
}

// toWire gives err the code of its kind. What nobody classified crosses as
// "internal" with its text: the reader is a defender's log.
func toWire(err error) error {
	if err == nil || errors.As(err, new(*connect.Error)) {
		return err
	}
	return connect.NewError(codes[fault.Of(err)], err)
}

// fromWire gives err the kind of its code; a call that did not get through at
// all is Unavailable, and what has a kind already keeps it.
func fromWire(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || fault.Of(err) != fault.Internal {
		return err
	}
	var ce *connect.Error
	if !errors.As(err, &ce) {
		return fault.New(fault.Unavailable, "%w", err)
	}
	for kind, code := range codes {
		if code == ce.Code() && kind != fault.Internal {
			return fault.New(kind, "%s", ce.Message())
		}
	}
	if ce.Code() == connect.CodeInternal && connect.IsWireError(err) {
		return errors.New(ce.Message())
	}
	return fault.New(fault.Unavailable, "%s", ce.Message())
}
