package model

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

// Bounds of one function's model. What does not fit goes by confidence, the
// least first, and is counted in Lost.
const (
	MaxEntries  = 512 // things used
	MaxRoutes   = 64  // request shapes, one per source and route
	MaxFields   = 256 // parameters and body fields of one shape
	maxVersions = 64
	maxText     = 512 // bytes of a name
)

// Model is what is known of one function; versions share it.
type Model struct {
	Function  string           `json:"function" yaml:"function"`
	State     profile.State    `json:"state" yaml:"state"`       // learning admits what is new, observing alerts, enforcing prevents
	Revision  int64            `json:"revision" yaml:"revision"` // raised by every change a person makes
	Since     time.Time        `json:"since" yaml:"since,omitempty"`
	Versions  []Version        `json:"versions,omitempty" yaml:"versions,omitempty"` // oldest first
	Entries   []Entry          `json:"entries" yaml:"entries"`
	Routes    []Route          `json:"routes" yaml:"routes,omitempty"`
	Resources Resources        `json:"resources" yaml:"resources,omitempty"`
	Calls     int64            `json:"calls" yaml:"calls,omitempty"` // invocations learned from
	Units     int64            `json:"units" yaml:"units,omitempty"` // independent ones: a class of request in an hour
	Novel     int64            `json:"novel" yaml:"-"`               // of these, ones that alone showed something
	First     time.Time        `json:"first,omitzero" yaml:"first,omitempty"`
	Last      time.Time        `json:"last,omitzero" yaml:"last,omitempty"`
	Hours     profile.Hours    `json:"hours,omitempty" yaml:"hours,omitempty"` // of the day, in UTC, in which it was called
	Lost      int64            `json:"lost,omitempty" yaml:"lost,omitempty"`   // entries, routes and fields for which there was no room
	Coverage  profile.Coverage `json:"coverage" yaml:"-"`
}

// Version is a version the model has seen. A new one starts with everything
// the function has learned.
type Version struct {
	Number  int            `json:"number" yaml:"number"`
	Digest  redoubt.Digest `json:"digest,omitempty" yaml:"digest,omitempty"` // of its code
	Since   time.Time      `json:"since" yaml:"since,omitempty"`
	Changed bool           `json:"changed,omitempty" yaml:"changed,omitempty"` // its code is not that of the version before
}

// Entry is one thing the function uses.
type Entry struct {
	ID      string           `json:"id" yaml:"-"` // stable hash of what it allows
	Kind    function.UseKind `json:"kind" yaml:"kind"`
	Target  string           `json:"target" yaml:"target"`                       // as function.Use has it, folded: /tmp/upload-*, *.example.com:443
	Args    []string         `json:"args,omitempty" yaml:"args,omitempty,flow"`  // of a program: argument shape as in package profile; nil is any
	Source  profile.Source   `json:"source" yaml:"source,omitempty"`             // learned or manual
	Note    string           `json:"note,omitempty" yaml:"note,omitempty"`       // a person's words
	Refused int64            `json:"refused,omitempty" yaml:"refused,omitempty"` // times it was tried and the role did not grant it
	Bytes   Sketch           `json:"bytes,omitzero" yaml:"bytes,omitempty"`      // moved in one invocation
	Seen    `yaml:",inline"`
	Weak    bool `json:"weak,omitempty" yaml:"-"` // only one caller ever led to it, within one burst
}

// Seen says how well something is known.
type Seen struct {
	First    time.Time `json:"first,omitzero" yaml:"first,omitempty"`
	Last     time.Time `json:"last,omitzero" yaml:"last,omitempty"`
	Count    int64     `json:"count" yaml:"count,omitempty"`                        // invocations
	Units    int64     `json:"units" yaml:"units,omitempty"`                        // independent ones
	Unit     string    `json:"unit,omitempty" yaml:"unit,omitempty"`                // which, joined by "+", while Units is at most 2
	Callers  []string  `json:"callers,omitempty" yaml:"callers,omitempty,flow"`     // the first two
	Versions []int     `json:"seen_with,omitempty" yaml:"seen_with,omitempty,flow"` // the newest eight
}

// Resources is what invocations took.
type Resources struct {
	Duration Sketch `json:"duration,omitzero" yaml:"duration,omitempty"` // microseconds in the handler
	Memory   Sketch `json:"memory,omitzero" yaml:"memory,omitempty"`     // peak, bytes
	Out      Sketch `json:"out,omitzero" yaml:"out,omitempty"`           // bytes of the answer
}

// burst is the time within which one caller's doings count once.
const burst = time.Hour

// weak reports whether a single caller, in a single burst, is all that speaks
// for it: so an attacker's visit during learning looks.
func (s *Seen) weak() bool {
	return s.Count > 0 && len(s.Callers) < 2 && s.Last.Sub(s.First) < burst
}

// sight is one look at something.
type sight struct {
	time    time.Time
	unit    string // empty where this unit has shown it before
	caller  string
	version int
}

func (s *Seen) add(o *sight) {
	s.merge(&Seen{First: o.time, Last: o.time, Count: 1, Units: one(o.unit != ""), Unit: o.unit})
	s.addCaller(o.caller)
	s.addVersion(o.version)
}

func one(on bool) int64 {
	if on {
		return 1
	}
	return 0
}

const (
	keptCallers  = 2
	keptVersions = 8
)

func (s *Seen) addCaller(c string) {
	if c != "" && len(s.Callers) < keptCallers && !slices.Contains(s.Callers, c) {
		s.Callers = append(s.Callers, clip(c))
	}
}

func (s *Seen) addVersion(v int) {
	if n := len(s.Versions); v == 0 || n > 0 && s.Versions[n-1] == v {
		return
	}
	if i, ok := slices.BinarySearch(s.Versions, v); !ok {
		if s.Versions = slices.Insert(s.Versions, i, v); len(s.Versions) > keptVersions {
			s.Versions = s.Versions[1:]
		}
	}
}

// merge adds what another gateway saw: counts add up, the rest is joined.
func (s *Seen) merge(o *Seen) {
	if s.First.IsZero() || !o.First.IsZero() && o.First.Before(s.First) {
		s.First = o.First
	}
	if o.Last.After(s.Last) {
		s.Last = o.Last
	}
	s.Count += o.Count
	if o.Units > 0 {
		s.joinUnits(o)
	}
	for _, c := range o.Callers {
		s.addCaller(c)
	}
	for _, v := range o.Versions {
		s.addVersion(v)
	}
}

func (s *Seen) joinUnits(o *Seen) {
	s.Units += o.Units
	if s.Units > 2 {
		s.Unit = ""
		return
	}
	names := slices.DeleteFunc(slices.Concat(strings.Split(s.Unit, "+"), strings.Split(o.Unit, "+")), func(u string) bool { return u == "" })
	slices.Sort(names)
	names = slices.Compact(names)
	s.Unit = strings.Join(names, "+")
}

func (s *Seen) clone() Seen {
	c := *s
	c.Callers, c.Versions = slices.Clone(s.Callers), slices.Clone(s.Versions)
	return c
}

func (e *Entry) clone() Entry {
	c := *e
	c.Args, c.Seen, c.Bytes = slices.Clone(e.Args), e.Seen.clone(), e.Bytes.clone()
	return c
}

// allows reports whether the entry speaks for its target at all: what was only
// tried and refused does not.
func (e *Entry) allows() bool { return e.Count > 0 || e.Source == profile.Manual }

// identify hashes what an entry allows.
func (e *Entry) identify() string {
	h := sha256.New()
	for _, p := range append([]string{string(e.Kind), e.Target}, e.Args...) {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	if e.Args == nil {
		h.Write([]byte{1})
	}
	return "u" + hex.EncodeToString(h.Sum(nil)[:6])
}

// clip bounds a name that came from outside.
func clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return strings.ToValidUTF8(s[:maxText-20], "") + "…" + hex.EncodeToString(sum[:8])
}
