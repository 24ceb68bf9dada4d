package bundle

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"redoubt.dev/redoubt/internal/fault"
)

// build makes an image of layers, each a tar.
func build(t testing.TB, arch string, layers ...[]byte) v1.Image {
	t.Helper()
	img, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: arch, Config: v1.Config{
		Entrypoint: []string{"/bin/run"}, Cmd: []string{"app.handler"}, Env: []string{"A=b"}, WorkingDir: "/app", User: "nobody"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range layers {
		l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil })
		if err != nil {
			t.Fatal(err)
		}
		if img, err = mutate.AppendLayers(img, l); err != nil {
			t.Fatal(err)
		}
	}
	return img
}

func dockerArchive(t testing.TB, img v1.Image) []byte {
	t.Helper()
	tag, err := name.NewTag("example.com/app:1")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := tarball.Write(tag, img, &out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func ociArchive(t testing.TB, images ...v1.Image) []byte {
	t.Helper()
	dir := t.TempDir()
	p, err := layout.Write(dir, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	for _, img := range images {
		c, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if err := p.AppendImage(img, layout.WithPlatform(v1.Platform{OS: c.OS, Architecture: c.Architecture})); err != nil {
			t.Fatal(err)
		}
	}
	var items []item
	err = filepath.WalkDir(dir, func(at string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(at)
		items = append(items, item{name: strings.TrimPrefix(at, dir+"/"), data: string(data)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tarOf(t, items...)
}

var layers = [][]item{
	{
		{name: "bin", link: "usr/bin"}, {name: "usr/bin/sh", data: "shell", mode: 0o755},
		{name: "etc/old", data: "old"}, {name: "etc/shadow", data: "root:*", mode: 0o600},
		{name: "opt/d/a", data: "a"}, {name: "opt/d/b", data: "b"}, {name: "opt/e/a", data: "a"},
		{name: "etc/abs", link: "/opt"}, {name: "dev/null", mode: os.ModeCharDevice | os.ModeDevice | 0o666},
		{name: "was/dir/x", data: "x"}, {name: "wasfile", data: "x"},
	},
	{
		{name: "etc/.wh.old"}, {name: "bin/run", data: "run", mode: 0o755}, // through the link of a lower layer
		{name: "opt/d/c", data: "c"}, {name: "opt/d/.wh..wh..opq"}, // the whiteout does not touch its own layer
		{name: "etc/abs/f", data: "f"}, {name: "usr/bin/sh2", link: "usr/bin/sh", hard: true},
		{name: "was/dir", data: "now a file"}, {name: "wasfile/y", mode: dirMode},
	},
	{{name: "usr/bin/sh", data: "new shell", mode: 0o755}, {name: "opt/.wh.e"}, {name: "app", mode: dirMode}},
}

var flat = map[string]string{
	"bin": "→ usr/bin", "usr/": "dr-xr-xr-x", "usr/bin/": "dr-xr-xr-x", "usr/bin/sh": "-r-xr-xr-x new shell",
	"usr/bin/sh2": "-r-xr-xr-x shell", "usr/bin/run": "-r-xr-xr-x run",
	"etc/": "dr-xr-xr-x", "etc/shadow": "-r--r--r-- root:*", "etc/abs": "→ /opt", "dev/": "dr-xr-xr-x",
	"opt/": "dr-xr-xr-x", "opt/d/": "dr-xr-xr-x", "opt/d/c": "-r--r--r-- c", "opt/f": "-r--r--r-- f",
	"was/": "dr-xr-xr-x", "was/dir": "-r--r--r-- now a file", "wasfile/": "dr-xr-xr-x", "wasfile/y/": "dr-xr-xr-x", "app/": "dr-xr-xr-x",
}

func tars(t testing.TB, layers [][]item) [][]byte {
	var out [][]byte
	for _, l := range layers {
		out = append(out, tarOf(t, l...))
	}
	return out
}

// imageOf is a small archive for the fuzzer.
func imageOf(t testing.TB, oci bool) []byte {
	img := build(t, runtime.GOARCH, tars(t, layers[1:])...)
	if oci {
		return ociArchive(t, img)
	}
	return dockerArchive(t, img)
}

func TestImageIsFlattened(t *testing.T) {
	s := newStore(t, Limits{})
	fixed := [][]item{layers[0], append([]item{{name: ".wh.wasfile"}}, layers[1]...), layers[2]}
	img := build(t, runtime.GOARCH, tars(t, fixed)...)
	other := build(t, "s390x", tars(t, layers[:1])...)
	docker, oci := dockerArchive(t, img), ociArchive(t, img)
	var first Info
	for name, data := range map[string][]byte{
		"docker": docker, "docker gz": gzipOf(t, docker), "docker zst": zstdOf(t, docker),
		"oci": oci, "oci gz": gzipOf(t, oci), "oci for two machines": ociArchive(t, other, img),
	} {
		t.Run(name, func(t *testing.T) {
			info := add(t, s, bytesOf(data))
			want := &ImageConfig{Entrypoint: []string{"/bin/run"}, Cmd: []string{"app.handler"}, Env: []string{"A=b"}, Dir: "/app", User: "nobody"}
			if d := cmp.Diff(want, info.Image); d != "" {
				t.Error(d)
			}
			path, err := s.Path(info.Digest)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(flat, contents(t, path)); d != "" {
				t.Error(d)
			}
			if first.Digest == "" {
				first = info
			}
			if info.Digest != first.Digest {
				t.Error("another digest")
			}
		})
	}
	clean(t, s)
}

func TestImageConfigIsPartOfTheDigest(t *testing.T) {
	s := newStore(t, Limits{})
	img := build(t, runtime.GOARCH, tars(t, layers[:1])...)
	changed, err := mutate.Config(img, v1.Config{Entrypoint: []string{"/bin/other"}})
	if err != nil {
		t.Fatal(err)
	}
	if a, b := add(t, s, bytesOf(dockerArchive(t, img))), add(t, s, bytesOf(dockerArchive(t, changed))); a.Digest == b.Digest {
		t.Error("two ways to start, one digest")
	}
}

func TestHostileImagesAreRefused(t *testing.T) {
	s := newStore(t, Limits{Image: 1 << 20})
	with := func(items ...item) []byte { return dockerArchive(t, build(t, runtime.GOARCH, tarOf(t, items...))) }
	tampered := ociArchive(t, build(t, runtime.GOARCH, tarOf(t, item{name: "a", data: "x"})))
	tampered = bytes.Replace(tampered, []byte("/bin/run"), []byte("/bin/own"), 1)
	for name, c := range map[string]struct {
		data []byte
		kind fault.Kind
		why  string
	}{
		"traversal":        {with(item{name: "../a", data: "x"}), fault.Invalid, "leads out"},
		"whiteout of all":  {with(item{name: "d/.wh..."}), fault.Invalid, "takes nothing away"},
		"circle":           {with(item{name: "a", link: "b"}, item{name: "b", link: "a"}, item{name: "a/f", data: "x"}), fault.Invalid, "circle"},
		"below a file":     {with(item{name: "a", data: "x"}, item{name: "a/b", data: "x"}), fault.Invalid, "which is a file"},
		"hard link out":    {with(item{name: "a", link: "../../etc/passwd", hard: true}), fault.Invalid, "leads out"},
		"too large":        {with(item{name: "a", data: strings.Repeat("xy", 1<<19+1)}), fault.Limited, "more than 1 MiB"},
		"other machine":    {dockerArchive(t, build(t, "s390x", tarOf(t, item{name: "a", data: "x"}))), fault.Unsupported, "s390x"},
		"no layers":        {dockerArchive(t, build(t, runtime.GOARCH)), fault.Invalid, "no file"},
		"changed config":   {tampered, fault.Invalid, "does not have the content"},
		"two images":       {ociArchive(t, build(t, runtime.GOARCH, tarOf(t, item{name: "a"})), build(t, runtime.GOARCH, tarOf(t, item{name: "b"}))), fault.Invalid, "2 images"},
		"missing layer":    {tarOf(t, item{name: "manifest.json", data: `[{"Config":"` + strings.Repeat("a", 64) + `.json","Layers":["x"]}]`}), fault.Invalid, "missing"},
		"config is a loop": {tarOf(t, item{name: "manifest.json", data: `[{"Config":"repositories","Layers":[]}]`}, item{name: "repositories", link: "repositories"}), fault.Invalid, "missing"},
		"endless index":    {tarOf(t, item{name: "oci-layout", data: "{}"}, item{name: "index.json", data: `{"manifests":[{"digest":"../index.json"}]}`}), fault.Invalid, "nested too deep"},
		"no json":          {tarOf(t, item{name: "oci-layout", data: "{}"}, item{name: "index.json", data: `{`}), fault.Invalid, "index.json"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, s, bytesOf(c.data), c.kind, c.why) })
	}
}

func TestImageLinksStayInItsRoot(t *testing.T) {
	s := newStore(t, Limits{})
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.Mkdir(outside, 0o755); err != nil {
		t.Fatal(err)
	}
	info := add(t, s, bytesOf(dockerArchive(t, build(t, runtime.GOARCH,
		tarOf(t, item{name: "up", link: "../../../../../.." + outside}, item{name: "abs", link: outside}),
		tarOf(t, item{name: "up/a", data: "x"}, item{name: "abs/b", data: "y"})))))
	path, err := s.Path(info.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(outside); len(left) > 0 {
		t.Errorf("written outside: %v", left)
	}
	for _, f := range []string{"a", "b"} {
		if _, err := os.Stat(filepath.Join(path, outside, f)); err != nil {
			t.Error(err)
		}
	}
}

func TestCodeThatLooksLikeAnImage(t *testing.T) {
	s := newStore(t, Limits{})
	for name, items := range map[string][]item{
		"manifest of a web page": {{name: "manifest.json", data: `{"name":"app"}`}, {name: "index.json", data: "{}"}, {name: "index.js", data: "x"}},
		"three such names":       {{name: "./", mode: dirMode}, {name: "./index.json", data: "{}"}, {name: "./manifest.json", data: `{}`}, {name: "./app.js", data: "x"}},
		"nothing else":           {{name: "manifest.json", data: `[{}]`}},
	} {
		for _, data := range [][]byte{tarOf(t, items...), gzipOf(t, tarOf(t, items...))} {
			if info, err := s.Add(context.Background(), bytesOf(data)); err != nil || info.Image != nil {
				t.Errorf("%s: %+v, %v", name, info, err)
			}
		}
	}
}
