package egress

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"
)

// session is one connection of HTTP/1 requests, one after the other, each
// checked. Heads are passed on byte for byte once they were understood, so
// signatures over them hold; bodies are framed anew.
type session struct {
	p    *Proxy
	c    net.Conn
	br   *bufio.Reader // over c, with room for maxHead
	to   Attempt       // Port and Address; Host is the TLS name where TLS was ended here
	tls  bool
	dial func(Attempt) (net.Conn, error) // nil: the Proxy's

	host  string // whom up belongs to
	up    net.Conn
	ubr   *bufio.Reader
	watch chan error // while idle: why up can no longer be used
}

// answer is a refusal the client is told of.
type answer struct {
	code int
	err  error
}

func (a *answer) Error() string { return a.err.Error() }
func (a *answer) Unwrap() error { return a.err }

func (s *session) serve() {
	if s.dial == nil {
		s.dial = s.p.dial
	}
	defer func() {
		if s.up != nil {
			s.p.release(s.up)
		}
	}()
	for s.next() {
	}
}

// next serves one request and says whether another may follow.
func (s *session) next() bool {
	s.c.SetReadDeadline(time.Now().Add(idleHTTP))
	if _, err := s.br.Peek(1); err != nil {
		return false
	}
	s.c.SetReadDeadline(time.Now().Add(headTimeout))
	a := s.to
	a.Kind = KindHTTP
	if a.Host == "" {
		a.Host = a.Address.Addr().String()
	}
	raw, err := peekHead(s.br)
	if err != nil {
		code := 400
		if errors.Is(err, errHeadSize) {
			code = 431
		}
		s.deny(&a, &answer{code, err})
		return false
	}
	h, err := parseRequest(raw)
	if err != nil {
		s.deny(&a, &answer{400, err})
		return false
	}
	if host, err := s.hostOf(h); err != nil {
		s.deny(&a, err)
		return false
	} else {
		a.Host = host
	}
	s.c.SetReadDeadline(time.Time{})
	h.raw = append([]byte(nil), raw...)
	s.br.Discard(len(raw))
	if e, ok := endpointOf(a.Host); ok {
		return s.call(h, e, a)
	}
	if !s.p.cfg.Decide(a) {
		s.deny(&a, &answer{403, errNotGranted})
		return false
	}
	return s.exchange(h, newBody(h, s.br), nil, []*use{s.p.open(a)})
}

// hostOf returns the host a request is for, and refuses requests that name
// more than one or ask for what is not served.
func (s *session) hostOf(h *head) (string, *answer) {
	deny := func(code int, format string, args ...any) (string, *answer) {
		return "", &answer{code, fmt.Errorf(format, args...)}
	}
	if h.method == "CONNECT" {
		return deny(405, "CONNECT is not supported; connect to the host itself")
	}
	if h.target[0] != '/' && !(h.method == "OPTIONS" && h.target == "*") {
		return deny(400, "request target is no path; this is not a proxy to be configured")
	}
	if _, err := url.ParseRequestURI(h.target); err != nil && h.target != "*" {
		return deny(400, "request target is no path")
	}
	text, n := h.get("host")
	if n != 1 {
		return deny(400, "%w", ambiguous("not exactly one Host"))
	}
	host, port := text, ""
	if i := strings.LastIndexByte(text, ':'); i >= 0 && !strings.HasSuffix(text, "]") {
		host, port = text[:i], text[i+1:]
	}
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
	}
	host, err := cleanHost(host)
	if err != nil || port != "" && port != fmt.Sprint(s.to.Port) {
		return deny(400, "Host is no host of this port")
	}
	if s.tls && host != s.to.Host {
		return deny(421, "Host %s on a connection to %s", host, s.to.Host)
	}
	for _, v := range h.list("connection") {
		switch v {
		case "", "keep-alive", "close", "te":
		case "upgrade":
			if up, n := h.get("upgrade"); n != 1 || !strings.EqualFold(up, "websocket") || s.tls {
				return deny(400, "upgrade to anything but a WebSocket")
			}
		default:
			return deny(400, "%w", ambiguous("Connection names fields to drop"))
		}
	}
	return host, nil
}

// deny reports and answers a refusal, and ends the connection.
func (s *session) deny(a *Attempt, why *answer) {
	s.p.refuse(*a, why)
	s.answer(why.code, "text/plain; charset=utf-8", "", fmt.Sprintf("egress: %s: %s\n", a.Target(), why))
}

func (s *session) answer(code int, kind, extra, text string) {
	s.c.SetWriteDeadline(time.Now().Add(time.Second))
	fmt.Fprintf(s.c, "HTTP/1.1 %d Refused\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n%s\r\n%s",
		code, kind, len(text), extra, text)
	linger(s.c)
}

// exchange passes one request on and its response back, counting for us, of
// which the first gets the bytes. held is what was already read of b.
func (s *session) exchange(h *head, b *body, held []byte, us []*use) bool {
	again, err := s.forward(h, b, held, us[0])
	if s.p.ctx.Err() != nil {
		err = nil
	}
	for _, u := range us {
		s.p.end(u, err)
	}
	return again && err == nil
}

func (s *session) forward(h *head, b *body, held []byte, u *use) (again bool, err error) {
	if err := s.reach(u.a); err != nil {
		s.answer(502, "text/plain; charset=utf-8", "", fmt.Sprintf("egress: %s\n", err))
		return false, err
	}
	if _, err := s.up.Write(h.raw); err != nil {
		return false, fmt.Errorf("write request: %w", err)
	}
	u.out.Add(int64(len(h.raw)))
	var sent chan error
	if h.chunked || h.length > 0 {
		sent = make(chan error, 1)
		go func() { sent <- b.send(s.up, held, &u.out, func() {}) }()
	}
	r, err := s.response(h, u)
	if err == nil && r.status == 101 {
		return false, s.p.join(u, s.c, s.br, s.up, s.ubr)
	}
	if err == nil {
		again, err = s.back(h, r, u)
	}
	again = again && !h.close
	if sent != nil {
		again = s.settle(sent, again) && again
	}
	if again {
		s.idle()
	}
	return again, err
}

// settle waits for the request's body to be sent. A server may answer without
// taking all of it; the client then gets a moment to finish.
func (s *session) settle(sent chan error, wait bool) bool {
	patience := 5 * time.Second
	if !wait {
		patience = 0
	}
	select {
	case err := <-sent:
		return err == nil
	case <-time.After(patience):
	}
	s.up.Close()
	s.c.SetReadDeadline(time.Unix(1, 0))
	<-sent
	return false
}

// reach makes sure s.up is a usable connection to a's host.
func (s *session) reach(a Attempt) error {
	if s.watch != nil {
		s.up.SetReadDeadline(time.Unix(1, 0))
		err := <-s.watch
		s.watch = nil
		if ne, ok := err.(net.Error); !ok || !ne.Timeout() || s.host != a.Host {
			s.p.release(s.up)
			s.up = nil
		} else {
			s.up.SetReadDeadline(time.Time{})
		}
	}
	if s.up != nil {
		return nil
	}
	up, err := s.dial(a)
	if err != nil {
		return err
	}
	s.up, s.host, s.ubr = up, a.Host, bufio.NewReaderSize(up, maxHead)
	return nil
}

// idle watches up until the next request: when it ends, so does the client's
// connection, as if there were nobody between.
func (s *session) idle() {
	watch, up, ubr, c := make(chan error, 1), s.up, s.ubr, s.c
	s.watch = watch
	go func() {
		_, err := ubr.Peek(1)
		if ne, ok := err.(net.Error); !ok || !ne.Timeout() {
			up.Close()
			c.Close()
		}
		watch <- err
	}()
}

// response reads the head of the final response and passes interim ones on.
func (s *session) response(h *head, u *use) (*head, error) {
	for range 16 {
		raw, err := peekHead(s.ubr)
		if err != nil {
			return nil, fmt.Errorf("read response: %w", err)
		}
		r, err := parseResponse(raw)
		if err != nil {
			return nil, fmt.Errorf("read response: %w", err)
		}
		if _, upgrade := h.get("upgrade"); r.status == 101 && upgrade == 0 {
			return nil, fmt.Errorf("read response: upgrade nobody asked for")
		}
		if _, err := s.c.Write(raw); err != nil {
			return nil, fmt.Errorf("write response: %w", err)
		}
		u.in.Add(int64(len(raw)))
		r.raw = nil
		s.ubr.Discard(len(raw))
		if r.status >= 200 || r.status == 101 {
			return r, nil
		}
	}
	return nil, errors.New("read response: too many interim responses")
}

// back passes the response's body to the client and says whether the
// connection to the server can be used again.
func (s *session) back(h, r *head, u *use) (bool, error) {
	if h.method == "HEAD" || r.status == 204 || r.status == 304 {
		return !r.close, nil
	}
	if !r.chunked && !r.sized {
		return false, relay(s.c, s.ubr, &u.in, func() {})
	}
	return !r.close, newBody(r, s.ubr).send(s.c, nil, &u.in, func() {})
}

