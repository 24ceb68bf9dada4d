package kernel

import (
	"redoubt.dev/redoubt/internal/guard"
	"redoubt.dev/redoubt/internal/policy"
	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/sensor"
)

// Opening is a file that is about to be opened in a workload: for execution,
// or by any means where Exec is false.
type Opening struct {
	Path   string // as the workload names it
	Digest redoubt.Digest
	Origin redoubt.Origin
	Exec   bool
}

// Answer is the answer to an Opening.
type Answer struct {
	Deny     bool
	Remember bool          // the file need not be asked about again until policies, profile or state change
	Action   sensor.Action // the kernel rule for this file by itself, to be set before it runs
}

// DecideOpen answers for a file before it runs, on its content: a denied
// program is denied under any name. What hangs on arguments, parent or on
// having come from outside is let through here and decided when it runs, by
// Action. Loaders and interpreters of the image may be opened, because the
// kernel opens them to run other programs; running one by itself is decided
// when it runs. Only a file that nothing can change is remembered.
func DecideOpen(s Subject, o Opening) Answer {
	c := compiler{Subject: s, exec: execRules(s.Overlay)}
	if s.Profile != nil {
		c.entries = s.Profile.Entries
	}
	v := execView{path: o.Path, digest: o.Digest, origin: o.Origin, multicall: policy.IsMulticall(o.Path), names: Names(s.Files, o.Digest)}
	out := execOutcome(c.exec, c.entries, c.State, c.Ref, &v)
	a := Answer{Action: out.action()}
	if a.Action == sensor.Allow {
		a.Action = sensor.Report
	}
	a.Deny = a.Action == sensor.Deny
	switch {
	case !o.Exec:
		a.Deny = a.Deny && out.written
	case a.Deny && !out.written && o.Origin == redoubt.OriginImage && guard.RunsOthers(o.Path):
		a.Deny, a.Action = false, sensor.Hold
	}
	a.Remember = !a.Deny && o.Exec && o.Origin == redoubt.OriginImage && o.Digest != ""
	return a
}

// Denied returns the located files that a policy denies whatever calls them
// and however: every open of them is to be asked about, so that they can be
// neither loaded by another program nor copied.
func Denied(s Subject) []Located {
	var out []Located
	for i := range s.Files {
		f := &s.Files[i]
		if a := DecideOpen(s, Opening{Path: f.Path, Digest: f.Digest, Origin: f.Origin}); a.Deny && !f.multicall() {
			out = append(out, *f)
		}
	}
	return out
}
