package console

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"regexp"
	"strings"
	"time"
)

// hashed are assets whose name changes with their content, as the bundler
// writes them.
var hashed = regexp.MustCompile(`[-.][A-Za-z0-9_-]{8,}\.(js|css|woff2?|svg|png|json)$`)

// asset is one file of the UI, ready to send.
type asset struct {
	body []byte
	tag  string // ETag
	kind string
	keep string // Cache-Control
}

// pages is the UI: its files, and index.html for every other path, because
// the paths of its pages are its own.
type pages map[string]asset

// readPages loads the UI, which is small and fixed when the program is built.
func readPages(ui fs.FS) (pages, error) {
	all := pages{}
	err := fs.WalkDir(ui, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := fs.ReadFile(ui, name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(body)
		a := asset{body: body, tag: `"` + hex.EncodeToString(sum[:12]) + `"`, kind: kindOf(name), keep: "no-cache"}
		if strings.HasPrefix(name, "assets/") && hashed.MatchString(name) {
			a.keep = "public, max-age=31536000, immutable"
		}
		all["/"+name] = a
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read web UI: %w", err)
	}
	if _, ok := all["/index.html"]; !ok {
		return nil, errors.New("read web UI: it has no index.html; build it with make ui")
	}
	return all, nil
}

func kindOf(name string) string {
	switch ext := path.Ext(name); ext {
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".woff2":
		return "font/woff2"
	case ".webmanifest":
		return "application/manifest+json"
	default:
		if kind := mime.TypeByExtension(ext); kind != "" {
			return kind
		}
		return "application/octet-stream"
	}
}

func (p pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if isAPI(r.URL.Path) || r.URL.Path == "/api" {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusNotFound)
		w.Write([]byte(`{"title":"Not Found","status":404,"detail":"there is no such operation; /api/openapi.json lists them"}` + "\n"))
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD here", http.StatusMethodNotAllowed)
		return
	}
	a, ok := p[r.URL.Path]
	if !ok {
		if strings.HasPrefix(r.URL.Path, "/assets/") { // an old page asks for what a newer build no longer has
			http.NotFound(w, r)
			return
		}
		a = p["/index.html"]
	}
	h := w.Header()
	h.Set("Content-Type", a.kind)
	h.Set("ETag", a.tag)
	h.Set("Cache-Control", a.keep)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.body))
}
