package sigv4

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// The ways a body is signed, as X-Amz-Content-Sha256 says; else it is the hash.
const (
	unsigned        = "UNSIGNED-PAYLOAD"
	chunks          = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	chunksTrailer   = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	unsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// payload returns the word for the body that stands in the canonical request.
func (v *Verifier) payload(r *http.Request, c *claim) (string, error) {
	word := r.Header.Get("X-Amz-Content-Sha256")
	if len(r.Header["X-Amz-Content-Sha256"]) > 1 {
		return "", Refuse(Incomplete, "there are several X-Amz-Content-Sha256 headers: send one")
	}
	if c.presigned {
		if q := r.URL.Query()["X-Amz-Content-Sha256"]; len(q) == 1 && word == "" {
			word = q[0]
		} else if len(q) > 0 {
			return "", Refuse(Incomplete, "X-Amz-Content-Sha256 is given twice")
		}
		if word == "" && c.service == "s3" {
			word = unsigned
		}
	}
	switch word {
	case "":
		return v.digest(r)
	case unsigned, chunks, chunksTrailer, unsignedTrailer:
		if c.service != "s3" {
			return "", Refuse(Incomplete, "a body signed as %s is taken by the service s3 only: sign its SHA-256", word)
		}
		return word, nil
	}
	if sum, err := hex.DecodeString(word); err != nil || len(sum) != sha256.Size {
		return "", Refuse(Incomplete, "X-Amz-Content-Sha256 is %.60q: give a SHA-256 in hexadecimal", word)
	}
	return word, nil
}

// digest reads the whole body, since its hash is part of the signature.
func (v *Verifier) digest(r *http.Request) (string, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return emptyHash, nil
	}
	data, err := io.ReadAll(io.LimitReader(r.Body, v.c.Body+1))
	if err != nil {
		return "", err
	}
	if int64(len(data)) > v.c.Body {
		return "", Refuse(TooLarge, "the body is larger than %d bytes", v.c.Body)
	}
	r.Body = io.NopCloser(bytes.NewReader(data))
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// wrap gives r a body that checks what it reads.
func wrap(r *http.Request, c *claim, key *[32]byte, payload string) error {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	switch payload {
	case unsigned:
		return nil
	case chunks, chunksTrailer, unsignedTrailer:
		return wrapChunks(r, c, key, payload)
	}
	want, _ := hex.DecodeString(payload)
	r.Body = &hashed{body: r.Body, hash: sha256.New(), want: want}
	return nil
}

// hashed is a body that ends in an error unless its hash is the wanted one.
type hashed struct {
	body io.ReadCloser
	hash hash.Hash
	want []byte
	err  error
}

func (h *hashed) Read(p []byte) (int, error) {
	if h.err != nil {
		return 0, h.err
	}
	n, err := h.body.Read(p)
	h.hash.Write(p[:n])
	if errors.Is(err, io.EOF) && !bytes.Equal(h.hash.Sum(nil), h.want) {
		err = Refuse(BadPayload, "the body is not the one that was signed")
	}
	h.err = err
	return n, err
}

func (h *hashed) Close() error { return h.body.Close() }

func wrapChunks(r *http.Request, c *claim, key *[32]byte, payload string) error {
	size, err := strconv.ParseInt(r.Header.Get("X-Amz-Decoded-Content-Length"), 10, 64)
	if err != nil || size < 0 {
		return Refuse(Incomplete, "a body in chunks needs the header x-amz-decoded-content-length")
	}
	trailer := ""
	if payload != chunks {
		if trailer = strings.ToLower(r.Header.Get("X-Amz-Trailer")); len(r.Header["X-Amz-Trailer"]) > 1 || strings.Contains(trailer, ",") {
			return Refuse(Incomplete, "one checksum at most can follow a body: x-amz-trailer names more")
		}
	}
	body, err := newChunked(r.Body, size, trailer)
	if err != nil {
		return err
	}
	if payload != unsignedTrailer {
		body.signer = &chunkSigner{key: *key, date: c.date.Format(dateForm), scope: c.scope(), prev: hex.EncodeToString(c.signature[:])}
	}
	r.Body, r.ContentLength = body, size
	var kept []string
	for e := range strings.SplitSeq(r.Header.Get("Content-Encoding"), ",") {
		if e = strings.TrimSpace(e); e != "" && e != "aws-chunked" {
			kept = append(kept, e)
		}
	}
	r.Header.Del("Content-Encoding")
	if len(kept) > 0 {
		r.Header.Set("Content-Encoding", strings.Join(kept, ","))
	}
	return nil
}
