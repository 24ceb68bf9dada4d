package console

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"redoubt.dev/redoubt/internal/fault"
)

var statuses = map[fault.Kind]int{
	fault.NotFound:        http.StatusNotFound,
	fault.Denied:          http.StatusForbidden,
	fault.Invalid:         http.StatusUnprocessableEntity,
	fault.Conflict:        http.StatusConflict,
	fault.Unavailable:     http.StatusServiceUnavailable,
	fault.Unsupported:     http.StatusNotImplemented,
	fault.Unauthenticated: http.StatusUnauthorized,
	fault.Limited:         http.StatusTooManyRequests,
}

// problem turns an error into the document the caller gets. What nobody
// classified stays here, in the log, under the request's id.
func problem(ctx context.Context, err error) huma.StatusError {
	var done huma.StatusError
	if errors.As(err, &done) {
		return done
	}
	r := requestOf(ctx)
	if status, ok := statuses[fault.Of(err)]; ok {
		return huma.NewError(status, err.Error())
	}
	if ctx.Err() != nil {
		return huma.NewError(http.StatusServiceUnavailable, "the request was given up")
	}
	r.failure = err
	return huma.NewError(http.StatusInternalServerError, "something went wrong in the console; its log says what under request "+r.id)
}
