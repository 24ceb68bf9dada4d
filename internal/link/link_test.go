package link

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/link/linkpb"
	"redoubt.dev/redoubt/internal/link/pki"
	"redoubt.dev/redoubt/internal/policy"
	"redoubt.dev/redoubt/internal/redoubt"
)

// record is a console that keeps the contract of Console: each (Node, Seq)
// once.
type record struct {
	mu       sync.Mutex
	last     map[redoubt.NodeID]uint64
	events   []redoubt.Event
	batches  []Batch
	refuse   error            // answer to every Push, nothing recorded
	forgets  func(n int) bool // answer n was recorded but does not arrive
	answered int
	desired  chan *Desired
}

func newRecord() *record {
	return &record{last: map[redoubt.NodeID]uint64{}, desired: make(chan *Desired, 8)}
}

func (r *record) Push(_ context.Context, b *Batch) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refuse != nil {
		return r.refuse
	}
	if b.Seq > r.last[b.Node] {
		r.last[b.Node] = b.Seq
		r.events = append(r.events, b.Events...)
		r.batches = append(r.batches, *b)
	}
	r.answered++
	if r.forgets != nil && r.forgets(r.answered) {
		return fault.New(fault.Unavailable, "the answer was lost")
	}
	return nil
}

func (r *record) Watch(ctx context.Context, _ redoubt.NodeID, use func(*Desired)) error {
	for {
		select {
		case d := <-r.desired:
			use(d)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (r *record) answer(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuse = err
}

func (r *record) seen() []redoubt.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events
}

// site is a console's end of the link on a loopback port.
type site struct {
	*record
	server    *Server
	authority *pki.Authority
	address   string
	tokens    sync.Map // secret → true while unused
	deleted   sync.Map // node
	stop      func()
	now       func() time.Time
	dir       string
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func newSite(t testing.TB, now func() time.Time) *site {
	t.Helper()
	s := &site{record: newRecord(), now: now, dir: t.TempDir()}
	s.listen(t, "127.0.0.1:0")
	return s
}

func (s *site) listen(t testing.TB, address string) {
	t.Helper()
	var err error
	if s.authority, err = pki.OpenAuthority(s.dir, s.now); err != nil {
		t.Fatal(err)
	}
	cert, err := s.authority.Server("link")
	if err != nil {
		t.Fatal(err)
	}
	s.server = NewServer(ServerConfig{
		Authority: s.authority, Cert: cert, Console: s.record, Log: quiet, Now: s.now, Beat: 50 * time.Millisecond,
		Enrol: func(_ context.Context, r EnrolRequest) (redoubt.NodeID, error) {
			if fresh, known := s.tokens.Swap(r.Secret, false); !known || fresh == false {
				return "", fault.New(fault.Denied, "this join token was used before; make a new one")
			}
			return redoubt.NodeID(r.Hostname), nil
		},
		Admit: func(_ context.Context, p pki.Peer) error {
			if _, gone := s.deleted.Load(p.Node); gone {
				return fault.New(fault.Denied, "node %s was removed at the console", p.Node)
			}
			return nil
		},
	})
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s.address = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.server.Serve(ctx, l) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	t.Cleanup(s.stop)
}

func (s *site) token(secret string) string {
	s.tokens.Store(secret, true)
	return pki.JoinToken{ID: "j1", Secret: secret, CA: s.authority.Fingerprint(), Address: s.address}.Encode()
}

func (s *site) join(t testing.TB, node string) *pki.Identity {
	t.Helper()
	i, err := Join(t.Context(), JoinConfig{Dir: t.TempDir(), Token: s.token("secret of " + node), Hostname: node, Now: s.now})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func (s *site) client(i *pki.Identity) *Client {
	return NewClient(ClientConfig{Address: s.address, Identity: i, Log: quiet, Now: s.now, Silence: 2 * time.Second})
}

func wantFault(t *testing.T, err error, kind fault.Kind, text string) {
	t.Helper()
	if !fault.Is(err, kind) || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v error %q, want %v with %q", fault.Of(err), err, kind, text)
	}
}

func TestX7_OnlyEnrolledNodesAreHeard(t *testing.T) {
	s := newSite(t, time.Now)
	i := s.join(t, "edge-1")
	c := s.client(i)
	b := fullBatchOf(3)
	b.Events[0].Node, b.Node, b.Status = "somebody-else", "somebody-else", &redoubt.NodeStatus{ID: "somebody-else"}
	if err := c.Push(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	got := s.batches[0]
	if got.Node != "edge-1" || got.Events[0].Node != "edge-1" || got.Status.ID != "edge-1" {
		t.Errorf("a node spoke for another: batch of %s, event of %s, status of %s", got.Node, got.Events[0].Node, got.Status.ID)
	}

	t.Run("no certificate", func(t *testing.T) {
		tok, _ := pki.ParseJoinToken(s.token("x"))
		rpc := linkpb.NewLinkClient(newHTTP(tok.TLS(s.now)), "https://"+s.address)
		_, err := rpc.Push(t.Context(), &linkpb.PushRequest{Protocol: Protocol, Batch: &linkpb.Batch{Seq: 1}})
		wantFault(t, fromWire(err), fault.Unauthenticated, "join token")
	})
	t.Run("certificate of another console", func(t *testing.T) {
		other := newSite(t, time.Now)
		wrong := NewClient(ClientConfig{Address: s.address, Identity: other.join(t, "edge-1"), Log: quiet})
		if err := wrong.Push(t.Context(), fullBatchOf(1)); !fault.Is(err, fault.Unavailable) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a node's certificate does not make a console", func(t *testing.T) {
		l, err := tls.Listen("tcp", "127.0.0.1:0", asServer(i.TLS()))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go (&http.Server{Handler: http.NotFoundHandler(), ErrorLog: slog.NewLogLogger(quiet.Handler(), 0)}).Serve(l)
		fake := NewClient(ClientConfig{Address: l.Addr().String(), Identity: s.join(t, "edge-2"), Log: quiet})
		if err := fake.Push(t.Context(), fullBatchOf(1)); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("got %v, want it to distrust the certificate", err)
		}
	})
	if len(s.batches) != 1 {
		t.Errorf("%d batches were recorded, want 1", len(s.batches))
	}
}

func asServer(c *tls.Config) *tls.Config {
	return &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.GetClientCertificate(nil) }, NextProtos: []string{"h2"}}
}

func TestI10_JoinTokenWorksOnceAndPinsTheConsole(t *testing.T) {
	s := newSite(t, time.Now)
	token, dir := s.token("once"), t.TempDir()
	cfg := JoinConfig{Dir: dir, Token: token, Hostname: "edge-1", Now: s.now}
	first, err := Join(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Join(t.Context(), cfg)
	if err != nil || again.Peer() != first.Peer() {
		t.Errorf("the same command on the same machine: %v, %v", again, err)
	}
	info, err := os.Stat(filepath.Join(dir, "node.pem"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v, %v", info.Mode(), err)
	}
	cfg.Dir = t.TempDir()
	_, err = Join(t.Context(), cfg)
	wantFault(t, err, fault.Denied, "used before")

	other := newSite(t, time.Now)
	cfg.Token = other.token("pinned to the other")
	cfg.Address = s.address
	_, err = Join(t.Context(), cfg)
	wantFault(t, err, fault.Denied, "authority is not the one")

	cfg.Token = "not a token"
	_, err = Join(t.Context(), cfg)
	wantFault(t, err, fault.Invalid, "join token")
}

func TestEnrolmentIsRateLimited(t *testing.T) {
	now := time.Now()
	s := newSite(t, func() time.Time { return now })
	var err error
	for n := range 11 {
		_, err = Join(t.Context(), JoinConfig{Dir: t.TempDir(), Hostname: "guesser", Now: s.now,
			Token: pki.JoinToken{ID: "j1", Secret: fmt.Sprint("guess ", n), CA: s.authority.Fingerprint(), Address: s.address}.Encode()})
		if n < 10 && !fault.Is(err, fault.Denied) {
			t.Fatalf("guess %d: %v", n, err)
		}
	}
	wantFault(t, err, fault.Limited, "too many attempts")
	now = now.Add(time.Minute)
	s.join(t, "honest")
}

func TestDeletedNodeIsCutOff(t *testing.T) {
	s := newSite(t, time.Now)
	c := s.client(s.join(t, "edge-1"))
	s.desired <- &Desired{Revision: 1}
	ended, got := make(chan error, 1), make(chan *Desired, 1)
	go func() { ended <- c.Watch(t.Context(), "", func(d *Desired) { got <- d }) }()
	<-got
	s.deleted.Store(redoubt.NodeID("edge-1"), true)
	s.server.Disconnect("edge-1")
	select {
	case err := <-ended:
		wantFault(t, err, fault.Denied, "removed")
	case <-time.After(5 * time.Second):
		t.Fatal("the watch of a deleted node lives on")
	}
	wantFault(t, c.Push(t.Context(), fullBatchOf(1)), fault.Denied, "removed")
}

func TestExpiredCertificateIsRefusedAndAgingOneRenewed(t *testing.T) {
	var mu sync.Mutex
	at := time.Now()
	now := func() time.Time { mu.Lock(); defer mu.Unlock(); return at }
	move := func(d time.Duration) { mu.Lock(); defer mu.Unlock(); at = at.Add(d) }
	s := newSite(t, now)
	i := s.join(t, "edge-1")
	before := i.Peer()
	move(22 * 24 * time.Hour)
	if !i.Aging() {
		t.Fatal("22 of 30 days are over and the certificate is not aging")
	}
	c := s.client(i)
	ctx, cancel := context.WithCancel(t.Context())
	s.desired <- &Desired{Revision: 1}
	err := c.Watch(ctx, "", func(*Desired) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	after := i.Peer()
	if !after.Expires.After(before.Expires) || after.Enrolment != before.Enrolment || after.Node != before.Node {
		t.Errorf("renewed from %+v to %+v", before, after)
	}
	if err := c.Push(t.Context(), fullBatchOf(1)); err != nil {
		t.Errorf("push with the renewed certificate: %v", err)
	}
	move(31 * 24 * time.Hour)
	// The connection that stands is refused too.
	wantFault(t, c.Push(t.Context(), fullBatchOf(1)), fault.Unauthenticated, "expired")
	wantFault(t, c.Watch(t.Context(), "", func(*Desired) {}), fault.Unauthenticated, "expired")
	if err := s.client(i).Push(t.Context(), fullBatchOf(1)); err == nil {
		t.Error("an expired certificate opened a connection")
	}
}

func TestWatchCarriesTheDesiredStateAndComesBack(t *testing.T) {
	s := newSite(t, time.Now)
	c := s.client(s.join(t, "edge-1"))
	want := &Desired{Revision: 3, Policies: []policy.Policy{{Name: "no-recon", Rules: []policy.Rule{{Name: "r", Effect: redoubt.EffectPrevent, Exec: &policy.Exec{Paths: []string{"/bin/netstat"}}}}}},
		Orders: []Order{{Instance: "abc", Effect: redoubt.EffectIsolate, Reason: "i3"}}}
	got := make(chan *Desired, 8)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Watch(ctx, "", func(d *Desired) { got <- d }) }()
	s.desired <- want
	if d := <-got; d.Revision != 3 || d.Policies[0].Rules[0].Exec.Paths[0] != "/bin/netstat" || d.Orders[0].Reason != "i3" {
		t.Errorf("got %+v", d)
	}
	if !s.server.Connected("edge-1") {
		t.Error("the node does not count as connected")
	}
	s.stop()
	if s.server.Connected("edge-1") {
		t.Error("after the console stopped the node counts as connected")
	}
	s.listen(t, s.address)
	s.desired <- &Desired{Revision: 4}
	select {
	case d := <-got:
		if d.Revision != 4 {
			t.Errorf("got revision %d, want 4", d.Revision)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the node did not come back")
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A peer that accepts and then says nothing, like one whose cable was pulled.
func TestSilentConsoleIsNoticed(t *testing.T) {
	s := newSite(t, time.Now)
	i := s.join(t, "edge-1")
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer front.Close()
	var pulled sync.RWMutex
	go func() {
		for {
			in, err := front.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", s.address)
			if err != nil {
				return
			}
			go relay(in, out, &pulled)
			go relay(out, in, &pulled)
		}
	}()
	log := &lines{}
	c := NewClient(ClientConfig{Address: front.Addr().String(), Identity: i, Log: slog.New(slog.NewTextHandler(log, nil)), Silence: 300 * time.Millisecond})
	got := make(chan *Desired, 1)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Watch(ctx, "", func(d *Desired) { got <- d }) }()
	s.desired <- &Desired{Revision: 1}
	<-got
	pulled.Lock()
	deadline := time.Now().Add(10 * time.Second)
	for !strings.Contains(log.String(), "went silent") {
		if time.Now().After(deadline) {
			t.Fatalf("silence went unnoticed; log: %s", log)
		}
		time.Sleep(10 * time.Millisecond)
	}
	cancel()
	<-ended
	pulled.Unlock()
}

// relay copies until pulled is held.
func relay(to, from net.Conn, pulled *sync.RWMutex) {
	defer to.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		pulled.RLock()
		_, err = to.Write(buf[:n])
		pulled.RUnlock()
		if err != nil {
			return
		}
	}
}

type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.b.Write(p) }
func (l *lines) String() string              { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

func TestNewestWatchOfANodeStays(t *testing.T) {
	s := newSite(t, time.Now)
	i := s.join(t, "edge-1")
	open := func() *connect.ServerStreamForClient[linkpb.WatchResponse] {
		st, err := s.client(i).link().Watch(t.Context(), &linkpb.WatchRequest{Protocol: Protocol})
		if err != nil {
			t.Fatal(err)
		}
		if !st.Receive() {
			t.Fatal(st.Err())
		}
		return st
	}
	first := open()
	second := open()
	for first.Receive() {
	}
	wantFault(t, fromWire(first.Err()), fault.Conflict, "another connection")
	if !second.Receive() {
		t.Error(second.Err())
	}
}

func TestHostileBytesOnTheLinkPort(t *testing.T) {
	s := newSite(t, time.Now)
	i := s.join(t, "edge-1")
	for name, first := range map[string]string{"http": "GET / HTTP/1.1\r\n\r\n", "zeros": strings.Repeat("\x00", 4096), "half a hello": "\x16\x03\x01\x02\x00\x01"} {
		c, err := net.Dial("tcp", s.address)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		io.WriteString(c, first)
		c.Close()
	}
	post := func(body []byte) int {
		r, err := http.NewRequest(http.MethodPost, "https://"+s.address+linkpb.LinkPushProcedure, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/proto")
		resp, err := newHTTP(i.TLS()).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	if code := post([]byte("\xff\xff\xffgarbage")); code != http.StatusBadRequest {
		t.Errorf("garbage is answered with %d", code)
	}
	if code := post(make([]byte, maxBatch+1)); code != http.StatusTooManyRequests {
		t.Errorf("an oversize message is answered with %d", code)
	}
	wantFault(t, s.client(i).Push(t.Context(), &Batch{Seq: 0}), fault.Invalid, "sequence number")
	_, err := s.client(i).link().Push(t.Context(), &linkpb.PushRequest{Protocol: 0, Batch: &linkpb.Batch{Seq: 1}})
	wantFault(t, fromWire(err), fault.Unsupported, "upgrade the defender")
	if err := s.client(i).Push(t.Context(), fullBatchOf(2)); err != nil || len(s.batches) != 1 {
		t.Errorf("the honest neighbour: %v, %d batches", err, len(s.batches))
	}
}
