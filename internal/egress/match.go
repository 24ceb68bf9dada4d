package egress

import (
	"net/netip"
	"strconv"
	"strings"
)

// A grant is one of
//
//	api.example.com:443              a name and a port
//	*.example.com:443                any one label before example.com
//	10.1.2.3:5432, [fd00::5]:5432    an address, as dialled by the function
//	db.example.com:5432 10.0.0.0/8   a name that may be at private addresses, those
//	dynamodb:PutItem table/orders    an action of AWS on a resource; either may
//	                                 end in *, and without resource it is any
//
// and lists of grants may hold all kinds.

// Match finds the first of grants that covers a. A lookup is covered by a
// grant of the name for any port, and of any action of the AWS service whose
// endpoint it is; an AWS call by a grant of its action and resource, or of its
// host and port.
func Match(grants []string, a Attempt) (grant string, ok bool) {
	for _, g := range grants {
		if covers(g, a) {
			return g, true
		}
	}
	return "", false
}

func covers(grant string, a Attempt) bool {
	first, rest, _ := strings.Cut(grant, " ")
	if host, port, ok := hostPort(first); ok {
		return (a.Kind == KindDNS || port == a.Port) && hostCovers(host, a.Host)
	}
	switch a.Kind {
	case KindAWS:
		return starCovers(strings.ToLower(first), strings.ToLower(a.Action)) &&
			(rest == "" || starCovers(strings.TrimSpace(rest), a.Resource))
	case KindDNS:
		service, _, _ := strings.Cut(first, ":")
		e, ok := endpointOf(a.Host)
		return ok && strings.EqualFold(service, e.service)
	}
	return false
}

// hostPort takes a grant's first word apart; ok is false where it is none of
// a host and a port.
func hostPort(s string) (host string, port uint16, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return "", 0, false
	}
	n, err := strconv.ParseUint(s[i+1:], 10, 16)
	if err != nil {
		return "", 0, false
	}
	host = s[:i]
	if len(host) > 1 && host[0] == '[' && host[len(host)-1] == ']' {
		host = host[1 : len(host)-1]
	}
	return host, uint16(n), true
}

func hostCovers(grant, host string) bool {
	parent, wild := strings.CutPrefix(grant, "*.")
	if wild {
		_, above, ok := strings.Cut(host, ".")
		parent, err := cleanName(parent)
		if !ok || err != nil || above != parent {
			return false
		}
		_, err = netip.ParseAddr(host)
		return err != nil
	}
	clean, err := cleanHost(grant)
	return err == nil && clean == host
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
// itself, of the name together with a network that holds addr, or of a name
// that only local resolvers answer (one label, .internal, .local, .localhost,
// .lan, .home.arpa). Link-local and metadata addresses take the first or, for
// networks that are themselves link-local, the second.
func Local(grants []string, host string, port uint16, addr netip.Addr) bool {
	addr = addr.Unmap()
	for _, g := range grants {
		first, rest, _ := strings.Cut(g, " ")
		h, p, ok := hostPort(first)
		if !ok || p != port || !hostCovers(h, host) {
			continue
		}
		if a, err := netip.ParseAddr(h); err == nil && a.Unmap() == addr {
			return true
		}
		if rest = strings.TrimSpace(rest); rest != "" {
			net, err := netip.ParsePrefix(rest)
			if err == nil && net.Contains(addr) && (!reserved(addr) || reserved(net.Masked().Addr())) {
				return true
			}
			continue
		}
		if h == host && localName(host) && !reserved(addr) {
			return true
		}
	}
	return false
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
