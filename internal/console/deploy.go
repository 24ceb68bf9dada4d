package console

import (
	"context"
	"net/http"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/bundle"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/redoubt"
)

const (
	bundlePath = apiPath + "/bundles"
	bundleBody = 1 << 30          // bytes of an upload: an image's packed layers are the largest
	uploadTime = 15 * time.Minute // for all of it
	bundleRest = 24 * time.Hour   // for which unused code waits for its deployment
)

// upload takes code in. The body is the archive itself and goes to the disk as
// it comes.
func (c *Console) upload(ctx context.Context, _ *struct{}) (*out[api.Bundle], error) {
	r := requestOf(ctx).http
	if kind := r.Header.Get("Content-Type"); strings.Contains(kind, "json") || strings.Contains(kind, "form") {
		return nil, fault.New(fault.Invalid, "send the archive itself as the body: a zip, a tar or an image, with Content-Type: application/octet-stream")
	}
	size := r.ContentLength
	if size == 0 {
		return nil, fault.New(fault.Invalid, "the body is empty: send a zip, a tar or an image")
	}
	if size > bundleBody {
		return nil, fault.New(fault.Limited, "the archive has %d bytes; at most %d are taken", size, bundleBody)
	}
	if size < 0 {
		size = -1
	}
	select {
	case c.uploads <- struct{}{}:
		defer func() { <-c.uploads }()
	default:
		return nil, fault.New(fault.Limited, "other uploads are under way; try again in a moment")
	}
	info, err := c.serverless.Bundles.Add(ctx, bundle.FromReader(r.Body, size))
	if err != nil {
		return nil, err
	}
	if err := c.note(ctx, "bundle.upload", string(info.Digest), nil, bundleOf(info)); err != nil {
		return nil, err
	}
	return answer(bundleOf(info)), nil
}

// patient gives uploads the time they need and their own bound.
func patient(w http.ResponseWriter, r *http.Request) {
	until := time.Now().Add(uploadTime)
	out := http.NewResponseController(w)
	out.SetReadDeadline(until) // an error is a connection that has none
	out.SetWriteDeadline(until)
	r.Body = http.MaxBytesReader(w, r.Body, bundleBody)
}

func bundleOf(i bundle.Info) api.Bundle {
	return api.Bundle{Digest: i.Digest, Size: i.Size, Unpacked: i.Unpacked, Files: i.Files, Image: i.Image != nil}
}

// versionText is how the audit trail shows a version. What is in its
// environment may be secret.
type versionText struct {
	Version  int            `json:"version"`
	Digest   redoubt.Digest `json:"digest"`
	Runtime  string         `json:"runtime"`
	Handler  string         `json:"handler,omitempty"`
	Role     function.Role  `json:"role,omitzero"`
	Triggers []string       `json:"triggers,omitempty"`
}

func versionTextOf(v *function.Version) any {
	if v == nil {
		return nil
	}
	t := versionText{v.Number, v.Code.Digest, string(v.Spec.Runtime), v.Spec.Handler, v.Spec.Role, nil}
	for _, tr := range v.Spec.Triggers {
		t.Triggers = append(t.Triggers, tr.String())
	}
	return t
}

func (c *Console) deploy(ctx context.Context, r *deployRequest) (*out[api.FunctionDetail], error) {
	spec := r.Body.Spec.WithDefaults()
	if err := c.takeable(r.Name, &spec); err != nil {
		return nil, err
	}
	info, ok := c.serverless.Bundles.Info(r.Body.Digest)
	if !ok && !(r.Dry && r.Body.Digest == "") {
		return nil, fault.New(fault.NotFound, "no code %.80q here: upload it first", r.Body.Digest)
	}
	if ok && (info.Image != nil) != (spec.Runtime == function.Image) {
		return nil, fault.New(fault.Invalid, "runtime: a container image runs as %s, and nothing else does", function.Image)
	}
	if r.Dry {
		return answer(api.FunctionDetail{
			Function: api.Function{ID: r.Name, Time: c.clock(), State: function.Active, Runtime: spec.Runtime, Live: []function.Weight{}},
			Record:   function.Function{Name: r.Name, Versions: []function.Version{{Spec: spec}}}, Hints: map[int][]string{}, Hosted: []api.Environment{},
		}), nil
	}
	d := function.Deployment{Name: r.Name, Spec: spec, Stay: r.Body.Stay, Code: function.Code{Digest: info.Digest, Size: info.Size, Unpacked: info.Unpacked, Files: info.Files}}
	if err := c.release(ctx, r.Body.Revision, d, "function.deploy"); err != nil {
		return nil, err
	}
	return c.functionDetail(ctx, r.Name)
}

// takeable says everything that is wrong with a function's name and spec.
func (c *Console) takeable(name string, spec *function.Spec) error {
	if err := function.CheckName(name); err != nil {
		return fault.New(fault.Invalid, "name: %w", err)
	}
	if err := function.Invalid(spec.Problems()); err != nil {
		return err
	}
	if c.serverless.Grants != nil {
		return c.serverless.Grants(spec.Role)
	}
	return nil
}

// release records a new version, whose code must be there in the same moment.
func (c *Console) release(ctx context.Context, revision int64, d function.Deployment, action string) error {
	there := func() error {
		for _, digest := range append([]redoubt.Digest{d.Code.Digest}, layersOf(&d.Spec)...) {
			if _, err := c.serverless.Bundles.Path(digest); err != nil {
				return err
			}
		}
		return nil
	}
	if err := there(); err != nil { // may take long, the second time it does not
		return err
	}
	err := c.store.Atomic(ctx, func(ctx context.Context) error {
		if err := there(); err != nil {
			return err
		}
		done, err := c.serverless.Functions.Deploy(ctx, edit(ctx, revision), d)
		if err != nil {
			return err
		}
		var before *function.Version
		if done.Before != nil {
			before = liveVersion(done.Before)
		}
		return c.note(ctx, action, d.Name, versionTextOf(before), versionTextOf(&done.After.Versions[0]))
	})
	if err == nil {
		c.changed(d.Name, false)
	}
	return err
}

func layersOf(s *function.Spec) (out []redoubt.Digest) {
	for _, l := range s.Layers {
		out = append(out, redoubt.Digest(l))
	}
	return out
}

// sweepBundles removes code that no version names and that waited for its
// deployment long enough.
func (c *Console) sweepBundles(ctx context.Context) error {
	if c.serverless == nil {
		return nil
	}
	all, err := c.serverless.Bundles.List()
	if err != nil {
		return err
	}
	before := c.clock().Add(-bundleRest)
	for _, b := range all {
		if !b.Added.Before(before) {
			continue
		}
		// Asked in the transaction that a deployment would need.
		err := c.store.Atomic(ctx, func(ctx context.Context) error {
			used, err := c.usedBundles(ctx)
			if err != nil || used[b.Digest] {
				return err
			}
			return c.serverless.Bundles.Remove(b.Digest, func(d redoubt.Digest) bool { return used[d] })
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *Console) usedBundles(ctx context.Context) (map[redoubt.Digest]bool, error) {
	used := map[redoubt.Digest]bool{}
	err := c.eachFunction(ctx, func(fn *function.Function) error {
		for i := range fn.Versions {
			v := &fn.Versions[i]
			used[v.Code.Digest] = true
			for _, l := range layersOf(&v.Spec) {
				used[l] = true
			}
		}
		return nil
	})
	return used, err
}

// eachFunction calls use for every function, whole.
func (c *Console) eachFunction(ctx context.Context, use func(*function.Function) error) error {
	q := function.Filter{Limit: 1000}
	for {
		page, next, err := c.serverless.Functions.List(ctx, q)
		if err != nil {
			return err
		}
		for _, f := range page {
			whole, err := c.serverless.Functions.Get(ctx, f.Name)
			if fault.Is(err, fault.NotFound) {
				continue
			}
			if err == nil {
				err = use(whole)
			}
			if err != nil {
				return err
			}
		}
		if next == "" {
			return nil
		}
		q.Cursor = next
	}
}
