package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func authority(t *testing.T, dir string, now func() time.Time) *Authority {
	t.Helper()
	a, err := OpenAuthority(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAuthorityStaysAndItsFilesArePrivate(t *testing.T) {
	dir := t.TempDir()
	a := authority(t, dir, time.Now)
	if _, err := a.Server("api", "console.example", "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	if b := authority(t, dir, time.Now); b.Fingerprint() != a.Fingerprint() {
		t.Error("a second start made another authority")
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 4 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		if info, _ := f.Info(); info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", f.Name(), info.Mode())
		}
	}
}

func TestLostCertificateKeepsTheKeySoDefendersStay(t *testing.T) {
	dir := t.TempDir()
	a := authority(t, dir, time.Now)
	os.Remove(filepath.Join(dir, "ca.crt"))
	b := authority(t, dir, time.Now)
	s, err := b.Server("link")
	if err != nil {
		t.Fatal(err)
	}
	cert, err := s.Get(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cert.Leaf.Verify(x509.VerifyOptions{Roots: a.Pool(), DNSName: LinkName}); err != nil {
		t.Errorf("who trusts the lost certificate no longer trusts the console: %v", err)
	}
}

func TestLostKeyOrDamagedFileIsAnErrorNotANewAuthority(t *testing.T) {
	for _, c := range []struct {
		name string
		bend func(dir string) error
	}{
		{"no key", func(dir string) error { return os.Remove(filepath.Join(dir, "ca.key")) }},
		{"empty key", func(dir string) error { return os.Truncate(filepath.Join(dir, "ca.key"), 0) }},
		{"cut certificate", func(dir string) error { return os.Truncate(filepath.Join(dir, "ca.crt"), 100) }},
		{"key of another", func(dir string) error {
			other := filepath.Join(dir, "other")
			if _, err := OpenAuthority(other, time.Now); err != nil {
				return err
			}
			return os.Rename(filepath.Join(other, "ca.key"), filepath.Join(dir, "ca.key"))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			authority(t, dir, time.Now)
			if err := c.bend(dir); err != nil {
				t.Fatal(err)
			}
			if a, err := OpenAuthority(dir, time.Now); err == nil {
				t.Errorf("got authority %s", a.Fingerprint())
			}
		})
	}
}

func TestServerCertificateIsRenewedWhenAgingOrLackingAName(t *testing.T) {
	dir, at := t.TempDir(), time.Now()
	now := func() time.Time { return at }
	a := authority(t, dir, now)
	s, err := a.Server("api", "console.example")
	if err != nil {
		t.Fatal(err)
	}
	first, _ := s.Get(nil)
	for _, host := range []string{"localhost", "127.0.0.1", "console.example", LinkName} {
		if err := first.Leaf.VerifyHostname(host); err != nil {
			t.Error(err)
		}
	}
	same, err := a.Server("api", "console.example")
	if err != nil {
		t.Fatal(err)
	}
	if c, _ := same.Get(nil); c.Leaf.SerialNumber.Cmp(first.Leaf.SerialNumber) != 0 {
		t.Error("a restart made another certificate")
	}
	more, err := a.Server("api", "console.example", "192.0.2.7")
	if err != nil {
		t.Fatal(err)
	}
	if c, _ := more.Get(nil); c.Leaf.VerifyHostname("192.0.2.7") != nil {
		t.Error("the new address is not in the certificate")
	}
	at = at.Add(80 * 24 * time.Hour)
	if c, _ := s.Get(nil); !c.Leaf.NotAfter.After(at.Add(60 * 24 * time.Hour)) {
		t.Errorf("an aging certificate is still served, until %v", c.Leaf.NotAfter)
	}
}

func TestRequestsThatAreNotSigned(t *testing.T) {
	a := authority(t, t.TempDir(), time.Now)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	strong, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, p384)
	if err != nil {
		t.Fatal(err)
	}
	_, good, err := NewRequest()
	if err != nil {
		t.Fatal(err)
	}
	forged := append([]byte(nil), good...)
	forged[len(forged)-1] ^= 1
	for name, raw := range map[string][]byte{"empty": nil, "garbage": []byte("garbage"), "another curve": strong, "signature of another": forged} {
		if _, err := a.Node("edge-1", "j1", raw); err == nil {
			t.Errorf("%s was signed", name)
		}
	}
	if _, err := a.Node("", "j1", good); err == nil {
		t.Error("a node without a name was signed")
	}
	der, err := a.Node("edge-1", "j1", good)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil || PeerOf(c).Node != "edge-1" || PeerOf(c).Enrolment != "j1" {
		t.Errorf("%+v, %v", PeerOf(c), err)
	}
	if _, err := c.Verify(x509.VerifyOptions{Roots: a.Pool()}); err == nil {
		t.Error("a node's certificate is good for a server")
	}
}

func TestIdentityOfAMachineThatNeverEnrolled(t *testing.T) {
	if _, err := OpenIdentity(t.TempDir(), time.Now); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestJoinTokenSurvivesPasting(t *testing.T) {
	want := JoinToken{ID: "j7", Secret: "s3cret", CA: strings.Repeat("ab", 32), Address: "[2001:db8::1]:8444"}
	for _, s := range []string{want.Encode(), " " + want.Encode() + "\n"} {
		if got, err := ParseJoinToken(s); err != nil || got != want {
			t.Errorf("%q gives %+v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "x", want.Encode()[:20], strings.Repeat("A", 5000), "e30"} {
		if got, err := ParseJoinToken(s); err == nil {
			t.Errorf("%q gives %+v", s, got)
		}
	}
	if s := want.LogValue().String(); strings.Contains(s, "s3cret") {
		t.Errorf("logged as %s", s)
	}
}

func FuzzParseJoinToken(f *testing.F) {
	f.Add(JoinToken{ID: "j7", Secret: "s", CA: strings.Repeat("ab", 32)}.Encode())
	f.Fuzz(func(t *testing.T, s string) {
		if tok, err := ParseJoinToken(s); err == nil && (tok.ID == "" || tok.Secret == "" || len(tok.CA) != 64) {
			t.Fatalf("took %q as %+v", s, tok)
		}
	})
}

func FuzzCheckRequest(f *testing.F) {
	_, good, err := NewRequest()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, raw []byte) { CheckRequest(raw) })
}
