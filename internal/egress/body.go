package egress

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http/httputil"
	"strings"
	"sync/atomic"
)

// body reads a message's body out of br, without its framing. It must be read
// to its end before br holds the next message.
type body struct {
	r       io.Reader
	br      *bufio.Reader
	chunked bool
	left    int64
	trailer []byte // after the last chunk: lines with their ends, the empty one not among them
}

// maxTrailer bounds what follows the last chunk, in bytes.
const maxTrailer = 8 << 10

func newBody(h *head, br *bufio.Reader) *body {
	b := &body{br: br, chunked: h.chunked, left: h.length}
	if h.chunked {
		b.r = httputil.NewChunkedReader(br)
	}
	return b
}

func (b *body) Read(buf []byte) (int, error) {
	if b.r != nil {
		n, err := b.r.Read(buf)
		if err == io.EOF {
			b.r = nil
			if terr := b.readTrailer(); terr != nil {
				err = terr
			}
		}
		return n, err
	}
	if b.left == 0 {
		return 0, io.EOF
	}
	if int64(len(buf)) > b.left {
		buf = buf[:b.left]
	}
	n, err := b.br.Read(buf)
	b.left -= int64(n)
	if err == io.EOF && b.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (b *body) readTrailer() error {
	for {
		line, err := b.br.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("read trailer: %w", err)
		}
		if !bytes.HasSuffix(line, []byte("\r\n")) || len(b.trailer)+len(line) > maxTrailer {
			return fmt.Errorf("%w: trailer", errHead)
		}
		if len(line) == 2 {
			return nil
		}
		name, _, ok := strings.Cut(string(line), ":")
		if !ok || !token(name) || bytes.IndexByte(line[:len(line)-2], '\r') >= 0 {
			return fmt.Errorf("%w: trailer", errHead)
		}
		b.trailer = append(b.trailer, line...)
	}
}

// send writes the body to w in the framing its head announced, first held,
// which was already read from it; every piece is flushed as it comes.
func (b *body) send(w io.Writer, held []byte, n *atomic.Int64, moved func()) error {
	out := w
	if b.chunked {
		out = chunks{w}
	}
	if err := relay(out, io.MultiReader(bytes.NewReader(held), b), n, moved); err != nil {
		return err
	}
	if !b.chunked {
		return nil
	}
	_, err := w.Write(append(append([]byte("0\r\n"), b.trailer...), "\r\n"...))
	return err
}

// chunks writes each piece as one chunk, in one write.
type chunks struct{ w io.Writer }

func (c chunks) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	_, err := c.w.Write(append(append(fmt.Appendf(make([]byte, 0, len(p)+16), "%x\r\n", len(p)), p...), "\r\n"...))
	return len(p), err
}
