package guard

import (
	"fmt"
	"strings"
	"unicode"

	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

// novelty says in one sentence what the profile does not hold.
func novelty(ev *redoubt.Event, m *profile.Matcher) string {
	what := Did(ev)
	if m == nil {
		return what + ", and there is no profile yet"
	}
	near, compared := m.Nearest(ev)
	if near == nil || !related(ev, compared) {
		return what + ", never seen before"
	}
	return what + ", never seen before: " + m.Why(ev)
}

// related says whether the nearest entry is near enough to be worth naming.
func related(ev *redoubt.Event, compared []profile.Difference) bool {
	for i, d := range compared {
		if d.Same && (i == 0 || ev.Kind == redoubt.EventExec && i == 1 || ev.Kind != redoubt.EventExec && d.Field == "port") {
			return true
		}
	}
	return false
}

// Did says in a few words what an event was, as in "/usr/sbin/nginx started
// /usr/bin/netstat".
func Did(ev *redoubt.Event) string {
	who := "an unknown program"
	if ev.Process != nil && ev.Process.Path != "" {
		who = ev.Process.Path
	}
	switch {
	case ev.Kind == redoubt.EventExec:
		switch p := ev.Process; {
		case p == nil:
			return "an unknown program was started"
		case p.Entered:
			return "somebody started " + who + " from outside"
		case p.Parent != nil && p.Parent.Path != "":
			return p.Parent.Path + " started " + who
		}
		return who + " was started"
	case ev.Network == nil:
		return fmt.Sprintf("%s: %s", who, ev.Kind)
	case ev.Kind == redoubt.EventListen:
		return fmt.Sprintf("%s listens on %s port %d", who, ev.Network.Proto, ev.Network.Local.Port())
	case ev.Kind == redoubt.EventAccept:
		return fmt.Sprintf("%s accepted a connection on %s port %d from %s", who, ev.Network.Proto, ev.Network.Local.Port(), ev.Network.Remote.Addr().Unmap())
	}
	to := ev.Network.Remote.String()
	if ev.Network.Peer != "" {
		to = fmt.Sprintf("%s, port %d", ev.Network.Peer, ev.Network.Remote.Port())
	}
	return fmt.Sprintf("%s connected to %s over %s", who, to, ev.Network.Proto)
}

// maxReason is how long a reason may be, in characters.
const maxReason = 600

// printable makes words with a workload's names in them fit for any screen:
// no control characters, no endless lines.
func printable(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		s = strings.Map(func(r rune) rune {
			if unicode.IsPrint(r) {
				return r
			}
			return unicode.ReplacementChar
		}, s)
	}
	if len(s) > maxReason {
		if r := []rune(s); len(r) > maxReason {
			return string(r[:maxReason]) + "…"
		}
	}
	return s
}
