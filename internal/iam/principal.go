package iam

import (
	"regexp"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/fault"
)

// Anonymous is the principal of who proves nothing.
const Anonymous = "anonymous"

// Principal is the record of one caller. It is never deleted, since a removed
// one's live tokens must stay dead: it is marked Removed.
type Principal struct {
	ID       string    `json:"id"`                // user/alice, role/web, function/orders, key/K1, service/bucket/photos
	Groups   []string  `json:"groups,omitempty"`  // names, besides those a proof brings
	Tenant   string    `json:"tenant,omitempty"`  // whose data it works on
	Sources  []string  `json:"sources,omitempty"` // what may speak for it: password, oidc:ISSUER, cert, workload, inside; keys always may
	Disabled bool      `json:"disabled,omitempty"`
	Removed  bool      `json:"removed,omitempty"`
	Reason   string    `json:"reason,omitempty"` // why it is disabled or was revoked
	Epoch    int64     `json:"epoch"`            // grows when what was given out is to end
	Created  time.Time `json:"created"`
	Updated  time.Time `json:"updated"`
	By       string    `json:"by,omitempty"` // who changed it last
}

// Method says what a caller was known by.
type Method string

// The methods.
const (
	ByNothing   Method = "none"
	ByPassword  Method = "password"
	ByKey       Method = "key"
	BySignature Method = "sigv4"
	ByOIDC      Method = "oidc"
	ByCert      Method = "cert"
	ByWorkload  Method = "workload"
	Inside      Method = "inside" // another part of Redoubt, or a function it runs
)

// Caller is a principal who proved to be one, as far as one call goes.
type Caller struct {
	Principal string    `json:"principal"`
	Groups    []string  `json:"groups,omitempty"`
	Tenant    string    `json:"tenant,omitempty"`
	Method    Method    `json:"method"`
	Key       string    `json:"key,omitempty"`     // id of the key that was used
	Session   string    `json:"session,omitempty"` // name of an assumed role's session
	Via       string    `json:"via,omitempty"`     // who assumed the role
	Expires   time.Time `json:"expires,omitzero"`  // of the proof

	epoch, viaEpoch int64
}

// Nobody is the caller who proves nothing.
func Nobody() Caller { return Caller{Principal: Anonymous, Method: ByNothing} }

var (
	plainName   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@+:=,-]{0,127}$`)
	serviceName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}(/[A-Za-z0-9][A-Za-z0-9._-]{0,127})?$`)
)

// Split takes a principal apart, fault.Invalid where it is none.
func Split(id string) (kind, name string, err error) {
	if id == Anonymous {
		return Anonymous, "", nil
	}
	kind, name, _ = strings.Cut(id, "/")
	ok := false
	switch kind {
	case "user", "role", "function", "key":
		ok = plainName.MatchString(name)
	case "service":
		ok = serviceName.MatchString(name)
	}
	if !ok {
		return "", "", fault.New(fault.Invalid, "principal %.160q: write user/NAME, role/NAME, function/NAME, key/ID, service/NAME or %s", id, Anonymous)
	}
	return kind, name, nil
}
