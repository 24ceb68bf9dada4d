package defender

import (
	"os"
	"time"

	"redoubt.dev/redoubt/internal/fileid"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/profile/seed"
	"redoubt.dev/redoubt/internal/redoubt"
)

// welcome takes a container's image version into its workload's profile, once
// per digest: what its static facts foretell, and the new contents of the
// programs that were allowed before. Nothing of the container is judged before
// that: who comes while it is under way waits for its end. It reads files
// without the lock.
func (d *Defender) welcome(w *redoubt.Workload) {
	if !hasVersion(w) {
		return
	}
	d.mu.Lock()
	t := d.tenantOf(w)
	done, begun := t.versions[w.Digest]
	if !begun {
		done = make(chan struct{})
		t.versions[w.Digest] = done
	}
	d.mu.Unlock()
	if begun {
		<-done
		return
	}
	defer close(done)

	image := imageOf(w)
	seeds, notes := seed.Look(seed.Image{
		Root: fileid.Tree(image), Entrypoint: w.Entrypoint, Command: w.Command, Health: w.Health,
		Exposes: w.Exposes, Path: w.SearchPath, Cwd: w.Cwd,
	})
	d.log.Debug("image foretells", "workload", string(w.ID), "entries", len(seeds), "notes", notes)
	now := time.Now()
	for i := range seeds {
		seeds[i].First = now
	}

	d.mu.Lock()
	defer d.mu.Unlock()
	v := profile.Version{Digest: w.Digest, Image: w.Image, Since: now}
	if t.learner.Version(v, seeds, func(path string) (redoubt.Digest, bool) { return d.contentIn(image, path) }) {
		t.grown, t.urgent, t.stale = true, true, true
	}
}

// hasVersion says whether a workload's image can be looked at.
func hasVersion(w *redoubt.Workload) bool {
	return w.Kind == redoubt.KindContainer && w.Digest != "" && len(w.Layers) > 0
}

// welcomed says whether welcome has nothing left to do for a workload.
func (d *Defender) welcomed(w *redoubt.Workload) bool {
	if !hasVersion(w) {
		return true
	}
	d.mu.Lock()
	done := d.tenantOf(w).versions[w.Digest]
	d.mu.Unlock()
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// imageOf is a workload as its image has it: nothing runs, nothing was written.
func imageOf(w *redoubt.Workload) *redoubt.Workload {
	image := *w
	image.PID, image.Upper, image.Running = 0, "", false
	return &image
}

func (d *Defender) contentIn(image *redoubt.Workload, path string) (redoubt.Digest, bool) {
	_, key, err := fileid.Locate(image, path)
	if err != nil {
		return "", false
	}
	sum, err := d.digests.Of(key, func() (*os.File, error) {
		f, _, err := fileid.Open(image, 0, path)
		return f, err
	})
	return sum.Digest, err == nil
}
