package pki

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// JoinToken lets one machine enrol once. CA is the fingerprint of the console's
// authority, so that the machine trusts nobody else from the first byte on;
// Address is where the link listens, HOST:PORT, and may be empty.
type JoinToken struct {
	ID      string `json:"i"`
	Secret  string `json:"s"`
	CA      string `json:"c"`
	Address string `json:"a,omitempty"`
}

// Encode returns the token as people paste it: base64url of JSON.
func (t JoinToken) Encode() string {
	b, err := json.Marshal(t)
	if err != nil {
		panic(err) // strings always encode
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// LogValue keeps the secret out of logs.
func (t JoinToken) LogValue() slog.Value { return slog.StringValue("join token " + t.ID) }

// ParseJoinToken reads what Encode wrote.
func ParseJoinToken(s string) (JoinToken, error) {
	var t JoinToken
	s = strings.TrimSpace(s)
	if len(s) > 4096 {
		return t, errors.New("read join token: it is too long")
	}
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "="))
	if err != nil {
		return t, errors.New("read join token: it is not whole; copy all of it")
	}
	if err := json.Unmarshal(b, &t); err != nil || t.ID == "" || t.Secret == "" || len(t.CA) != 64 {
		return JoinToken{}, errors.New("read join token: this is not a join token; make one with: redoubt node join-token")
	}
	return t, nil
}

// ErrPin says that the other end is not the console the token was made by.
var ErrPin = errors.New("the console's authority is not the one in the join token")

// TLS is the configuration for enrolling: the chain shown must hold the pinned
// authority and lead to it.
func (t JoinToken) TLS(now func() time.Time) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		ServerName:         LinkName,
		InsecureSkipVerify: true, // VerifyConnection does it, against the pin
		VerifyConnection: func(s tls.ConnectionState) error {
			for _, c := range s.PeerCertificates[1:] {
				if fingerprint(c.Raw) != t.CA {
					continue
				}
				roots := x509.NewCertPool()
				roots.AddCert(c)
				if _, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{
					Roots: roots, DNSName: LinkName, CurrentTime: now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
				}); err != nil {
					return fmt.Errorf("check console: %w", err)
				}
				return nil
			}
			return ErrPin
		},
	}
}
