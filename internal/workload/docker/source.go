// Package docker watches a Docker engine: which containers exist, who they
// are, and when they come, change and go. A container is inspected at its
// create event, so that its identity is known before its first process runs.
package docker

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/moby/moby/client"

	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/workload"
)

// DefaultHost is where an engine listens unless told otherwise.
const DefaultHost = client.DefaultDockerHost

const (
	firstRetry = 200 * time.Millisecond
	lastRetry  = 5 * time.Second
	callLimit  = 10 * time.Second // one call to the engine
	relist     = time.Minute      // how often the picture is held against the engine's list
)

// Config is what a Source needs.
type Config struct {
	Host    string // empty is DefaultHost
	Node    redoubt.NodeID
	Cgroups workload.Hierarchy
	Log     *slog.Logger
}

// Source watches one engine. It is safe for use by several goroutines; Run is
// called once.
type Source struct {
	cfg    Config
	images *images

	mu     sync.Mutex
	engine redoubt.Engine
	known  map[string]*redoubt.Workload // by container id, as last reported
}

var (
	_ workload.Source  = (*Source)(nil)
	_ workload.Engined = (*Source)(nil)
)

// New returns a Source; it does not touch the engine yet.
func New(cfg Config) *Source {
	if cfg.Host == "" {
		cfg.Host = DefaultHost
	}
	return &Source{
		cfg:    cfg,
		images: newImages(),
		engine: redoubt.Engine{Name: "docker", Error: "not asked yet"},
		known:  map[string]*redoubt.Workload{},
	}
}

// Name implements workload.Source.
func (s *Source) Name() string { return "docker" }

// Engine implements workload.Engined.
func (s *Source) Engine() redoubt.Engine {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.engine
}

// Run implements workload.Source. While the engine is away its containers stay
// as they were: they may well live on without it.
func (s *Source) Run(ctx context.Context, sink func(workload.Change)) error {
	wait := firstRetry
	for {
		began := time.Now()
		err := s.watch(ctx, sink)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if s.lost(err) {
			s.cfg.Log.Warn("docker engine lost", "host", s.cfg.Host, "error", err)
		}
		if time.Since(began) > lastRetry {
			wait = firstRetry
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		wait = min(2*wait, lastRetry)
	}
}

// lost notes why the engine is not watched and says whether that is news.
func (s *Source) lost(err error) bool {
	text := fmt.Sprintf("Docker at %s is not watched: %v; is the engine running?", s.cfg.Host, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	news := s.engine.Error != text
	s.engine.Error = text
	return news
}

// found notes the engine's version.
func (s *Source) found(version string) {
	s.mu.Lock()
	s.engine = redoubt.Engine{Name: "docker", Version: version}
	s.mu.Unlock()
	s.cfg.Log.Info("docker engine found", "host", s.cfg.Host, "version", version)
}

// watch lives as long as one connection to the engine: it asks for events
// first and lists second, so that nothing falls between the two.
func (s *Source) watch(ctx context.Context, sink func(workload.Change)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	api, err := client.New(client.WithHost(s.cfg.Host))
	if err != nil {
		return fmt.Errorf("reach %s: %w", s.cfg.Host, err)
	}
	defer api.Close()
	v, err := version(ctx, api)
	if err != nil {
		return err
	}
	stream := api.Events(ctx, client.EventsListOptions{
		Filters: make(client.Filters).Add("type", "container", "network").Add("event", wanted...),
	})
	w := &watcher{source: s, api: api, sink: sink}
	if err := w.settings(ctx); err != nil {
		return err
	}
	w.jobs = newQueue(w.do)
	defer w.jobs.done.Wait()
	defer cancel()
	if err := w.list(ctx); err != nil {
		return err
	}
	s.found(v)
	tick := time.NewTicker(relist)
	defer tick.Stop()
	for {
		select {
		case m := <-stream.Messages:
			w.dispatch(ctx, m)
		case err := <-stream.Err:
			return fmt.Errorf("read events: %w", err)
		case <-tick.C:
			w.again.Store(true)
		}
		if w.again.CompareAndSwap(true, false) {
			if err := w.list(ctx); err != nil {
				return err
			}
		}
	}
}

func version(ctx context.Context, api *client.Client) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	v, err := api.ServerVersion(ctx, client.ServerVersionOptions{})
	if err != nil {
		return "", fmt.Errorf("ask version: %w", err)
	}
	return v.Version, nil
}

// settings asks where and how the engine keeps its containers.
func (w *watcher) settings(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	got, err := w.api.Info(ctx, client.InfoOptions{})
	if err != nil {
		return fmt.Errorf("ask engine settings: %w", err)
	}
	w.systemd, w.root = got.Info.CgroupDriver == "systemd", got.Info.DockerRootDir
	return nil
}

// last returns what was reported of a container, nil if nothing.
func (s *Source) last(id string) *redoubt.Workload {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known[id]
}

// report hands a change on and remembers it.
func (s *Source) report(sink func(workload.Change), c workload.Change) {
	s.mu.Lock()
	if c.Gone {
		delete(s.known, c.Workload.Container)
	} else {
		kept := c.Workload
		s.known[kept.Container] = &kept
	}
	s.mu.Unlock()
	sink(c)
}

// snapshot returns what is known by container id.
func (s *Source) snapshot() map[string]*redoubt.Workload {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.known)
}
