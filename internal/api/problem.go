package api

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"redoubt.dev/redoubt/internal/fault"
)

// problemDocument is what the console answers where it refuses (RFC 9457).
type problemDocument struct {
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Errors []struct {
		Message  string `json:"message"`
		Location string `json:"location"`
	} `json:"errors"`
}

var kinds = map[int]fault.Kind{
	http.StatusBadRequest:            fault.Invalid,
	http.StatusUnprocessableEntity:   fault.Invalid,
	http.StatusUnsupportedMediaType:  fault.Invalid,
	http.StatusUnauthorized:          fault.Unauthenticated,
	http.StatusForbidden:             fault.Denied,
	http.StatusNotFound:              fault.NotFound,
	http.StatusConflict:              fault.Conflict,
	http.StatusPreconditionFailed:    fault.Conflict,
	http.StatusRequestEntityTooLarge: fault.Limited,
	http.StatusTooManyRequests:       fault.Limited,
	http.StatusMethodNotAllowed:      fault.Unsupported,
	http.StatusNotImplemented:        fault.Unsupported,
	http.StatusBadGateway:            fault.Unavailable,
	http.StatusServiceUnavailable:    fault.Unavailable,
	http.StatusGatewayTimeout:        fault.Unavailable,
}

// readProblem turns a refusal into an error whose kind is its status and whose
// text is the console's own.
func readProblem(r *http.Response) error {
	raw, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20)) // what came before an error is still worth reading
	return problem(r.StatusCode, raw)
}

func problem(status int, raw []byte) error {
	var p problemDocument
	text := http.StatusText(status)
	if json.Unmarshal(raw, &p) == nil {
		if p.Title != "" {
			text = p.Title
		}
		if p.Detail != "" {
			text = p.Detail
		}
		var more []string
		for _, e := range p.Errors {
			if e.Message != "" && e.Message != p.Detail {
				more = append(more, strings.TrimSpace(e.Location+" "+e.Message))
			}
		}
		if len(more) > 0 {
			text += ": " + strings.Join(more, "; ")
		}
	}
	kind, ok := kinds[status]
	if !ok {
		if text == "" {
			text = "the console answered with a status nobody knows"
		}
		return errors.New(text)
	}
	return fault.New(kind, "%s", text)
}
