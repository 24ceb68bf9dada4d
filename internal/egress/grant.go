package egress

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"

	"redoubt.dev/redoubt/internal/fault"
)

// A grant is one of
//
//	api.example.com:443              a name and a port
//	*.example.com:443                any one label before example.com
//	10.1.2.3:5432, [fd00::5]:5432    an address, as dialled by the function
//	10.1.0.0/16:5432, [fd00::/8]:53  any address of a network
//	db.example.com:5432 10.0.0.0/8   a name that may be at private addresses, those
//	dynamodb:PutItem table/orders    an action of AWS on a resource; either may
//	                                 end in *, and without resource it is any
//	iam:AttachUserPolicy user/bob PolicyArn=arn:aws:iam::aws:policy/Read*
//	                                 only with that parameter (see dangerous)
//	sqs:SendMessage orders account=123456789012
//	                                 only with credentials of that account
//
// and lists of grants may hold all kinds.
type grant struct {
	host string       // a clean name or address; empty where another field says it
	wild string       // what follows "*."
	net  netip.Prefix // addresses as dialled
	port uint16
	at   netip.Prefix // where the host may be although that is not public

	action, resource string // of AWS; action in lower case
	params           []param
}

type param struct{ name, value string }

// parseGrant reads one grant; its error is for who wrote it.
func parseGrant(s string) (grant, error) {
	words := strings.Split(s, " ")
	if s == "" || len(s) > 4096 {
		return grant{}, errors.New("is empty or too long")
	}
	for _, w := range words {
		if w == "" || strings.ContainsAny(w, "\t\r\n") {
			return grant{}, errors.New("has more than one space, or another kind of it, between its words")
		}
	}
	i := strings.LastIndexByte(words[0], ':')
	if i < 0 {
		return grant{}, errors.New(`is neither host:port nor service:Action; write "api.example.com:443" or "dynamodb:PutItem table/orders"`)
	}
	after := words[0][i+1:]
	if after == "" || strings.Trim(after, "0123456789") == "" || strings.ContainsAny(words[0][:i], ".[/:*") {
		return parseHost(words[0][:i], after, words[1:])
	}
	return parseAction(words[0][:i], after, words[1:])
}

func parseHost(host, port string, more []string) (g grant, err error) {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return g, errors.New("needs a port from 1 to 65535 after the colon")
	}
	g.port = uint16(n)
	if len(more) > 1 {
		return g, errors.New("has more than a network after host:port")
	}
	inner, bracket := strings.CutPrefix(host, "[")
	if bracket {
		if inner, bracket = strings.CutSuffix(inner, "]"); !bracket || !strings.Contains(inner, ":") {
			return g, errors.New("has brackets that hold no IPv6 address or network")
		}
		host = inner
	} else if strings.Contains(host, ":") {
		return g, errors.New("has an IPv6 address without brackets; write [fd00::5]:443")
	}
	switch parent, wild := strings.CutPrefix(host, "*."); {
	case wild:
		if g.wild, err = cleanName(parent); err != nil {
			return g, errors.New(`has no proper name after "*."`)
		}
		if !strings.Contains(g.wild, ".") && !localName("x."+g.wild) {
			return g, errors.New("would cover everybody's names below a top-level domain; name the domain")
		}
	case strings.Contains(host, "*"):
		return g, errors.New(`has a * that is not its whole first label; only "*.example.com:443" is possible`)
	case strings.Contains(host, "/"):
		if g.net, err = parseNetwork(host); err != nil {
			return g, err
		}
	default:
		if g.host, err = cleanHost(host); err != nil {
			return g, errors.New("has a host that is neither a name nor an address")
		}
	}
	if len(more) == 1 {
		if _, err := netip.ParseAddr(g.host); err == nil || g.net.IsValid() {
			return g, errors.New("is an address already; only a name can be bound to a network")
		}
		g.at, err = parseNetwork(more[0])
	}
	return g, err
}

func parseNetwork(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, errors.New("has a network that is none; write 10.0.0.0/8")
	}
	if p.Addr().Is4In6() {
		return p, errors.New("has an IPv4 network written as IPv6; write 10.0.0.0/8")
	}
	if p != p.Masked() {
		return p, errors.New("has a network with bits below its mask; write " + p.Masked().String())
	}
	return p, nil
}

func parseAction(service, op string, more []string) (g grant, err error) {
	if service == "" || strings.Trim(service, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return g, errors.New(`needs the service in small letters before the colon, as in "dynamodb:PutItem"`)
	}
	if op != "*" && !word(strings.TrimSuffix(op, "*")) {
		return g, errors.New("has an action that is none; it is letters and digits and may end in *")
	}
	g.action = service + ":" + strings.ToLower(op)
	if len(more) == 0 {
		return g, nil
	}
	g.resource = more[0]
	if strings.Contains(strings.TrimSuffix(g.resource, "*"), "*") {
		return g, errors.New("has a * inside its resource; it can only be the last character (a * in a key is written %2A)")
	}
	if strings.HasPrefix(g.resource, "arn:") {
		return g, errors.New("has a whole ARN for a resource; write what follows its account, as in table/orders or bucket/key*")
	}
	for _, w := range more[1:] {
		name, value, ok := strings.Cut(w, "=")
		if !ok || name == "" || value == "" {
			return g, errors.New("has after its resource a word that is not Name=value (a space in a key is written %20)")
		}
		if strings.Contains(strings.TrimSuffix(value, "*"), "*") {
			return g, errors.New("has a * inside the value of " + name + "; it can only be the last character")
		}
		g.params = append(g.params, param{name, value})
	}
	return g, nil
}

// Validate checks what a role grants: hosts in egress, calls in aws. Its error
// names every malformed grant and is of kind Invalid.
func Validate(egress, aws []string) error {
	var all []error
	check := func(list string, grants []string, host bool) {
		for i, s := range grants {
			g, err := parseGrant(s)
			switch {
			case err != nil:
			case host && g.action != "":
				err = errors.New("is a call of AWS; it belongs into aws")
			case !host && g.action == "":
				err = errors.New("is a host; it belongs into egress")
			}
			if err != nil {
				all = append(all, fault.New(fault.Invalid, "%s[%d]: grant %.200q %w", list, i, s, err))
			}
		}
	}
	check("egress", egress, true)
	check("aws", aws, false)
	if len(all) == 0 {
		return nil
	}
	return fault.New(fault.Invalid, "%w", errors.Join(all...))
}
