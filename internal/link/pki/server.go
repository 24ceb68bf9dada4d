package pki

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// ServerCert is a listener's certificate that renews itself in place.
type ServerCert struct {
	authority *Authority
	name      string
	hosts     []string

	mu   sync.Mutex
	cert *tls.Certificate
}

// Server returns the certificate kept as NAME.crt and NAME.key beside the
// authority. It is valid for localhost, the loopback addresses, this host's
// name, LinkName and hosts, which are names or addresses without a port; it is
// made again when it lacks one of them or a third of its life is left.
func (a *Authority) Server(name string, hosts ...string) (*ServerCert, error) {
	hosts = append([]string{LinkName, "localhost", "127.0.0.1", "::1"}, hosts...)
	if h, err := os.Hostname(); err == nil && h != "" {
		hosts = append(hosts, h)
	}
	slices.Sort(hosts)
	hosts = slices.DeleteFunc(slices.Compact(hosts), func(h string) bool { return h == "" || h == "0.0.0.0" || h == "::" })
	s := &ServerCert{authority: a, name: name, hosts: hosts}
	cert, key, err := readPair(filepath.Join(a.dir, name+".crt"), filepath.Join(a.dir, name+".key"))
	if err == nil && cert.CheckSignatureFrom(a.cert) == nil && s.covers(cert) {
		s.cert = &tls.Certificate{Certificate: [][]byte{cert.Raw, a.cert.Raw}, PrivateKey: key, Leaf: cert}
	}
	if _, err := s.Get(nil); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *ServerCert) covers(c *x509.Certificate) bool {
	return !slices.ContainsFunc(s.hosts, func(h string) bool { return c.VerifyHostname(h) != nil })
}

// Get is for tls.Config.GetCertificate.
func (s *ServerCert) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cert != nil && !aging(s.cert.Leaf, s.authority.now()) {
		return s.cert, nil
	}
	if err := s.renew(); err != nil {
		return nil, fmt.Errorf("make server certificate %s: %w", s.name, err)
	}
	return s.cert, nil
}

func (s *ServerCert) renew() error {
	key, err := newKey()
	if err != nil {
		return err
	}
	now := s.authority.now()
	t := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "Redoubt " + s.name},
		NotBefore: now.Add(-skew), NotAfter: now.Add(serverLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, h := range s.hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	a := s.authority
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, key.Public(), a.key)
	if err != nil {
		return err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	if err := writePair(filepath.Join(a.dir, s.name+".crt"), filepath.Join(a.dir, s.name+".key"), der, key); err != nil {
		return err
	}
	s.cert = &tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key, Leaf: leaf}
	return nil
}

// TLS is the configuration of a listener that asks no certificate of clients,
// as the API's does.
func (s *ServerCert) TLS() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: s.Get}
}

// MutualTLS is the configuration of the link's listener: a client certificate
// must be of this authority if it is there; enrolling goes without.
func (s *ServerCert) MutualTLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, GetCertificate: s.Get,
		ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: s.authority.Pool(), Time: s.authority.now,
	}
}

// aging says that a third of c's life is left, or less, or that it has not
// begun, as after a clock was set back.
func aging(c *x509.Certificate, now time.Time) bool {
	return now.Before(c.NotBefore) || c.NotAfter.Sub(now) < c.NotAfter.Sub(c.NotBefore)/3
}
