package store

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"redoubt.dev/redoubt/internal/redoubt"
)

// A shape is what an event has in common with others: everything but its time,
// its container, its process ids and the port that changes with every
// connection.

// Bounds on what one event may bring, however it came here.
const (
	maxChain = 64       // processes, leaf included
	maxArgs  = 16 << 10 // bytes of arguments
	maxText  = 8 << 10  // bytes of a path, note or reason
	maxWords = 4 << 10  // bytes of search text
)

// shape is one read back: an event without what is its own.
type shape struct {
	event redoubt.Event
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}

// shape returns the id of e's shape, which is written where it is new.
func (t *tx) shape(e *redoubt.Event) (int64, error) {
	body, err := t.shapeBody(e)
	if err != nil {
		return 0, err
	}
	if id, ok := t.s.interns.shapes.get(string(body)); ok {
		return id, nil
	}
	hash := t.s.hash(body)
	id, err := t.find("shapes", hash, body)
	if err != nil {
		return 0, fmt.Errorf("find shape: %w", err)
	}
	if id == 0 {
		id = t.next(shapeIDs)
		if err := t.exec("INSERT INTO shapes (id, hash, body) VALUES (?, ?, ?)", id, hash, body); err != nil {
			return 0, fmt.Errorf("write shape: %w", err)
		}
		if err := t.exec("INSERT INTO shape_words (rowid, words) VALUES (?, ?)", id, words(e)); err != nil {
			return 0, fmt.Errorf("index shape: %w", err)
		}
	}
	t.s.interns.shapes.put(string(body), id)
	return id, nil
}

func (t *tx) shapeBody(e *redoubt.Event) ([]byte, error) {
	var w writer
	var err error
	atom := func(id int64, e error) {
		w.uint(uint64(id))
		if err == nil {
			err = e
		}
	}
	atom(t.textAtom(clip(string(e.Workload.ID), maxText)))
	w.text(clip(string(e.Kind), 64))
	atom(t.program(e.Process, maxChain))
	verdict := e.Verdict
	verdict.Reason = clip(verdict.Reason, maxText)
	v, jerr := json.Marshal(verdict)
	if jerr != nil {
		return nil, fmt.Errorf("encode verdict: %w", jerr)
	}
	atom(t.atom(v))
	atom(t.textAtom(clip(e.Note, maxText)))
	if n := e.Network; n != nil {
		local, remote, _ := steady(e.Kind, n)
		w.text(clip(string(n.Proto), 16))
		w.text(address(local))
		w.text(address(remote))
		atom(t.textAtom(clip(string(n.Peer), maxText)))
	}
	return w.b, err
}

// program returns the atom of p and the chain above it.
func (t *tx) program(p *redoubt.Process, depth int) (int64, error) {
	if p == nil || depth == 0 {
		return 0, nil
	}
	parent, err := t.program(p.Parent, depth-1)
	if err != nil {
		return 0, err
	}
	path, err := t.textAtom(clip(p.Path, maxText))
	if err != nil {
		return 0, err
	}
	cwd, err := t.textAtom(clip(p.Cwd, maxText))
	if err != nil {
		return 0, err
	}
	file, err := t.file(p.File)
	if err != nil {
		return 0, err
	}
	args, cut := clipArgs(p.Args)
	var w writer
	w.uint(bits(p.Entered, p.Truncated || cut || len(p.Path) > maxText))
	w.uint(uint64(parent))
	w.uint(uint64(path))
	w.uint(uint64(cwd))
	w.uint(uint64(file))
	w.uint(uint64(p.UID))
	w.uint(p.Caps)
	w.uint(uint64(len(args)))
	for _, a := range args {
		w.text(a)
	}
	return t.atom(w.b)
}

func (t *tx) file(f *redoubt.File) (int64, error) {
	if f == nil {
		return 0, nil
	}
	var w writer
	w.uint(f.Key.Dev)
	w.uint(f.Key.Ino)
	w.int(f.Key.Ctime)
	w.text(clip(string(f.Digest), 256))
	w.text(clip(string(f.Origin), 64))
	w.text(clip(f.Error, maxText))
	return t.atom(w.b)
}

func clipArgs(args []string) (kept []string, cut bool) {
	room := maxArgs
	for i, a := range args {
		if len(a)+1 > room {
			return append(args[:i:i], clip(a, room)), true
		}
		room -= len(a) + 1
	}
	return args, false
}

func bits(set ...bool) (v uint64) {
	for i, b := range set {
		if b {
			v |= 1 << i
		}
	}
	return v
}

// steady splits a connection into the ends that many events share and the port
// that is this event's alone.
func steady(kind redoubt.EventKind, n *redoubt.Connection) (local, remote netip.AddrPort, own uint16) {
	local, remote = n.Local, n.Remote
	switch kind {
	case redoubt.EventConnect:
		own = local.Port()
		local = netip.AddrPortFrom(local.Addr(), 0)
	case redoubt.EventAccept:
		own = remote.Port()
		remote = netip.AddrPortFrom(remote.Addr(), 0)
	}
	return local, remote, own
}

func address(a netip.AddrPort) string {
	b, err := a.MarshalBinary()
	if err != nil || !a.IsValid() {
		return ""
	}
	return string(b)
}

func readAddress(s string) (a netip.AddrPort) {
	if s != "" && a.UnmarshalBinary([]byte(s)) != nil {
		return netip.AddrPort{}
	}
	return a
}
