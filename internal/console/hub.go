package console

import (
	"encoding/json"
	"strconv"
	"sync"
	"sync/atomic"

	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/fault"
)

// Bounds of the stream. A reader whose queue is full loses messages and is told
// how many; one reader too many is refused.
const (
	maxReaders  = 256
	readerQueue = 512
)

// hub hands every message to every reader that wants its type, without ever
// waiting for one.
type hub struct {
	mu      sync.Mutex
	readers map[*reader]struct{}
	missed  atomic.Uint64 // by all readers, since start
}

// reader is one subscriber. missed counts what did not fit since the last
// message that did.
type reader struct {
	types  map[string]bool // empty wants all
	queue  chan []byte
	missed int
}

func (h *hub) join(types map[string]bool) (*reader, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.readers) >= maxReaders {
		return nil, fault.New(fault.Limited, "%d readers follow the stream already; close one", maxReaders)
	}
	r := &reader{types: types, queue: make(chan []byte, readerQueue)}
	h.readers[r] = struct{}{}
	return r, nil
}

func (h *hub) leave(r *reader) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.readers, r)
}

func (h *hub) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.readers)
}

// send encodes a message once, and only if somebody wants it.
func (h *hub) send(messages []api.StreamMessage) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.readers) == 0 {
		return
	}
	for _, m := range messages {
		var text []byte
		for r := range h.readers {
			if len(r.types) > 0 && !r.types[m.Type] {
				continue
			}
			if text == nil {
				text = encode(m)
			}
			h.offer(r, text)
		}
	}
}

func (h *hub) offer(r *reader, text []byte) {
	if r.missed > 0 && len(r.queue) < cap(r.queue)-1 {
		r.queue <- encode(api.StreamMessage{Type: "missed", ID: strconv.Itoa(r.missed)})
		r.missed = 0
	}
	if r.missed > 0 || len(r.queue) == cap(r.queue) {
		r.missed++
		h.missed.Add(1)
		return
	}
	r.queue <- text
}

// lost takes what the reader has missed and not been told, for when its queue
// has run empty without another message coming.
func (h *hub) lost(r *reader) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.missed == 0 || len(r.queue) > 0 {
		return nil
	}
	n := r.missed
	r.missed = 0
	return encode(api.StreamMessage{Type: "missed", ID: strconv.Itoa(n)})
}

// encode frames a message as a server-sent event. A message that cannot be
// written as JSON is a mistake of ours; its reader gets the name of it.
func encode(m api.StreamMessage) []byte {
	body, err := json.Marshal(m)
	if err != nil {
		body, _ = json.Marshal(api.StreamMessage{Type: m.Type, ID: m.ID})
	}
	text := make([]byte, 0, len(body)+len(m.Type)+20)
	text = append(text, "event: "+m.Type+"\ndata: "...)
	return append(append(text, body...), "\n\n"...)
}
