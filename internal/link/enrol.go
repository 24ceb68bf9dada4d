package link

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"time"

	"connectrpc.com/connect"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/link/linkpb"
	"redoubt.dev/redoubt/internal/link/pki"
)

var _ linkpb.EnrolmentHandler = (*enrolService)(nil)

// enrolService answers machines that have only a join token.
type enrolService Server

func (e *enrolService) Enrol(ctx context.Context, r *linkpb.EnrolRequest) (*linkpb.CertificateResponse, error) {
	s := (*Server)(e)
	c, _ := ctx.Value(connKey{}).(conn)
	host, _, err := net.SplitHostPort(c.from)
	if err != nil {
		host = c.from
	}
	if !s.limiter.allow(host) {
		return nil, toWire(fault.New(fault.Limited, "too many attempts to enrol from %s; wait a minute", host))
	}
	if err := speaks(r.Protocol); err != nil {
		return nil, toWire(err)
	}
	// A request nobody can sign must not use the token up.
	if err := pki.CheckRequest(r.Request); err != nil {
		return nil, toWire(fault.New(fault.Invalid, "%w", err))
	}
	if len(r.Id) > 128 || len(r.Secret) > 512 || len(r.Hostname) > 253 || len(r.Version) > 128 {
		return nil, toWire(fault.New(fault.Invalid, "enrol: a field is too long"))
	}
	node, err := s.cfg.Enrol(ctx, EnrolRequest{ID: r.Id, Secret: r.Secret, Hostname: r.Hostname, Version: r.Version, From: host})
	if err != nil {
		return nil, toWire(err)
	}
	der, err := s.cfg.Authority.Node(node, r.Id, r.Request)
	if err != nil {
		return nil, toWire(err)
	}
	s.cfg.Log.Info("node enrolled", "node", node, "from", host)
	return &linkpb.CertificateResponse{Node: string(node), Certificate: der, Authority: s.cfg.Authority.DER()}, nil
}

// JoinConfig is a machine that wants to become a node.
type JoinConfig struct {
	Dir      string // where the identity is kept
	Token    string // as pasted
	Address  string // HOST:PORT of the link; empty takes the token's
	Hostname string
	Version  string
	Now      func() time.Time // nil is time.Now
}

// Join returns the identity in cfg.Dir, enrolling with the token where there is
// none yet, so that the same command may run twice. A token that was used
// before, is unknown or has expired comes back as the console's own words.
func Join(ctx context.Context, cfg JoinConfig) (*pki.Identity, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	i, err := pki.OpenIdentity(cfg.Dir, cfg.Now)
	if err == nil {
		return i, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.Unavailable, "%w; restore it from a copy, or remove %s and join with a new token", err, cfg.Dir)
	}
	t, err := pki.ParseJoinToken(cfg.Token)
	if err != nil {
		return nil, fault.New(fault.Invalid, "%w", err)
	}
	if cfg.Address == "" {
		cfg.Address = t.Address
	}
	if cfg.Address == "" {
		return nil, fault.New(fault.Invalid, "join: the token names no address; add --console HOST:PORT")
	}
	key, request, err := pki.NewRequest()
	if err != nil {
		return nil, fmt.Errorf("make node key: %w", err)
	}
	client := newHTTP(t.TLS(cfg.Now))
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	answer, err := linkpb.NewEnrolmentClient(client, "https://"+cfg.Address, connect.WithReadMaxBytes(64<<10)).Enrol(ctx, &linkpb.EnrolRequest{
		Protocol: Protocol, Id: t.ID, Secret: t.Secret, Request: request, Hostname: cfg.Hostname, Version: cfg.Version,
	})
	if err != nil {
		return nil, joinError(cfg.Address, err)
	}
	return pki.SaveIdentity(cfg.Dir, cfg.Now, key, answer.Certificate, answer.Authority)
}

func joinError(address string, err error) error {
	var cert *tls.CertificateVerificationError
	if errors.Is(err, pki.ErrPin) || errors.As(err, &cert) {
		return fault.New(fault.Denied, "join %s: %w; make a new token at that console", address, pki.ErrPin)
	}
	err = fromWire(err)
	return fault.New(fault.Of(err), "join %s: %w", address, err)
}
