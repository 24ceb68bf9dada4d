package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"time"
)

// Entry is one change somebody made, or tried to make.
type Entry struct {
	N      int64 // 1, 2, 3, …
	Time   time.Time
	Actor  string // user name, "system" or a node
	From   string // address, where there is one
	Action string // verb.noun, as "policy.write"
	Object string // what it was done to
	Result Result
	Before string // JSON, secrets hidden
	After  string // JSON, secrets hidden
	Hash   []byte // SHA-256 over all above and the hash before
}

// ID names the entry to people.
func (e *Entry) ID() string { return id(e.N) }

func id(n int64) string { return "u" + strconv.FormatInt(n, 10) }

// HashText is the hash in hex.
func (e *Entry) HashText() string { return hex.EncodeToString(e.Hash) }

// Result is how it went.
type Result string

// The results.
const (
	Done   Result = "done"
	Denied Result = "denied"
	Failed Result = "failed"
)

// Head is the end of the chain; the zero Head is that of an empty one.
type Head struct {
	N    int64
	Hash []byte
}

// chain is the hash of e after the entry whose hash is before. Every field has
// its length in front, so that no two entries are written alike. This encoding
// may not change: it is version 1.
func chain(before []byte, e *Entry) []byte {
	h := sha256.New()
	field := func(b string) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(b)))
		h.Write(n[:])
		h.Write([]byte(b))
	}
	number := func(v int64) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(v))
		h.Write(n[:])
	}
	field("redoubt audit 1")
	field(string(before))
	number(e.N)
	number(e.Time.UnixNano())
	for _, f := range []string{e.Actor, e.From, e.Action, e.Object, string(e.Result), e.Before, e.After} {
		field(f)
	}
	return h.Sum(nil)
}
