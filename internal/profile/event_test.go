package profile

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/redoubt"
)

// The events of one made-up container, in short words.

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

var web = redoubt.WorkloadRef{ID: "docker/web", Kind: redoubt.KindContainer, Name: "web-1", Container: "c0ffee00c0ffee00"}

func contentOf(s string) redoubt.Digest {
	h := sha256.Sum256([]byte(s))
	return redoubt.Digest("sha256:" + hex.EncodeToString(h[:]))
}

// ran makes a process whose content follows from its path.
func ran(parent *redoubt.Process, pid int, args ...string) *redoubt.Process {
	path := args[0]
	return &redoubt.Process{
		PID: pid, Path: path, Args: args, Parent: parent,
		File: &redoubt.File{Digest: contentOf(path), Origin: redoubt.OriginImage},
	}
}

func shim() *redoubt.Process {
	return &redoubt.Process{PID: 1, Path: "/usr/bin/containerd-shim-runc-v2"}
}

func exec(at time.Duration, p *redoubt.Process) *redoubt.Event {
	return &redoubt.Event{Time: noon.Add(at), Kind: redoubt.EventExec, Workload: web, Process: p, Count: 1}
}

func socket(at time.Duration, kind redoubt.EventKind, p *redoubt.Process, local, remote string) *redoubt.Event {
	c := &redoubt.Connection{Proto: redoubt.TCP}
	if local != "" {
		c.Local = netip.MustParseAddrPort(local)
	}
	if remote != "" {
		c.Remote = netip.MustParseAddrPort(remote)
	}
	return &redoubt.Event{Time: noon.Add(at), Kind: kind, Workload: web, Process: p, Network: c, Count: 1}
}

// allowing makes a profile of the smallest entries that allow the events.
func allowing(t testing.TB, events ...*redoubt.Event) *Profile {
	t.Helper()
	p := &Profile{Workload: web.ID, State: Observing, Since: noon}
	for _, ev := range events {
		e, err := EntryFor(ev)
		if err != nil {
			t.Fatal(err)
		}
		p.Entries = append(p.Entries, e)
	}
	return p
}
