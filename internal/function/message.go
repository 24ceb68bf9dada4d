package function

import "time"

// Message is an item of a durable queue: one that people send to and triggers
// read from, or, under a name no person can choose, an asynchronous call.
type Message struct {
	ID         string            `json:"id"`
	Queue      string            `json:"queue"`
	Body       []byte            `json:"body"`
	Attributes map[string]string `json:"attributes,omitempty"`
	Sent       time.Time         `json:"sent"`
	Due        time.Time         `json:"due"`               // not handed out before; while leased, when the lease ends
	Expires    time.Time         `json:"expires,omitzero"`  // zero: never
	Attempts   int               `json:"attempts,omitzero"` // times it was handed out
}

// QueueState sums up one queue.
type QueueState struct {
	Name    string    `json:"name"`
	Waiting int64     `json:"waiting"` // not leased, due or not
	Leased  int64     `json:"leased"`
	Oldest  time.Time `json:"oldest,omitzero"` // when the oldest message was sent
}
