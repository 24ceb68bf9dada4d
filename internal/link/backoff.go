package link

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff waits longer after every failure, from 100 ms to 15 s, by a random
// half, so that a console that comes back is not met by all nodes at once.
type backoff struct{ step time.Duration }

func (b *backoff) reset() { b.step = 0 }

// wait returns false when ctx ended first.
func (b *backoff) wait(ctx context.Context) bool {
	b.step = min(max(100*time.Millisecond, b.step*2), 15*time.Second)
	t := time.NewTimer(b.step/2 + rand.N(b.step/2))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
