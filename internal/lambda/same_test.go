package lambda

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func same(t testing.TB, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func newReader(raw []byte) *bufio.Reader { return bufio.NewReaderSize(bytes.NewReader(raw), 4<<10) }

// readAll reads the body of the request in raw.
func readAll(raw []byte) ([]byte, error) {
	c := &conn{in: newReader(raw)}
	r, err := c.next()
	if err != nil {
		return nil, err
	}
	r.expect = false // nobody is there to tell
	b, err := c.body(r)
	if err != nil {
		return nil, err
	}
	return b.all(MaxPayload)
}
