package egress

import (
	"errors"
	"net/netip"
	"strings"
)

var errName = errors.New("not a host name")

// cleanName brings a host name to its one form: lower case, without the dot at
// its end. It refuses what is none: empty or long labels, other characters than
// letters, digits, dashes and underscores, and numbers that some resolvers
// would read as an address.
func cleanName(s string) (string, error) {
	s = strings.ToLower(strings.TrimSuffix(s, "."))
	if len(s) == 0 || len(s) > 253 {
		return "", errName
	}
	last := ""
	for label := range strings.SplitSeq(s, ".") {
		if len(label) == 0 || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return "", errName
		}
		for i := range len(label) {
			c := label[i]
			if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
				return "", errName
			}
		}
		last = label
	}
	if last[0] >= '0' && last[0] <= '9' {
		return "", errName
	}
	return s, nil
}

// cleanHost is cleanName, or an address in its usual text form.
func cleanHost(s string) (string, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		if a.Zone() != "" {
			return "", errName
		}
		return a.Unmap().String(), nil
	}
	return cleanName(s)
}
