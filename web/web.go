// Package web holds the built user interface inside the binary. It knows which
// files there are; how they are served, with which headers and fallbacks, is
// the console's business.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

//go:embed missing
var missing embed.FS

// UI returns the files of the user interface with index.html at the top, and
// whether they are the real ones: a binary built without `make ui` has a
// single page that says how to build them.
func UI() (fs.FS, bool) {
	if _, err := fs.Stat(dist, "dist/index.html"); err == nil {
		return sub(dist, "dist"), true
	}
	return sub(missing, "missing"), false
}

func sub(f fs.FS, dir string) fs.FS {
	s, err := fs.Sub(f, dir)
	if err != nil {
		panic(err) // only for a malformed name, and both are literals
	}
	return s
}
