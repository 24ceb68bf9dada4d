package runner

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/egress"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
)

const (
	secretsDir  = "/run/secrets"
	secretsSize = "size=16m,mode=0700"
	maxSecret   = 64 << 10
)

// openSecrets makes a place for secrets that never reaches a disk.
func (r *Runner) openSecrets() error {
	dir := filepath.Join(r.cfg.Dir, "secrets")
	// What a killed predecessor left is under its mount, or below it.
	for unix.Unmount(dir, unix.MNT_DETACH) == nil {
	}
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o700)); err != nil {
		return fmt.Errorf("make directory of secrets: %w", err)
	}
	if err := unix.Mount("redoubt", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, secretsSize); err != nil {
		return fault.New(fault.Unsupported, "keep secrets of functions in memory: %w", err)
	}
	r.vault = dir
	return nil
}

func (r *Runner) closeSecrets() error {
	if r.vault == "" {
		return nil
	}
	if err := unix.Unmount(r.vault, unix.MNT_DETACH); err != nil && err != unix.EINVAL { // which it is where that was done
		return fmt.Errorf("forget secrets of functions: %w", err)
	}
	return nil
}

// writeSecrets lays out the secrets a version's role grants, for one
// environment.
func (r *Runner) writeSecrets(ctx context.Context, v *function.Version) (dir string, err error) {
	names := v.Spec.Role.Secrets
	if len(names) == 0 {
		return "", nil
	}
	dir = filepath.Join(r.vault, strconv.FormatUint(r.seq.Add(1), 36))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", fmt.Errorf("lay out secrets: %w", err)
	}
	for _, name := range names {
		if err := r.writeSecret(ctx, dir, name); err != nil {
			return "", errors.Join(err, r.dropSecrets(dir))
		}
	}
	return dir, nil
}

func (r *Runner) writeSecret(ctx context.Context, dir, name string) error {
	if r.cfg.Secret == nil || name != filepath.Base(name) || name == "." || name == ".." {
		return fault.New(fault.NotFound, "no secret %q; its function's role names it: set it, or take it from the role", name)
	}
	value, err := r.cfg.Secret(ctx, name)
	if err != nil {
		return fmt.Errorf("read secret %s: %w", name, err)
	}
	if len(value) > maxSecret {
		return fault.New(fault.Limited, "secret %s is larger than %d bytes", name, maxSecret)
	}
	if err := os.WriteFile(filepath.Join(dir, name), value, 0o444); err != nil {
		return fmt.Errorf("lay out secret %s: %w", name, err)
	}
	return nil
}

func (r *Runner) dropSecrets(dir string) error {
	if dir == "" {
		return nil
	}
	return os.RemoveAll(dir)
}

// local says whether a name the role grants may be at a private address.
func (e *environment) local(host string, port uint16, addr netip.Addr) bool {
	return egress.Local(e.grants, host, port, addr)
}
