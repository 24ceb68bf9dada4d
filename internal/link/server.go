package link

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"connectrpc.com/connect"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/link/linkpb"
	"redoubt.dev/redoubt/internal/link/pki"
	"redoubt.dev/redoubt/internal/redoubt"
)

// ServerConfig is what a Server needs of its console.
type ServerConfig struct {
	Authority *pki.Authority
	Cert      *pki.ServerCert
	Console   Console
	// Enrol checks the join token and uses it up, in one step, and names the
	// node. Its error's kind and text reach the machine that asks.
	Enrol func(ctx context.Context, r EnrolRequest) (redoubt.NodeID, error)
	// Admit says whether a node with a valid certificate is still welcome; it
	// is asked at every call and while a Watch stands. Denied ends the node's
	// attempts, any other error lets it try again.
	Admit func(ctx context.Context, p pki.Peer) error
	Log   *slog.Logger
	Beat  time.Duration // between signs of life in a Watch; 0 is 8 s
	Now   func() time.Time
}

// EnrolRequest is what a machine shows to become a node.
type EnrolRequest struct {
	ID, Secret string // of the join token
	Hostname   string // as the machine calls itself, not to be believed
	Version    string
	From       string // address it came from
}

// Server is the console's end of the link.
type Server struct {
	cfg     ServerConfig
	limiter *limiter
	mux     *http.ServeMux
	calls   sync.WaitGroup

	mu    sync.Mutex
	peers map[redoubt.NodeID]*peerState
}

// peerState is what a node has open: one Push at a time and one Watch, of
// which the newest stays.
type peerState struct {
	pushing bool
	watch   context.CancelCauseFunc
	watches int // opened so far, to know the newest
	users   int
}

// NewServer makes a Server; Serve runs it.
func NewServer(cfg ServerConfig) *Server {
	if cfg.Beat == 0 {
		cfg.Beat = 8 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Server{cfg: cfg, limiter: newLimiter(cfg.Now), mux: http.NewServeMux(), peers: map[redoubt.NodeID]*peerState{}}
	opts := []connect.HandlerOption{connect.WithReadMaxBytes(maxBatch), connect.WithCompressMinBytes(1024)}
	s.mux.Handle(linkpb.NewLinkHandler((*linkService)(s), opts...))
	s.mux.Handle(linkpb.NewEnrolmentHandler((*enrolService)(s), connect.WithReadMaxBytes(64<<10)))
	return s
}

// Serve answers on l until ctx ends, then closes every connection and waits for
// the calls under way.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler:           http.HandlerFunc(s.serveHTTP),
		TLSConfig:         s.cfg.Cert.MutualTLS(),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: 16,
			SendPingTimeout:      10 * time.Second,
			PingTimeout:          10 * time.Second,
			WriteByteTimeout:     20 * time.Second,
		},
	}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	defer s.calls.Wait()
	if err := server.ServeTLS(l, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

type connKey struct{}

// serveHTTP hands the TLS state on, which connect does not show to services.
func (s *Server) serveHTTP(w http.ResponseWriter, r *http.Request) {
	s.calls.Add(1)
	defer s.calls.Done()
	ctx := context.WithValue(r.Context(), connKey{}, conn{tls: r.TLS, from: r.RemoteAddr})
	s.mux.ServeHTTP(w, r.WithContext(ctx))
}

type conn struct {
	tls  *tls.ConnectionState
	from string
}

// peer says who calls, by certificate, and whether it may.
func (s *Server) peer(ctx context.Context) (pki.Peer, error) {
	c, _ := ctx.Value(connKey{}).(conn)
	if c.tls == nil || len(c.tls.VerifiedChains) == 0 {
		return pki.Peer{}, fault.New(fault.Unauthenticated, "this call needs a node certificate; enrol with a join token first")
	}
	p := pki.PeerOf(c.tls.VerifiedChains[0][0])
	if p.Node == "" {
		return p, fault.New(fault.Unauthenticated, "this certificate names no node")
	}
	if s.cfg.Now().After(p.Expires) { // a connection may outlive its certificate
		return p, fault.New(fault.Unauthenticated, "the node's certificate has expired; enrol again with a new join token")
	}
	return p, s.cfg.Admit(ctx, p)
}

// speaks checks a peer's protocol version.
func speaks(version uint32) error {
	if version < oldest {
		return fault.New(fault.Unsupported, "the defender speaks version %d of the link, this console needs %d or later; upgrade the defender", version, oldest)
	}
	return nil
}

// enter returns node's state, counted as in use until leave is called.
func (s *Server) enter(node redoubt.NodeID) (p *peerState, leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p = s.peers[node]
	if p == nil {
		p = &peerState{}
		s.peers[node] = p
	}
	p.users++
	return p, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if p.users--; p.users == 0 {
			delete(s.peers, node)
		}
	}
}

// Disconnect ends node's Watch, as after it was deleted; Admit keeps it out.
func (s *Server) Disconnect(node redoubt.NodeID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.peers[node]; p != nil && p.watch != nil {
		p.watch(fault.New(fault.Denied, "node %s was removed at the console", node))
	}
}

// Connected says whether node has a Watch open.
func (s *Server) Connected(node redoubt.NodeID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.peers[node]
	return p != nil && p.watch != nil
}
