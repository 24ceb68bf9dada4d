package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"redoubt.dev/redoubt/internal/lambda"
)

// containers start samples in what people use instead of our sandbox. Both see
// the same programs of this machine, read-only, and share its network, which
// saves them the making of one.
type containers struct {
	w       *workshop
	root    string // of runc
	image   string // of Docker
	hasRunc bool
	seq     int
}

func (w *workshop) newContainers(ctx context.Context) (*containers, error) {
	c := &containers{w: w, root: filepath.Join(w.dir, "root"), image: fmt.Sprintf("redoubt-bench-function:%d", os.Getpid())}
	for _, d := range []string{"usr", "etc", "proc", "dev", "tmp", "var/task", "var/runtime"} {
		if err := os.MkdirAll(filepath.Join(c.root, d), 0o755); err != nil {
			return nil, err
		}
	}
	for _, name := range []string{"bin", "sbin", "lib", "lib64"} {
		if err := os.Symlink("usr/"+name, filepath.Join(c.root, name)); err != nil {
			return nil, err
		}
	}
	_, err := exec.LookPath("runc")
	c.hasRunc = err == nil
	var archive bytes.Buffer
	tar := exec.CommandContext(ctx, "tar", "-C", c.root, "-c", ".")
	tar.Stdout = &archive
	if err := tar.Run(); err != nil {
		return nil, fmt.Errorf("pack the image of functions: %w", err)
	}
	imp := exec.CommandContext(ctx, "docker", "import", "-", c.image)
	imp.Stdin = &archive
	if out, err := imp.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("import the image of functions: %w: %s", err, out)
	}
	w.l.atEnd(func() { command(context.Background(), "docker", "rmi", "-f", c.image) })
	return c, nil
}

func (c *containers) name() string {
	c.seq++
	return fmt.Sprintf("redoubt-bench-%d-%d", os.Getpid(), c.seq)
}

// client is how a function is started where our clients are at /var/runtime.
func (c *containers) client(s *sample, env []string) (argv, all []string, err error) {
	found, err := lambda.Find(string(s.runtime), s.handler, c.w.clients)
	return found.Argv, append(slices.Clone(env), found.Env...), err
}

func (c *containers) docker(name string, s *sample, env []string) (*exec.Cmd, error) {
	argv, env, err := c.client(s, env)
	if err != nil {
		return nil, err
	}
	args := []string{
		"run", "--rm", "--name", name, "--network", "host", "--read-only", "--tmpfs", "/tmp", "--user", "993:993", "--cap-drop", "ALL",
		"--security-opt", "no-new-privileges", "--memory", "512m", "--pids-limit", "1024", "--workdir", "/var/task",
		"-v", "/usr:/usr:ro", "-v", "/etc:/etc:ro", "-v", s.root + ":/var/task:ro", "-v", c.w.clients + ":/var/runtime:ro",
	}
	for _, v := range env {
		args = append(args, "-e", v)
	}
	return exec.Command("docker", append(append(args, c.image), argv...)...), nil
}

type object map[string]any

// runc writes a bundle that is as near to our sandbox as runc's own switches
// get without a list of system calls: that it goes without flatters it.
func (c *containers) runc(name string, s *sample, env []string) (*exec.Cmd, error) {
	argv, env, err := c.client(s, env)
	if err != nil {
		return nil, err
	}
	bind := func(from, to string) object {
		return object{"destination": to, "source": from, "type": "bind", "options": []string{"rbind", "ro", "nosuid", "nodev"}}
	}
	mapping := []object{{"containerID": 0, "hostID": 300_000, "size": 65_536}}
	var namespaces []object
	for _, kind := range []string{"pid", "mount", "ipc", "uts", "user"} {
		namespaces = append(namespaces, object{"type": kind})
	}
	config := object{
		"ociVersion": "1.0.2",
		"process":    object{"user": object{"uid": 993, "gid": 993}, "args": argv, "env": env, "cwd": "/var/task", "noNewPrivileges": true},
		"root":       object{"path": c.root, "readonly": true},
		"hostname":   "sandbox",
		"mounts": []object{
			{"destination": "/proc", "source": "proc", "type": "proc"},
			{"destination": "/dev", "source": "tmpfs", "type": "tmpfs", "options": []string{"nosuid", "strictatime", "mode=755", "size=65536k"}},
			{"destination": "/tmp", "source": "tmpfs", "type": "tmpfs", "options": []string{"nosuid", "nodev", "mode=1777", "size=64m"}},
			bind("/usr", "/usr"), bind("/etc", "/etc"), bind(s.root, "/var/task"), bind(c.w.clients, "/var/runtime"),
		},
		"linux": object{
			"namespaces": namespaces, "uidMappings": mapping, "gidMappings": mapping,
			"resources":   object{"memory": object{"limit": 512 << 20}, "pids": object{"limit": 1024}},
			"maskedPaths": []string{"/proc/kcore", "/proc/keys", "/proc/timer_list"}, "readonlyPaths": []string{"/proc/sys", "/proc/sysrq-trigger"},
		},
	}
	text, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(c.w.dir, "runc")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), text, 0o644); err != nil {
		return nil, err
	}
	return exec.Command("runc", "run", "--bundle", dir, name), nil
}
