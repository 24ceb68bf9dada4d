package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/sandbox/plan"
)

// own are the places of a root that a sandbox makes itself.
var own = []string{"proc", "sys", "dev", "tmp", "run"}

// maxTop is how many entries the top of an image may have.
const maxTop = 64

// image makes the root of the plan from an unpacked image, whose top level
// anybody may have written.
func (l *launch) image(root string) ([]Mount, error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, fmt.Errorf("read root of sandbox: %w", err)
	}
	if len(entries) > maxTop {
		return nil, fault.New(fault.Invalid, "the root %s has %d entries, at most %d are taken", root, len(entries), maxTop)
	}
	var mounts []Mount
	l.plan.Links = nil
	l.plan.Binds = slices.DeleteFunc(slices.Clone(l.plan.Binds), func(b plan.Pair) bool {
		return b.From != "dev" && (b.From != "etc" || exists(root, "etc"))
	})
	for _, e := range entries {
		name := e.Name()
		switch {
		case slices.Contains(own, name):
		case e.Type()&os.ModeSymlink != 0:
			to, err := os.Readlink(filepath.Join(root, name))
			if err != nil {
				return nil, fmt.Errorf("read root of sandbox: %w", err)
			}
			l.plan.Links = append(l.plan.Links, plan.Pair{From: to, To: "/" + name})
		case e.IsDir() || e.Type().IsRegular():
			mounts = append(mounts, Mount{Source: filepath.Join(root, name), Target: "/" + name, Exec: true})
		}
	}
	for _, name := range []string{"resolv.conf", "hosts", "hostname"} {
		if st, err := os.Lstat(filepath.Join(root, "etc", name)); err == nil && st.Mode().IsRegular() {
			l.plan.Covers = append(l.plan.Covers, plan.Pair{From: "etc/" + name, To: "/etc/" + name})
		}
	}
	return mounts, nil
}

func exists(root, name string) bool {
	_, err := os.Lstat(filepath.Join(root, name))
	return err == nil
}
