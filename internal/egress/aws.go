package egress

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// serveAWS ends the TLS of a connection to an AWS endpoint and serves its
// requests. br reads c from its ClientHello on.
func (p *Proxy) serveAWS(c net.Conn, br *bufio.Reader, a Attempt) {
	cert, err := p.cfg.CA.certificate(a.Host)
	if err != nil {
		p.refuse(a, err)
		alert(c, 80)
		return
	}
	t := tls.Server(peeked{c, br}, &tls.Config{
		Certificates:           []tls.Certificate{*cert},
		MinVersion:             tls.VersionTLS12,
		NextProtos:             []string{"http/1.1"},
		SessionTicketsDisabled: true,
	})
	ctx, cancel := context.WithTimeout(p.ctx, headTimeout)
	defer cancel()
	if err := t.HandshakeContext(ctx); err != nil {
		p.refuse(a, fmt.Errorf("TLS handshake, does the function trust this node's CA: %w", err))
		return
	}
	defer t.Close()
	(&session{p: p, c: t, br: bufio.NewReaderSize(t, maxHead), to: a, tls: true, dial: p.dialTLS}).serve()
}

// peeked is a connection of which something was read ahead.
type peeked struct {
	net.Conn
	r io.Reader
}

func (c peeked) Read(b []byte) (int, error) { return c.r.Read(b) }

// secured is a connection to the real AWS; the Proxy keeps raw for Close, as
// ending TLS in order may take a while.
type secured struct {
	*tls.Conn
	raw net.Conn
}

// dialTLS reaches a's host, which must prove that it is that.
func (p *Proxy) dialTLS(a Attempt) (net.Conn, error) {
	raw, err := p.dial(a)
	if err != nil {
		return nil, err
	}
	t := tls.Client(raw, &tls.Config{ServerName: a.Host, RootCAs: p.cfg.Roots, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}})
	ctx, cancel := context.WithTimeout(p.ctx, dialTimeout)
	defer cancel()
	if err := t.HandshakeContext(ctx); err != nil {
		p.release(raw)
		return nil, fmt.Errorf("TLS to %s: %w", a.Host, err)
	}
	return &secured{t, raw}, nil
}

// call serves one request for an AWS endpoint: all it does must be granted.
func (s *session) call(h *head, e endpoint, a Attempt) bool {
	a.Kind = KindAWS
	if h.upgrade {
		s.deny(&a, &answer{400, errUpgrade})
		return false
	}
	r, err := newRequest(e, h)
	var calls []call
	var held []byte
	b := newBody(h, s.br)
	if err == nil {
		a.Account = r.account
		calls, held, err = s.name(r, b)
	}
	if err != nil {
		a.Action, a.Resource = e.service+":"+h.method, "*"
		s.denyAWS(r, []Attempt{a}, &answer{400, err})
		return false
	}
	var denied []Attempt
	uses := make([]Attempt, len(calls))
	for i, c := range calls {
		a.Action, a.Resource = c.action, c.resource
		uses[i] = a
		if !s.p.cfg.Decide(a) {
			denied = append(denied, a)
		}
	}
	if len(denied) > 0 {
		s.denyAWS(r, denied, &answer{403, errNotGranted})
		return false
	}
	us := make([]*use, len(uses))
	for i, a := range uses {
		us[i] = s.p.open(a)
	}
	return s.exchange(h, b, held, us)
}

// name names r, for which it reads as much of b as it takes, up to maxNamed;
// held is what it read.
func (s *session) name(r *request, b *body) (calls []call, held []byte, err error) {
	p, err := r.protocol()
	if err != nil {
		return nil, nil, err
	}
	if r.reads(p) && (b.chunked || b.left > 0) {
		select { // maxNaming bodies are held at once; the others wait
		case s.p.naming <- struct{}{}:
			defer func() { <-s.p.naming }()
		case <-s.p.ctx.Done():
			return nil, nil, s.p.ctx.Err()
		}
		if err := s.goOn(r.head); err != nil {
			return nil, nil, err
		}
		s.c.SetReadDeadline(time.Now().Add(namedTimeout))
		held, err = io.ReadAll(io.LimitReader(b, maxNamed))
		s.c.SetReadDeadline(time.Time{})
		if err != nil {
			return nil, nil, fmt.Errorf("read AWS request: %w", err)
		}
		if len(held) < maxNamed {
			r.fields = parseFields(r.head, p, held)
		}
	}
	calls, err = r.calls(p)
	return calls, held, err
}

// goOn gives the client the 100 it waits for; the server's is kept from it.
func (s *session) goOn(h *head) error {
	if v, _ := h.get("expect"); !strings.EqualFold(v, "100-continue") {
		return nil
	}
	h.continued = true
	_, err := s.c.Write([]byte("HTTP/1.1 100 Continue\r\n\r\n"))
	return err
}

// parseFields reads a whole body; nil where that cannot be done.
func parseFields(h *head, p protocol, b []byte) *node {
	switch v, n := h.get("content-encoding"); {
	case n > 1:
		return nil
	case n == 1 && strings.EqualFold(v, "gzip"):
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil
		}
		if b, err = io.ReadAll(io.LimitReader(z, maxNamed)); err != nil || len(b) == maxNamed {
			return nil
		}
	case n == 1 && v != "" && !strings.EqualFold(v, "identity"):
		return nil
	}
	var n *node
	var err error
	if p == queryCall {
		n, err = readForm(b)
	} else {
		n, err = readJSON(b)
	}
	if err != nil {
		return nil
	}
	return n
}

var errUpgrade = errors.New("upgrade to another protocol on an AWS endpoint")

// denyAWS reports a refusal and answers it in the form the service's clients
// understand, so that what they raise says which grant is missing.
func (s *session) denyAWS(r *request, denied []Attempt, why *answer) {
	for _, a := range denied {
		s.p.refuse(a, why)
	}
	code := "AccessDenied"
	if why.code == 400 {
		code = "InvalidRequest"
	}
	text := fmt.Sprintf("Refused by the egress policy of this function (%s): %s", why, denied[0].Target())
	if r != nil {
		if p, err := r.protocol(); err == nil && p != queryCall && r.endpoint.service != "s3" {
			s.answer(why.code, "application/x-amz-json-1.1", "X-Amzn-ErrorType: "+code+"Exception\r\n",
				fmt.Sprintf(`{"__type":%q,"message":%s,"Message":%[2]s}`, code+"Exception", jsonText(text)))
			return
		}
		if r.endpoint.service == "s3" {
			s.answer(why.code, "application/xml", "", fmt.Sprintf("<Error><Code>%s</Code><Message>%s</Message></Error>", code, xmlText(text)))
			return
		}
	}
	s.answer(why.code, "text/xml", "", fmt.Sprintf(
		"<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error></ErrorResponse>", code, xmlText(text)))
}

func jsonText(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return `""`
	}
	return string(b)
}

func xmlText(s string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		return ""
	}
	return b.String()
}
