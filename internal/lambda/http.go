package lambda

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
)

// The Runtime API is a handful of requests on a connection that stays open, and
// every invocation pays for two of them. So this is the part of HTTP/1.1 that
// clients of it use, by hand: net/http costs several times as much.

const (
	maxLine    = 64 << 10 // of one header or trailer; longer ones are skipped
	maxHead    = 2 << 20  // of all headers: error causes for X-Ray are up to 1 MiB
	maxHeaders = 256
	maxDrain   = 64 << 20 // of a refused body, so that its sender reads the answer
)

var (
	errMalformed = errors.New("malformed HTTP request")
	errTooLarge  = errors.New("body too large")
)

// request is what the contract looks at in a request.
type request struct {
	method, path string
	length       int64 // -1 unless announced
	chunked      bool
	old          bool // HTTP/1.0
	last         bool // the client closes after it
	expect       bool

	contentType, errorType, mode    string
	extension, identifier, features string
}

// conn is one connection of the runtime or of an extension.
type conn struct {
	net.Conn
	s    *Server
	in   *bufio.Reader
	long []byte      // a line that did not fit in the buffer of in
	last atomic.Bool // the client wants it closed after the answer

	extension *extension // that uses it, if one does
}

// line reads up to the next newline and returns what stands before it, valid
// until the next call; skipped says it was longer than maxLine.
func (c *conn) line(budget *int) (line []byte, skipped bool, err error) {
	c.long = c.long[:0]
	for {
		part, err := c.in.ReadSlice('\n')
		if *budget -= len(part); *budget < 0 {
			return nil, false, errMalformed
		}
		if err == nil && len(c.long) == 0 && !skipped {
			return bytes.TrimSuffix(part[:len(part)-1], []byte{'\r'}), false, nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) && err != nil {
			return nil, false, err
		}
		if skipped = skipped || len(c.long)+len(part) > maxLine; !skipped {
			c.long = append(c.long, part...)
		}
		if err == nil {
			line = bytes.TrimSuffix(bytes.TrimSuffix(c.long, []byte{'\n'}), []byte{'\r'})
			return line, skipped, nil
		}
	}
}

// next reads the head of the next request; io.EOF where there is none.
func (c *conn) next() (*request, error) {
	budget := maxHead
	line, skipped, err := c.line(&budget)
	if err == nil && len(line) == 0 && !skipped { // one blank line is forgiven
		line, skipped, err = c.line(&budget)
	}
	if err != nil {
		return nil, err
	}
	r, err := requestLine(line)
	if err != nil || skipped {
		return nil, errMalformed
	}
	for range maxHeaders {
		line, skipped, err := c.line(&budget)
		switch {
		case errors.Is(err, io.EOF):
			return nil, io.ErrUnexpectedEOF
		case err != nil:
			return nil, err
		case skipped:
			continue
		case len(line) == 0:
			return r, r.check()
		}
		if err := r.header(line); err != nil {
			return nil, err
		}
	}
	return nil, errMalformed
}

func requestLine(line []byte) (*request, error) {
	method, rest, ok := bytes.Cut(line, []byte{' '})
	target, proto, ok2 := bytes.Cut(rest, []byte{' '})
	if !ok || !ok2 || len(method) == 0 || (string(proto) != "HTTP/1.1" && string(proto) != "HTTP/1.0") {
		return nil, errMalformed
	}
	path := string(target)
	if rest, ok := strings.CutPrefix(path, "http://"); ok { // as a client of a proxy writes it
		_, path, _ = strings.Cut(rest, "/")
		path = "/" + path
	}
	path, _, _ = strings.Cut(path, "?")
	if !strings.HasPrefix(path, "/") {
		return nil, errMalformed
	}
	old := string(proto) == "HTTP/1.0"
	return &request{method: string(method), path: path, length: -1, old: old, last: old}, nil
}

func (r *request) header(line []byte) error {
	name, value, ok := bytes.Cut(line, []byte{':'})
	if !ok || len(name) == 0 || bytes.ContainsAny(name, " \t") {
		return errMalformed
	}
	value = bytes.TrimSpace(value)
	// A string comparison with the few names known, by length first: nothing
	// is allocated for headers that nobody reads.
	switch len(name) {
	case len("Expect"):
		r.expect = r.expect || is(name, "Expect") && is(value, "100-continue")
	case len("Connection"):
		if is(name, "Connection") {
			r.last = is(value, "close") || r.last && !is(value, "keep-alive")
		}
	case len("Content-Type"):
		if is(name, "Content-Type") {
			r.contentType = string(value)
		}
	case len("Content-Length"):
		if is(name, "Content-Length") {
			return r.setLength(value)
		}
	case len("Transfer-Encoding"):
		if is(name, "Transfer-Encoding") {
			if r.chunked = is(value, "chunked"); !r.chunked {
				return errMalformed
			}
		}
	default:
		r.lambdaHeader(name, value)
	}
	return nil
}

func (r *request) lambdaHeader(name, value []byte) {
	switch {
	case is(name, "Lambda-Runtime-Function-Error-Type"), is(name, "Lambda-Extension-Function-Error-Type"):
		r.errorType = string(value)
	case is(name, "Lambda-Runtime-Function-Response-Mode"):
		r.mode = string(value)
	case is(name, "Lambda-Extension-Name"):
		r.extension = string(value)
	case is(name, "Lambda-Extension-Identifier"):
		r.identifier = string(value)
	case is(name, "Lambda-Extension-Accept-Feature"):
		r.features = string(value)
	}
}

func (r *request) setLength(value []byte) error {
	if len(value) == 0 || len(value) > 15 || bytes.ContainsFunc(value, func(c rune) bool { return c < '0' || c > '9' }) {
		return errMalformed
	}
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil || r.length >= 0 && r.length != n {
		return errMalformed
	}
	r.length = n
	return nil
}

// check refuses a body whose end could be read in two ways.
func (r *request) check() error {
	if r.chunked && (r.length >= 0 || r.old) {
		return errMalformed
	}
	return nil
}

func is(b []byte, s string) bool { return len(b) == len(s) && strings.EqualFold(string(b), s) }

// body is the body of the request whose head was read last.
type body struct {
	c       *conn
	left    int64 // of the body, or of the chunk
	chunked bool
	started bool // a chunk has been read
	ended   bool
	trailer request // what trailers said, as if they were headers
	cause   []byte  // error body of the trailer, base64
}

// body returns the body of r, having told the client to send it if it asked.
func (c *conn) body(r *request) (*body, error) {
	b := &body{c: c, left: max(r.length, 0), chunked: r.chunked, ended: !r.chunked && r.length <= 0}
	if r.expect && !b.ended {
		if _, err := c.Write([]byte("HTTP/1.1 100 Continue\r\n\r\n")); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// Read returns io.ErrUnexpectedEOF where the connection ends before the body.
func (b *body) Read(p []byte) (int, error) {
	if b.ended || len(p) == 0 {
		return 0, io.EOF
	}
	if b.chunked && b.left == 0 {
		if err := b.chunk(); err != nil || b.ended {
			return 0, unexpected(err)
		}
	}
	n, err := b.c.in.Read(p[:min(int64(len(p)), b.left)])
	if b.left -= int64(n); b.left == 0 && !b.chunked {
		b.ended = true
	}
	if n > 0 {
		return n, nil
	}
	if err == nil {
		return 0, nil
	}
	return 0, unexpected(err)
}

// unexpected is the error of a body that went wrong; nil is its regular end.
func unexpected(err error) error {
	switch {
	case err == nil:
		return io.EOF
	case errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	default:
		return err
	}
}

// chunk reads the head of the next chunk, and the trailers after the last.
func (b *body) chunk() error {
	budget := maxHead
	if b.started {
		if line, skipped, err := b.c.line(&budget); err != nil || skipped || len(line) > 0 {
			return errors.Join(errMalformed, err)
		}
	}
	b.started = true
	line, skipped, err := b.c.line(&budget)
	if err != nil {
		return err
	}
	size, _, _ := bytes.Cut(line, []byte{';'})
	n, err := strconv.ParseUint(string(bytes.TrimSpace(size)), 16, 40)
	if err != nil || skipped {
		return errMalformed
	}
	if b.left = int64(n); n > 0 {
		return nil
	}
	b.ended = true
	return b.trailers(&budget)
}

func (b *body) trailers(budget *int) error {
	for range maxHeaders {
		line, skipped, err := b.c.line(budget)
		if err != nil {
			return err
		}
		if len(line) == 0 && !skipped {
			return nil
		}
		name, value, ok := bytes.Cut(line, []byte{':'})
		if !ok {
			continue
		}
		if is(name, "Lambda-Runtime-Function-Error-Body") {
			b.cause = bytes.Clone(bytes.TrimSpace(value))
		} else {
			b.trailer.lambdaHeader(name, bytes.TrimSpace(value))
		}
	}
	return errMalformed
}

// all reads the body, at most limit bytes of it. Memory grows with what came,
// not with what was announced.
func (b *body) all(limit int64) ([]byte, error) {
	if !b.chunked && b.left > limit {
		return nil, errTooLarge
	}
	buf := make([]byte, 0, min(max(b.left, 512), 64<<10))
	for {
		if len(buf) == cap(buf) {
			if b.ended {
				return buf, nil
			}
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := b.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case int64(len(buf)) > limit:
			return nil, errTooLarge
		case errors.Is(err, io.EOF):
			return buf, nil
		case err != nil:
			return nil, err
		}
	}
}

// drain reads what is left of a body nobody wants; false where it is too much.
func (b *body) drain() bool {
	if b.ended {
		return true
	}
	_, err := io.CopyN(io.Discard, b, maxDrain)
	return errors.Is(err, io.EOF)
}

var reasons = map[int]string{
	200: "OK", 202: "Accepted", 400: "Bad Request", 403: "Forbidden",
	404: "Not Found", 405: "Method Not Allowed", 413: "Payload Too Large", 500: "Internal Server Error",
}

// reply answers with a JSON document and extra headers, each "Name: value\r\n".
func (c *conn) reply(status int, extra, document string) error {
	out := fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s",
		status, reasons[status], extra, len(document), document)
	_, err := c.Write(out)
	return err
}

const accepted = `{"status":"OK"}` + "\n"

var acceptedReply = fmt.Appendf(nil, "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(accepted), accepted)

func (c *conn) accept() error {
	_, err := c.Write(acceptedReply)
	return err
}

// refuse answers with the contract's error document.
func (c *conn) refuse(status int, kind, format string, args ...any) error {
	return c.reply(status, "", errorDocument(kind, fmt.Sprintf(format, args...)))
}
