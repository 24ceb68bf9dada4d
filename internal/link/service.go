package link

import (
	"context"
	"encoding/json"
	"time"

	"connectrpc.com/connect"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/link/linkpb"
)

var _ linkpb.LinkHandler = (*linkService)(nil)

// linkService answers nodes.
type linkService Server

func (l *linkService) Push(ctx context.Context, r *linkpb.PushRequest) (*linkpb.PushResponse, error) {
	s := (*Server)(l)
	peer, err := s.peer(ctx)
	if err == nil {
		err = speaks(r.Protocol)
	}
	if err != nil {
		return nil, toWire(err)
	}
	if r.Batch == nil || r.Batch.Seq == 0 {
		return nil, toWire(fault.New(fault.Invalid, "a push needs a batch with a sequence number"))
	}
	b, err := decode(r.Batch)
	if err != nil {
		return nil, toWire(fault.New(fault.Invalid, "%w", err))
	}
	b.Node = peer.Node
	for i := range b.Events {
		b.Events[i].Node = peer.Node
	}
	for i := range b.Workloads {
		b.Workloads[i].Node = peer.Node
	}
	if b.Status != nil {
		b.Status.ID = peer.Node
	}
	p, leave := s.enter(peer.Node)
	defer leave()
	if !s.begin(p) {
		return nil, toWire(fault.New(fault.Limited, "node %s is already pushing; are two machines using its certificate?", peer.Node))
	}
	defer s.end(p)
	if err := s.cfg.Console.Push(ctx, b); err != nil {
		return nil, toWire(err)
	}
	return &linkpb.PushResponse{Protocol: Protocol}, nil
}

func (s *Server) begin(p *peerState) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.pushing {
		return false
	}
	p.pushing = true
	return true
}

func (s *Server) end(p *peerState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.pushing = false
}

// Watch passes on what the console wants. The newest state replaces one that
// is still unsent, so a slow node costs one state of memory.
func (l *linkService) Watch(ctx context.Context, r *linkpb.WatchRequest, out *connect.ServerStream[linkpb.WatchResponse]) error {
	s := (*Server)(l)
	peer, err := s.peer(ctx)
	if err == nil {
		err = speaks(r.Protocol)
	}
	if err != nil {
		return toWire(err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	p, leave := s.enter(peer.Node)
	defer leave()
	defer s.watching(p, cancel)()

	newest := make(chan *Desired, 1)
	ended := make(chan error, 1)
	done := make(chan struct{})
	defer func() { cancel(nil); <-done }()
	go func() {
		defer close(done)
		ended <- s.cfg.Console.Watch(ctx, peer.Node, func(d *Desired) {
			select {
			case <-newest:
			default:
			}
			newest <- d
		})
	}()
	beat := time.NewTicker(s.cfg.Beat)
	defer beat.Stop()
	for {
		answer := &linkpb.WatchResponse{Protocol: Protocol}
		select {
		case d := <-newest:
			if answer.Desired, err = json.Marshal(d); err != nil {
				return toWire(err)
			}
		case <-beat.C:
			if _, err := s.peer(ctx); err != nil {
				return toWire(err)
			}
		case err := <-ended:
			return toWire(err)
		case <-ctx.Done():
			return toWire(context.Cause(ctx))
		}
		if err := out.Send(answer); err != nil {
			return err
		}
	}
}

// watching makes cancel the way to end p's only Watch, and ends the one before.
func (s *Server) watching(p *peerState, cancel context.CancelCauseFunc) (done func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.watch != nil {
		p.watch(fault.New(fault.Conflict, "the node opened another connection"))
	}
	p.watch = cancel
	p.watches++
	mine := p.watches
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if p.watches == mine {
			p.watch = nil
		}
	}
}

func (l *linkService) Renew(ctx context.Context, r *linkpb.RenewRequest) (*linkpb.CertificateResponse, error) {
	s := (*Server)(l)
	peer, err := s.peer(ctx)
	if err != nil {
		return nil, toWire(err)
	}
	der, err := s.cfg.Authority.Node(peer.Node, peer.Enrolment, r.Request)
	if err != nil {
		return nil, toWire(fault.New(fault.Invalid, "%w", err))
	}
	s.cfg.Log.Info("node certificate renewed", "node", peer.Node)
	return &linkpb.CertificateResponse{Node: string(peer.Node), Certificate: der, Authority: s.cfg.Authority.DER()}, nil
}
