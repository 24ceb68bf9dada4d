package sandbox_test

import (
	"os"
	"path/filepath"
	"testing"

	"redoubt.dev/redoubt/internal/sandbox"
	"redoubt.dev/redoubt/internal/sandbox/sandboxtest"
)

// A root of its own replaces the host's programs and nothing else: the walls
// stay, whatever the image holds.
func TestS7_RootOfItsOwn(t *testing.T) {
	h := sandboxtest.Open(t)
	root := t.TempDir()
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"bin", "etc", "app", "proc", "dev"} {
		if err := os.Mkdir(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(filepath.Join(bundle(t), "probe"))
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]struct {
		text []byte
		mode os.FileMode
	}{
		"bin/probe": {b, 0o755}, "bin/other": {b, 0o755}, "etc/resolv.conf": {[]byte("nameserver 6.6.6.6\n"), 0o644},
		"app/x": {[]byte("mine"), 0o644}, "proc/fake": {nil, 0o644}, "dev/sda": {nil, 0o644},
	} {
		if err := os.WriteFile(filepath.Join(root, name), f.text, f.mode); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{"code": "app", "tmp": "app", "opt": "/proc/1/root"} {
		if err := os.Symlink(to, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	try(t, h, sandbox.Spec{ID: "image", Root: root, Dir: "/app", Argv: []string{"/bin/probe"}, Exec: []string{"/bin/other"}}, []trial{
		{"its file", "read=/app/x", []string{`"mine"`}},
		{"its link", "read=/code/x", []string{`"mine"`}},
		{"its program", "exec=/bin/other limit", []string{"ran limit: 1024"}},
		{"other program", "exec=/bin/probe limit", refused},
		{"host's programs", "list=/usr", []string{"ENOENT"}},
		{"our resolver", "read=/etc/resolv.conf", []string{`"nameserver 127.0.0.1\noptions timeout:2 attempts:2\n"`}},
		{"our devices", "list=/dev", []string{"fd full null random shm stderr stdin stdout urandom zero"}},
		{"real processes", "read=/proc/fake", []string{"ENOENT"}},
		{"write to it", "write=/app/y", []string{"EROFS", "EACCES"}},
		{"exec from tmp", "memfd=0", refused},
		{"twin: tmp", "write=/tmp/y", ok},
		{"layers", "list=/opt", []string{""}},
	})
}
