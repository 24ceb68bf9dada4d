package kernel

import (
	"path"
	"slices"
	"strings"

	"redoubt.dev/redoubt/internal/policy"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

// Located is a program found in a running workload's file system.
type Located struct {
	Path   string // as the workload names it
	Target string // the file's own path, where Path is a link; else empty
	Key    redoubt.FileKey
	Digest redoubt.Digest
	Origin redoubt.Origin
}

// multicall says whether the file is many programs in one, so that its content
// says nothing about which of them runs.
func (l *Located) multicall() bool {
	return policy.IsMulticall(l.Path) || policy.IsMulticall(l.Target)
}

// Names returns the paths at which files with that content were located, for
// Context.Names. A multi-call program has none: denying one of its names by
// content would deny all of them.
func Names(files []Located, d redoubt.Digest) []string {
	var out []string
	for i := range files {
		if f := &files[i]; d != "" && f.Digest == d {
			if f.multicall() {
				return nil
			}
			out = append(out, f.Path)
		}
	}
	return out
}

// binDirs are where programs usually are.
var binDirs = []string{"/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/opt/bin"}

// maxWanted bounds the paths looked for in one workload.
const maxWanted = 4096

// Wanted returns the paths to locate in a workload before Compile: the
// programs of the profile and those that policy rules name. A pattern that
// begins with a star and a slash is looked for where programs usually are;
// other patterns with stars meet their files when they are opened or run.
func Wanted(p *profile.Profile, o *policy.Overlay) []string {
	seen := map[string]bool{}
	want := func(p string) {
		if strings.HasPrefix(p, "/") && !strings.ContainsAny(p, "*?") && len(seen) < maxWanted {
			seen[path.Clean(p)] = true
		}
	}
	for _, r := range o.Rules() {
		if r.Exec == nil {
			continue
		}
		for _, pattern := range slices.Concat(r.Exec.Paths, r.Exec.Parents) {
			want(pattern)
			if base, anywhere := strings.CutPrefix(pattern, "*/"); anywhere && !strings.Contains(base, "/") {
				for _, dir := range binDirs {
					want(dir + "/" + base)
				}
			}
		}
	}
	if p != nil {
		for i := range p.Entries {
			if x := p.Entries[i].Exec; x != nil {
				want(x.Path)
				want(x.Parent)
			}
		}
	}
	out := make([]string, 0, len(seen))
	for p := range seen {
		out = append(out, p)
	}
	slices.Sort(out)
	return out
}
