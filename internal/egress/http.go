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
	beat  *pulse     // of the exchange under way
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
	defer s.part()
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
	if h.drop {
		h.without("connection", "upgrade", "http2-settings")
	}
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
			switch up, n := h.get("upgrade"); {
			case n == 1 && strings.EqualFold(up, "h2c"):
				h.drop = true // an offer a server need not take (RFC 9110 7.8), and every Java client makes it
			case n != 1 || !strings.EqualFold(up, "websocket"):
				return deny(400, "upgrade to anything but a WebSocket")
			default:
				h.upgrade = true
			}
		case "http2-settings":
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
