package lambda

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	maxExtensions = 10
	maxQueue      = 16 // events an extension has not fetched; later ones are dropped
)

// extension is a program, or a part of the runtime, that asks to be told of
// invocations and of the end.
type extension struct {
	name   string
	events []string
	asked  bool          // for its first event: it is initialised
	ending bool          // it has been told of the end
	gone   chan struct{} // closed when it is through after that
	waiter *conn
	queue  []string // documents
}

func (e *extension) wants(event string) bool { return slices.Contains(e.events, event) }

// notice is an event on its way to an extension.
type notice struct {
	to       *conn
	document string
}

func (n *notice) send() {
	n.to.SetWriteDeadline(time.Now().Add(time.Second)) // a few hundred bytes: who does not read them is gone
	defer n.to.SetWriteDeadline(time.Time{})
	if n.to.reply(200, "Lambda-Extension-Event-Identifier: "+uuid()+"\r\n", n.document) != nil {
		n.to.Close()
	}
}

// tell queues a document for e and returns it as a notice if e waits. The lock
// of the server is held.
func (e *extension) tell(document string) *notice {
	if e.waiter == nil {
		if len(e.queue) < maxQueue {
			e.queue = append(e.queue, document)
		}
		return nil
	}
	n := &notice{to: e.waiter, document: document}
	e.waiter = nil
	return n
}

// announce tells the extensions of an invocation. The lock is held.
func (s *Server) announce(e *Event) []*notice {
	if len(s.extensions) == 0 {
		return nil
	}
	document, _ := json.Marshal(map[string]any{ // plain values: cannot fail
		"eventType": "INVOKE", "deadlineMs": e.Deadline.UnixMilli(), "requestId": e.ID, "invokedFunctionArn": e.ARN,
		"tracing": map[string]string{"type": "X-Amzn-Trace-Id", "value": e.Trace},
	})
	return s.tellAll("INVOKE", string(document))
}

func (s *Server) tellAll(event, document string) []*notice {
	var told []*notice
	for _, x := range s.extensions {
		if !x.wants(event) {
			continue
		}
		x.ending = event == "SHUTDOWN"
		if n := x.tell(document); n != nil {
			told = append(told, n)
		}
	}
	return told
}

// Shutdown tells the extensions of the end (reason: spindown, timeout or
// failure) and waits until they are through or ctx ends.
func (s *Server) Shutdown(ctx context.Context, reason string) {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(2 * time.Second) // as on Lambda
	}
	s.mu.Lock()
	told := s.tellAll("SHUTDOWN", fmt.Sprintf(`{"eventType":"SHUTDOWN","shutdownReason":%q,"deadlineMs":%d}`, reason, deadline.UnixMilli()))
	var gone []chan struct{}
	for _, x := range s.extensions {
		if x.ending {
			gone = append(gone, x.gone)
		}
	}
	s.mu.Unlock()
	for _, n := range told {
		n.send()
	}
	for _, ch := range gone {
		if s.wait(ctx, ch, "end") != nil {
			return
		}
	}
}

// extension answers a request to the Extensions API.
func (s *Server) extension(c *conn, r *request, b *body, path string) error {
	switch path {
	case "register", "init/error", "exit/error":
		if r.method != "POST" {
			return wrongMethod(c)
		}
	case "event/next":
		if r.method != "GET" {
			return wrongMethod(c)
		}
	default:
		return c.refuse(404, "NotFound", "the Extensions API has no such path")
	}
	doc, err := b.all(maxExtension)
	if errors.Is(err, errTooLarge) {
		return tooLarge(c, b)
	} else if err != nil {
		return err
	}
	if path == "register" {
		return s.register(c, r, doc)
	}
	s.mu.Lock()
	x := s.extensions[r.identifier]
	s.mu.Unlock()
	switch {
	case r.identifier == "":
		return c.refuse(403, "Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header")
	case x == nil:
		return c.refuse(403, "Extension.UnknownExtensionIdentifier", "Unknown extension %s", short(r.identifier))
	case path == "event/next":
		return s.extensionNext(c, x)
	case r.errorType == "":
		return c.refuse(403, "Extension.MissingHeader", "Missing Lambda-Extension-Function-Error-Type header")
	}
	if path == "init/error" {
		s.mu.Lock()
		if !isClosed(s.ready) {
			s.failInit(parseError(doc, r.errorType))
		}
		s.mu.Unlock()
	}
	return c.accept()
}

func (s *Server) register(c *conn, r *request, doc []byte) error {
	var ask struct {
		Events []string `json:"events"`
	}
	if len(doc) > 0 && json.Unmarshal(doc, &ask) != nil {
		return c.refuse(400, "InvalidRequestFormat", "the body is not {\"events\": [...]}")
	}
	for _, e := range ask.Events {
		if e != "INVOKE" && e != "SHUTDOWN" {
			return c.refuse(400, "Extension.InvalidEventType", "events are INVOKE and SHUTDOWN, not %s", short(e))
		}
	}
	if r.extension == "" {
		return c.refuse(403, "Extension.InvalidExtensionName", "Missing Lambda-Extension-Name header")
	}
	id, kind, why := s.addExtension(r.extension, ask.Events)
	if why != "" {
		return c.refuse(403, kind, "%s", why)
	}
	s.mu.Lock()
	known := map[string]string{"functionName": s.about.Function, "functionVersion": s.about.Version, "handler": s.about.Handler}
	if strings.Contains(r.features, "accountId") {
		known["accountId"] = s.about.Account
	}
	s.mu.Unlock()
	answer, _ := json.Marshal(known) // strings only: cannot fail
	return c.reply(200, "Lambda-Extension-Identifier: "+id+"\r\n", string(answer))
}

func (s *Server) addExtension(name string, events []string) (id, kind, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case isClosed(s.ready):
		return "", "Extension.RegistrationClosed", "Extension registration closed already"
	case len(s.extensions) >= maxExtensions:
		return "", "Extension.TooManyExtensions", fmt.Sprintf("at most %d extensions", maxExtensions)
	}
	for _, x := range s.extensions {
		if x.name == name {
			return "", "Extension.AlreadyRegistered", "Extension " + short(name) + " already registered"
		}
	}
	id = uuid()
	s.extensions[id] = &extension{name: name, events: events, gone: make(chan struct{})}
	return id, "", ""
}

// extensionNext gives an extension the event that waits, or parks it.
func (s *Server) extensionNext(c *conn, x *extension) error {
	s.mu.Lock()
	x.asked = true
	s.setReady()
	if old := x.waiter; old != nil {
		defer old.Close()
	}
	if len(x.queue) == 0 {
		if x.ending {
			x.through()
		}
		x.waiter, c.extension = c, x
		s.mu.Unlock()
		return nil
	}
	n := &notice{to: c, document: x.queue[0]}
	x.queue = x.queue[1:]
	x.waiter, c.extension = nil, x
	s.mu.Unlock()
	n.send()
	return nil
}

// through notes that the extension has dealt with the end. The lock is held.
func (x *extension) through() {
	if !isClosed(x.gone) {
		close(x.gone)
	}
}

func uuid() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
