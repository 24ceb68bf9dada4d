package sigv4

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"strconv"
	"strings"
)

// Bounds of the lines between chunks.
const (
	mostLine     = 512
	mostTrailers = 4
)

// chunked reads a body in the coding aws-chunked:
//
//	SIZE[;chunk-signature=HEX] CRLF data CRLF … 0[;chunk-signature=HEX] CRLF
//	[name:value CRLF] [x-amz-trailer-signature:HEX CRLF] CRLF
//
// Each signature covers the one before, so that chunks cannot be moved,
// dropped or doubled.
type chunked struct {
	body    io.Closer
	in      *bufio.Reader
	signer  *chunkSigner // nil where chunks are not signed
	sum     hash.Hash    // of the data, where a checksum follows
	trailer string       // its name
	size    int64        // what is still to come of the whole
	left    int64        // what is still to come of this chunk
	open    bool         // a chunk was begun and not yet ended
	said    string       // its signature
	err     error
}

func newChunked(body io.ReadCloser, size int64, trailer string) (*chunked, error) {
	c := &chunked{body: body, in: bufio.NewReaderSize(body, 4096), size: size, trailer: trailer}
	if trailer != "" {
		if c.sum = checksum(trailer); c.sum == nil {
			return nil, Refuse(BadChecksum, "the trailer %.60q is no checksum known here", trailer)
		}
	}
	return c, nil
}

func (c *chunked) Close() error { return c.body.Close() }

func (c *chunked) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for c.err == nil && c.left == 0 {
		c.err = c.next()
	}
	if c.err != nil {
		return 0, c.err
	}
	if int64(len(p)) > c.left {
		p = p[:c.left]
	}
	n, err := c.in.Read(p)
	c.left -= int64(n)
	if c.signer != nil {
		c.signer.hash.Write(p[:n])
	}
	if c.sum != nil {
		c.sum.Write(p[:n])
	}
	if err != nil {
		c.err = ended(err)
	}
	return n, c.err
}

func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return Refuse(BadPayload, "the body ends within a chunk")
	}
	return err
}

// next ends the chunk before and begins another; io.EOF after the last.
func (c *chunked) next() error {
	if c.open {
		if err := c.end(); err != nil {
			return err
		}
	}
	line, err := c.line()
	if err != nil {
		return err
	}
	text, extension, signed := strings.Cut(line, ";")
	size, err := strconv.ParseUint(text, 16, 63)
	if err != nil || len(text) > 16 {
		return Refuse(BadPayload, "a chunk's size is %.40q: give hexadecimal digits", text)
	}
	if int64(size) > c.size {
		return Refuse(BadPayload, "the chunks hold more than x-amz-decoded-content-length says")
	}
	if c.signer != nil {
		sig, ok := strings.CutPrefix(extension, "chunk-signature=")
		if !ok {
			return Refuse(BadPayload, "a chunk is not signed")
		}
		c.said = sig
		c.signer.begin()
	} else if signed {
		return Refuse(BadPayload, "a chunk has an extension: none is signed here")
	}
	c.size -= int64(size)
	if c.left = int64(size); size > 0 {
		c.open = true
		return nil
	}
	return c.last()
}

// end checks what stands after a chunk's data.
func (c *chunked) end() error {
	c.open = false
	if line, err := c.line(); err != nil {
		return err
	} else if line != "" {
		return Refuse(BadPayload, "a chunk is longer than its size says")
	}
	if c.signer != nil && !c.signer.chunk(c.said) {
		return Refuse(Mismatch, "a chunk is not the one that was signed")
	}
	return nil
}

// last checks the empty chunk, the trailer and that nothing follows.
func (c *chunked) last() error {
	if c.size != 0 {
		return Refuse(BadPayload, "the chunks hold less than x-amz-decoded-content-length says")
	}
	if c.signer != nil && !c.signer.chunk(c.said) {
		return Refuse(Mismatch, "the last chunk is not the one that was signed")
	}
	if err := c.trailers(); err != nil {
		return err
	}
	if _, err := c.in.ReadByte(); err == nil {
		return Refuse(BadPayload, "there are bytes after the last chunk")
	} else if !errors.Is(err, io.EOF) {
		return err
	}
	return io.EOF
}

func (c *chunked) trailers() error {
	var sum, signature string
	for range mostTrailers {
		line, err := c.line()
		if err != nil {
			return err
		}
		if line == "" {
			return c.checkTrailer(sum, signature)
		}
		name, value, _ := strings.Cut(line, ":")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		switch {
		case name == c.trailer && sum == "" && signature == "" && value != "":
			sum = value
		case name == "x-amz-trailer-signature" && c.signer != nil && c.trailer != "" && signature == "" && value != "":
			signature = value
		default:
			return Refuse(BadPayload, "the trailer %.60q was not announced, or comes twice", name)
		}
	}
	return Refuse(BadPayload, "there are more than %d lines after the last chunk", mostTrailers)
}

func (c *chunked) checkTrailer(sum, signature string) error {
	if c.trailer == "" {
		return nil
	}
	if sum == "" {
		return Refuse(BadPayload, "the trailer %s was announced and does not come", c.trailer)
	}
	if c.signer != nil && !c.signer.trailer(c.trailer+":"+sum+"\n", signature) {
		return Refuse(Mismatch, "the trailer is not the one that was signed")
	}
	want, err := base64.StdEncoding.DecodeString(sum)
	if err != nil || string(want) != string(c.sum.Sum(nil)) {
		return Refuse(BadChecksum, "the body does not have the checksum %s says", c.trailer)
	}
	return nil
}

// line reads up to the next CRLF.
func (c *chunked) line() (string, error) {
	var b []byte
	for {
		ch, err := c.in.ReadByte()
		if err != nil {
			return "", ended(err)
		}
		if ch == '\n' && len(b) > 0 && b[len(b)-1] == '\r' {
			return string(b[:len(b)-1]), nil
		}
		if b = append(b, ch); len(b) > mostLine {
			return "", Refuse(BadPayload, "a line between chunks is longer than %d bytes", mostLine)
		}
	}
}

// chunkSigner knows what the signature of the next chunk has to be.
type chunkSigner struct {
	key               [32]byte
	date, scope, prev string
	hash              hash.Hash
}

func (s *chunkSigner) begin() {
	if s.hash == nil {
		s.hash = sha256.New()
	}
	s.hash.Reset()
}

func (s *chunkSigner) chunk(said string) bool {
	return s.holds(said, "AWS4-HMAC-SHA256-PAYLOAD\n"+s.date+"\n"+s.scope+"\n"+s.prev+"\n"+emptyHash+"\n"+hex.EncodeToString(s.hash.Sum(nil)))
}

func (s *chunkSigner) trailer(text, said string) bool {
	h := sha256.Sum256([]byte(text))
	return s.holds(said, "AWS4-HMAC-SHA256-TRAILER\n"+s.date+"\n"+s.scope+"\n"+s.prev+"\n"+hex.EncodeToString(h[:]))
}

func (s *chunkSigner) holds(said, text string) bool {
	m := mac(s.key[:], text)
	s.prev = hex.EncodeToString(m[:])
	return hmac.Equal([]byte(said), []byte(s.prev))
}
