package runner

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// merged returns a directory that holds several layers, the later over the
// earlier, as Lambda unpacks them into one /opt. It is made once for each
// combination in the life of the process.
func (r *Runner) merged(digests, dirs []string) (string, error) {
	sum := sha256.Sum256([]byte(strings.Join(digests, "\n")))
	dir := filepath.Join(r.cfg.Dir, "layers", hex.EncodeToString(sum[:]))
	r.merging.Lock()
	defer r.merging.Unlock()
	if r.layers[dir] {
		return dir, nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", fmt.Errorf("merge layers: %w", err)
	}
	for _, src := range dirs {
		if err := overlay(dir, src); err != nil {
			return "", fmt.Errorf("merge layers: %w", err)
		}
	}
	r.layers[dir] = true
	return dir, nil
}

// overlay copies the tree at src over that at dst.
func overlay(dst, src string) error {
	return filepath.WalkDir(src, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(src, path)
		if err != nil {
			return err
		}
		to := filepath.Join(dst, rel)
		if d.IsDir() {
			if info, err := os.Lstat(to); err == nil && !info.IsDir() {
				if err := os.Remove(to); err != nil {
					return err
				}
			}
			return os.MkdirAll(to, 0o755)
		}
		if err := os.RemoveAll(to); err != nil {
			return err
		}
		switch d.Type() {
		case fs.ModeSymlink:
			target, err := os.Readlink(path)
			return errors.Join(err, os.Symlink(target, to))
		case 0:
			return copyFile(to, path)
		}
		return nil
	})
}

// copyFile does not link: a link count would tell a store that its file was
// changed.
func copyFile(to, from string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, info.Mode().Perm())
}
