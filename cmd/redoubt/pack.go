package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/fault"
)

// upload sends a folder, an archive or a single source file.
func upload(ctx context.Context, c *api.Client, name string) (api.Bundle, error) {
	info, err := os.Stat(name)
	if err != nil {
		return api.Bundle{}, fault.New(fault.Invalid, "read code: %w", err)
	}
	if info.Mode().IsRegular() {
		f, err := os.Open(name)
		if err != nil {
			return api.Bundle{}, fault.New(fault.Invalid, "read code: %w", err)
		}
		defer f.Close()
		if archive(f) {
			return c.Upload(ctx, f, info.Size())
		}
	}
	from, to := io.Pipe()
	go func() { to.CloseWithError(pack(to, name)) }()
	defer from.Close()
	return c.Upload(ctx, from, -1)
}

// archive says whether f is one by its first bytes, which it leaves unread.
func archive(f *os.File) bool {
	var head [512]byte
	n, _ := f.ReadAt(head[:], 0)
	at := func(i int, magic string) bool { return i+len(magic) <= n && string(head[i:i+len(magic)]) == magic }
	return at(0, "PK\x03\x04") || at(0, "PK\x05\x06") || at(0, "\x1f\x8b") || at(0, "\x28\xb5\x2f\xfd") || at(257, "ustar")
}

// pack writes a folder's content, or a single file, as a tar. A repository's
// history is no code.
func pack(w io.Writer, name string) error {
	out := tar.NewWriter(w)
	err := filepath.WalkDir(name, func(at string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == ".git" && at != name {
			return fs.SkipDir
		}
		inside, err := filepath.Rel(name, at)
		if err != nil {
			return err
		}
		if inside == "." {
			if d.IsDir() {
				return nil
			}
			inside = filepath.Base(name)
		}
		return packOne(out, at, filepath.ToSlash(inside))
	})
	if err := errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("pack %s: %w", name, err)
	}
	return nil
}

func packOne(out *tar.Writer, at, inside string) error {
	info, err := os.Lstat(at)
	if err != nil {
		return err
	}
	if m := info.Mode(); !m.IsRegular() && !m.IsDir() && m&fs.ModeSymlink == 0 {
		return nil // sockets and the like
	}
	link := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		if link, err = os.Readlink(at); err != nil {
			return err
		}
	}
	head, err := tar.FileInfoHeader(info, link)
	if err != nil {
		return err
	}
	head.Name, head.Uid, head.Gid, head.Uname, head.Gname = inside, 0, 0, "", ""
	if err := out.WriteHeader(head); err != nil || !info.Mode().IsRegular() {
		return err
	}
	f, err := os.Open(at)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.CopyN(out, f, info.Size()); err != nil {
		return fmt.Errorf("read %s: %w", at, err)
	}
	return nil
}
