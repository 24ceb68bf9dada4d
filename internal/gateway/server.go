package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// ServerConfig is how the front listens.
type ServerConfig struct {
	// Certificate returns the certificate of a handshake; it may change while
	// the front runs.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// Clients asks for client certificates, which IAM then judges; it never
	// demands one.
	Clients bool
	TLS12   bool // lets clients in that know no TLS 1.3
}

// Serve answers HTTPS on l, HTTP/1.1 and HTTP/2, until ctx ends. What is under
// way then is left to Run's draining, which ends first.
func (g *Gateway) Serve(ctx context.Context, l net.Listener, cfg ServerConfig) error {
	t := &tls.Config{GetCertificate: cfg.Certificate, MinVersion: tls.VersionTLS13, NextProtos: []string{"h2", "http/1.1"}}
	if cfg.TLS12 {
		t.MinVersion = tls.VersionTLS12
	}
	if cfg.Clients {
		t.ClientAuth = tls.RequestClientCert
	}
	server := &http.Server{
		Handler:           g,
		TLSConfig:         t,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: 250, SendPingTimeout: 30 * time.Second},
	}
	failed := make(chan error, 1)
	go func() { failed <- server.ServeTLS(l, "", "") }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve functions: %w", err)
	case <-ctx.Done():
	}
	<-g.drained
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(last); errors.Is(err, context.DeadlineExceeded) {
		return server.Close()
	} else if err != nil {
		return fmt.Errorf("stop serving functions: %w", err)
	}
	return nil
}
