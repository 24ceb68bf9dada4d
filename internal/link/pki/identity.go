package pki

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"redoubt.dev/redoubt/internal/redoubt"
)

// Identity is what an enrolled defender holds: its key, its certificate and
// the authority it trusts. It is safe for concurrent use.
type Identity struct {
	dir string
	now func() time.Time

	mu   sync.Mutex
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	ca   *x509.Certificate
}

// OpenIdentity reads node.pem and console-ca.crt in dir. The error is
// fs.ErrNotExist where this machine has not enrolled yet.
func OpenIdentity(dir string, now func() time.Time) (*Identity, error) {
	i := &Identity{dir: dir, now: now}
	var err error
	if i.cert, i.key, err = readPair(filepath.Join(dir, "node.pem"), filepath.Join(dir, "node.pem")); err != nil {
		return nil, fmt.Errorf("open identity: %w", err)
	}
	if i.ca, err = readCert(filepath.Join(dir, "console-ca.crt")); err != nil {
		return nil, fmt.Errorf("open identity: %w", err)
	}
	return i, nil
}

// NewRequest makes a key and a certificate request (PKCS #10, DER) for it.
func NewRequest() (key *ecdsa.PrivateKey, request []byte, err error) {
	if key, err = newKey(); err != nil {
		return nil, nil, err
	}
	request, err = x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	return key, request, err
}

// SaveIdentity keeps what enrolling gave.
func SaveIdentity(dir string, now func() time.Time, key *ecdsa.PrivateKey, certificate, authority []byte) (*Identity, error) {
	cert, err := x509.ParseCertificate(certificate)
	if err != nil {
		return nil, fmt.Errorf("read own certificate: %w", err)
	}
	ca, err := x509.ParseCertificate(authority)
	if err != nil {
		return nil, fmt.Errorf("read authority: %w", err)
	}
	i := &Identity{dir: dir, now: now, ca: ca}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("save identity: %w", err)
	}
	if err := writePEM(filepath.Join(dir, "console-ca.crt"), &pem.Block{Type: certBlock, Bytes: authority}); err != nil {
		return nil, fmt.Errorf("save identity: %w", err)
	}
	return i, i.save(cert, key)
}

// Replace takes a renewed certificate.
func (i *Identity) Replace(key *ecdsa.PrivateKey, certificate []byte) error {
	cert, err := x509.ParseCertificate(certificate)
	if err != nil {
		return fmt.Errorf("read renewed certificate: %w", err)
	}
	return i.save(cert, key)
}

func (i *Identity) save(cert *x509.Certificate, key *ecdsa.PrivateKey) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !key.PublicKey.Equal(cert.PublicKey) {
		return errors.New("save identity: the certificate is for another key")
	}
	if err := cert.CheckSignatureFrom(i.ca); err != nil {
		return fmt.Errorf("save identity: %w", err)
	}
	// One file: a crash must not leave a new key beside an old certificate.
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("save identity: %w", err)
	}
	if err := writePEM(filepath.Join(i.dir, "node.pem"), &pem.Block{Type: keyBlock, Bytes: der}, &pem.Block{Type: certBlock, Bytes: cert.Raw}); err != nil {
		return fmt.Errorf("save identity: %w", err)
	}
	i.cert, i.key = cert, key
	return nil
}

// Remove forgets the identity; what is absent already is no error.
func (i *Identity) Remove() error {
	var errs []error
	for _, name := range []string{"node.pem", "console-ca.crt"} {
		if err := os.Remove(filepath.Join(i.dir, name)); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Node is the id the console gave this machine.
func (i *Identity) Node() redoubt.NodeID { return i.Peer().Node }

// Peer is this machine as its certificate names it.
func (i *Identity) Peer() Peer {
	i.mu.Lock()
	defer i.mu.Unlock()
	return PeerOf(i.cert)
}

// Aging says that it is time to renew: a third of the life is left.
func (i *Identity) Aging() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return aging(i.cert, i.now())
}

// TLS is the configuration for dialling the console.
func (i *Identity) TLS() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(i.ca)
	return &tls.Config{
		MinVersion: tls.VersionTLS13, RootCAs: pool, ServerName: LinkName, Time: i.now,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			i.mu.Lock()
			defer i.mu.Unlock()
			return &tls.Certificate{Certificate: [][]byte{i.cert.Raw}, PrivateKey: i.key, Leaf: i.cert}, nil
		},
	}
}
