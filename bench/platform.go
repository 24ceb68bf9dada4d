package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"time"

	"redoubt.dev/redoubt/internal/access"
	"redoubt.dev/redoubt/internal/bundle"
	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/gateway"
	"redoubt.dev/redoubt/internal/iam"
	"redoubt.dev/redoubt/internal/model"
	"redoubt.dev/redoubt/internal/store"
)

// platform is a gateway with everything real around it: database, policies,
// tokens, models and, where it has one, a runner.
type platform struct {
	store    *store.Store
	registry *function.Registry
	gate     *gateway.Gateway
	server   *httptest.Server
	token    string // of alice, who may do all the policies permit her
	stop     func() error
}

// newPlatform serves what is in dir, or makes it.
func newPlatform(ctx context.Context, dir string, run gateway.Invoker, cedar string, change func(*gateway.Config)) (*platform, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s, err := store.Open(filepath.Join(dir, "redoubt.db"), nil)
	if err != nil {
		return nil, err
	}
	p := &platform{store: s, registry: function.NewRegistry(s, nil)}
	engine, err := newEngine(cedar)
	if err != nil {
		return nil, err
	}
	sealer, err := iam.OpenSealer(filepath.Join(dir, "key"))
	if err != nil {
		return nil, err
	}
	people, err := iam.Open(ctx, iam.Config{Store: s, Sealer: sealer, Issuer: "https://bench.test", Password: func(context.Context, string, string, string) error { return nil }})
	if err != nil {
		return nil, err
	}
	book, err := model.Open(ctx, s, nil)
	if err != nil {
		return nil, err
	}
	cfg := gateway.Config{Functions: p.registry, Invoker: run, IAM: people, Access: engine, Records: s, Queues: s.Queues(), Model: book, Dir: dir}
	if change != nil {
		change(&cfg)
	}
	gate, err := gateway.New(ctx, cfg)
	if err != nil {
		return nil, err
	}
	p.gate = gate
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- gate.Run(running) }()
	p.server = httptest.NewServer(gate)
	p.stop = sync.OnceValue(func() error {
		cancel()
		err := <-ended
		p.server.Close()
		return err
	})
	alice, err := people.Password(ctx, "alice", "any", "")
	if err != nil {
		return nil, err
	}
	token, err := people.Issue(alice, iam.Ask{Audience: iam.Gateway})
	if err != nil {
		return nil, err
	}
	p.token = token.Text.Reveal()
	return p, nil
}

func (p *platform) close() error {
	err := p.stop()
	p.store.Close()
	return err
}

func newEngine(cedar string) (*access.Engine, error) {
	e, err := access.NewEngine()
	if err != nil {
		return nil, err
	}
	all, problems := e.Statements(&access.Document{Name: "bench", Cedar: cedar})
	if len(problems) > 0 {
		return nil, fmt.Errorf("policies: %v", problems)
	}
	e.Load(all)
	return e, nil
}

// deploy adds a function in Python.
func (w *workshop) deploy(ctx context.Context, p *platform, name, code string, change func(*function.Spec)) (*function.Version, error) {
	dir := filepath.Join(w.dir, "code", name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "app.py"), []byte(code), 0o644); err != nil {
		return nil, err
	}
	info, err := w.bundles.Add(ctx, bundle.FromDir(dir))
	if err != nil {
		return nil, err
	}
	spec := function.Spec{Runtime: function.Python, Handler: "app.handler", Timeout: 60}
	change(&spec)
	_, err = p.registry.Deploy(ctx, function.Edit{By: "bench"}, function.Deployment{
		Name: name, Spec: spec, Code: function.Code{Digest: info.Digest, Size: max(1, info.Size), Unpacked: info.Unpacked, Files: info.Files},
	})
	if err != nil {
		return nil, err
	}
	_, v, err := p.registry.Resolve(ctx, function.Ref{Name: name}, 0)
	return v, err
}

// answers waits until a call of alice gets a good answer.
func (p *platform) answers(ctx context.Context, path string) error {
	return wait(ctx, "an answer from "+path, 30*time.Second, 50*time.Millisecond, func() (bool, error) {
		r, err := p.ask(ctx, p.server.URL+path, `{}`)
		if err != nil {
			return false, err
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			return false, err
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if res.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s: %s", res.Status, body)
		}
		return err == nil, err
	})
}

// path of the Lambda API for a function.
func path(name string) string { return "/2015-03-31/functions/" + name + "/invocations" }

// ask builds a call by alice.
func (p *platform) ask(ctx context.Context, url, body string, header ...string) (*http.Request, error) {
	r, err := newRequest(ctx, url, body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+p.token)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r, nil
}
