// Package egress is how a function reaches anything outside its sandbox. The
// function's network namespace has no way out: every address in it is local,
// and behind the addresses wait listeners the host owns. A Proxy serves those
// of one environment. It finds the name a connection is meant for (TLS server
// name, HTTP Host, or the address its own DNS handed out for that name), asks
// whether that may be reached, and dials the name itself from the host; where
// the function thought the name lives does not matter. Calls of the AWS API
// are named by action and resource.
//
// What it cannot see: inside TLS that is passed through, a request may name
// another host of the same server (domain fronting), and a granted host may
// pass on what it is sent; the protocols of ports other than 80 and 443 are not
// read at all. AWS endpoints that are read offer neither HTTP/2 nor WebSockets.
// Those below amazonaws.com.cn and api.aws are hosts like any other. A call of
// AWS is made with whatever keys the function has: only a grant that names the
// account holds it to that.
//
// It knows protocols and the grammar of grants (Match). Who holds which grant,
// and whether a refusal is enforced or only reported, its caller decides; the
// namespace and its listeners belong to package sandbox.
package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// The limits of one Proxy. A function that reaches one is refused further, the
// host never pays more.
const (
	maxConns  = 256      // open connections
	maxNames  = 4096     // names with an address; the least recently used makes room
	maxHead   = 64 << 10 // bytes of an HTTP head, either direction
	maxHello  = 16 << 10 // bytes of a TLS ClientHello
	maxNamed  = 1 << 20  // bytes of an AWS request read to find its resource
	maxNaming = 8        // such requests held at once

	namedTimeout = time.Minute      // for such a request to arrive
	headTimeout  = 10 * time.Second // for a whole ClientHello or HTTP head once it began
	dialTimeout  = 10 * time.Second
	idleHTTP     = 5 * time.Minute // between two requests
	idleTunnel   = time.Hour       // without a byte in either direction
	chunk        = 16 << 10        // copy buffer

	acceptPause = 20 * time.Millisecond // when the host is short of something
)

// Config is what a Proxy needs. Decide and Report are called from many
// goroutines at once and must not block for long.
type Config struct {
	// Decide is asked before anything is reached; nil refuses everything.
	Decide func(Attempt) bool
	// Report is told of every use; nil forgets them.
	Report func(Use)
	// Dial reaches a name from the host. nil resolves with Resolver and refuses
	// every address that is not public, unless Local says otherwise.
	Dial func(ctx context.Context, host string, port uint16) (net.Conn, error)
	// Local says whether host may be at an address that is not public, or is
	// the host's own; egress.Local answers that from grants. nil: never.
	Local func(host string, port uint16, addr netip.Addr) bool
	// Resolver of the default Dial; nil is the system's.
	Resolver *net.Resolver
	// CA, if not nil, lets calls of the AWS API be read; without it they are
	// ordinary TLS connections to a host.
	CA *CA
	// Roots the AWS API must prove itself by; nil is the system's.
	Roots *x509.CertPool
	Log   *slog.Logger
}

// Proxy serves the listeners of one environment. It is safe for concurrent use.
type Proxy struct {
	cfg    Config
	ctx    context.Context
	cancel context.CancelFunc
	names  *names
	naming chan struct{} // places for AWS requests held in memory

	mu     sync.Mutex
	closed bool
	closer map[closer]bool // listeners and connections, closed by Close
	conns  int
	uses   map[*use]bool // open, for Flush
	wg     sync.WaitGroup
}

type closer interface{ Close() error }

// New makes a Proxy that serves nothing yet; it costs no goroutine.
func New(cfg Config) *Proxy {
	if cfg.Decide == nil {
		cfg.Decide = func(Attempt) bool { return false }
	}
	if cfg.Report == nil {
		cfg.Report = func(Use) {}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Dial == nil {
		cfg.Dial = dialer{local: cfg.local, resolver: cfg.Resolver}.dial
	}
	p := &Proxy{cfg: cfg, names: newNames(maxNames), naming: make(chan struct{}, maxNaming),
		closer: map[closer]bool{}, uses: map[*use]bool{}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// local is Local, and lets the AWS API be behind an interface endpoint of a
// private network: it proves by its certificate that it is no other.
func (c Config) local(host string, port uint16, addr netip.Addr) bool {
	if c.Local != nil && c.Local(host, port, addr) {
		return true
	}
	_, aws := endpointOf(host)
	return aws && c.CA != nil && port == 443 && addr.IsPrivate() && !reserved(addr) && !own(addr)
}

// ServeTCP accepts from l until Close, after which it returns nil. port is
// what functions dial to come here: 80 is HTTP, 443 is TLS, 53 is DNS, any
// other is passed through by name. It closes l.
func (p *Proxy) ServeTCP(l net.Listener, port uint16) error {
	if !p.enter(l) {
		return nil
	}
	defer p.leave(l)
	for {
		c, err := l.Accept()
		if err != nil {
			if p.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			if !passing(err) {
				return err
			}
			select {
			case <-p.ctx.Done():
			case <-time.After(acceptPause):
			}
			continue
		}
		if err := p.admit(c); err != nil {
			p.refuse(Attempt{Kind: KindTCP, Host: destination(c).Addr().String(), Port: port, Address: destination(c)}, err)
			abort(c)
			continue
		}
		go func() {
			defer p.dismiss(c)
			p.serve(c, port)
		}()
	}
}

// passing says whether accepting or receiving may work again: nothing is wrong
// with the listener.
func passing(err error) bool {
	for _, e := range []error{syscall.ECONNABORTED, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EINTR, os.ErrDeadlineExceeded} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// Close ends every listener and connection and returns when all are gone, so
// it must not be called from Decide or Report. What was still open is reported.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.cancel()
	for c := range p.closer {
		c.Close()
	}
	p.mu.Unlock()
	p.wg.Wait()
}

// hold remembers c for Close; false if that has been called.
func (p *Proxy) hold(c closer) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		c.Close()
		return false
	}
	p.closer[c] = true
	return true
}

// enter is hold for a listener, for whose leave Close waits.
func (p *Proxy) enter(l closer) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		l.Close()
		return false
	}
	p.closer[l] = true
	p.wg.Add(1)
	return true
}

func (p *Proxy) leave(l closer) {
	p.release(l)
	p.wg.Done()
}

func (p *Proxy) release(c closer) {
	p.mu.Lock()
	if s, ok := c.(*secured); ok {
		delete(p.closer, s.raw)
	}
	delete(p.closer, c)
	p.mu.Unlock()
	c.Close()
}

var errCrowded = errors.New("too many open connections")

func (p *Proxy) admit(c net.Conn) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return net.ErrClosed
	}
	if p.conns >= maxConns {
		return errCrowded
	}
	p.conns++
	p.wg.Add(1)
	p.closer[c] = true
	return nil
}

func (p *Proxy) dismiss(c net.Conn) {
	p.mu.Lock()
	p.conns--
	delete(p.closer, c)
	p.mu.Unlock()
	c.Close()
	p.wg.Done()
}

// dial reaches a's host and keeps the connection for Close.
func (p *Proxy) dial(a Attempt) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(p.ctx, dialTimeout)
	defer cancel()
	c, err := p.cfg.Dial(ctx, a.Host, a.Port)
	if err != nil {
		return nil, err
	}
	if !p.hold(c) {
		return nil, net.ErrClosed
	}
	return c, nil
}

// destination is the address the function dialled: in its namespace every
// address is local, so it is the accepted connection's own.
func destination(c net.Conn) netip.AddrPort {
	a, ok := c.LocalAddr().(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := a.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// abort ends a connection with a reset, which no client takes for an answer.
func abort(c net.Conn) {
	switch t := c.(type) {
	case *net.TCPConn:
		t.SetLinger(0)
	case *tls.Conn:
		abort(t.NetConn())
		return
	case *secured:
		abort(t.raw)
		return
	case peeked:
		abort(t.Conn)
		return
	}
	c.Close()
}
