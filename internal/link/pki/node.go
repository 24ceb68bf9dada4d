package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"time"

	"redoubt.dev/redoubt/internal/redoubt"
)

// Peer is a defender as its certificate names it. Enrolment is the id of the
// join token it came in with: it tells a node from an earlier, deleted one of
// the same name.
type Peer struct {
	Node      redoubt.NodeID
	Enrolment string
	Expires   time.Time
}

// CheckRequest says whether Node would sign request.
func CheckRequest(request []byte) error {
	_, err := parseRequest(request)
	return err
}

func parseRequest(request []byte) (*ecdsa.PublicKey, error) {
	csr, err := x509.ParseCertificateRequest(request)
	if err != nil {
		return nil, fmt.Errorf("read certificate request: %w", err)
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, fmt.Errorf("check certificate request: %w", err)
	}
	key, ok := csr.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("check certificate request: the key is not ECDSA P-256")
	}
	return key, nil
}

// Node signs a client certificate for 30 days. Of the request (PKCS #10, DER)
// only the key is taken; the names are the console's.
func (a *Authority) Node(node redoubt.NodeID, enrolment string, request []byte) ([]byte, error) {
	if node == "" || len(node) > 253 {
		return nil, fmt.Errorf("sign node certificate: node id %q is empty or too long", node)
	}
	key, err := parseRequest(request)
	if err != nil {
		return nil, err
	}
	now := a.now()
	t := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: string(node), SerialNumber: enrolment},
		NotBefore: now.Add(-skew), NotAfter: now.Add(nodeLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, key, a.key)
	if err != nil {
		return nil, fmt.Errorf("sign node certificate: %w", err)
	}
	return der, nil
}

// PeerOf reads a verified client certificate.
func PeerOf(c *x509.Certificate) Peer {
	return Peer{Node: redoubt.NodeID(c.Subject.CommonName), Enrolment: c.Subject.SerialNumber, Expires: c.NotAfter}
}
