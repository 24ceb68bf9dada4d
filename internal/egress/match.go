package egress

import (
	"net/netip"
	"strings"
)

// Match finds the first of grants that covers a; malformed ones cover nothing.
// A lookup is covered by a grant of the name for any port, and of any action
// of the AWS service whose endpoint it is; an AWS call by a grant of its
// action, resource and parameters, or of its host and port.
func Match(grants []string, a Attempt) (covering string, ok bool) {
	for _, s := range grants {
		if g, err := parseGrant(s); err == nil && g.covers(a) {
			return s, true
		}
	}
	return "", false
}

func (g grant) covers(a Attempt) bool {
	if g.action == "" {
		return (a.Kind == KindDNS || g.port == a.Port) && g.names(a.Host)
	}
	switch a.Kind {
	case KindAWS:
		return g.calls(a)
	case KindDNS:
		service, _, _ := strings.Cut(g.action, ":")
		e, ok := endpointOf(a.Host)
		return ok && service == e.service
	}
	return false
}

// names says whether the grant's host covers host.
func (g grant) names(host string) bool {
	addr, err := netip.ParseAddr(host)
	switch {
	case g.net.IsValid():
		return err == nil && g.net.Contains(addr)
	case g.wild != "":
		_, above, ok := strings.Cut(host, ".")
		return err != nil && ok && above == g.wild
	}
	return g.host == host
}

func (g grant) calls(a Attempt) bool {
	if !starCovers(g.action, strings.ToLower(a.Action)) {
		return false
	}
	words := strings.Split(a.Resource, " ")
	if g.resource != "" && !starCovers(g.resource, words[0]) {
		return false
	}
	for _, p := range g.params {
		if p.name == "account" {
			if a.Account == "" || !starCovers(p.value, a.Account) {
				return false
			}
		} else if !p.holds(words[1:]) {
			return false
		}
	}
	return true
}

// holds says whether the parameter is among words, and only with such values.
func (p param) holds(words []string) bool {
	found := false
	for _, w := range words {
		name, value, _ := strings.Cut(w, "=")
		if !strings.EqualFold(name, p.name) {
			continue
		}
		if !starCovers(p.value, value) {
			return false
		}
		found = true
	}
	return found
}

func starCovers(grant, s string) bool {
	if prefix, ok := strings.CutSuffix(grant, "*"); ok {
		return strings.HasPrefix(s, prefix)
	}
	return grant == s
}

// Local says whether grants let host, on port, be at addr although that is not
// a public address or is the host's own. A public name could be pointed there
// by whoever runs its DNS, so it takes a grant that says so: of the address
// itself or a network it is in, of the name together with such a network, or
// of a name that only local resolvers answer (one label, .internal, .local,
// .localhost, .lan, .home.arpa). Link-local and metadata addresses take the
// address itself, or a network that is one of those.
func Local(grants []string, host string, port uint16, addr netip.Addr) bool {
	addr = addr.Unmap()
	for _, s := range grants {
		g, err := parseGrant(s)
		if err != nil || g.action != "" || g.port != port || !g.names(host) {
			continue
		}
		if g.local(host, addr) {
			return true
		}
	}
	return false
}

func (g grant) local(host string, addr netip.Addr) bool {
	within := func(p netip.Prefix) bool { return p.Contains(addr) && (!reserved(addr) || reserved(p.Addr())) }
	dialled, err := netip.ParseAddr(host)
	switch {
	case err == nil && dialled.Unmap() != addr:
		return false
	case g.net.IsValid():
		return within(g.net)
	case g.at.IsValid():
		return within(g.at)
	case err == nil:
		return true
	}
	return localName(host) && !reserved(addr)
}

func localName(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	if !strings.Contains(host, ".") {
		return true
	}
	for _, s := range []string{".internal", ".local", ".localhost", ".lan", ".home.arpa"} {
		if strings.HasSuffix(host, s) {
			return true
		}
	}
	return false
}
