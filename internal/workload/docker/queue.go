package docker

import (
	"context"
	"sync"
)

const (
	atOnce   = 32    // containers looked at together
	maxQueue = 8_192 // jobs waiting in all
)

// queue runs the jobs of one container in order and those of different
// containers side by side, so that one the engine is busy with delays no other.
type queue struct {
	do func(context.Context, job)

	mu      sync.Mutex
	waiting map[string][]job // by container; present while somebody works on it
	size    int
	room    chan struct{}
	done    sync.WaitGroup
}

func newQueue(do func(context.Context, job)) *queue {
	return &queue{do: do, waiting: map[string][]job{}, room: make(chan struct{}, atOnce)}
}

// put takes a job; it is false where there is no room for another.
func (q *queue) put(ctx context.Context, j job) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.size >= maxQueue {
		return false
	}
	q.size++
	line, busy := q.waiting[j.id]
	q.waiting[j.id] = append(line, j)
	if !busy {
		q.done.Go(func() { q.serve(ctx, j.id) })
	}
	return true
}

// serve works on one container until nothing is left to do for it.
func (q *queue) serve(ctx context.Context, id string) {
	for {
		q.mu.Lock()
		line := q.waiting[id]
		if len(line) == 0 || ctx.Err() != nil {
			q.size -= len(line)
			delete(q.waiting, id)
			q.mu.Unlock()
			return
		}
		j := line[0]
		q.waiting[id] = line[1:]
		q.size--
		q.mu.Unlock()
		select {
		case q.room <- struct{}{}:
			q.do(ctx, j)
			<-q.room
		case <-ctx.Done():
		}
	}
}
