package identity

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	_ "embed"
	"encoding/base64"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"redoubt.dev/redoubt/internal/fault"
)

// The rules follow NIST SP 800-63B: length counts, composition does not, and
// what everybody uses is refused.
const (
	minPassword = 12  // characters
	maxPassword = 256 // bytes
)

// Parameters of new hashes: argon2id with 19 MiB, two passes, one lane, as
// OWASP advises; about 25 ms. A hash with others is renewed at login.
const (
	argonMemory = 19 << 10 // KiB
	argonPasses = 2
	argonLanes  = 1
	argonSalt   = 16
	argonKey    = 32
)

// Bounds on stored parameters: a damaged row must not take all memory.
const (
	mostMemory = 256 << 10 // KiB
	mostPasses = 16
)

// hashing bounds how many passwords are hashed at once, 19 MiB each, and for
// how long one waits for its turn.
const (
	hashedAtOnce = 2
	hashPatience = 5 * time.Second
)

//go:embed common.txt
var commonText string

// checkPassword says what is wrong with a new password, as fault.Invalid.
func checkPassword(name, password string) error {
	low := strings.ToLower(password)
	switch {
	case !utf8.ValidString(password):
		return fault.New(fault.Invalid, "the password is not valid UTF-8")
	case utf8.RuneCountInString(password) < minPassword:
		return fault.New(fault.Invalid, "the password is too short: use at least %d characters; a sentence is fine", minPassword)
	case len(password) > maxPassword:
		return fault.New(fault.Invalid, "the password is too long: use at most %d bytes", maxPassword)
	case name != "" && strings.Trim(strings.ReplaceAll(low, strings.ToLower(name), ""), "0123456789 ._-!") == "":
		return fault.New(fault.Invalid, "the password is the user name: choose another")
	case common(low):
		return fault.New(fault.Invalid, "the password is one that many people use: choose another")
	}
	return nil
}

// common says whether a lower-case password is a listed word with digits and
// marks around it, one character repeated, or a run up or down the alphabet.
func common(low string) bool {
	core := strings.Trim(low, "0123456789 ._-!?#*$@")
	for word := range strings.FieldsSeq(commonText) {
		if low == word || core == word {
			return true
		}
	}
	steps := map[int]int{}
	runes := []rune(low)
	for i := 1; i < len(runes); i++ {
		steps[int(runes[i]-runes[i-1])]++
	}
	return steps[0] >= len(runes)-2 || steps[1] >= len(runes)-2 || steps[-1] >= len(runes)-2
}

// hasher hashes passwords, a few at a time.
type hasher struct {
	turn  chan struct{}
	dummy string // checked where there is no user, so that both take as long
}

func newHasher() *hasher {
	h := &hasher{turn: make(chan struct{}, hashedAtOnce)}
	key := make([]byte, argonKey)
	salt := make([]byte, argonSalt)
	rand.Read(key)
	rand.Read(salt)
	h.dummy = phc(argonMemory, argonPasses, argonLanes, salt, key)
	return h
}

func (h *hasher) wait(ctx context.Context) (done func(), err error) {
	t := time.NewTimer(hashPatience)
	defer t.Stop()
	select {
	case h.turn <- struct{}{}:
		return func() { <-h.turn }, nil
	case <-t.C:
		return nil, fault.New(fault.Limited, "too many logins at once: try again in a few seconds")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// hash returns password's argon2id hash in PHC format.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	done, err := h.wait(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	salt := make([]byte, argonSalt)
	rand.Read(salt)
	key := argon2.IDKey([]byte(password), salt, argonPasses, argonMemory, argonLanes, argonKey)
	return phc(argonMemory, argonPasses, argonLanes, salt, key), nil
}

// check says whether password fits encoded, and whether that hash is of old
// parameters. An empty encoded takes as long and never fits.
func (h *hasher) check(ctx context.Context, encoded, password string) (ok, old bool, err error) {
	known := encoded != ""
	if !known {
		encoded = h.dummy
	}
	p, err := readPHC(encoded)
	if err != nil {
		return false, false, err
	}
	done, err := h.wait(ctx)
	if err != nil {
		return false, false, err
	}
	defer done()
	key := argon2.IDKey([]byte(password), p.salt, p.passes, p.memory, p.lanes, uint32(len(p.key)))
	ok = subtle.ConstantTimeCompare(key, p.key) == 1 && known
	return ok, p.memory != argonMemory || p.passes != argonPasses || p.lanes != argonLanes, nil
}

type params struct {
	memory, passes uint32
	lanes          uint8
	salt, key      []byte
}

var b64 = base64.RawStdEncoding

func phc(memory, passes uint32, lanes uint8, salt, key []byte) string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, memory, passes, lanes, b64.EncodeToString(salt), b64.EncodeToString(key))
}

func readPHC(s string) (p params, err error) {
	bad := func(what string) (params, error) {
		return params{}, fmt.Errorf("read password hash: %s", what)
	}
	f := strings.Split(s, "$")
	if len(f) != 6 || f[0] != "" || f[1] != "argon2id" {
		return bad("not argon2id")
	}
	if f[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return bad("unknown version")
	}
	if _, err := fmt.Sscanf(f[3], "m=%d,t=%d,p=%d", &p.memory, &p.passes, &p.lanes); err != nil {
		return bad("unreadable parameters")
	}
	if p.memory == 0 || p.memory > mostMemory || p.passes == 0 || p.passes > mostPasses || p.lanes == 0 {
		return bad("parameters out of bounds")
	}
	if p.salt, err = b64.DecodeString(f[4]); err != nil || len(p.salt) < 8 {
		return bad("unreadable salt")
	}
	if p.key, err = b64.DecodeString(f[5]); err != nil || len(p.key) < 16 || len(p.key) > 64 {
		return bad("unreadable key")
	}
	return p, nil
}
