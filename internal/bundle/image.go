package bundle

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"redoubt.dev/redoubt/internal/fault"
)

// ImageConfig is what an image says about how it is started.
type ImageConfig struct {
	Entrypoint []string `json:"entrypoint,omitempty"`
	Cmd        []string `json:"cmd,omitempty"`
	Env        []string `json:"env,omitempty"` // NAME=VALUE
	Dir        string   `json:"dir,omitempty"` // where it starts
	User       string   `json:"user,omitempty"`
}

// Bounds of an image archive.
const (
	maxJSON    = 4 << 20
	maxLayers  = 500
	maxNested  = 3 // indexes in indexes
	maxMembers = 10_000
)

// memberForm is what the members of an image archive are called, by whichever
// tool: an archive with any other name in it is code.
var memberForm = regexp.MustCompile(`^(\.|manifest\.json|repositories|oci-layout|index\.json|blobs(/.*)?|(sha256:)?[0-9a-f]{64}((\.tar)?(\.gz)?|\.json|/.*))$`)

// image is an archive whose members can be read in any order.
type image struct {
	f       *os.File
	owned   bool // f is a copy without compression
	members map[string]member
}

type member struct {
	off, size int64
	link      string // another member
}

// openImage returns nil if the archive is code and no image.
func openImage(ctx context.Context, f *os.File, work string, b *budget) (*image, error) {
	looks, compressed, err := looksLikeImage(f)
	if err != nil || !looks {
		return nil, err
	}
	im := &image{f: f, members: map[string]member{}}
	if compressed {
		if im.f, err = inflate(ctx, f, work, b); err != nil {
			return nil, err
		}
		im.owned = true
	}
	is, err := im.index()
	if err != nil || !is {
		im.close()
		return nil, err
	}
	return im, nil
}

func (im *image) close() {
	if im.owned {
		im.f.Close()
	}
}

func (im *image) has(name string) bool { _, ok := im.members[name]; return ok }

// looksLikeImage reads names until one is none of an image's. What cannot be
// read is left to whoever unpacks it.
func looksLikeImage(f *os.File) (looks, compressed bool, err error) {
	c := &counter{r: io.NewSectionReader(f, 0, 1<<62)}
	u, err := unzipped(c)
	if err != nil {
		return false, false, nil
	}
	defer u.Close()
	head := make([]byte, 8)
	if _, err := f.ReadAt(head, 0); err == nil {
		form := formOf(head)
		compressed = form == isGzip || form == isZstd
	}
	tr := tar.NewReader(u)
	for range 3 { // three names are enough to tell, and cost little
		h, err := tr.Next()
		if err != nil {
			break
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		if !memberForm.MatchString(path.Clean(h.Name)) {
			return false, compressed, nil
		}
		looks = true
		if h.Size > suspicious {
			break
		}
	}
	return looks, compressed, nil
}

// inflate writes a compressed archive out, so that its members can be found.
func inflate(ctx context.Context, f *os.File, work string, b *budget) (*os.File, error) {
	out, err := os.OpenFile(filepath.Join(work, "image.tar"), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = func() error {
		c := &counter{r: io.NewSectionReader(f, 0, 1<<62)}
		u, err := unzipped(c)
		if err != nil {
			return fmt.Errorf("read archive: %w", err)
		}
		defer u.Close()
		most := b.Image + b.Image/8
		for n := int64(0); ; {
			m, err := io.CopyN(out, u, 1<<20)
			if n += m; n > most {
				return fault.New(fault.Limited, "it unpacks to more than %s", size(most))
			}
			if e := b.checkRatio(n, c.n); e != nil {
				return e
			}
			if err == io.EOF {
				return ctx.Err()
			}
			if err != nil {
				return fmt.Errorf("read archive: %w", err)
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
	}()
	if err != nil {
		return nil, errors.Join(err, out.Close())
	}
	return out, nil
}

// place reads a file and knows where it is; tar skips with Seek.
type place struct {
	*os.File
	off int64
}

func (p *place) Read(b []byte) (int, error) {
	n, err := p.File.ReadAt(b, p.off)
	p.off += int64(n)
	return n, err
}

func (p *place) Seek(off int64, whence int) (int64, error) {
	switch whence {
	case io.SeekStart:
		p.off = off
	case io.SeekCurrent:
		p.off += off
	default:
		st, err := p.File.Stat()
		if err != nil {
			return 0, err
		}
		p.off = st.Size() + off
	}
	return p.off, nil
}

// index finds the members; false says that this is no image after all.
func (im *image) index() (bool, error) {
	p := &place{File: im.f}
	for tr := tar.NewReader(p); ; {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return false, fmt.Errorf("read archive: %w", err)
		}
		if len(im.members) >= maxMembers {
			return false, fault.New(fault.Limited, "read image: it has more than %d members", maxMembers)
		}
		name := path.Clean(h.Name)
		if h.Typeflag != tar.TypeXGlobalHeader && !memberForm.MatchString(name) {
			return false, nil
		}
		switch h.Typeflag {
		case tar.TypeReg:
			im.members[name] = member{off: p.off, size: h.Size}
		case tar.TypeSymlink: // older archives name one layer twice
			im.members[name] = member{link: path.Join(path.Dir(name), h.Linkname)}
		case tar.TypeLink:
			im.members[name] = member{link: path.Clean(h.Linkname)}
		}
	}
	if im.has("oci-layout") && im.has("index.json") {
		return true, nil
	}
	var images dockerManifest
	return im.has("manifest.json") && im.json("manifest.json", &images) == nil && len(images) > 0 && images[0].Config != "", nil
}

// dockerManifest is what docker save writes of its images.
type dockerManifest []struct {
	Config string
	Layers []string
}

func (im *image) open(name string) (*io.SectionReader, error) {
	m, ok := im.members[path.Clean(name)]
	if ok && m.link != "" {
		m, ok = im.members[m.link]
	}
	if !ok || m.link != "" {
		return nil, fault.New(fault.Invalid, "read image: %q is missing in it", name)
	}
	return io.NewSectionReader(im.f, m.off, m.size), nil
}

func (im *image) json(name string, into any) error {
	r, err := im.open(name)
	if err != nil {
		return err
	}
	if r.Size() > maxJSON {
		return fault.New(fault.Limited, "read image: %q has more than %s", name, size(maxJSON))
	}
	data, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("read image: %q: %w", name, err)
	}
	if want, ok := strings.CutPrefix(name, "blobs/sha256/"); ok {
		if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != want {
			return fault.New(fault.Invalid, "read image: %q does not have the content its name says", name)
		}
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fault.New(fault.Invalid, "read image: %q: %w", name, err)
	}
	return nil
}

// recipe is an image whichever way it was written: where its config is, and
// its layers from the lowest.
type recipe struct {
	config string
	layers []string
}

func (im *image) recipe() (recipe, error) {
	if im.has("manifest.json") {
		return im.docker()
	}
	return im.oci("index.json", 0)
}

func (im *image) docker() (recipe, error) {
	var images dockerManifest
	if err := im.json("manifest.json", &images); err != nil {
		return recipe{}, err
	}
	if len(images) != 1 {
		return recipe{}, fault.New(fault.Invalid, "the archive holds %d images: save just one", len(images))
	}
	return recipe{images[0].Config, images[0].Layers}, nil
}

type descriptor struct {
	Digest   string
	Platform *struct{ OS, Architecture string }
}

func (im *image) oci(name string, depth int) (recipe, error) {
	var m struct {
		Manifests []descriptor // of an index
		Config    *descriptor  // of a manifest
		Layers    []descriptor
	}
	if depth > maxNested {
		return recipe{}, fault.New(fault.Invalid, "read image: its indexes are nested too deep")
	}
	if err := im.json(name, &m); err != nil {
		return recipe{}, err
	}
	if m.Config != nil {
		r := recipe{config: blob(m.Config.Digest)}
		for _, l := range m.Layers {
			r.layers = append(r.layers, blob(l.Digest))
		}
		return r, nil
	}
	var fits []descriptor
	for _, d := range m.Manifests {
		if p := d.Platform; p == nil || p.OS == "linux" && p.Architecture == runtime.GOARCH {
			fits = append(fits, d)
		}
	}
	if len(fits) != 1 {
		return recipe{}, fault.New(fault.Invalid, "the archive holds %d images for linux/%s: save just one", len(fits), runtime.GOARCH)
	}
	return im.oci(blob(fits[0].Digest), depth+1)
}

func blob(digest string) string {
	return "blobs/" + strings.Replace(digest, ":", "/", 1)
}

type config struct {
	Architecture string
	OS           string
	Config       struct {
		Entrypoint, Cmd, Env []string
		WorkingDir, User     string
	}
	RootFS struct {
		DiffIDs []string `json:"diff_ids"`
	}
}

func (im *image) unpack(ctx context.Context, dir string, b *budget) (*ImageConfig, error) {
	r, err := im.recipe()
	if err != nil {
		return nil, err
	}
	var c config
	if err := im.json(r.config, &c); err != nil {
		return nil, err
	}
	if c.OS != "linux" || c.Architecture != runtime.GOARCH {
		return nil, fault.New(fault.Unsupported, "the image is for %s/%s, but this machine is linux/%s: build it for that", c.OS, c.Architecture, runtime.GOARCH)
	}
	if len(r.layers) != len(c.RootFS.DiffIDs) || len(r.layers) > maxLayers {
		return nil, fault.New(fault.Invalid, "the image has %d layers and names %d, at most %d are taken", len(r.layers), len(c.RootFS.DiffIDs), maxLayers)
	}
	t, err := newTree(ctx, dir, b)
	if err != nil {
		return nil, err
	}
	defer t.root.Close()
	t.image = true
	for i, name := range r.layers {
		if err := im.layer(t, name, c.RootFS.DiffIDs[i]); err != nil {
			return nil, fmt.Errorf("layer %d: %w", i+1, err)
		}
	}
	return &ImageConfig{Entrypoint: c.Config.Entrypoint, Cmd: c.Config.Cmd, Env: c.Config.Env, Dir: c.Config.WorkingDir, User: c.Config.User}, t.finish()
}

// layer unpacks one layer over those below and holds its content against the
// digest that the image's config gives.
func (im *image) layer(t *tree, name, diffID string) error {
	section, err := im.open(name)
	if err != nil {
		return err
	}
	u, err := unzipped(section)
	if err != nil {
		return fmt.Errorf("read %q: %w", name, err)
	}
	defer u.Close()
	sum := sha256.New()
	content := io.TeeReader(u, sum)
	if err := newLayer(t).apply(content); err != nil {
		return err
	}
	// What follows the tar's end belongs to the digest, within reason.
	if n, err := io.CopyN(io.Discard, content, suspicious); err != io.EOF {
		return errors.Join(err, fault.New(fault.Invalid, "%q goes on for %d bytes after its end", name, n))
	}
	if got := "sha256:" + hex.EncodeToString(sum.Sum(nil)); got != diffID {
		return fault.New(fault.Invalid, "%q is not what the image says: its content is %s, not %s", name, got, diffID)
	}
	return nil
}
