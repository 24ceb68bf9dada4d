package egress

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"redoubt.dev/redoubt/internal/fault"
)

const (
	awsDomain = "amazonaws.com"
	caFile    = "aws-ca.pem" // key and certificate in one file, so that they cannot part
	caLife    = 10 * 365 * 24 * time.Hour
	caRenew   = 180 * 24 * time.Hour // a CA with less than this left is replaced when opened
	leafLife  = 7 * 24 * time.Hour   // environments live shorter
	maxLeaves = 1024                 // cached; the host pays a signature for each further one
)

// CA signs the certificates that calls of the AWS API are read behind. It is
// for one node and bound to amazonaws.com: what trusts it can be shown no
// other name, even by who steals its key. It is safe for concurrent use.
type CA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	leaf *ecdsa.PrivateKey // of all leaves, never stored
	now  func() time.Time

	mu     sync.Mutex
	leaves map[string]*tls.Certificate
}

// NewCA makes a CA that is kept nowhere.
func NewCA() (*CA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key of AWS CA: %w", err)
	}
	serial, err := serialNumber()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	t := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "Redoubt node CA for amazonaws.com"},
		NotBefore:    now.Add(-time.Hour), NotAfter: now.Add(caLife),
		KeyUsage: x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		ExtKeyUsage:                 []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		PermittedDNSDomainsCritical: true,
		// A kind of name without a constraint would be free (RFC 5280 4.2.1.10).
		PermittedDNSDomains: []string{awsDomain}, PermittedEmailAddresses: []string{awsDomain}, PermittedURIDomains: []string{awsDomain},
		ExcludedIPRanges: []*net.IPNet{{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)}, {IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)}},
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("sign AWS CA: %w", err)
	}
	return newCA(der, key)
}

func newCA(der []byte, key *ecdsa.PrivateKey) (*CA, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read AWS CA: %w", err)
	}
	leaf, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key of AWS leaves: %w", err)
	}
	return &CA{cert: cert, key: key, leaf: leaf, now: time.Now, leaves: map[string]*tls.Certificate{}}, nil
}

// OpenCA returns the CA kept in dir, a new one where there is none or its end
// is near. It refuses a key that others can read.
func OpenCA(dir string) (*CA, error) {
	path := filepath.Join(dir, caFile)
	ca, err := readCA(path)
	if err == nil && time.Until(ca.cert.NotAfter) > caRenew {
		return ca, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	fresh, merr := NewCA()
	if merr != nil {
		return nil, merr
	}
	// Whoever opens at the same moment must end with the same CA: the first
	// link wins. An old one is moved over.
	if err := fresh.write(path, err == nil); err != nil {
		return nil, err
	}
	return readCA(path)
}

func readCA(path string) (*CA, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open AWS CA: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("open AWS CA: %w", err)
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 || info.Size() > 64<<10 {
		return nil, fault.New(fault.Invalid, "%s holds a key and must be a small file of mode 0600; mend that, or remove it to get a new one", path)
	}
	text := make([]byte, info.Size())
	if _, err := f.ReadAt(text, 0); err != nil {
		return nil, fmt.Errorf("read AWS CA: %w", err)
	}
	ca, err := parseCA(text)
	if err != nil {
		return nil, fault.New(fault.Invalid, "%s is damaged (%w); remove it to get a new one", path, err)
	}
	return ca, nil
}

func parseCA(text []byte) (*CA, error) {
	keyBlock, rest := pem.Decode(text)
	certBlock, _ := pem.Decode(rest)
	if keyBlock == nil || certBlock == nil {
		return nil, errors.New("not two PEM blocks")
	}
	key, err := x509.ParseECPrivateKey(keyBlock.Bytes)
	if err != nil {
		return nil, err
	}
	ca, err := newCA(certBlock.Bytes, key)
	if err != nil {
		return nil, err
	}
	if pub, ok := ca.cert.PublicKey.(*ecdsa.PublicKey); !ok || !pub.Equal(key.Public()) {
		return nil, errors.New("key and certificate do not belong together")
	}
	if !ca.cert.IsCA || len(ca.cert.PermittedDNSDomains) != 1 || ca.cert.PermittedDNSDomains[0] != awsDomain {
		return nil, errors.New("certificate is not bound to " + awsDomain)
	}
	return ca, nil
}

func (ca *CA) write(path string, replace bool) error {
	der, err := x509.MarshalECPrivateKey(ca.key)
	if err != nil {
		return fmt.Errorf("write AWS CA: %w", err)
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), ca.PEM()...)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("write AWS CA: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".aws-ca-*") // 0600
	if err != nil {
		return fmt.Errorf("write AWS CA: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write AWS CA: %w", err)
	}
	if replace {
		err = os.Rename(f.Name(), path)
	} else if err = os.Link(f.Name(), path); errors.Is(err, fs.ErrExist) {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("write AWS CA: %w", err)
	}
	return nil
}

// PEM is the certificate functions must trust (NODE_EXTRA_CA_CERTS; AWS_CA_BUNDLE
// and SSL_CERT_FILE together with the usual ones).
func (ca *CA) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.cert.Raw})
}

// certificate returns host's, signed at its first time.
func (ca *CA) certificate(host string) (*tls.Certificate, error) {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	now := ca.now()
	if c := ca.leaves[host]; c != nil && c.Leaf.NotAfter.Sub(now) > leafLife/2 {
		return c, nil
	}
	serial, err := serialNumber()
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "AWS endpoint as Redoubt reads it"},
		DNSNames:     []string{host},
		NotBefore:    now.Add(-time.Hour), NotAfter: now.Add(leafLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, ca.cert, ca.leaf.Public(), ca.key)
	if err != nil {
		return nil, fmt.Errorf("sign certificate of %s: %w", host, err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("sign certificate of %s: %w", host, err)
	}
	if len(ca.leaves) >= maxLeaves {
		for other := range ca.leaves {
			delete(ca.leaves, other)
			break
		}
	}
	c := &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: ca.leaf, Leaf: leaf}
	ca.leaves[host] = c
	return c, nil
}

func serialNumber() (*big.Int, error) {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("make serial number: %w", err)
	}
	return n.Add(n, big.NewInt(1)), nil
}
