package gateway

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"net/http"

	"redoubt.dev/redoubt/internal/function"
)

// streamed copies a function's answer to its caller as it comes and counts it.
// A caller that went away ends the copying; closing the stream ends the rest.
func (c *call) streamed(a *answer, from io.Reader, write func([]byte) error) error {
	flush := http.NewResponseController(a)
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			c.rec.Out += int64(n)
			if err := write(buf[:n]); err != nil {
				return errLeft
			}
			flush.Flush()
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return refuse(function.Crashed, 502, "Unhandled", "the function's answer broke off")
		}
	}
}

// joined reads what follows a head and closes where that came from.
type joined struct {
	io.Reader
	io.Closer
}

var errLeft = refuse(function.Abandoned, 499, "ServiceException", "the caller went away while the answer was streamed")

// streamAWS answers InvokeWithResponseStream: PayloadChunk events as bytes
// come, then InvokeComplete, which tells of an error where there was one.
func (g *Gateway) streamAWS(a *answer, c *call) error {
	if c.result.Outcome == function.Throttled || c.result.Outcome == function.Abandoned {
		return c.failure()
	}
	kind := c.result.ContentType
	if kind == "" {
		kind = "application/octet-stream"
	}
	a.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
	a.Header().Set("X-Amzn-Remapped-Content-Type", kind)
	a.WriteHeader(http.StatusOK)
	var broke error
	chunk := func(b []byte) error {
		_, err := a.Write(frame("PayloadChunk", "application/octet-stream", b))
		return err
	}
	switch {
	case c.result.Stream != nil:
		broke = c.streamed(a, c.result.Stream, chunk)
		c.result.Stream.Close()
	case c.result.Outcome == function.Succeeded:
		c.rec.Out = int64(len(c.result.Payload))
		broke = chunk(c.result.Payload)
	}
	complete := []byte(`{}`)
	if broke != nil || c.result.Outcome != function.Succeeded {
		complete = append([]byte(`{"ErrorCode":"Unhandled","ErrorDetails":`), quoteJSON(string(c.errorBody()))...)
		complete = append(complete, '}')
	}
	a.Write(frame("InvokeComplete", "application/json", complete))
	return broke
}

// frame is one message of AWS's event stream: a prelude of two lengths and
// their checksum, headers, the payload and a checksum of it all.
func frame(event, kind string, payload []byte) []byte {
	var headers []byte
	for _, h := range [][2]string{{":event-type", event}, {":content-type", kind}, {":message-type", "event"}} {
		headers = append(headers, byte(len(h[0])))
		headers = append(headers, h[0]...)
		headers = append(headers, 7) // a string
		headers = binary.BigEndian.AppendUint16(headers, uint16(len(h[1])))
		headers = append(headers, h[1]...)
	}
	total := 12 + len(headers) + len(payload) + 4
	out := make([]byte, 0, total)
	out = binary.BigEndian.AppendUint32(out, uint32(total))
	out = binary.BigEndian.AppendUint32(out, uint32(len(headers)))
	out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out))
	out = append(out, headers...)
	out = append(out, payload...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out))
}

// discard reads a stream that nobody waits for.
func discard(r io.Reader) error {
	if _, err := io.Copy(io.Discard, r); err != nil {
		return refuse(function.Crashed, 0, "Unhandled", "the function's answer broke off")
	}
	return nil
}
