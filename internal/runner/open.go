package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/egress"
	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/lambda"
	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/sandbox"
)

// open starts an environment of p's version, from a pre-started runtime where
// one fits. The error is an *errInit where it was the code that failed.
func (r *Runner) open(p *pool) (*environment, error) {
	if err := r.room(); err != nil {
		return nil, err
	}
	began := time.Now()
	e, err := r.build(p, began)
	if err != nil {
		r.leave()
		return nil, err
	}
	if err := e.ready(began); err != nil {
		e.end()
		return nil, err
	}
	if err = e.box.SetCPU(p.version.Spec.CPU); err == nil {
		e.meter, err = e.box.Meter()
	}
	if err != nil {
		e.end()
		return nil, fmt.Errorf("start version %d: %w", p.version.Number, err)
	}
	return e, nil
}

func (r *Runner) build(p *pool, began time.Time) (*environment, error) {
	v := p.version
	ctx, cancel := context.WithTimeout(context.Background(), initLimit)
	defer cancel()
	code, err := r.mounts(ctx, v)
	if err != nil {
		return nil, err
	}
	e := &environment{
		r: r, pool: p, key: p.key, version: v, grants: grantsOf(v.Spec.Role), since: r.cfg.Clock(), state: "busy", start: function.Cold,
		lines: newPrinter(p.key.function, p.key.version, r.cfg.Clock, r.cfg.Lines),
	}
	e.now.Store(newLedger("", ""))
	if e.secrets, err = r.writeSecrets(ctx, v); err != nil {
		return nil, err
	}
	e.out = egress.New(egress.Config{
		Decide: e.decide, Report: e.report, Local: e.local, CA: r.cfg.Authority, Log: r.log,
	})
	if r.cfg.Internal != nil {
		e.internal = e.newInternal()
	}
	claimed, err := r.claim(e, code)
	if err == nil && !claimed {
		err = r.cold(ctx, e, code)
	}
	if err != nil {
		e.out.Close()
		return nil, errors.Join(err, r.dropSecrets(e.secrets))
	}
	return e, nil
}

// mounts are code and layers, held against their digests.
func (r *Runner) mounts(ctx context.Context, v *function.Version) ([]sandbox.Mount, error) {
	task, err := r.verified(ctx, v.Code.Digest)
	if err != nil {
		return nil, fmt.Errorf("start version %d: %w", v.Number, err)
	}
	var out []sandbox.Mount
	if v.Spec.Runtime != function.Image { // which is the root itself
		out = append(out, sandbox.Mount{Source: task, Target: "/var/task", Exec: true})
	}
	layers := make([]string, 0, len(v.Spec.Layers))
	for _, d := range v.Spec.Layers {
		dir, err := r.verified(ctx, redoubt.Digest(d))
		if err != nil {
			return nil, fmt.Errorf("start version %d: layer: %w", v.Number, err)
		}
		layers = append(layers, dir)
	}
	switch len(layers) {
	case 0:
	case 1:
		out = append(out, sandbox.Mount{Source: layers[0], Target: "/opt", Exec: true})
	default:
		dir, err := r.merged(v.Spec.Layers, layers)
		if err != nil {
			return nil, err
		}
		out = append(out, sandbox.Mount{Source: dir, Target: "/opt", Exec: true})
	}
	return out, nil
}

func (r *Runner) verified(ctx context.Context, d redoubt.Digest) (string, error) {
	if err := r.cfg.Bundles.Verify(ctx, d); err != nil {
		return "", err
	}
	return r.cfg.Bundles.Path(d)
}

// cold starts a sandbox for e.
func (r *Runner) cold(ctx context.Context, e *environment, code []sandbox.Mount) error {
	s := e.version.Spec
	l := r.newLayout(s.Role.Egress)
	spec := kindOf(e.version).spec()
	spec.ID = r.name(e.key.function)
	fit := r.interpreted
	if s.Runtime == function.Image {
		fit = r.contained
	}
	if err := fit(e, &spec); err != nil {
		return err
	}
	spec.Mounts = append(spec.Mounts, code...)
	if e.secrets != "" {
		spec.Mounts = append(spec.Mounts, sandbox.Mount{Source: e.secrets, Target: secretsDir})
	}
	spec.Exec, spec.Write, spec.Ports = append(spec.Exec, s.Role.Exec...), s.Role.Write, l.list()
	spec.Output, spec.OnExec = e.lines.write, e.onExec
	e.api = lambda.NewServer(r.about(e))
	var err error
	if e.box, err = r.cfg.Host.Start(ctx, spec); err != nil {
		return err
	}
	e.serve(l)
	return nil
}

// interpreted makes spec start a runtime of ours.
func (r *Runner) interpreted(e *environment, spec *sandbox.Spec) error {
	s := e.version.Spec
	client, err := lambda.Find(string(s.Runtime), s.Handler, r.runtimes)
	if err != nil {
		return err
	}
	client = client.Bound(s.Memory)
	if w := s.Env[lambda.ExecWrapper]; w != "" {
		spec.Exec = []string{client.Argv[0]}
		client = client.Wrap(w)
	}
	spec.Argv, spec.Env, spec.Mounts = client.Argv, append(r.environ(e, nil), client.Env...), mountsOf(client.Mounts)
	return nil
}

func mountsOf(all []lambda.Mount) []sandbox.Mount {
	out := make([]sandbox.Mount, len(all))
	for i, m := range all {
		out[i] = sandbox.Mount{Source: m.Source, Target: m.Target, Exec: m.Exec}
	}
	return out
}

// name is a new id of a sandbox.
func (r *Runner) name(function string) string {
	return function + "." + strconv.FormatUint(r.seq.Add(1), 36)
}

func (r *Runner) about(e *environment) lambda.About {
	return lambda.About{Function: e.key.function, Version: strconv.Itoa(e.key.version), Handler: e.version.Spec.Handler, Account: "000000000000"}
}

// environ are the variables code starts with: Lambda's, the owner's, and where
// to find us. An image brings some along.
func (r *Runner) environ(e *environment, image []string) []string {
	s := e.version.Spec
	c := lambda.EnvConfig{
		Runtime: string(s.Runtime), Handler: s.Handler, Function: e.key.function, Version: strconv.Itoa(e.key.version), Memory: s.Memory,
		Region: region, API: apiAddr, Image: image, User: s.Env, LogStream: e.since.UTC().Format("2006/01/02/") + "[" + strconv.Itoa(e.key.version) + "]" + strconv.FormatUint(r.seq.Load(), 36),
	}
	if e.start == function.Claimed {
		c.InitType = "provisioned-concurrency"
	}
	if r.cfg.Internal != nil {
		// Whoever asks is known by where; SDKs do not ask unsigned, though.
		c.AccessKey, c.SecretKey = "redoubt", "redoubt"
	}
	return append(lambda.Environ(c), r.endpoints(&s)...)
}

// endpoints send SDKs to us, for services whose AWS namesake the role does not
// reach.
func (r *Runner) endpoints(spec *function.Spec) []string {
	var out []string
	role := spec.Role
	if r.cfg.Internal != nil {
		out = append(out, "REDOUBT_API=http://"+internalAddr)
		for _, s := range []string{"lambda", "s3"} {
			if !reachesAWS(role, s) {
				out = append(out, "AWS_ENDPOINT_URL_"+strings.ToUpper(s)+"=http://"+internalAddr)
			}
		}
	}
	if r.intercepts(role) {
		own, all := path.Join(runtimeDir, caName), path.Join(runtimeDir, bundleName)
		if spec.Runtime == function.Image {
			own, all = path.Join(trustDir, caName), path.Join(trustDir, bundleName)
		}
		out = append(out, "NODE_EXTRA_CA_CERTS="+own, "AWS_CA_BUNDLE="+all, "SSL_CERT_FILE="+all, "REQUESTS_CA_BUNDLE="+all)
	}
	return out
}

// intercepts says whether code talks to AWS by way of certificates of ours.
func (r *Runner) intercepts(role function.Role) bool {
	return r.cfg.Authority != nil && len(role.AWS) > 0
}

func reachesAWS(role function.Role, service string) bool {
	for _, g := range role.AWS {
		if strings.HasPrefix(g, service+":") || strings.HasPrefix(g, "*") {
			return true
		}
	}
	return false
}

// Where code finds the certificates it needs for AWS. What an image has at the
// first directory is its own.
const (
	runtimeDir = "/var/runtime"
	trustDir   = "/run/redoubt"
	caName     = "ca.pem"
	bundleName = "ca-bundle.pem"
)

// writeAuthority puts our certificate authority where runtimes look.
func (r *Runner) writeAuthority() error {
	if r.cfg.Authority == nil {
		return nil
	}
	own := r.cfg.Authority.PEM()
	system, err := os.ReadFile("/etc/ssl/certs/ca-certificates.crt")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("read certificates of this machine: %w", err)
	}
	for name, text := range map[string][]byte{caName: own, bundleName: append(system, own...)} {
		if err := os.WriteFile(filepath.Join(r.runtimes, name), text, 0o644); err != nil {
			return fmt.Errorf("write certificates for functions: %w", err)
		}
	}
	return nil
}
