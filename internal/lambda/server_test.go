package lambda

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/fault"
)

// peer is a runtime written byte by byte.
type peer struct {
	t testing.TB
	net.Conn
	in *bufio.Reader
}

func dial(t testing.TB, addr string) *peer {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return &peer{t: t, Conn: c, in: bufio.NewReader(c)}
}

func (p *peer) send(text string) *peer {
	p.t.Helper()
	if _, err := io.WriteString(p, text); err != nil {
		p.t.Fatal(err)
	}
	return p
}

// read reads one response, as "STATUS BODY".
func (p *peer) read() string {
	p.t.Helper()
	res, err := http.ReadResponse(p.in, nil)
	if err != nil {
		p.t.Fatalf("read response: %v", err)
	}
	b, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", res.StatusCode, b)
}

func (p *peer) expect(prefix string) {
	p.t.Helper()
	if got := p.read(); !strings.HasPrefix(got, prefix) {
		p.t.Fatalf("got %s, want %s", got, prefix)
	}
}

func (p *peer) closed() {
	p.t.Helper()
	if b, err := p.in.ReadByte(); err == nil {
		p.t.Fatalf("not closed: %q", b)
	}
}

func (p *peer) next() *peer {
	return p.send("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n")
}

func (p *peer) answer(id, body string) *peer {
	return p.send(fmt.Sprintf("POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", id, len(body), body))
}

type outcome struct {
	a   *Answer
	err error
}

func (o outcome) String() string {
	switch {
	case o.err != nil:
		return "error: " + o.err.Error()
	case o.a.Error != nil:
		return o.a.Error.Error()
	}
	return string(o.a.Payload)
}

func invoke(t testing.TB, s *Server, id string) chan outcome {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	done := make(chan outcome, 1)
	go func() {
		e := event("in")
		e.ID = id
		a, err := s.Invoke(ctx, e)
		done <- outcome{a, err}
	}()
	return done
}

// begin has p take event id.
func begin(t testing.TB, s *Server, p *peer, id string) chan outcome {
	t.Helper()
	p.next()
	done := invoke(t, s, id)
	p.expect("200 in")
	return done
}

func TestS8_AnswersOutOfTurn(t *testing.T) {
	t.Parallel()
	s, addr := listen(t)
	p := dial(t, addr)
	p.answer("nobody", "x").expect(`400 {"errorMessage":"no invocation nobody is under way","errorType":"InvalidRequestID"}`)
	done := begin(t, s, p, "a")
	p.next().expect(`403 {"errorMessage":"invocation a has not been answered","errorType":"InvalidStateTransition"}`)
	p.answer("b", "wrong").expect("400 ")
	p.answer("a", "right").expect("202 ")
	if got := (<-done).String(); got != "right" {
		t.Error(got)
	}
	p.answer("a", "again").expect(`403 {"errorMessage":"invocation a has been answered"`)
	p.send("POST /2018-06-01/runtime/invocation/a/error HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}").expect("403 ")
	p.send("POST /2018-06-01/runtime/init/error HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}").expect(`403 {"errorMessage":"initialisation is over"`)
	done = begin(t, s, p, "c")
	p.answer("c", "").expect("202 ")
	if got := <-done; got.String() != "" {
		t.Error(got)
	}
}

func TestS8_PathsAndMethods(t *testing.T) {
	t.Parallel()
	_, addr := listen(t)
	p := dial(t, addr)
	for ask, want := range map[string]string{
		"GET /": "404 ", "GET /2018-06-01/runtime/invocation/x/response": "405 ", "POST /2018-06-01/runtime/invocation/next": "405 ", "GET /2018-06-01/runtime/init/error": "405 ",
		"POST /2018-06-01/runtime/invocation/x": "404 ", "POST /2018-06-01/runtime/invocation/x/y/response": "404 ", "POST /2018-06-01/runtime/restore/error": "404 ",
		"PUT /2022-07-01/telemetry": `202 {"errorMessage":"Telemetry API is not supported","errorType":"Telemetry.NotSupported"}`, "PUT /2020-08-15/logs": "202 ",
		"POST " + attachPath: "405 ", "GET /2020-01-01/extension/register": "405 ", "GET /2020-01-01/extension/nowhere": "404 ", "POST http://127.0.0.1/2018-06-01/runtime/invocation/next?x=y": "405 ",
	} {
		p.send(ask + " HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").expect(want)
	}
}

func TestS8_Garbage(t *testing.T) {
	t.Parallel()
	s, addr := listen(t)
	honest := dial(t, addr)
	done := begin(t, s, honest, "a")
	post := "POST /2018-06-01/runtime/invocation/a/response HTTP/1.1\r\n"
	for name, text := range map[string]string{
		"no_http": "hello\r\n", "tls": "\x16\x03\x01\x02\x00\x01\n", "other_version": "GET / HTTP/3\r\n\r\n", "no_path": "GET x HTTP/1.1\r\n\r\n",
		"no_colon": post + "Content-Length 5\r\n\r\n", "space_in_name": post + "Content-Length : 5\r\n\r\n", "negative": post + "Content-Length: -5\r\n\r\n",
		"two_lengths": post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", "both": post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
		"other_coding": post + "Transfer-Encoding: gzip, chunked\r\n\r\n", "long_path": "GET /" + strings.Repeat("x", 100<<10) + " HTTP/1.1\r\n\r\n",
		"many_headers": post + strings.Repeat("A: b\r\n", 1000) + "\r\n", "huge_headers": post + strings.Repeat("A: "+strings.Repeat("b", 60<<10)+"\r\n", 60) + "\r\n",
	} {
		p := dial(t, addr)
		go io.WriteString(p, text) // it may be cut off while it is sent
		res, err := http.ReadResponse(p.in, nil)
		if err == nil && res.StatusCode != 400 {
			t.Errorf("%s: %s", name, res.Status)
		}
		if err != nil && name != "huge_headers" && name != "many_headers" && name != "long_path" { // those may be cut off before they have read
			t.Errorf("%s: %v", name, err)
		}
	}
	honest.answer("a", "right").expect("202 ")
	if got := <-done; got.String() != "right" {
		t.Error(got)
	}
}

func TestS8_BrokenAnswers(t *testing.T) {
	t.Parallel()
	s, addr := listen(t)
	post := "POST /2018-06-01/runtime/invocation/a/response HTTP/1.1\r\n"
	for name, text := range map[string]string{
		"short": post + "Content-Length: 50\r\n\r\nhalf", "bad_chunk": post + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", "huge_chunk": post + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
		"no_end_of_chunk": post + "Transfer-Encoding: chunked\r\n\r\n2\r\nabcd", "cut_in_chunk": post + "Transfer-Encoding: chunked\r\n\r\n50\r\nhalf",
		"endless_trailers": post + "Transfer-Encoding: chunked\r\n\r\n0\r\n" + strings.Repeat("a: b\r\n", 500),
	} {
		p := dial(t, addr)
		done := begin(t, s, p, "a")
		p.send(text)
		if err := p.Conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if got := <-done; got.String() != "Runtime.TruncatedResponse: the runtime broke off its answer" {
			t.Errorf("%s: %s", name, got)
		}
		p.closed()
	}
	p := dial(t, addr)
	done := begin(t, s, p, "a")
	p.answer("a", "whole").expect("202 ")
	if got := <-done; got.String() != "whole" {
		t.Error(got)
	}
}

func TestS8_OversizeAnswers(t *testing.T) {
	t.Parallel()
	s, addr := listen(t)
	p := dial(t, addr)
	big := strings.Repeat("x", MaxPayload)
	done := begin(t, s, p, "a")
	p.answer("a", big).expect("202 ")
	if got := <-done; len(got.a.Payload) != MaxPayload {
		t.Errorf("%d bytes", len(got.a.Payload))
	}
	const wrong = "Function.ResponseSizeTooLarge: Response payload size exceeded maximum allowed payload size (6291556 bytes)."
	done = begin(t, s, p, "b")
	p.answer("b", big+"x").expect(`413 {"errorMessage":"Exceeded maximum allowed payload size (6291556 bytes).","errorType":"RequestEntityTooLarge"}`)
	if got := <-done; got.String() != wrong {
		t.Error(got)
	}
	done = begin(t, s, p, "c")
	p.send("POST /2018-06-01/runtime/invocation/c/response HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
	for range 7 {
		p.send(fmt.Sprintf("%x\r\n%s\r\n", 1<<20, big[:1<<20]))
	}
	p.send("0\r\n\r\n").expect("413 ")
	if got := <-done; got.String() != wrong {
		t.Error(got)
	}
	done = begin(t, s, p, "d")
	p.answer("d", "still here").expect("202 ")
	if got := <-done; got.String() != "still here" {
		t.Error(got)
	}
}

func TestS8_StreamsAreBounded(t *testing.T) {
	t.Parallel()
	s, addr := listen(t)
	p := dial(t, addr).next()
	e := event("in")
	e.ID, e.Stream = "a", true
	done := make(chan outcome, 1)
	go func() {
		a, err := s.Invoke(context.Background(), e)
		done <- outcome{a, err}
	}()
	p.expect("200 ")
	go func() {
		fmt.Fprint(p, "POST /2018-06-01/runtime/invocation/a/response HTTP/1.1\r\nLambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n\r\n")
		for range 21 {
			fmt.Fprintf(p, "%x\r\n%s\r\n", 1<<20, strings.Repeat("x", 1<<20))
		}
		fmt.Fprint(p, "0\r\n\r\n")
	}()
	n, err := io.Copy(io.Discard, (<-done).a.Stream)
	var failed *FunctionError
	if !errors.As(err, &failed) || failed.Type != "Function.ResponseSizeTooLarge" || n > MaxStream+1 {
		t.Errorf("%d bytes, %v", n, err)
	}
	p.expect("413 ")
	again := begin(t, s, p, "b")
	p.answer("b", "x").expect("202 ")
	<-again
}

func TestS8_Errors(t *testing.T) {
	t.Parallel()
	s, addr := listen(t)
	p := dial(t, addr)
	for _, tt := range []struct{ header, body, want, raw string }{
		{"", `{"errorType":"T","errorMessage":"m","stackTrace":["a",{"path":"x.go","line":3,"label":"f"},5]}`, "T: m", ""},
		{"Lambda-Runtime-Function-Error-Type: H\r\n", `{"errorMessage":"m"}`, "H: m", ""},
		{"lambda-runtime-function-error-type: H\r\n", `no json`, "H: no json", `{"errorMessage":"no json","errorType":"H"}`},
		{"", `[1]`, "Runtime.Unknown: [1]", "[1]"},
		{"", ``, "Runtime.Unknown: ", `{"errorMessage":"","errorType":"Runtime.Unknown"}`},
		{"", "\xff", "Runtime.Unknown: \uFFFD", `{"errorMessage":"�","errorType":"Runtime.Unknown"}`},
		{"Lambda-Runtime-Function-Xray-Error-Cause: " + strings.Repeat("x", 1<<20-1) + "\r\n", `{"errorType":"T","errorMessage":"m"}`, "T: m", ""},
	} {
		done := begin(t, s, p, "a")
		p.send(fmt.Sprintf("POST /2018-06-01/runtime/invocation/a/error HTTP/1.1\r\n%sContent-Length: %d\r\n\r\n%s", tt.header, len(tt.body), tt.body)).expect("202 ")
		got := <-done
		if got.String() != tt.want {
			t.Errorf("%.80s: got %s", tt.body, got)
		}
		if want := sure(tt.raw, tt.body); string(got.a.Error.Raw) != want {
			t.Errorf("raw %s, want %s", got.a.Error.Raw, want)
		}
		if strings.Contains(tt.body, "x.go") {
			same(t, got.a.Error.Trace, []string{"a", "x.go:3 f"})
		}
	}
}

// What curl and the runtimes built on it do: a new connection for each
// request, and bodies that are sent only when asked for.
func TestS8_ClientsThatExpectContinue(t *testing.T) {
	t.Parallel()
	s, addr := listen(t)
	p := dial(t, addr)
	p.send("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nConnection: close\r\n\r\n")
	done := invoke(t, s, "a")
	p.expect("200 in")
	p.closed()
	p = dial(t, addr)
	p.send("POST /2018-06-01/runtime/invocation/a/response HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n")
	if line, err := p.in.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("%q %v", line, err)
	}
	_, _ = p.in.ReadString('\n')
	p.send("right").expect("202 ")
	p.closed()
	if got := <-done; got.String() != "right" {
		t.Error(got)
	}
}

// An event is never given to a poll that its client gave up.
func TestS8_PollsGivenUp(t *testing.T) {
	t.Parallel()
	s, addr := listen(t)
	first := dial(t, addr).next()
	waitFor(t, func() bool { return s.Idle() })
	first.Close()
	waitFor(t, func() bool { return !s.Idle() })
	done := invoke(t, s, "a")
	second := dial(t, addr).next()
	second.expect("200 in")
	second.answer("a", "second").expect("202 ")
	if got := <-done; got.String() != "second" {
		t.Error(got)
	}
	// A poll beside another takes its place; one that goes on talking ends.
	second.next()
	waitFor(t, func() bool { return s.Idle() })
	third := dial(t, addr).next()
	second.closed()
	third.next().closed()
	waitFor(t, func() bool { return !s.Idle() })
}

func waitFor(t testing.TB, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not come about")
		}
	}
}

func TestS8_CallersThatGiveUp(t *testing.T) {
	t.Parallel()
	s, addr := listen(t)
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errors.New("enough"))
	// Before the runtime has it the event is taken back.
	if _, err := s.Invoke(ctx, event("x")); err == nil || !strings.Contains(err.Error(), "enough") {
		t.Fatal(err)
	}
	p := dial(t, addr).next()
	waitFor(t, func() bool { return s.Idle() })
	// After that the environment is busy until the code answers.
	ctx, cancel = context.WithCancelCause(context.Background())
	done := make(chan error, 1)
	e := event("in")
	e.ID = "a"
	go func() { _, err := s.Invoke(ctx, e); done <- err }()
	p.expect("200 in")
	cancel(errors.New("enough"))
	if err := <-done; err == nil {
		t.Fatal("no error")
	}
	if _, err := s.Invoke(context.Background(), event("x")); !fault.Is(err, fault.Conflict) {
		t.Fatal(err)
	}
	p.answer("a", "late").expect("202 ")
	again := begin(t, s, p, "b")
	p.answer("b", "in time").expect("202 ")
	if got := <-again; got.String() != "in time" {
		t.Error(got)
	}
}

// A runtime that takes events and does not read them holds nobody up.
func TestS8_RuntimesThatDoNotRead(t *testing.T) {
	t.Parallel()
	s, addr := listen(t)
	p := dial(t, addr)
	p.Conn.(*net.TCPConn).SetReadBuffer(4096)
	p.next()
	waitFor(t, func() bool { return s.Idle() })
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	e := event(strings.Repeat("x", MaxPayload))
	if a, err := s.Invoke(ctx, e); err == nil {
		t.Errorf("%+v", a)
	}
}

func TestS8_EventsThatCannotBeSent(t *testing.T) {
	t.Parallel()
	s, _ := listen(t)
	for name, change := range map[string]func(*Event){
		"large": func(e *Event) { e.Payload = make([]byte, MaxPayload+1) }, "no_id": func(e *Event) { e.ID = "" }, "line_break": func(e *Event) { e.Trace = "a\r\nb: c" },
		"odd_tenant": func(e *Event) { e.Tenant = "ü" }, "long": func(e *Event) { e.ARN = strings.Repeat("x", 5000) }, "context": func(e *Event) { e.ClientContext = "{" },
		"identity": func(e *Event) { e.Identity = "\n" },
	} {
		e := event("x")
		change(&e)
		if _, err := s.Invoke(context.Background(), e); !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.Limited) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestS8_Close(t *testing.T) {
	t.Parallel()
	s, addr := listen(t)
	p := dial(t, addr)
	done := begin(t, s, p, "a")
	s.Close()
	if got := <-done; !fault.Is(got.err, fault.Unavailable) {
		t.Error(got)
	}
	p.closed()
	if _, err := s.Invoke(context.Background(), event("x")); !fault.Is(err, fault.Unavailable) {
		t.Error(err)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	s, addr := listen(t)
	p := dial(t, addr).next()
	waitFor(t, func() bool { return s.Idle() })
	for range 2 * maxConns {
		dial(t, addr).Write([]byte("GET")) // it may be refused already
	}
	last := dial(t, addr)
	last.closed()
	done := invoke(t, s, "a")
	p.expect("200 in")
	p.answer("a", "right").expect("202 ")
	<-done
}

func TestS8_FailuresToldTogetherAreNotHeld(t *testing.T) {
	t.Parallel()
	s, addr := listen(t)
	const head = "POST /2018-06-01/runtime/init/error HTTP/1.1\r\nHost: x\r\nContent-Length: 6000000\r\n\r\n"
	half := strings.Repeat("x", 3000000)
	telling := dial(t, addr).send(head + half)
	waitFor(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.failing
	})
	// The answer comes before the body was sent: it is not waited for.
	dial(t, addr).send(head).expect("403 ")
	telling.Close()
	waitFor(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return !s.failing
	})
	p := dial(t, addr)
	done := begin(t, s, p, "a")
	dial(t, addr).send(head).expect("403 ")
	p.answer("a", "right").expect("202 ")
	if o := <-done; o.String() != "right" {
		t.Errorf("the call ended with %s", o)
	}
}

// scarce is a listener of a host that has no file to spare at first.
type scarce struct {
	net.Listener
	left atomic.Int32
}

func (l *scarce) Accept() (net.Conn, error) {
	if l.left.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return l.Listener.Accept()
}

func TestS8_HostShortOfFilesIsWaitedFor(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &scarce{Listener: ln}
	l.left.Store(3)
	s := NewServer(About{})
	t.Cleanup(s.Close)
	go s.Serve(l)
	p := dial(t, ln.Addr().String())
	done := begin(t, s, p, "a")
	p.answer("a", "right").expect("202 ")
	<-done
}
