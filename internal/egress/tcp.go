package egress

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

var errNotGranted = errors.New("not granted")

// serve takes one connection to its end.
func (p *Proxy) serve(c net.Conn, port uint16) {
	a := Attempt{Port: port, Address: destination(c)}
	switch port {
	case 53:
		p.serveDNSStream(c)
	case 80:
		(&session{p: p, c: c, br: bufio.NewReaderSize(c, maxHead), to: a}).serve()
	case 443:
		p.serveTLS(c, a)
	default:
		p.serveNamed(c, a)
	}
}

var errForgotten = errors.New("no name has this address any more; look it up again")

// handedOut lets a's Host be the name its address stands for, or that address.
func (p *Proxy) handedOut(a *Attempt) error {
	addr := a.Address.Addr()
	a.Host = addr.String()
	if name, ok := p.names.name(addr); ok {
		a.Host = name
	} else if pool4.Contains(addr) || pool6.Contains(addr) {
		return errForgotten
	}
	return nil
}

// serveNamed passes a connection through to the name its address stands for.
func (p *Proxy) serveNamed(c net.Conn, a Attempt) {
	a.Kind = KindTCP
	if err := p.handedOut(&a); err != nil {
		p.refuse(a, err)
		abort(c)
		return
	}
	if !p.cfg.Decide(a) {
		p.refuse(a, errNotGranted)
		abort(c)
		return
	}
	if err := p.pass(c, c, a); err != nil {
		abort(c)
	}
}

// serveTLS passes TLS through to the host its ClientHello names; AWS endpoints
// are terminated here and their requests read.
func (p *Proxy) serveTLS(c net.Conn, a Attempt) {
	a.Kind, a.Host = KindTLS, a.Address.Addr().String()
	c.SetReadDeadline(time.Now().Add(headTimeout))
	br := bufio.NewReaderSize(c, maxHello)
	h, err := readHello(br)
	if err == nil && h.ech {
		err = errECH
	}
	if h.name != "" {
		a.Host = h.name
	} else if herr := p.handedOut(&a); err == nil {
		err = herr
	}
	if err != nil {
		p.refuse(a, err)
		alert(c, 49)
		return
	}
	c.SetReadDeadline(time.Time{})
	if _, ok := endpointOf(a.Host); ok && p.cfg.CA != nil {
		p.serveAWS(c, br, a)
		return
	}
	if !p.cfg.Decide(a) {
		p.refuse(a, errNotGranted)
		alert(c, 49)
		return
	}
	if err := p.pass(c, br, a); err != nil {
		alert(c, 80)
	}
}

// alert tells a TLS client why it gets no further (RFC 8446 6: 49
// access_denied, 80 internal_error) and closes.
func alert(c net.Conn, code byte) {
	c.SetWriteDeadline(time.Now().Add(time.Second))
	c.Write([]byte{21, 3, 3, 0, 2, 2, code})
	linger(c)
}

// linger closes c so that what was written still arrives: it ends writing and
// takes, for a moment, what the client had under way.
func linger(c net.Conn) {
	if w, ok := c.(interface{ CloseWrite() error }); ok && w.CloseWrite() == nil {
		c.SetReadDeadline(time.Now().Add(time.Second))
		io.CopyN(io.Discard, c, 256<<10)
	}
	c.Close()
}

// pass dials a's host and joins it with c; r reads c with what was peeked. Its
// error is that of the dial: nothing was written to c yet.
func (p *Proxy) pass(c net.Conn, r io.Reader, a Attempt) error {
	u := p.open(a)
	up, err := p.dial(a)
	if err != nil {
		p.end(u, err)
		return err
	}
	defer p.release(up)
	p.tell(u, nil)
	p.end(u, p.join(u, c, r, up, up))
	return nil
}

// join copies between c and up until both directions have ended or one broke,
// or neither carried anything for idleTunnel. r and ur read them.
func (p *Proxy) join(u *use, c net.Conn, r io.Reader, up net.Conn, ur io.Reader) error {
	moved := newPulse(c, up).beat
	done := make(chan error, 1)
	go func() {
		err := relay(up, r, &u.out, moved)
		finish(c, up, err)
		done <- err
	}()
	err := relay(c, ur, &u.in, moved)
	finish(up, c, err)
	if other := <-done; err == nil {
		err = other
	}
	if p.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// finish passes the end of from on to to, or where that broke ends both.
func finish(from, to net.Conn, err error) {
	if w, ok := to.(interface{ CloseWrite() error }); err == nil && ok && w.CloseWrite() == nil {
		return
	}
	if err != nil {
		abort(from)
		abort(to)
		return
	}
	from.Close()
	to.Close()
}

// pulse ends two connections that carry nothing for idleTunnel.
type pulse struct {
	a, b net.Conn
	last atomic.Int64

	mu      sync.Mutex
	stopped bool
}

func newPulse(a, b net.Conn) *pulse {
	p := &pulse{a: a, b: b}
	p.beat()
	return p
}

// beat says that something was carried.
func (p *pulse) beat() {
	now := time.Now()
	if old := p.last.Load(); now.Unix()-old < 30 || !p.last.CompareAndSwap(old, now.Unix()) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.stopped {
		p.a.SetDeadline(now.Add(idleTunnel))
		p.b.SetDeadline(now.Add(idleTunnel))
	}
}

// stop makes reads of a fail, and keeps them so.
func (p *pulse) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
	p.a.SetReadDeadline(time.Unix(1, 0))
}

// relay copies r to w until r ends, and counts as it goes.
func relay(w io.Writer, r io.Reader, n *atomic.Int64, moved func()) error {
	buf := make([]byte, chunk)
	for {
		k, err := r.Read(buf)
		if k > 0 {
			moved()
			if _, err := w.Write(buf[:k]); err != nil {
				return fmt.Errorf("write: %w", err)
			}
			n.Add(int64(k))
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
	}
}
