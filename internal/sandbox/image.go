package sandbox

import (
	"embed"
	"errors"
	"io/fs"

	"redoubt.dev/redoubt/internal/fault"
)

//go:embed all:image
var image embed.FS

var errNoInit = fault.New(fault.Unsupported, "this build of redoubt holds no sandbox init: build it with make")

// Init returns the first program of every sandbox, built by the Makefile from
// initd and embedded. A build without it cannot start sandboxes, and this says so.
func Init() ([]byte, error) {
	b, err := image.ReadFile("image/init")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNoInit
	}
	return b, err
}
