package profile

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/redoubt"
)

// Outside, as the parent of an Exec, is a parent outside the workload: a
// process that came in as docker exec and health checks do. Such a process is
// allowed by no other entry, because what a person may do from outside says
// nothing about what the workload does, and the other way round.
const Outside = "outside"

// Peers of a Connect that are neither a workload nor an address.
const (
	Loopback = "loopback"
	AnyPeer  = "any"
)

// Ephemeral is the first port the kernel hands out by itself.
const Ephemeral = 32768

// Bounds. A profile that is full learns nothing more: what it cannot hold is
// outside it, is reported as novel and named in Coverage.Missing.
const (
	MaxEntries = 20000
	maxDigests = 64   // contents of one entry; more are not kept
	maxText    = 4096 // bytes of any one string in an entry
)

// Identify returns the id of what e allows: kind, program, parent, arguments,
// port, peer. Contents are not part of it, so a new image version adds a
// digest to the entry instead of a second entry.
func (e *Entry) Identify() string {
	h := sha256.New()
	put := func(parts ...string) {
		for _, p := range parts {
			h.Write([]byte(p))
			h.Write([]byte{0})
		}
	}
	put(string(e.Kind))
	switch {
	case e.Exec != nil:
		put(e.Exec.Path, e.Exec.Parent)
		if e.Exec.Args != nil {
			put("args")
			put(e.Exec.Args...)
		}
	case e.Listen != nil:
		put(string(e.Listen.Proto), portText(e.Listen.Port), e.Listen.Path)
	case e.Connect != nil:
		put(string(e.Connect.Proto), e.Connect.Peer, portText(e.Connect.Port), e.Connect.Path)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// Check says what is wrong with an entry, as fault.Invalid, or nil. It does
// not look at ID, counts or times.
func (e *Entry) Check() error {
	set := 0
	for _, on := range []bool{e.Exec != nil, e.Listen != nil, e.Connect != nil} {
		if on {
			set++
		}
	}
	if set != 1 {
		return fault.New(fault.Invalid, "an entry allows exactly one of exec, listen or connect; this one names %d", set)
	}
	switch e.Source {
	case Seeded, Learned, Inherited, Manual:
	default:
		return fault.New(fault.Invalid, "source %q: use seeded, learned, inherited or manual", e.Source)
	}
	if len(e.Note) > maxText || len(e.Expect) > maxText || len(e.Unit) > maxText {
		return fault.New(fault.Invalid, "a note is at most %d bytes long", maxText)
	}
	if e.Count < 0 || e.Units < 0 {
		return fault.New(fault.Invalid, "count and units cannot be negative")
	}
	switch {
	case e.Exec != nil && e.Kind == redoubt.EventExec:
		return e.Exec.check()
	case e.Listen != nil && e.Kind == redoubt.EventListen:
		return e.Listen.check()
	case e.Connect != nil && e.Kind == redoubt.EventConnect:
		return e.Connect.check()
	}
	return fault.New(fault.Invalid, "kind %q does not name the part that is set; use exec, listen or connect", e.Kind)
}

func (x *Exec) check() error {
	if x.Path == "" || len(x.Path) > maxText {
		return fault.New(fault.Invalid, "exec needs the program's path, of at most %d bytes", maxText)
	}
	if len(x.Parent) > maxText {
		return fault.New(fault.Invalid, "exec %s: the parent's path is longer than %d bytes", x.Path, maxText)
	}
	if len(x.Digests) > maxDigests {
		return fault.New(fault.Invalid, "exec %s: %d contents, at most %d are allowed", x.Path, len(x.Digests), maxDigests)
	}
	for _, d := range x.Digests {
		alg, sum, ok := strings.Cut(string(d), ":")
		raw, err := hex.DecodeString(sum)
		if !ok || alg != "sha256" || err != nil || len(raw) != sha256.Size || sum != strings.ToLower(sum) {
			return fault.New(fault.Invalid, "exec %s: digest %q is not sha256: and 64 lower-case hex digits", x.Path, d)
		}
	}
	if x.Args != nil && len(x.Args) == 0 {
		return fault.New(fault.Invalid, "exec %s: leave args out to allow any, or use [%s] for a program started without", x.Path, none)
	}
	if len(x.Args) > maxArgs+2 {
		return fault.New(fault.Invalid, "exec %s: an argument shape has at most %d positions", x.Path, maxArgs)
	}
	for i, a := range x.Args {
		if len(a) > maxText {
			return fault.New(fault.Invalid, "exec %s: argument %d is longer than %d bytes", x.Path, i, maxText)
		}
		if a == rest && i != len(x.Args)-1 {
			return fault.New(fault.Invalid, "exec %s: ** stands only at the end of the arguments", x.Path)
		}
	}
	return nil
}

func (l *Listen) check() error {
	if l.Proto != redoubt.TCP && l.Proto != redoubt.UDP {
		return fault.New(fault.Invalid, "listen protocol %q: use tcp or udp", l.Proto)
	}
	if len(l.Path) > maxText {
		return fault.New(fault.Invalid, "listen: the program's path is longer than %d bytes", maxText)
	}
	return nil
}

func (c *Connect) check() error {
	if c.Proto != redoubt.TCP && c.Proto != redoubt.UDP {
		return fault.New(fault.Invalid, "connect protocol %q: use tcp or udp", c.Proto)
	}
	if len(c.Path) > maxText || len(c.Peer) > maxText {
		return fault.New(fault.Invalid, "connect: a peer and a program's path are at most %d bytes long", maxText)
	}
	if _, kind := parsePeer(c.Peer); kind == peerBad {
		return fault.New(fault.Invalid, "connect peer %q: use a workload id, an address, a prefix, loopback or any", c.Peer)
	}
	return nil
}

type peerKind int

const (
	peerBad peerKind = iota
	peerWorkload
	peerAddress
	peerPrefix
	peerLoopback
	peerAny
)

// parsePeer reads a Connect.Peer; the prefix is set for addresses and prefixes.
func parsePeer(s string) (netip.Prefix, peerKind) {
	switch s {
	case Loopback:
		return netip.Prefix{}, peerLoopback
	case AnyPeer:
		return netip.Prefix{}, peerAny
	}
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), peerAddress
	}
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Masked(), peerPrefix
	}
	if kind, name, ok := strings.Cut(s, "/"); ok && name != "" {
		switch kind {
		case "docker", "service", "host":
			return netip.Prefix{}, peerWorkload
		}
	}
	return netip.Prefix{}, peerBad
}

// merge adds what another sighting of the same behaviour says. It is
// commutative and associative.
func (e *Entry) merge(o *Entry) {
	if e.Exec != nil && o.Exec != nil {
		e.Exec.Digests = unite(e.Exec.Digests, o.Exec.Digests)
	}
	if rank(o.Source) > rank(e.Source) {
		e.Source = o.Source
	}
	if e.First.IsZero() || !o.First.IsZero() && o.First.Before(e.First) {
		e.First = o.First
	}
	if o.Last.After(e.Last) {
		e.Last = o.Last
	}
	e.Unit = joinUnits(e.Unit, o.Unit, e.Units+o.Units)
	e.Count += o.Count
	e.Units += o.Units
	e.Note = max(e.Note, o.Note)
	e.Expect = max(e.Expect, o.Expect)
}

// rank orders sources: what was foretold stays foretold once it is seen too.
func rank(s Source) int { return slices.Index([]Source{Learned, Inherited, Seeded, Manual}, s) }

func unite(a, b []redoubt.Digest) []redoubt.Digest {
	all := slices.Concat(a, b)
	slices.Sort(all)
	all = slices.Compact(all)
	return all[:min(len(all), maxDigests)]
}

// joinUnits keeps the names of the observations while there are at most two.
func joinUnits(a, b string, total int64) string {
	if total > 2 {
		return ""
	}
	var all []string
	for _, s := range []string{a, b} {
		if s != "" {
			all = append(all, strings.Split(s, "+")...)
		}
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), "+")
}

func (e *Entry) clone() Entry {
	c := *e
	if e.Exec != nil {
		x := *e.Exec
		x.Digests, x.Args = slices.Clone(x.Digests), slices.Clone(x.Args)
		c.Exec = &x
	}
	if e.Listen != nil {
		l := *e.Listen
		c.Listen = &l
	}
	if e.Connect != nil {
		n := *e.Connect
		c.Connect = &n
	}
	return c
}
