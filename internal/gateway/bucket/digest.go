package bucket

import (
	"crypto/md5"
	"encoding/hex"
	"hash"
	"io"

	"redoubt.dev/redoubt/internal/fault"
)

var errDigest = fault.New(fault.Invalid, "the bytes are not those of the digest")

// digested fails at its end where what was read is not what was announced.
type digested struct {
	r    io.Reader
	sum  hash.Hash
	want string
}

func newDigested(r io.Reader, want string) *digested { return &digested{r, md5.New(), want} }

// Read implements io.Reader.
func (d *digested) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	d.sum.Write(p[:n])
	if err == io.EOF && hex.EncodeToString(d.sum.Sum(nil)) != d.want {
		return n, errDigest
	}
	return n, err
}
