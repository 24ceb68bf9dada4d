package function

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	thingForm  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$`) // a queue, a secret
	bucketForm = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	labelForm  = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$`)
	paramForm  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]*=.+$`)
	actionForm = regexp.MustCompile(`^[a-z0-9-]+:[A-Za-z0-9]*\*?$`)
)

// check reports everything wrong with a role.
func (r *Role) check(report report) {
	for _, l := range []struct {
		path  string
		items []string
		ok    func(string) bool
		form  string
	}{
		{"egress", r.Egress, isEgress, "HOST:PORT, *.HOST:PORT, [IPv6]:PORT, NETWORK:PORT, or HOST:PORT and a network it may be in"},
		{"aws", r.AWS, isAWS, `SERVICE:ACTION and a resource, as in "dynamodb:PutItem table/orders"; each may end in *`},
		{"exec", r.Exec, isAbsolute, "the absolute path of a program"},
		{"write", r.Write, isTmp, "a directory below /tmp"},
		{"functions", r.Functions, nameForm.MatchString, "a function's name"},
		{"buckets", r.Buckets, isBucketGrant, "BUCKET:read or BUCKET:write"},
		{"queues", r.Queues, thingForm.MatchString, "a queue's name: letters, digits, dots, dashes and underscores"},
		{"secrets", r.Secrets, thingForm.MatchString, "a secret's name: letters, digits, dots, dashes and underscores"},
	} {
		if len(l.items) > maxGrants {
			report(l.path, fmt.Sprintf("a role has at most %d grants in a list, not %d", maxGrants, len(l.items)))
			continue
		}
		for i, item := range l.items {
			at := fmt.Sprintf("%s[%d]", l.path, i)
			switch {
			case !l.ok(item):
				report(at, fmt.Sprintf("this takes %s, not %q", l.form, clip(item)))
			case slices.Index(l.items, item) < i:
				report(at, fmt.Sprintf("%q is given twice", clip(item)))
			}
		}
	}
}

// isEgress takes HOST:PORT, NETWORK:PORT with an IPv6 network in brackets, and
// after a blank the network the host may be in.
func isEgress(s string) bool {
	where, network, limited := strings.Cut(s, " ")
	if limited {
		if _, err := netip.ParsePrefix(network); err != nil {
			return false
		}
	}
	i := strings.LastIndexByte(where, ':')
	if i < 0 {
		return false
	}
	if port, err := strconv.ParseUint(where[i+1:], 10, 16); err != nil || port == 0 {
		return false
	}
	host := where[:i]
	if strings.Contains(host, "/") {
		p, err := netip.ParsePrefix(strings.Trim(host, "[]"))
		return err == nil && !limited && p.Addr().Is6() == strings.HasPrefix(host, "[")
	}
	return isHost(host)
}

// isHost takes a name, "*." and a name, an IPv4 address or an IPv6 address in
// brackets.
func isHost(s string) bool {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		a, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		return err == nil && a.Is6() && a.Zone() == "" && strings.HasSuffix(s, "]")
	}
	name := strings.TrimPrefix(s, "*.")
	if name == "" || len(name) > 253 {
		return false
	}
	for l := range strings.SplitSeq(name, ".") {
		if !labelForm.MatchString(l) {
			return false
		}
	}
	return true
}

// isAWS takes SERVICE:ACTION, a resource and NAME=VALUE parameters.
func isAWS(s string) bool {
	words := strings.Split(s, " ")
	if len(s) > 4096 || !actionForm.MatchString(words[0]) || strings.HasSuffix(words[0], ":") {
		return false
	}
	for i, w := range words[1:] {
		star := strings.IndexByte(w, '*')
		if w == "" || hasControl(w) || star >= 0 && star != len(w)-1 || i > 0 && !paramForm.MatchString(w) {
			return false
		}
	}
	return true
}

func isTmp(p string) bool { return strings.HasPrefix(p, "/tmp/") && isAbsolute(p) }

func isBucketGrant(s string) bool {
	name, what, _ := strings.Cut(s, ":")
	return bucketForm.MatchString(name) && (what == "read" || what == "write")
}
