package profile

import (
	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/redoubt"
)

// EntryFor returns the smallest entry that allows ev, with Source Learned, no
// counts and no times. A program whose content could not be read cannot be
// allowed: fault.Unsupported says why. Kinds that Judges denies, and events
// without their process or connection, are fault.Invalid.
func EntryFor(ev *redoubt.Event) (Entry, error) {
	e := Entry{Kind: ev.Kind, Source: Learned}
	switch ev.Kind {
	case redoubt.EventExec:
		p := ev.Process
		if p == nil || p.Path == "" {
			return Entry{}, fault.New(fault.Invalid, "the event names no program, so no entry can allow it")
		}
		if p.File == nil || p.File.Digest == "" {
			return Entry{}, fault.New(fault.Unsupported, "%s cannot be allowed: %s", p.Path, unreadable(p))
		}
		e.Exec = &Exec{Path: p.Path, Digests: []redoubt.Digest{p.File.Digest}, Parent: parentOf(p), Args: Shape(p.Path, p.Args, p.Truncated)}
	case redoubt.EventListen, redoubt.EventAccept:
		if ev.Network == nil {
			return Entry{}, fault.New(fault.Invalid, "the event names no socket, so no entry can allow it")
		}
		e.Kind = redoubt.EventListen
		e.Listen = &Listen{Proto: ev.Network.Proto, Port: ev.Network.Local.Port(), Path: pathOf(ev)}
	case redoubt.EventConnect:
		if ev.Network == nil || !ev.Network.Remote.IsValid() {
			return Entry{}, fault.New(fault.Invalid, "the event names no remote end, so no entry can allow it")
		}
		e.Connect = &Connect{Proto: ev.Network.Proto, Peer: peerOf(ev.Network), Port: ev.Network.Remote.Port(), Path: pathOf(ev)}
	default:
		return Entry{}, fault.New(fault.Invalid, "a profile says nothing about %s events; change a policy instead", ev.Kind)
	}
	if err := e.Check(); err != nil {
		return Entry{}, err
	}
	e.ID = e.Identify()
	return e, nil
}
