package runner

import (
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"redoubt.dev/redoubt/internal/bundle"
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/sandbox"
)

// contained makes spec start what a container image says, in the image's own
// root. It brings a runtime client of its own; whom the image wants to run as
// is not looked at, since in a sandbox everybody is the same nobody.
func (r *Runner) contained(e *environment, spec *sandbox.Spec) error {
	v := e.version
	info, _ := r.cfg.Bundles.Info(v.Code.Digest)
	if info.Image == nil {
		return fault.New(fault.Invalid, "version %d is to run as a container image, but its code is none: deploy an image archive, or name another runtime", v.Number)
	}
	root, err := r.cfg.Bundles.Path(v.Code.Digest)
	if err != nil {
		return err
	}
	spec.Root, spec.Dir = root, path.Join("/", info.Image.Dir)
	spec.Env = r.environ(e, info.Image.Env)
	if spec.Argv, err = command(root, spec.Dir, info.Image, spec.Env); err != nil {
		return err
	}
	if r.intercepts(v.Spec.Role) {
		for _, name := range []string{caName, bundleName} {
			spec.Mounts = append(spec.Mounts, sandbox.Mount{Source: filepath.Join(r.runtimes, name), Target: path.Join(trustDir, name)})
		}
	}
	return nil
}

// command is an image's entry point with its command, its program as an
// absolute path in the image.
func command(root, dir string, image *bundle.ImageConfig, env []string) ([]string, error) {
	argv := slices.Concat(image.Entrypoint, image.Cmd)
	if len(argv) == 0 || argv[0] == "" {
		return nil, fault.New(fault.Invalid, "the image says neither entry point nor command: set one where it is built")
	}
	if strings.Contains(argv[0], "/") {
		if !path.IsAbs(argv[0]) {
			argv[0] = path.Join(dir, argv[0])
		}
		return argv, nil
	}
	for _, text := range env {
		list, ok := strings.CutPrefix(text, "PATH=")
		if !ok {
			continue
		}
		for _, d := range filepath.SplitList(list) {
			if at := path.Join(d, argv[0]); path.IsAbs(at) && startable(root, at) {
				argv[0] = at
				return argv, nil
			}
		}
	}
	return nil, fault.New(fault.Invalid, "the image has no program %s on its PATH: give its entry point as an absolute path", argv[0])
}

// startable says whether an image has a program at a path, with the image's
// links followed inside of it.
func startable(root, name string) bool {
	dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(dir)
	fd, err := unix.Openat2(dir, name, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT})
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG && st.Mode&0o111 != 0
}
