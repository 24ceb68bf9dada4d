package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"log/slog"
)

// Secret is a text that must not be seen: however it is printed, logged or
// marshalled, it shows as ***. Reveal gives it away, once, to whom it is for.
type Secret string

const hidden = "***"

func (Secret) String() string               { return hidden }
func (Secret) GoString() string             { return hidden }
func (Secret) LogValue() slog.Value         { return slog.StringValue(hidden) }
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// Reveal returns the text itself.
func (s Secret) Reveal() string { return string(s) }

var plain = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// newSecret makes 256 random bits, 52 letters and digits.
func newSecret() Secret {
	var b [32]byte
	rand.Read(b[:])
	return Secret(plain.EncodeToString(b[:]))
}

// newID makes a public name that nobody else has.
func newID() string {
	var b [10]byte
	rand.Read(b[:])
	return plain.EncodeToString(b[:])
}

// hash is what is kept of a secret. The secret has 256 bits: there is nothing
// to guess, so a fast hash will do.
func hash(s Secret) []byte {
	h := sha256.Sum256([]byte(s))
	return h[:]
}

func same(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }
