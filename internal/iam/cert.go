package iam

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"strings"

	"redoubt.dev/redoubt/internal/fault"
)

// Certs says which client certificates are which principals.
type Certs struct {
	Roots *x509.CertPool // who may vouch for a name; nil where only fingerprints count
	Rules []CertRule     // the first that fits counts
}

// CertRule names a principal for a certificate: by the fingerprint of this very
// one, or by a name in it. Exactly one of the first four is given.
type CertRule struct {
	Fingerprint string // SHA-256 in hexadecimal; the certificate may be of any issuer
	DNS         string
	URI         string // as spiffe://cluster/web
	Email       string
	Principal   string
	Groups      []string
	Tenant      string
}

func (c Certs) check() error {
	for i, r := range c.Rules {
		if count(r.Fingerprint != "", r.DNS != "", r.URI != "", r.Email != "") != 1 {
			return fault.New(fault.Invalid, "certificate rule %d: give one of fingerprint, DNS name, URI and e-mail address", i+1)
		}
		if kind, _, err := Split(r.Principal); err != nil {
			return err
		} else if kind == Anonymous || kind == "service" {
			return fault.New(fault.Invalid, "certificate rule %d: a certificate cannot be %s", i+1, r.Principal)
		}
		if raw, err := hex.DecodeString(plainHex(r.Fingerprint)); r.Fingerprint != "" && (err != nil || len(raw) != sha256.Size) {
			return fault.New(fault.Invalid, "certificate rule %d: the fingerprint is not a SHA-256", i+1)
		}
		if r.Fingerprint == "" && c.Roots == nil {
			return fault.New(fault.Invalid, "certificate rule %d: without authorities to vouch for names only fingerprints count", i+1)
		}
	}
	return nil
}

func plainHex(s string) string { return strings.ToLower(strings.ReplaceAll(s, ":", "")) }

// Cert takes the client certificate of a TLS connection. The handshake proved
// that the client holds its key; here it must be valid now and known.
func (s *Service) Cert(ctx context.Context, state *tls.ConnectionState) (Caller, error) {
	if state == nil || len(state.PeerCertificates) == 0 {
		return Caller{}, fault.New(fault.Unauthenticated, "the connection brings no client certificate")
	}
	leaf, now := state.PeerCertificates[0], s.c.Now()
	if now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return Caller{}, fault.New(fault.Unauthenticated, "the client certificate is good from %s to %s only: renew it", leaf.NotBefore, leaf.NotAfter)
	}
	vouched := s.vouched(state.PeerCertificates)
	sum := sha256.Sum256(leaf.Raw)
	print := hex.EncodeToString(sum[:])
	for _, r := range s.c.Certs.Rules {
		if r.fits(leaf, print, vouched) {
			c := Caller{Principal: r.Principal, Method: ByCert, Groups: append([]string(nil), r.Groups...), Tenant: r.Tenant, Expires: leaf.NotAfter}
			return s.admit(ctx, c, fromCert)
		}
	}
	return Caller{}, fault.New(fault.Unauthenticated, "no rule knows the client certificate %s of %q", print, leaf.Subject)
}

// vouched says whether a root vouches for the chain as a client's.
func (s *Service) vouched(chain []*x509.Certificate) bool {
	if s.c.Certs.Roots == nil {
		return false
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: s.c.Certs.Roots, Intermediates: between, CurrentTime: s.c.Now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return err == nil
}

func (r *CertRule) fits(leaf *x509.Certificate, print string, vouched bool) bool {
	if r.Fingerprint != "" {
		return plainHex(r.Fingerprint) == print
	}
	if !vouched {
		return false
	}
	for _, n := range leaf.DNSNames {
		if r.DNS != "" && strings.EqualFold(n, r.DNS) {
			return true
		}
	}
	for _, u := range leaf.URIs {
		if r.URI != "" && u.String() == r.URI {
			return true
		}
	}
	for _, e := range leaf.EmailAddresses {
		if r.Email != "" && e == r.Email {
			return true
		}
	}
	return false
}
