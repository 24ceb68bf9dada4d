package lambda

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
)

const (
	runtimeAPI    = "/2018-06-01/runtime/"
	extensionsAPI = "/2020-01-01/extension/"
	attachPath    = "/2018-06-01/redoubt/attach" // ours: a pre-started runtime asks for its code
	maxError      = MaxPayload
	maxExtension  = 64 << 10 // of a body sent by an extension
)

// handle answers one request, or parks its connection. An error ends the
// connection; what is wrong with the request is not one.
func (s *Server) handle(c *conn, r *request, b *body) error {
	if path, ok := strings.CutPrefix(r.path, runtimeAPI); ok {
		return s.runtime(c, r, b, path)
	}
	if path, ok := strings.CutPrefix(r.path, extensionsAPI); ok {
		return s.extension(c, r, b, path)
	}
	switch r.path {
	case attachPath:
		if r.method != "GET" {
			return wrongMethod(c)
		}
		return s.attach(c)
	case "/2022-07-01/telemetry":
		return c.reply(202, "", errorDocument("Telemetry.NotSupported", "Telemetry API is not supported"))
	case "/2020-08-15/logs":
		return c.reply(202, "", errorDocument("Logs.NotSupported", "Logs API is not supported"))
	}
	return c.refuse(404, "NotFound", "the Runtime API has no such path")
}

func wrongMethod(c *conn) error {
	return c.refuse(405, "MethodNotAllowed", "that path has another method")
}

func (s *Server) runtime(c *conn, r *request, b *body, path string) error {
	if path == "invocation/next" {
		if r.method != "GET" {
			return wrongMethod(c)
		}
		return s.nextEvent(c)
	}
	rest, isInvocation := strings.CutPrefix(path, "invocation/")
	id, verb, _ := strings.Cut(rest, "/")
	switch {
	case path != "init/error" && (!isInvocation || verb != "response" && verb != "error"):
		return c.refuse(404, "NotFound", "the Runtime API has no such path")
	case r.method != "POST":
		return wrongMethod(c)
	case path == "init/error":
		return s.initFailed(c, r, b)
	}
	return s.answered(c, r, b, id, verb)
}

// nextEvent gives the runtime the event that waits, or parks it.
func (s *Server) nextEvent(c *conn) error {
	s.mu.Lock()
	switch {
	case s.initError != nil:
		s.mu.Unlock()
		return c.refuse(403, "InvalidStateTransition", "initialisation has failed")
	case s.current != nil:
		id := s.current.event.ID
		s.mu.Unlock()
		return c.refuse(403, "InvalidStateTransition", "invocation %s has not been answered", id)
	}
	s.started = true
	s.setReady()
	if old := s.waiter; old != nil { // the runtime gave that one up
		defer old.Close()
	}
	e := s.pending
	if s.waiter = c; e == nil {
		s.mu.Unlock()
		return nil
	}
	s.waiter, s.pending, s.current = nil, nil, e
	told := s.announce(e.event)
	s.mu.Unlock()
	s.hand(c, e, told)
	return nil
}

// initFailed takes the runtime's word that it cannot serve. Once that is of no
// use, or while it is being given, its text is not kept: each connection could
// have the host hold as much.
func (s *Server) initFailed(c *conn, r *request, b *body) error {
	s.mu.Lock()
	refused := s.started || s.initError != nil || s.failing
	s.failing = s.failing || !refused
	s.mu.Unlock()
	if refused {
		return c.refuse(403, "InvalidStateTransition", "initialisation is over")
	}
	doc, err := b.all(maxError)
	s.mu.Lock()
	s.failing = false
	if refused = s.started; err == nil && !refused {
		s.failInit(parseError(doc, r.errorType))
	}
	s.mu.Unlock()
	switch {
	case errors.Is(err, errTooLarge):
		return tooLarge(c, b)
	case err != nil:
		return err
	case refused:
		return c.refuse(403, "InvalidStateTransition", "initialisation is over")
	}
	return c.accept()
}

// answered takes the answer to an invocation, or the error it ended with.
func (s *Server) answered(c *conn, r *request, b *body, id, verb string) error {
	s.mu.Lock()
	e := s.current
	switch {
	case e == nil && id == s.last && id != "", e != nil && e.answering && id == e.event.ID:
		s.mu.Unlock()
		return c.refuse(403, "InvalidStateTransition", "invocation %s has been answered", short(id))
	case e == nil || id != e.event.ID:
		s.mu.Unlock()
		return c.refuse(400, "InvalidRequestID", "no invocation %s is under way", short(id))
	}
	e.answering = true
	s.mu.Unlock()

	if verb == "response" && e.event.Stream && (r.chunked || strings.EqualFold(r.mode, "streaming")) {
		return s.stream(c, r, b, e)
	}
	doc, err := b.all(MaxPayload)
	switch {
	case errors.Is(err, errTooLarge):
		s.finish(e, result{answer: &Answer{Error: NewError("Function.ResponseSizeTooLarge",
			"Response payload size exceeded maximum allowed payload size (%d bytes).", MaxPayload)}})
		return tooLarge(c, b)
	case err != nil:
		s.finish(e, result{answer: &Answer{Error: NewError("Runtime.TruncatedResponse", "the runtime broke off its answer")}})
		return err
	}
	a := &Answer{Payload: doc, ContentType: r.contentType, Error: b.trailerError()}
	if verb == "error" {
		a.Error = parseError(doc, r.errorType)
	}
	if a.Error != nil {
		a.Payload = nil
	}
	s.finish(e, result{answer: a})
	return c.accept()
}

// stream passes an answer on as it comes, at the reader's pace. Where the
// reader goes away the code still ends in its own time.
func (s *Server) stream(c *conn, r *request, b *body, e *call) error {
	from, to := io.Pipe()
	select {
	case e.result <- result{answer: &Answer{Stream: from, ContentType: r.contentType}}:
	default: // the call has failed on another connection
	}
	n, err := io.Copy(to, io.LimitReader(b, MaxStream+1))
	if errors.Is(err, io.ErrClosedPipe) {
		n, err = 0, nil
	}
	drained := err == nil && b.drain()
	// The reader may invoke again as soon as it sees the end.
	s.finish(e, result{})
	switch {
	case n > MaxStream:
		to.CloseWithError(NewError("Function.ResponseSizeTooLarge", "a streamed answer may have %d bytes", MaxStream))
		return tooLarge(c, b)
	case !drained:
		to.CloseWithError(NewError("Runtime.TruncatedResponse", "the runtime broke off its answer"))
		return io.ErrUnexpectedEOF
	}
	if failed := b.trailerError(); failed != nil {
		to.CloseWithError(failed)
	} else {
		to.Close()
	}
	return c.accept()
}

// tooLarge lets the sender finish, so that it reads the answer.
func tooLarge(c *conn, b *body) error {
	if !b.drain() {
		return errTooLarge
	}
	return c.refuse(413, "RequestEntityTooLarge", "Exceeded maximum allowed payload size (%d bytes).", MaxPayload)
}

// attach parks a pre-started runtime until Attach.
func (s *Server) attach(c *conn) error {
	s.mu.Lock()
	if !isClosed(s.stemmed) {
		close(s.stemmed)
	}
	if old := s.attacher; old != nil {
		defer old.Close()
	}
	a := s.attachment
	if a == nil {
		s.attacher = c
	}
	s.mu.Unlock()
	if a == nil {
		return nil
	}
	return c.reply(200, "", a.document())
}

// Attach gives a pre-started runtime its function, now or when it asks.
func (s *Server) Attach(a Attachment) error {
	s.mu.Lock()
	s.attachment, s.about = &a, a.About
	c := s.attacher
	s.attacher = nil
	s.mu.Unlock()
	if c == nil {
		return nil
	}
	return c.reply(200, "", a.document())
}

func (a *Attachment) document() string {
	env := make(map[string]string, len(a.Env))
	for _, pair := range a.Env {
		if name, value, ok := strings.Cut(pair, "="); ok {
			env[name] = value
		}
	}
	doc, _ := json.Marshal(map[string]any{"handler": a.Handler, "env": env}) // strings only: cannot fail
	return string(doc)
}
