package gateway

import (
	"io"
	"sync/atomic"
	"time"

	"redoubt.dev/redoubt/internal/function"
)

const (
	mostHeld  = 512 << 20 // bytes of all bodies at once
	freeBytes = 64 << 10  // of a body, that always find room
)

// room bounds the memory that bodies take together, from when they arrive
// until their call ended. They have to be there before it can be decided
// whether the call may be made, so that anybody can send them. What is small
// goes on being served when it is full.
type room struct {
	most int64
	held atomic.Int64
}

// read reads a body that c holds until it is released.
func (m *room) read(c *call, from io.Reader) ([]byte, error) {
	r := &heldReader{room: m, from: from, free: freeBytes}
	release := c.release
	c.release = func() {
		release()
		m.held.Add(-r.held)
	}
	return io.ReadAll(r)
}

type heldReader struct {
	room       *room
	from       io.Reader
	free, held int64
}

// Read implements io.Reader.
func (r *heldReader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	more := max(0, int64(n)-r.free)
	r.free -= int64(n) - more
	r.held += more
	if more > 0 && r.room.held.Add(more) > r.room.most {
		no := refuse(function.Throttled, 503, "ServiceException", "the gateway holds as many bodies as it can; try again")
		no.retry = time.Second
		return n, no
	}
	return n, err
}
