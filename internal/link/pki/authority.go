// Package pki is the console's own certificate authority and what defenders
// hold of it: server certificates for the console's listeners, client
// certificates for nodes, join tokens that pin the authority. Who may enrol and
// which node is still welcome is the console's business.
//
// Every key is ECDSA P-256, made where it is used and never sent.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// LinkName is the DNS name in every server certificate that defenders ask for,
// so that the address they dial may change.
const LinkName = "console.redoubt.internal"

const (
	authorityLife = 10 * 365 * 24 * time.Hour
	serverLife    = 90 * 24 * time.Hour
	nodeLife      = 30 * 24 * time.Hour
	skew          = time.Hour // a certificate is valid from this long before it was made
)

// Authority signs. It is safe for concurrent use.
type Authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	now  func() time.Time
}

// OpenAuthority reads ca.crt and ca.key in dir, making them (and dir) where
// there is no certificate. A key without certificate is kept, so defenders that
// trust the lost certificate stay; a certificate without key is an error,
// because a new authority would lock every enrolled defender out.
func OpenAuthority(dir string, now func() time.Time) (*Authority, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open authority: %w", err)
	}
	a := &Authority{dir: dir, now: now}
	var err error
	a.cert, a.key, err = readPair(filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key"))
	if _, lost := os.Lstat(filepath.Join(dir, "ca.crt")); errors.Is(lost, fs.ErrNotExist) {
		err = a.create()
	}
	if err != nil {
		return nil, fmt.Errorf("open authority: %w; restore ca.crt and ca.key in %s from a copy, or move both aside for a new authority: "+
			"every enrolled defender must then join again, and every client be given the new ca.crt", err, dir)
	}
	if !a.cert.IsCA {
		return nil, fmt.Errorf("open authority in %s: ca.crt is not a certificate authority", dir)
	}
	return a, nil
}

func (a *Authority) create() (err error) {
	a.key, err = readKey(filepath.Join(a.dir, "ca.key"))
	if errors.Is(err, fs.ErrNotExist) {
		a.key, err = newKey()
	}
	if err != nil {
		return err
	}
	now := a.now()
	t := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "Redoubt console authority"},
		NotBefore: now.Add(-skew), NotAfter: now.Add(authorityLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, a.key.Public(), a.key)
	if err != nil {
		return err
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return err
	}
	return writePair(filepath.Join(a.dir, "ca.crt"), filepath.Join(a.dir, "ca.key"), der, a.key)
}

// DER returns the authority's certificate.
func (a *Authority) DER() []byte { return a.cert.Raw }

// PEM returns the authority's certificate as the ca.crt that clients trust.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// Pool returns the authority as the only root.
func (a *Authority) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// Fingerprint names the authority in join tokens.
func (a *Authority) Fingerprint() string { return fingerprint(a.cert.Raw) }

func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

func serial() *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		panic(err) // crypto/rand never errs
	}
	return n
}

func newKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }
