package lambda

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"redoubt.dev/redoubt/internal/fault"
)

const maxConns = 64 // of one environment: a runtime needs one or two, an extension two

// About is what a runtime and its extensions are told of the function.
type About struct {
	Function, Version, Handler string
	Account                    string // told to extensions that ask for it
}

// Attachment turns a pre-started runtime into that of one function.
type Attachment struct {
	About
	Env []string // NAME=value, what Environ returned
}

// Server is the Runtime API and the Extensions API of one environment: its
// listener is its identity. Whatever the other side sends, it answers with the
// contract's error and goes on. It is safe for concurrent use.
//
//	         Invoke                      response, error
//	Ready ──► pending ──next──► current ──────────────────► answered ──next──► Ready
type Server struct {
	mu      sync.Mutex
	about   About
	lns     map[net.Listener]struct{}
	conns   map[*conn]struct{}
	done    chan struct{} // closed by Close
	ready   chan struct{} // closed when initialised, well or not
	stemmed chan struct{} // closed when a stem asks for its code

	initError *FunctionError
	failing   bool   // the runtime is telling why it cannot serve
	started   bool   // the runtime has asked for an event
	waiter    *conn  // the runtime, waiting for an event
	pending   *call  // waiting for the runtime
	current   *call  // with the runtime
	last      string // id of what was answered last

	extensions map[string]*extension // by identifier
	attachment *Attachment
	attacher   *conn // a stem, waiting for its code
}

// NewServer makes the server of one environment; a stem's About comes with its
// Attachment.
func NewServer(about About) *Server {
	return &Server{
		about: about, lns: map[net.Listener]struct{}{}, conns: map[*conn]struct{}{}, extensions: map[string]*extension{},
		done: make(chan struct{}), ready: make(chan struct{}), stemmed: make(chan struct{}),
	}
}

// Serve answers on ln until Close, which it owns from here, and then returns
// nil.
func (s *Server) Serve(ln net.Listener) error {
	s.mu.Lock()
	if isClosed(s.done) {
		s.mu.Unlock()
		return ln.Close()
	}
	s.lns[ln] = struct{}{}
	s.mu.Unlock()
	for {
		nc, err := ln.Accept()
		if err != nil {
			if isClosed(s.done) || errors.Is(err, net.ErrClosed) {
				return nil
			}
			if passing(err) { // somebody else's doing: this environment must not die of it
				time.Sleep(acceptPause)
				continue
			}
			return fmt.Errorf("accept a runtime's connection: %w", err)
		}
		if c := s.admit(nc); c != nil {
			go c.serve()
		}
	}
}

const acceptPause = 20 * time.Millisecond

// passing says whether accepting may work again: the host is short of
// something, or the client went away.
func passing(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.EINTR} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// admit takes a connection in; nil where there are enough.
func (s *Server) admit(nc net.Conn) *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if isClosed(s.done) || len(s.conns) >= maxConns {
		nc.Close()
		return nil
	}
	c := &conn{Conn: nc, s: s, in: bufio.NewReaderSize(nc, 4<<10)}
	s.conns[c] = struct{}{}
	return c
}

// serve reads one request after the other. A connection whose answer is
// outstanding (next) goes on reading too: so a client that goes away is seen
// at once and gets no event.
func (c *conn) serve() {
	defer c.leave()
	for {
		r, err := c.next()
		if c.s.parked(c) { // it speaks, or went, before it was answered
			return
		}
		if errors.Is(err, errMalformed) {
			_ = c.refuse(400, "InvalidRequest", "the request is not HTTP/1.1 as the Runtime API uses it")
			return
		}
		if err != nil {
			return
		}
		c.last.Store(r.last)
		b, err := c.body(r)
		if err != nil || c.s.handle(c, r, b) != nil {
			return
		}
		if !b.drain() || r.last && !c.s.parked(c) {
			return
		}
	}
}

// leave forgets the connection and closes it.
func (c *conn) leave() {
	s := c.s
	s.mu.Lock()
	delete(s.conns, c)
	if s.waiter == c {
		s.waiter = nil
	}
	if s.attacher == c {
		s.attacher = nil
	}
	if x := c.extension; x != nil {
		if x.waiter == c {
			x.waiter = nil
		}
		if x.ending {
			x.through()
		}
	}
	s.mu.Unlock()
	c.Close()
}

// parked reports whether c waits for an answer.
func (s *Server) parked(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiter == c || s.attacher == c || c.extension != nil && c.extension.waiter == c
}

// Ready waits until the runtime and its extensions have initialised: all have
// asked for their first event. Where the runtime says it cannot, the error is
// a *FunctionError.
func (s *Server) Ready(ctx context.Context) error {
	if err := s.wait(ctx, s.ready, "initialise"); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.initError != nil {
		return s.initError
	}
	return nil
}

// Stemmed waits until a pre-started runtime asks for its code.
func (s *Server) Stemmed(ctx context.Context) error { return s.wait(ctx, s.stemmed, "start") }

func (s *Server) wait(ctx context.Context, what <-chan struct{}, verb string) error {
	select {
	case <-what:
		return nil
	case <-s.done:
		return errEnded
	case <-ctx.Done():
		return fmt.Errorf("wait for the runtime to %s: %w", verb, context.Cause(ctx))
	}
}

// Idle reports whether the runtime and every extension wait for an event:
// nothing is under way, so the environment can be frozen.
func (s *Server) Idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.extensions {
		if e.waiter == nil {
			return false
		}
	}
	return s.waiter != nil
}

var errEnded = fault.New(fault.Unavailable, "the environment ended")

// Close ends all connections and whoever waits.
func (s *Server) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if isClosed(s.done) {
		return
	}
	close(s.done)
	for ln := range s.lns {
		ln.Close()
	}
	for c := range s.conns {
		c.Close()
	}
}

// setReady notes the end of initialisation once all have asked for an event.
// The lock is held.
func (s *Server) setReady() {
	if isClosed(s.ready) || !s.started && s.initError == nil {
		return
	}
	for _, e := range s.extensions {
		if !e.asked && s.initError == nil {
			return
		}
	}
	close(s.ready)
}

// failInit records why initialisation failed and answers whoever waits for an
// invocation with it. The lock is held.
func (s *Server) failInit(e *FunctionError) {
	s.initError = e
	s.setReady()
	if c := s.pending; c != nil {
		s.pending = nil
		c.result <- result{answer: &Answer{Error: e}}
	}
}

func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}
