package runner

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	goruntime "runtime"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"redoubt.dev/redoubt/internal/bundle"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/sandbox/sandboxtest"
)

// image deploys an archive of an image with a Go program, as docker save
// writes it.
func (b *bench) image(config v1.Config) redoubt.Digest {
	b.t.Helper()
	program, err := imagedProgram()
	if err != nil {
		b.t.Fatal(err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(layerOf(b.t, program))), nil })
	if err != nil {
		b.t.Fatal(err)
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err == nil {
		img, err = mutate.ConfigFile(img, &v1.ConfigFile{OS: "linux", Architecture: goruntime.GOARCH, Config: config, RootFS: must(b.t, img).RootFS})
	}
	if err != nil {
		b.t.Fatal(err)
	}
	path := filepath.Join(b.t.TempDir(), "image.tar")
	tag, err := name.NewTag("shop/imaged:1")
	if err != nil {
		b.t.Fatal(err)
	}
	if err := tarball.WriteToFile(path, tag, img); err != nil {
		b.t.Fatal(err)
	}
	info, err := b.bundles.Add(context.Background(), bundle.FromFile(path))
	if err != nil {
		b.t.Fatal(err)
	}
	return info.Digest
}

// imagedProgram is built once for all tests.
var imagedProgram = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "imaged")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	bin := filepath.Join(dir, "imaged")
	if err := sandboxtest.Build(bin, "redoubt.dev/redoubt/internal/runner/testdata/imaged"); err != nil {
		return nil, err
	}
	return os.ReadFile(bin)
})

func must(t testing.TB, img v1.Image) *v1.ConfigFile {
	t.Helper()
	c, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func layerOf(t testing.TB, program []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range []struct {
		name, link string
		data       []byte
		mode       int64
	}{
		{name: "srv/app/main", data: program, mode: 0o755}, {name: "srv/app/other", data: program, mode: 0o755},
		{name: "srv/app/note.txt", data: []byte("from the image"), mode: 0o644},
		{name: "srv/bin/start", link: "/srv/app/main"}, {name: "path/start", data: []byte("no program"), mode: 0o644},
	} {
		h := &tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.data)), Typeflag: tar.TypeReg}
		if f.link != "" {
			h.Typeflag, h.Linkname = tar.TypeSymlink, f.link
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(f.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func (b *bench) imaged(config v1.Config, change func(*function.Spec)) *function.Version {
	b.t.Helper()
	s := function.Spec{Runtime: function.Image, Timeout: 60, Env: map[string]string{"MINE": "owner's"}}
	if change != nil {
		change(&s)
	}
	b.seq++
	return &function.Version{Number: b.seq, Spec: s.WithDefaults(), Code: function.Code{Digest: b.image(config)}}
}

func TestS7_ImageRunsInItsOwnRoot(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Stems = 1 })
	v := b.imaged(v1.Config{
		Entrypoint: []string{"start"}, Cmd: []string{"app.handler"}, WorkingDir: "/srv/app",
		Env: []string{"PATH=/path:/srv/bin", "ITS=image's", "MINE=image's", "AWS_LAMBDA_RUNTIME_API=evil:1"},
	}, nil)
	res := b.invoke(v, `["PATH","ITS","MINE"]`)
	want(t, res, function.Succeeded, "")
	var got struct {
		Args                                []string
		Dir, File, Write, Tmp, Exec, Memory string
		Env                                 map[string]string
		Host                                bool
	}
	first := got
	if err := json.Unmarshal(res.Payload, &got); err != nil {
		t.Fatal(err)
	}
	first.Args, first.Dir, first.File, first.Memory = []string{"/srv/bin/start", "app.handler"}, "/srv/app", "from the image", "128"
	first.Write, first.Exec = "read-only file system", "operation not permitted"
	first.Env = map[string]string{"PATH": "/path:/srv/bin", "ITS": "image's", "MINE": "owner's"}
	if got.Write == "permission denied" { // by Landlock, which is asked first where it is there
		got.Write = first.Write
	}
	if d := cmp.Diff(first, got); d != "" {
		t.Errorf("want -, got +\n%s", d)
	}
	if res.Start != function.Cold || len(res.Verdicts) != 1 {
		t.Errorf("start %s, verdicts %+v", res.Start, res.Verdicts)
	}
}

func TestS9_ImageStartsGrantedPrograms(t *testing.T) {
	b := newBench(t, nil)
	v := b.imaged(v1.Config{Cmd: []string{"./main"}, WorkingDir: "/srv/app"}, func(s *function.Spec) { s.Role.Exec = []string{"/srv/app/other"} })
	res := b.invoke(v, `[]`)
	// The other finds its call taken and ends; it was started, though.
	if want(t, res, function.Succeeded, ""); len(res.Uses) != 1 || res.Uses[0].Refused || len(res.Verdicts) != 0 {
		t.Errorf("uses %+v, verdicts %+v", res.Uses, res.Verdicts)
	}
	if again := b.invoke(v, `[]`); again.Start != function.Warm {
		t.Errorf("second start %s, want warm", again.Start)
	}
}

func TestImageThatCannotStartSaysWhy(t *testing.T) {
	b := newBench(t, nil)
	for name, v := range map[string]*function.Version{
		"nothing to start": b.imaged(v1.Config{Env: []string{"A=b"}}, nil),
		"not on its PATH":  b.imaged(v1.Config{Cmd: []string{"main"}, Env: []string{"PATH=/path:../srv/app"}}, nil),
		"no such program":  b.imaged(v1.Config{Cmd: []string{"/srv/gone"}}, nil),
		"no such place":    b.imaged(v1.Config{Cmd: []string{"/srv/app/main"}, WorkingDir: "/gone"}, nil),
		"no image":         b.version(map[string]string{"x": "y"}, function.Spec{Runtime: function.Image}, nil),
	} {
		if _, err := b.Invoke(context.Background(), newCall(v, `{}`)); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	b.after()
}
