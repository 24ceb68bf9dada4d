package egress

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"time"
)

const settleTime = 5 * time.Second // for what is left to be said once one side ended early

var (
	errGone    = errors.New("client went away")
	errInterim = errors.New("read response: too many interim responses")
)

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
		s.fail(u.a)
		return false, err
	}
	s.beat = newPulse(s.c, s.up)
	if _, err := s.up.Write(h.raw); err != nil {
		s.fail(u.a)
		return false, fmt.Errorf("write request: %w", err)
	}
	u.out.Add(int64(len(h.raw)))
	out := s.send(b, held, u)
	r, err := s.response(h, u)
	switch {
	case err != nil:
		s.settle(out, false)
		if out.gone() {
			return false, errGone
		}
		s.fail(u.a)
		return false, err
	case r.status == 101:
		if !s.settle(out, true) {
			return false, errGone
		}
		return false, s.p.join(u, s.c, s.br, s.up, s.ubr)
	}
	again, err = s.back(h, r, u)
	again = s.settle(out, again && !h.close && err == nil)
	if err != nil {
		abort(s.c) // an end in order would pass for the end of the response
	}
	if again {
		s.idle()
	}
	return again, err
}

// fail tells the client that a's host is not there. Why is reported, not told:
// it may say where in a private network things are.
func (s *session) fail(a Attempt) {
	s.answer(502, "text/plain; charset=utf-8", "", fmt.Sprintf("egress: %s: cannot be reached\n", a.Host))
}

// outgoing is a request's body on its way.
type outgoing struct {
	sent chan error    // its end, once
	done chan struct{} // the client is no longer read
	err  error         // why the client was no longer there; valid after done
}

func (o *outgoing) gone() bool { return o.err != nil }

// send passes the body on, and after it watches the client: if that goes
// away, so does the request.
func (s *session) send(b *body, held []byte, u *use) *outgoing {
	o := &outgoing{sent: make(chan error, 1), done: make(chan struct{})}
	up, beat := s.up, s.beat
	go func() {
		defer close(o.done)
		err := b.send(up, held, &u.out, beat.beat)
		o.sent <- err
		if err != nil {
			// Whichever side broke off: the server may have answered before.
			up.SetReadDeadline(time.Now().Add(settleTime))
			return
		}
		if _, err := s.br.Peek(1); err != nil && !timeout(err) {
			o.err = err
			up.Close()
		}
	}()
	return o
}

// settle ends the reading of the client and says whether the connections can
// carry on. A server may answer without taking all of a body; where they are
// to carry on the client gets a moment to finish it.
func (s *session) settle(o *outgoing, carryOn bool) bool {
	patience := settleTime
	if !carryOn {
		patience = 0
	}
	var err error
	select {
	case err = <-o.sent:
	case <-time.After(patience):
		err = errGone
		s.up.Close()
	}
	s.beat.stop()
	<-o.done
	s.c.SetReadDeadline(time.Time{})
	return carryOn && err == nil && !o.gone()
}

func timeout(err error) bool {
	ne, ok := err.(net.Error)
	return ok && ne.Timeout()
}

// reach makes sure s.up is a usable connection to a's host.
func (s *session) reach(a Attempt) error {
	if s.up != nil {
		s.up.SetReadDeadline(time.Unix(1, 0))
		if err := <-s.watch; err == nil || !timeout(err) || s.host != a.Host {
			s.p.release(s.up)
			s.up = nil
		} else {
			s.up.SetReadDeadline(time.Time{})
		}
		s.watch = nil
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

// part ends s.up and what watches it.
func (s *session) part() {
	if s.up == nil {
		return
	}
	s.p.release(s.up)
	if s.watch != nil {
		<-s.watch
	}
}

// idle watches up until the next request: when it ends, so does the client's
// connection, as if there were nobody between.
func (s *session) idle() {
	watch, up, ubr, c := make(chan error, 1), s.up, s.ubr, s.c
	s.watch = watch
	up.SetReadDeadline(time.Time{})
	go func() {
		_, err := ubr.Peek(1)
		if err == nil || !timeout(err) {
			up.Close()
			c.Close()
		}
		watch <- err
	}()
}

// response reads the head of the final response and passes it and interim
// ones on.
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
		if r.status == 101 && !h.upgrade {
			return nil, errors.New("read response: upgrade nobody asked for")
		}
		if r.status != 100 || !h.continued {
			if _, err := s.c.Write(raw); err != nil {
				return nil, fmt.Errorf("write response: %w", err)
			}
			u.in.Add(int64(len(raw)))
		}
		r.raw = nil
		s.ubr.Discard(len(raw))
		if r.status >= 200 || r.status == 101 {
			return r, nil
		}
	}
	return nil, errInterim
}

// back passes the response's body to the client and says whether the
// connection to the server can be used again.
func (s *session) back(h, r *head, u *use) (bool, error) {
	if h.method == "HEAD" || r.status == 204 || r.status == 304 {
		return !r.close, nil
	}
	if !r.chunked && !r.sized {
		return false, relay(s.c, s.ubr, &u.in, s.beat.beat)
	}
	return !r.close, newBody(r, s.ubr).send(s.c, nil, &u.in, s.beat.beat)
}
