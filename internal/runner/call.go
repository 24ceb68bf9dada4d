package runner

import (
	"io"
	"time"

	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/lambda"
	"redoubt.dev/redoubt/internal/redoubt"
)

// Call is one event for one version of a function. Whether it may be made was
// decided before.
type Call struct {
	ID            string // the request id the function sees
	Ref           function.Ref
	Version       *function.Version
	Tenant        string
	Trace         string // X-Amzn-Trace-Id
	Payload       []byte
	Deadline      time.Time // zero: the version's own limit from the start of the handler
	ClientContext string
	Stream        bool            // the caller takes an answer as it comes
	Abort         <-chan struct{} // closed: end it at once
}

// Result is what became of a Call. Stream, where it is not nil, must be closed:
// the call holds its environment until then, and the fields after ContentType
// are final only after that.
type Result struct {
	Payload     []byte
	Stream      io.ReadCloser
	ContentType string
	Error       *lambda.FunctionError
	Outcome     function.Outcome
	Start       function.Start
	Queued      time.Duration // waiting for a place
	Init        time.Duration // until the environment was ready; 0 where it was
	Duration    time.Duration // in the handler
	CPU         time.Duration
	Memory      int64 // peak, bytes
	Limit       int64 // bytes
	Uses        []function.Use
	Verdicts    []redoubt.Verdict
	Lines       []function.Line
}
