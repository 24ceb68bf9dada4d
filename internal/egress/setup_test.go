package egress

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	// A goroutine that ends locked takes its thread with it, but never the
	// first one: that stays with the tests.
	runtime.LockOSThread()
	os.Exit(m.Run())
}

// wait polls until ok.
func wait(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// uses keeps what a Proxy reported.
type uses struct {
	mu  sync.Mutex
	all []Use
}

func (u *uses) add(use Use) {
	u.mu.Lock()
	u.all = append(u.all, use)
	u.mu.Unlock()
}

func (u *uses) find(kind, target string, allowed bool) []Use {
	u.mu.Lock()
	defer u.mu.Unlock()
	var found []Use
	for _, use := range u.all {
		if use.Kind == kind && use.Target() == target && use.Allowed == allowed {
			found = append(found, use)
		}
	}
	return found
}

func (u *uses) String() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	var b strings.Builder
	for _, use := range u.all {
		fmt.Fprintf(&b, "%s %s allowed=%v in=%d out=%d err=%q\n", use.Kind, use.Target(), use.Allowed, use.In, use.Out, use.Err)
	}
	return b.String()
}

// want waits until such a use was reported.
func (u *uses) want(t testing.TB, kind, target string, allowed bool) Use {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if found := u.find(kind, target, allowed); len(found) > 0 {
			return found[0]
		}
	}
	t.Fatalf("no report of %s %s allowed=%v among\n%s", kind, target, allowed, u)
	return Use{}
}

// world is a Proxy with grants, over upstreams on this machine's loopback.
type world struct {
	t     testing.TB
	proxy *Proxy
	uses  *uses

	mu     sync.Mutex
	grants []string
	hosts  map[string]string // "host:port" to where that is
	dialed []string
}

func newWorld(t testing.TB, cfg Config, grants ...string) *world {
	t.Helper()
	w := &world{t: t, uses: &uses{}, grants: grants, hosts: map[string]string{}}
	cfg.Decide = func(a Attempt) bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		_, ok := Match(w.grants, a)
		return ok
	}
	cfg.Report = w.uses.add
	if cfg.Dial == nil && cfg.Resolver == nil {
		cfg.Dial = w.dial
	}
	w.proxy = New(cfg)
	t.Cleanup(w.proxy.Close)
	return w
}

func (w *world) dial(ctx context.Context, host string, port uint16) (net.Conn, error) {
	key := fmt.Sprintf("%s:%d", host, port)
	w.mu.Lock()
	to := w.hosts[key]
	w.dialed = append(w.dialed, key)
	w.mu.Unlock()
	if to == "" {
		return nil, fmt.Errorf("no such host %s", key)
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", to)
}

func (w *world) reached() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.dialed)
}

// at says where the upstream of "host:port" is.
func (w *world) at(key, addr string) {
	w.mu.Lock()
	w.hosts[key] = addr
	w.mu.Unlock()
}

// serve lets the Proxy serve a loopback listener as if it were port, and
// returns its address.
func (w *world) serve(port uint16) string {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	w.serveOn(l, port)
	return l.Addr().String()
}

func (w *world) serveOn(l net.Listener, port uint16) {
	done := make(chan error, 1)
	go func() { done <- w.proxy.ServeTCP(l, port) }()
	w.t.Cleanup(func() {
		w.proxy.Close()
		if err := <-done; err != nil {
			w.t.Errorf("ServeTCP: %v", err)
		}
	})
}

// say sends raw bytes to addr and returns all that comes back.
func say(t testing.TB, addr, text string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(c)
	return string(b)
}

// upstream is a plain HTTP server that tells what it was asked.
func upstream(t testing.TB, name string) *httptest.Server {
	s := httptest.NewServer(echo(name))
	t.Cleanup(s.Close)
	return s
}

func echo(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s: %s %s %s %s", name, r.Method, r.Host, r.RequestURI, b)
	})
}

func addrOf(s *httptest.Server) string { return s.Listener.Addr().String() }

// authority is a CA of the test's own, as the world outside has one.
type authority struct {
	ca   *CA
	pool *x509.CertPool
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	ca, err := NewCA()
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca.PEM())
	return &authority{ca, pool}
}

// server is TLS for hosts below amazonaws.com, signed by a.
func (a *authority) server(t testing.TB, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.TLS = &tls.Config{GetCertificate: func(i *tls.ClientHelloInfo) (*tls.Certificate, error) { return a.ca.certificate(i.ServerName) }}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// room is a network namespace as a function has it: lo and routes that make
// every address local.
type room struct {
	t    testing.TB
	work chan func()
	v6   bool // the kernel has IPv6
}

func newRoom(t testing.TB) *room {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a network namespace needs root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("needs ip of iproute2")
	}
	r := &room{t: t, work: make(chan func())}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		ready <- unix.Unshare(unix.CLONE_NEWNET)
		for f := range r.work {
			f()
		}
	}()
	t.Cleanup(func() { close(r.work) })
	if err := <-ready; err != nil {
		t.Fatalf("make network namespace: %v", err)
	}
	r.run("ip", "link", "set", "lo", "up")
	r.run("ip", "route", "add", "local", "0.0.0.0/0", "dev", "lo", "table", "local")
	if _, err := os.Stat("/proc/net/if_inet6"); err == nil {
		r.v6 = true
		r.run("ip", "-6", "route", "add", "local", "::/0", "dev", "lo", "table", "local")
	}
	return r
}

// inside runs f on the thread that is in the namespace.
func (r *room) inside(f func()) {
	done := make(chan struct{})
	r.work <- func() { defer close(done); f() }
	<-done
}

// run runs a program inside and returns what it printed.
func (r *room) run(name string, args ...string) string {
	r.t.Helper()
	out, err := r.try(nil, name, args...)
	if err != nil {
		r.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

func (r *room) try(env []string, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "http_proxy=", "https_proxy=", "HTTP_PROXY=", "HTTPS_PROXY=", "all_proxy=", "ALL_PROXY=", "NO_PROXY=*")
	cmd.Env = append(cmd.Env, env...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	var err error
	r.inside(func() { err = cmd.Start() }) // a child is born into its thread's namespace
	if err == nil {
		err = cmd.Wait()
	}
	return out.String(), err
}

func (r *room) listen(port uint16) net.Listener {
	r.t.Helper()
	var l net.Listener
	var err error
	r.inside(func() { l, err = net.Listen("tcp", fmt.Sprintf(":%d", port)) })
	if err != nil {
		r.t.Fatal(err)
	}
	return l
}

func (r *room) packets(port uint16) net.PacketConn {
	r.t.Helper()
	var c net.PacketConn
	var err error
	r.inside(func() { c, err = net.ListenPacket("udp", fmt.Sprintf(":%d", port)) })
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

// dial connects inside; a name is looked up inside, too.
func (r *room) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	if net.ParseIP(host) == nil {
		res := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return r.dial(ctx, network, "9.9.9.9:53")
		}}
		ips, err := res.LookupIP(ctx, "ip4", host)
		if err != nil {
			return nil, err
		}
		addr = net.JoinHostPort(ips[0].String(), port)
	}
	var c net.Conn
	r.inside(func() {
		d := net.Dialer{Timeout: 20 * time.Second}
		c, err = d.Dial(network, addr)
	})
	return c, err
}

// fill serves every port of a function's namespace.
func (w *world) fill(r *room, ports ...uint16) {
	for _, p := range append([]uint16{53, 80, 443}, ports...) {
		w.serveOn(r.listen(p), p)
	}
	c := r.packets(53)
	done := make(chan error, 1)
	go func() { done <- w.proxy.ServeDNS(c) }()
	w.t.Cleanup(func() {
		w.proxy.Close()
		if err := <-done; err != nil {
			w.t.Errorf("ServeDNS: %v", err)
		}
	})
}

func need(t testing.TB, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%s is not here", program)
	}
	return path
}

// response reads one HTTP response.
func response(t testing.TB, br *bufio.Reader) (int, string) {
	t.Helper()
	r, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}
