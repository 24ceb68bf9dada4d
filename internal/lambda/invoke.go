package lambda

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"redoubt.dev/redoubt/internal/fault"
)

// MaxPayload is the most an event or a buffered answer may hold, in bytes: 6
// MiB and the 100 bytes Lambda adds to it. MaxStream is that of a streamed one.
const (
	MaxPayload = 6<<20 + 100
	MaxStream  = 20 << 20
)

// Event is one invocation as the code is told of it.
type Event struct {
	ID       string // of the request; the caller makes sure it is new
	ARN      string
	Trace    string
	Tenant   string
	Deadline time.Time
	// ClientContext and Identity are JSON, or empty.
	ClientContext, Identity string
	Payload                 []byte
	// Stream says the caller takes an answer as it comes. Otherwise a streamed
	// one is collected.
	Stream bool
}

// Answer is what code answered: one of Payload, Stream and Error. The reader of
// Stream ends with a *FunctionError where the code failed on the way; it has
// to be closed, and what is not read holds the code up.
type Answer struct {
	Payload     []byte
	Stream      io.ReadCloser
	ContentType string
	Error       *FunctionError
}

// call is an invocation on its way.
type call struct {
	event     *Event
	head      []byte      // of the answer to next
	result    chan result // takes one
	answering bool        // a request with its answer is being read
}

type result struct {
	answer *Answer
	err    error
}

// Invoke hands the event to the runtime, now or when it asks, and returns its
// answer: what the code did wrong is in Answer.Error. An error means there is
// none: ctx ended, the environment ended, it is busy (fault.Conflict), or the
// event cannot be sent (fault.Invalid, fault.Limited). After ctx ended the
// environment stays busy until the code answers after all.
func (s *Server) Invoke(ctx context.Context, e Event) (*Answer, error) {
	head, err := e.head()
	if err != nil {
		return nil, err
	}
	c := &call{event: &e, head: head, result: make(chan result, 1)}
	to, told, err := s.begin(c)
	if err != nil {
		return nil, err
	}
	if to != nil {
		s.send(ctx, to, c, told)
	}
	select {
	case r := <-c.result:
		return r.answer, r.err
	case <-s.done:
		return nil, errEnded
	case <-ctx.Done():
		s.withdraw(c)
		return nil, fmt.Errorf("wait for the answer to %s: %w", e.ID, context.Cause(ctx))
	}
}

// begin makes c the environment's invocation. Where the runtime waits for one,
// its connection is returned with the extensions to tell.
func (s *Server) begin(c *call) (*conn, []*notice, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case isClosed(s.done):
		return nil, nil, errEnded
	case s.initError != nil:
		c.result <- result{answer: &Answer{Error: s.initError}}
		return nil, nil, nil
	case s.pending != nil || s.current != nil:
		return nil, nil, fault.New(fault.Conflict, "the environment is busy with another invocation")
	}
	if s.waiter == nil {
		s.pending = c
		return nil, nil, nil
	}
	to := s.waiter
	s.waiter, s.current = nil, c
	return to, s.announce(c.event), nil
}

// send writes the event to the runtime that waits for it. The write ends with
// ctx: a runtime may choose not to read.
func (s *Server) send(ctx context.Context, to *conn, c *call, told []*notice) {
	var mu sync.Mutex
	var over bool
	stop := context.AfterFunc(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		if !over {
			to.SetWriteDeadline(time.Unix(1, 0))
		}
	})
	s.hand(to, c, told)
	if !stop() {
		mu.Lock()
		defer mu.Unlock()
		over = true
		to.SetWriteDeadline(time.Time{})
	}
}

// hand writes the event. If that fails the runtime may have it all the same,
// so nobody else gets it: it would run twice.
func (s *Server) hand(to *conn, c *call, told []*notice) {
	bufs := net.Buffers{c.head, c.event.Payload}
	if len(c.event.Payload) <= 32<<10 { // one small write beats two parts
		bufs = net.Buffers{append(c.head, c.event.Payload...)}
	}
	_, err := bufs.WriteTo(to.Conn)
	for _, n := range told {
		n.send()
	}
	if err != nil {
		s.finish(c, result{err: fault.New(fault.Unavailable, "the runtime went away while it took event %s: %w", c.event.ID, err)})
	}
	if err != nil || to.last.Load() {
		to.Close()
	}
}

// withdraw takes back an event that the runtime has not got.
func (s *Server) withdraw(c *call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending == c {
		s.pending = nil
	}
}

// finish ends c. Only who took it from pending, or found it current, may.
func (s *Server) finish(c *call, r result) {
	s.mu.Lock()
	if s.current == c {
		s.current, s.last = nil, c.event.ID
	}
	s.mu.Unlock()
	select {
	case c.result <- r:
	default: // a streamed answer is already on its way
	}
}

// head is the answer to next, up to its body.
func (e *Event) head() ([]byte, error) {
	if len(e.Payload) > MaxPayload {
		return nil, fault.New(fault.Limited, "the event has %d bytes; at most %d can be sent", len(e.Payload), MaxPayload)
	}
	if e.ID == "" {
		return nil, fault.New(fault.Invalid, "an event needs a request id")
	}
	clientContext, err := headerJSON("client context", e.ClientContext)
	if err != nil {
		return nil, err
	}
	identity, err := headerJSON("identity", e.Identity)
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, 512+len(e.Payload)&(64<<10-1))
	b = append(b, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: "...)
	b = append(append(b, e.ID...), "\r\nLambda-Runtime-Deadline-Ms: "...)
	b = append(strconv.AppendInt(b, e.Deadline.UnixMilli(), 10), "\r\nContent-Length: "...)
	b = append(strconv.AppendInt(b, int64(len(e.Payload)), 10), "\r\n"...)
	for _, h := range [...][2]string{
		{"Lambda-Runtime-Invoked-Function-Arn", e.ARN},
		{"Lambda-Runtime-Trace-Id", e.Trace},
		{"Lambda-Runtime-Client-Context", clientContext},
		{"Lambda-Runtime-Cognito-Identity", identity},
		{"Lambda-Runtime-Aws-Tenant-Id", e.Tenant},
	} {
		if h[1] != "" {
			b = append(append(append(append(b, h[0]...), ": "...), h[1]...), "\r\n"...)
		}
	}
	for _, value := range [...]string{e.ID, e.ARN, e.Trace, e.Tenant} {
		if !plain(value) {
			return nil, fault.New(fault.Invalid, "request id, ARN, trace and tenant are sent as headers: printable ASCII of at most 4096 characters, not %q", short(value))
		}
	}
	return append(b, "\r\n"...), nil
}

func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return len(s) <= 4096
}

// headerJSON writes a JSON document as a header value: on one line, in ASCII.
func headerJSON(what, doc string) (string, error) {
	if doc == "" {
		return "", nil
	}
	var flat bytes.Buffer
	if err := json.Compact(&flat, []byte(doc)); err != nil || flat.Len() > 32<<10 {
		return "", fault.New(fault.Invalid, "the %s is not JSON of at most 32 KiB", what)
	}
	out := make([]byte, 0, flat.Len())
	for _, r := range flat.String() {
		switch {
		case r < 0x7f:
			out = append(out, byte(r))
		case r > 0xffff:
			r -= 0x10000
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return string(out), nil
}
