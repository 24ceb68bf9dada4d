package egress

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// head is a parsed HTTP/1 head. Where two readers of the same bytes could
// disagree (RFC 9112 11.2, request smuggling) it was refused.
type head struct {
	raw    []byte // as it came, to be passed on; valid until the reader moves on
	fields []field

	method, target string // of a request
	status         int    // of a response

	old     bool  // HTTP/1.0
	length  int64 // of the body; 0 where no length is given
	sized   bool  // length was given
	chunked bool
	close   bool // the sender closes after this message

	upgrade   bool // a WebSocket is asked for
	drop      bool // an upgrade is offered that must not happen
	continued bool // the client was already told to go on
}

type field struct{ name, value string } // name in lower case

var (
	errHead     = errors.New("malformed HTTP head")
	errHTTP2    = errors.New("HTTP/2 without TLS is not supported; use HTTP/1.1")
	errHeadSize = fmt.Errorf("HTTP head above %d bytes", maxHead)
)

func ambiguous(what string) error { return fmt.Errorf("ambiguous HTTP head: %s", what) }

// peekHead returns the head br starts with, through its empty line, without
// consuming it. br's buffer is the limit.
func peekHead(br *bufio.Reader) ([]byte, error) {
	for n := 1; ; {
		_, err := br.Peek(n)
		seen := max(0, n-4) // what was searched before can hold but the start of the end
		b, _ := br.Peek(br.Buffered())
		if len(b) > seen {
			if i := bytes.Index(b[seen:], []byte("\r\n\r\n")); i >= 0 {
				return b[:seen+i+4], nil
			}
		}
		if errors.Is(err, bufio.ErrBufferFull) || len(b) == br.Size() {
			return nil, errHeadSize
		}
		if err != nil {
			if len(b) > 0 && err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		n = len(b) + 1
	}
}

// parseRequest reads a request head as peekHead returns it.
func parseRequest(raw []byte) (*head, error) {
	h := &head{raw: raw}
	line, err := h.parseFields()
	if err != nil {
		return nil, err
	}
	parts := strings.Split(line, " ")
	if len(parts) != 3 || !token(parts[0]) || parts[1] == "" {
		return nil, errHead
	}
	h.method, h.target = parts[0], parts[1]
	if h.method == "PRI" {
		return nil, errHTTP2
	}
	if err := h.version(parts[2]); err != nil {
		return nil, err
	}
	for i := range len(h.target) {
		if c := h.target[i]; c <= ' ' || c >= 0x7f {
			return nil, errHead
		}
	}
	return h, nil
}

// parseResponse reads a response head as peekHead returns it.
func parseResponse(raw []byte) (*head, error) {
	h := &head{raw: raw}
	line, err := h.parseFields()
	if err != nil {
		return nil, err
	}
	proto, rest, _ := strings.Cut(line, " ")
	code, _, _ := strings.Cut(rest, " ")
	if h.status, err = strconv.Atoi(code); err != nil || len(code) != 3 || h.status < 100 {
		return nil, errHead
	}
	return h, h.version(proto)
}

func (h *head) version(s string) error {
	switch s {
	case "HTTP/1.1":
	case "HTTP/1.0":
		if h.old = true; h.chunked {
			return ambiguous("chunked in HTTP/1.0")
		}
		keep := false
		for _, v := range h.list("connection") {
			keep = keep || v == "keep-alive"
		}
		h.close = h.close || !keep
	default:
		return fmt.Errorf("%w: version %.16q", errHead, s)
	}
	return nil
}

// parseFields reads everything but the first line, which it returns.
func (h *head) parseFields() (string, error) {
	text := string(h.raw)
	if len(text) < 4 || !strings.HasSuffix(text, "\r\n\r\n") {
		return "", errHead
	}
	lines := strings.Split(text[:len(text)-4], "\r\n")
	if len(lines) > 256 {
		return "", fmt.Errorf("%w: more than 255 fields", errHead)
	}
	for i, line := range lines {
		for j := range len(line) {
			if c := line[j]; c < ' ' && c != '\t' || c == 0x7f {
				return "", fmt.Errorf("%w: control character", errHead)
			}
		}
		if i == 0 {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok || !token(name) {
			return "", fmt.Errorf("%w: field name", errHead)
		}
		h.fields = append(h.fields, field{strings.ToLower(name), strings.Trim(value, " \t")})
	}
	return lines[0], h.framing()
}

func (h *head) framing() error {
	if length, n := h.get("content-length"); n > 1 {
		return ambiguous("two lengths")
	} else if n == 1 {
		for i := range len(length) {
			if length[i] < '0' || length[i] > '9' {
				return ambiguous("length")
			}
		}
		v, err := strconv.ParseInt(length, 10, 64)
		if err != nil {
			return ambiguous("length")
		}
		h.length, h.sized = v, true
	}
	if te, n := h.get("transfer-encoding"); n > 0 {
		if n > 1 || !strings.EqualFold(te, "chunked") {
			return ambiguous("transfer-encoding other than chunked")
		}
		if h.sized {
			return ambiguous("both a length and chunks")
		}
		h.chunked = true
	}
	for _, v := range h.list("connection") {
		h.close = h.close || v == "close"
	}
	return nil
}

// without drops fields from what is passed on.
func (h *head) without(names ...string) {
	lines := strings.SplitAfter(string(h.raw), "\r\n")
	out := h.raw[:0]
	for _, line := range lines {
		name, _, _ := strings.Cut(line, ":")
		if !slices.Contains(names, strings.ToLower(name)) {
			out = append(out, line...)
		}
	}
	h.raw = out
}

// get returns the field's value and how often the field is there; the value is
// that of the last.
func (h *head) get(name string) (value string, n int) {
	for _, f := range h.fields {
		if f.name == name {
			value = f.value
			n++
		}
	}
	return value, n
}

// list returns the field's values, taken apart at commas, in lower case.
func (h *head) list(name string) []string {
	var all []string
	for _, f := range h.fields {
		if f.name == name {
			for v := range strings.SplitSeq(f.value, ",") {
				all = append(all, strings.ToLower(strings.Trim(v, " \t")))
			}
		}
	}
	return all
}

// token is RFC 9110 5.6.2.
func token(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			return false
		}
	}
	return s != ""
}
