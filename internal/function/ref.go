package function

import (
	"regexp"
	"strconv"
	"strings"

	"redoubt.dev/redoubt/internal/fault"
)

// Ref names one version; Version 0 is whatever the alias points to, and no
// alias is Live.
type Ref struct {
	Name    string `json:"name"`
	Version int    `json:"version"`
	Alias   string `json:"alias,omitempty"`
}

var (
	nameForm  = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	aliasForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,63}$`)
	arnForm   = regexp.MustCompile(`^arn:aws[a-z-]*:lambda:[a-z0-9-]*:[0-9]*:function:(.*)$`)
)

const latest = "$LATEST"

// CheckName says what is wrong with a function's name: it has 1 to 63 small
// letters, digits and inner dashes, so that it can stand in a host name.
func CheckName(name string) error {
	if !nameForm.MatchString(name) {
		return fault.New(fault.Invalid, "a function's name has 1 to 63 small letters, digits and inner dashes, not %q", clip(name))
	}
	return nil
}

// CheckAlias says what is wrong with an alias's name. A number is none: it
// would be taken for a version.
func CheckAlias(alias string) error {
	if !aliasForm.MatchString(alias) {
		return fault.New(fault.Invalid, "an alias has 1 to 63 letters, digits, dashes or underscores, not %q", clip(alias))
	}
	if strings.Trim(alias, "0123456789") == "" {
		return fault.New(fault.Invalid, "an alias cannot be a number: %s means the version", alias)
	}
	return nil
}

// ParseRef reads NAME, NAME:3, NAME:canary and the same with "@", and the
// forms Lambda's clients send: a whole ARN, and $LATEST for no qualifier.
func ParseRef(s string) (Ref, error) {
	if m := arnForm.FindStringSubmatch(s); m != nil {
		s = m[1]
	}
	name, qualifier, qualified := s, "", false
	if i := strings.IndexAny(s, ":@"); i >= 0 {
		name, qualifier, qualified = s[:i], s[i+1:], true
	}
	if err := CheckName(name); err != nil {
		return Ref{}, err
	}
	if !qualified {
		return Ref{Name: name}, nil
	}
	return Ref{Name: name}.Qualify(qualifier)
}

// Qualify returns r with the version or alias that q names.
func (r Ref) Qualify(q string) (Ref, error) {
	r.Version, r.Alias = 0, ""
	if q == latest {
		return r, nil
	}
	if q != "" && strings.Trim(q, "0123456789") == "" {
		n, err := strconv.ParseInt(q, 10, 32)
		if err != nil || n == 0 {
			return Ref{}, fault.New(fault.Invalid, "versions are numbered from 1, not %s", clip(q))
		}
		r.Version = int(n)
		return r, nil
	}
	if err := CheckAlias(q); err != nil {
		return Ref{}, err
	}
	r.Alias = q
	return r, nil
}

// String is the form ParseRef reads.
func (r Ref) String() string {
	switch {
	case r.Version != 0:
		return r.Name + ":" + strconv.Itoa(r.Version)
	case r.Alias != "":
		return r.Name + ":" + r.Alias
	}
	return r.Name
}
