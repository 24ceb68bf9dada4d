package iam

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"log/slog"
)

// Secret is a text that must not be seen: printed, logged or marshalled it
// shows as ***. Reveal gives it away, once, to whom it is for.
type Secret string

const hidden = "***"

func (Secret) String() string               { return hidden }
func (Secret) GoString() string             { return hidden }
func (Secret) LogValue() slog.Value         { return slog.StringValue(hidden) }
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// Reveal returns the text itself.
func (s Secret) Reveal() string { return string(s) }

// letters writes random bytes; its results hold no character that a URL, a
// shell or a double click would break at.
var letters = base32.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567").WithPadding(base32.NoPadding)

// random makes n bytes' worth of letters.
func random(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return letters.EncodeToString(b)
}

// hash is what is kept of a secret of 256 random bits: nothing can be guessed,
// so a fast hash will do.
func hash(secret string) []byte {
	h := sha256.Sum256([]byte(secret))
	return h[:]
}
