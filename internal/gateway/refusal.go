package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"syscall"
	"time"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/iam/sigv4"
)

// refusal is why a call did not run, or how it went wrong, in the words its
// caller gets.
type refusal struct {
	outcome function.Outcome
	status  int
	kind    string // AWS's name of the error
	text    string
	retry   time.Duration
}

func (r *refusal) Error() string { return r.text }

func refuse(o function.Outcome, status int, kind, format string, args ...any) *refusal {
	return &refusal{outcome: o, status: status, kind: kind, text: fmt.Sprintf(format, args...)}
}

func throttled(retry time.Duration, format string, args ...any) *refusal {
	r := refuse(function.Throttled, http.StatusTooManyRequests, "TooManyRequestsException", format, args...)
	r.retry = max(retry, time.Second)
	return r
}

// byKind says what each kind of fault means to a caller.
var byKind = map[fault.Kind]refusal{
	fault.NotFound:        {outcome: function.Gone, status: 404, kind: "ResourceNotFoundException"},
	fault.Denied:          {outcome: function.Denied, status: 403, kind: "AccessDeniedException"},
	fault.Unauthenticated: {outcome: function.Denied, status: 401, kind: "UnrecognizedClientException"},
	fault.Invalid:         {outcome: function.Refused, status: 400, kind: "InvalidParameterValueException"},
	fault.Conflict:        {outcome: function.Refused, status: 409, kind: "ResourceConflictException"},
	fault.Unavailable:     {outcome: function.Abandoned, status: 503, kind: "ServiceException", retry: time.Second},
	fault.Unsupported:     {outcome: function.Refused, status: 501, kind: "InvalidRequestContentException"},
	fault.Limited:         {outcome: function.Throttled, status: 429, kind: "TooManyRequestsException", retry: time.Second},
	fault.Internal:        {outcome: function.Crashed, status: 500, kind: "ServiceException"},
}

// refused turns an error of another package into a refusal. Only faults speak
// to the caller; what nobody classified stays in the log.
func refused(err error) *refusal {
	var r *refusal
	if errors.As(err, &r) {
		return r
	}
	var big *http.MaxBytesError
	switch {
	case errors.As(err, &big):
		return refuse(function.Refused, http.StatusRequestEntityTooLarge, "RequestTooLargeException", "the request is larger than %d bytes", big.Limit)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return refuse(function.Abandoned, http.StatusInsufficientStorage, "ServiceException", "the gateway's disk is full")
	}
	var gone *function.GoneError
	if errors.As(err, &gone) {
		return refuse(function.Gone, http.StatusGone, "ResourceNotFoundException", "%s", err)
	}
	kind := fault.Of(err)
	out := byKind[kind]
	out.text = err.Error()
	if kind == fault.Internal {
		out.text = "internal error; the log has it under the request id"
	}
	if code := sigv4.CodeOf(err); code != "" {
		out.kind = string(code)
	}
	return &out
}
