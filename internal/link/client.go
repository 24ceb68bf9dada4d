package link

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"connectrpc.com/connect"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/link/linkpb"
	"redoubt.dev/redoubt/internal/link/pki"
	"redoubt.dev/redoubt/internal/redoubt"
)

var _ Console = (*Client)(nil)

// ClientConfig is what a Client needs.
type ClientConfig struct {
	Address  string // HOST:PORT of the console's link
	Identity *pki.Identity
	Version  string
	Log      *slog.Logger
	Silence  time.Duration // after which a Watch is taken for dead; 0 is 25 s
	Now      func() time.Time
}

// Client is a Console at the other end of a wire.
type Client struct {
	cfg ClientConfig

	mu   sync.Mutex
	http *http.Client
	rpc  linkpb.LinkClient

	renewed time.Time // last attempt, by Watch
}

// NewClient makes a Client; it dials when it is first used.
func NewClient(cfg ClientConfig) *Client {
	if cfg.Silence == 0 {
		cfg.Silence = 25 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	c := &Client{cfg: cfg}
	c.redial()
	return c
}

// redial drops the connection, so that the next call shows the identity's
// present certificate.
func (c *Client) redial() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.http != nil {
		c.http.CloseIdleConnections()
	}
	c.http = newHTTP(c.cfg.Identity.TLS())
	c.rpc = linkpb.NewLinkClient(c.http, "https://"+c.cfg.Address, connect.WithReadMaxBytes(maxDesired))
}

func (c *Client) link() linkpb.LinkClient {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rpc
}

// newHTTP notices a dead peer by pings within 20 s.
func newHTTP(t *tls.Config) *http.Client {
	p := new(http.Protocols)
	p.SetHTTP2(true)
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig:     t,
		Protocols:           p,
		TLSHandshakeTimeout: 10 * time.Second,
		IdleConnTimeout:     90 * time.Second,
		HTTP2:               &http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: 8 * time.Second, WriteByteTimeout: 15 * time.Second},
	}}
}

// Push delivers b; its node is the one the certificate names. The error is of
// kind Unavailable where trying again may help, and of Denied or
// Unauthenticated where the console no longer takes this node.
func (c *Client) Push(ctx context.Context, b *Batch) error {
	m, err := encode(b)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if _, err = c.link().Push(ctx, &linkpb.PushRequest{Protocol: Protocol, Batch: m}); err != nil {
		err = fromWire(err)
		return fault.New(fault.Of(err), "push to %s: %w", c.cfg.Address, err)
	}
	return nil
}

// Watch keeps a connection up, with growing pauses between attempts, and
// returns when ctx ends or the console refuses this node or its version for
// good. It also renews the certificate when that is due. The node is the one
// the certificate names.
func (c *Client) Watch(ctx context.Context, _ redoubt.NodeID, use func(*Desired)) error {
	var pause backoff
	for {
		began := time.Now()
		err := fromWire(c.watchOnce(ctx, func(d *Desired) { pause.reset(); use(d) }))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		switch fault.Of(err) {
		case fault.Denied, fault.Unauthenticated, fault.Unsupported:
			return fault.New(fault.Of(err), "watch %s: %w", c.cfg.Address, err)
		}
		c.cfg.Log.Warn("console connection lost", "console", c.cfg.Address, "after", time.Since(began).Round(time.Millisecond), "error", err)
		if !pause.wait(ctx) {
			return ctx.Err()
		}
	}
}

var errSilent = errors.New("the console went silent")

// watchOnce follows one connection to its end.
func (c *Client) watchOnce(ctx context.Context, use func(*Desired)) error {
	if expires := c.cfg.Identity.Peer().Expires; c.cfg.Now().After(expires) {
		return fault.New(fault.Unauthenticated, "this node's certificate expired on %s; enrol again with a new join token", expires.Format(time.DateOnly))
	}
	c.renew(ctx)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(c.cfg.Silence, func() { cancel(errSilent) })
	defer watchdog.Stop()
	stream, err := c.link().Watch(ctx, &linkpb.WatchRequest{Protocol: Protocol, Version: c.cfg.Version})
	if err != nil {
		return silent(ctx, err)
	}
	defer stream.Close()
	for stream.Receive() {
		watchdog.Reset(c.cfg.Silence)
		if doc := stream.Msg().Desired; len(doc) > 0 {
			var d Desired
			if err := json.Unmarshal(doc, &d); err != nil {
				return fmt.Errorf("read desired state: %w", err)
			}
			use(&d)
		}
		c.renew(ctx)
	}
	if err := silent(ctx, stream.Err()); err != nil {
		return err
	}
	return fault.New(fault.Unavailable, "the console closed the connection")
}

// silent names the watchdog where it was the one that ended the call.
func silent(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errSilent) {
		return fault.New(fault.Unavailable, "%w", errSilent)
	}
	return err
}

// renew exchanges the certificate if that is due and was not tried within the
// hour. That it did not work is logged: there are ten days left to try again.
func (c *Client) renew(ctx context.Context) {
	if !c.cfg.Identity.Aging() || time.Since(c.renewed) < time.Hour {
		return
	}
	c.renewed = time.Now()
	if err := c.exchange(ctx); err != nil {
		c.cfg.Log.Warn("certificate renewal failed", "expires", c.cfg.Identity.Peer().Expires, "error", err)
		return
	}
	c.redial()
	c.cfg.Log.Info("certificate renewed", "expires", c.cfg.Identity.Peer().Expires)
}

func (c *Client) exchange(ctx context.Context) error {
	key, request, err := pki.NewRequest()
	if err != nil {
		return fmt.Errorf("make node key: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	answer, err := c.link().Renew(ctx, &linkpb.RenewRequest{Request: request})
	if err != nil {
		return fromWire(err)
	}
	return c.cfg.Identity.Replace(key, answer.Certificate)
}
