package defender

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path"
	"strings"

	"redoubt.dev/redoubt/internal/fileid"
	"redoubt.dev/redoubt/internal/guard"
	"redoubt.dev/redoubt/internal/guard/kernel"
	"redoubt.dev/redoubt/internal/policy"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/sensor"
)

// retune gives the kernel a tenant's rules anew: the programs that its profile
// and policies name are located in every running instance, and what is certain
// about them is compiled. The lock is held.
func (d *Defender) retune(t *tenant) {
	t.stale = false
	t.files = nil
	if t.strict() {
		wanted := kernel.Wanted(t.known(), t.overlay)
		for _, w := range t.instances {
			t.files = append(t.files, d.locate(w, wanted)...)
		}
	}
	set := kernel.Compile(t.subject(d))
	t.gaps = set.Gaps
	if t.slot == 0 {
		return
	}
	var rules []sensor.Rule
	for k, a := range set.Exec {
		rules = append(rules, sensor.Rule{Exec: &k, Action: a})
	}
	for k, a := range set.Connect {
		rules = append(rules, sensor.Rule{Connect: &k, Action: a})
	}
	for k, a := range set.Listen {
		rules = append(rules, sensor.Rule{Listen: &k, Action: a})
	}
	// The gate first: it decides on content, whatever the kernel's rules say yet.
	for _, l := range t.lives {
		d.guardFiles(t, l)
	}
	d.forgetAnswers()
	if err := d.cfg.Sensor.Replace(t.slot, set.Mode, rules); err != nil {
		d.log.Error("kernel rules not replaced, the old ones stay", "workload", string(t.ref.ID), "err", err)
		t.gaps = append(t.gaps, "the newest rules of "+string(t.ref.ID)+" are not in the kernel: "+err.Error())
		return
	}
	clear(t.bound)
}

// strict says whether anything may be refused in this workload, so that its
// files must be known beforehand.
func (t *tenant) strict() bool {
	if t.state == profile.Enforcing && !guard.Exempt(t.ref) {
		return true
	}
	for _, r := range t.overlay.Rules() {
		if r.Exec != nil && (r.Effect == redoubt.EffectPrevent || r.Effect == redoubt.EffectBlock) || r.Novel != nil {
			return true
		}
	}
	return false
}

func (t *tenant) subject(d *Defender) kernel.Subject {
	return kernel.Subject{
		Ref: t.ref, State: t.state, Profile: t.known(), Overlay: t.overlay, Files: t.files,
		// Without a gate, and on hosts, which have none, what was not located is
		// judged when it has started: holding every exec of a node is not worth it.
		Peers: d.addressesOf, Resolver: d.cfg.Gate != nil || t.ref.Kind != redoubt.KindContainer,
	}
}

// locate finds programs in an instance; those that are not there are left out.
func (d *Defender) locate(w *redoubt.Workload, paths []string) []kernel.Located {
	var out []kernel.Located
	for _, path := range paths {
		target, key, err := fileid.Locate(w, path)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				d.log.Debug("program not located", "path", path, "err", err)
			}
			continue
		}
		sum, err := d.digests.Of(key, func() (*os.File, error) {
			f, _, err := fileid.Open(w, 0, path)
			return f, err
		})
		if err != nil {
			d.log.Debug("program not read", "path", path, "err", err)
			continue
		}
		f := kernel.Located{Path: path, Key: key, Digest: sum.Digest, Origin: redoubt.OriginImage}
		if w.Upper != "" && strings.HasPrefix(target, w.Upper+"/") {
			f.Origin = redoubt.OriginWritten
		}
		if !strings.HasSuffix(target, path) {
			f.Target = within(w, target)
		}
		if !sum.Stable {
			f.Key = redoubt.FileKey{} // its content may change under this key: no rule rests on it
		}
		out = append(out, f)
	}
	return out
}

// within turns a path on the node into the one the workload sees.
func within(w *redoubt.Workload, path string) string {
	roots := append([]string{w.Upper}, w.Layers...)
	for _, root := range roots {
		if rest, ok := strings.CutPrefix(path, root); ok && root != "" {
			return rest
		}
	}
	return path
}

// names returns the other paths at which the workload holds what ran.
func (t *tenant) names(p *redoubt.Process) []string {
	if p == nil || p.File == nil || p.File.Digest == "" {
		return nil
	}
	return kernel.Names(t.files, p.File.Digest)
}

// loaded returns the paths at which the workload holds what a dynamic loader
// was told to run. The file is named by the process and may be another by the
// time the loader opens it.
func (d *Defender) loaded(t *tenant, l *life, p *redoubt.Process) []string {
	if p == nil || len(t.files) == 0 || !policy.IsLoader(p.Path) {
		return nil
	}
	var out []string
	for _, target := range policy.Programs(p)[1:] {
		if !path.IsAbs(target) {
			target = path.Join(p.Cwd, target)
		}
		for _, f := range d.locate(l.workload, []string{target}) {
			out = append(out, kernel.Names(t.files, f.Digest)...)
		}
	}
	return out
}

// addressesOf returns where the workloads whose id fits a pattern are reached.
func (d *Defender) addressesOf(pattern string) []netip.Addr {
	glob := policy.NewGlob(pattern)
	var out []netip.Addr
	for _, w := range d.registry.List() {
		if !glob.Match(string(w.ID)) {
			continue
		}
		for _, a := range w.Addresses {
			if addr, err := netip.ParseAddr(a); err == nil {
				out = append(out, addr)
			}
		}
	}
	return out
}

// settle binds an instance's cgroup to its workload's slot: by id where it is
// there, by name where it is still to come, so that the kernel knows whose it
// is before the first exec. The lock is held.
func (d *Defender) settle(t *tenant, w *redoubt.Workload) {
	if t.slot == 0 {
		return
	}
	var err error
	switch {
	case w.CgroupID != 0:
		err = d.cfg.Sensor.Assign(w.CgroupID, t.slot)
	case w.Container != "":
		err = errors.Join(d.cfg.Sensor.AssignName(w.Container, t.slot), d.cfg.Sensor.AssignName("docker-"+w.Container+".scope", t.slot))
	}
	d.warn("cgroup not bound to its workload", err)
}

// prepare puts an instance under its workload's rules and orders, if possible
// before it runs. The lock is held.
func (d *Defender) prepare(w *redoubt.Workload) {
	_, had := d.homes[w.Instance()]
	t := d.lodge(w)
	d.settle(t, w)
	if t.stale || !had && t.strict() {
		d.retune(t)
	}
}
