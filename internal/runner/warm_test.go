package runner

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/function"
)

// A version that callers are sent to is ready before the first of them, and
// goes when they are sent elsewhere.
func TestS13_WarmFromDeployOn(t *testing.T) {
	var mu sync.Mutex
	now, live := time.Now(), []*function.Version(nil)
	b := newBench(t, func(c *Config) {
		c.Clock = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
		c.Live = func(context.Context) iter.Seq2[string, *function.Version] {
			return func(yield func(string, *function.Version) bool) {
				mu.Lock()
				defer mu.Unlock()
				for _, v := range live {
					if !yield("f", v) {
						return
					}
				}
			}
		}
	})
	deploy := func(warm int) *function.Version {
		return b.python(echoPython, func(s *function.Spec) { s.Concurrency = function.Concurrency{Max: 3, Warm: warm, Idle: 60} })
	}
	old, next, cold := deploy(2), deploy(1), deploy(0)
	set := func(later time.Duration, all ...*function.Version) {
		mu.Lock()
		now, live = now.Add(later), all
		mu.Unlock()
		b.sweep(t.Context())
	}
	// as counts the environments of a version that stand ready.
	as := func(v *function.Version) (n int) {
		for _, e := range b.Status("f") {
			if e.Version == v.Number && e.State != "busy" {
				n++
			}
		}
		return n
	}
	set(0, old, cold)
	eventually(t, "two are ready", func() bool { return as(old) == 2 })
	if res := b.invoke(old, `{}`); res.Outcome != function.Succeeded {
		t.Errorf("the first call ended %s", res.Outcome)
	}
	set(time.Hour, old, cold)
	if as(cold) != 0 {
		t.Error("what asks for none has one ready")
	}
	eventually(t, "two stay however idle", func() bool { return as(old) == 2 })
	set(time.Hour, next)
	eventually(t, "only the next version is ready", func() bool { b.sweep(t.Context()); return as(next) == 1 && as(old) == 0 })
	set(0)
	set(time.Hour)
	eventually(t, "none is left", func() bool { b.sweep(t.Context()); return len(b.Status("")) == 0 })
}

// Code that does not start is not tried over and over while nobody wants it.
func TestWarmCodeThatDoesNotStartIsLeftAlone(t *testing.T) {
	var asked atomic.Int64
	var v *function.Version
	b := newBench(t, func(c *Config) {
		c.Secret = func(context.Context, string) ([]byte, error) { asked.Add(1); return nil, context.Canceled }
		c.Live = func(context.Context) iter.Seq2[string, *function.Version] {
			return func(yield func(string, *function.Version) bool) { yield("f", v) }
		}
	})
	v = b.python(echoPython, func(s *function.Spec) { s.Concurrency.Warm, s.Role.Secrets = 1, []string{"gone"} })
	eventually(t, "it was tried and given up", func() bool {
		b.sweep(t.Context())
		p, err := b.pool(newCall(v, `{}`))
		if err != nil {
			t.Fatal(err)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		return !p.failed.IsZero()
	})
	for range 5 {
		b.sweep(t.Context())
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("it was tried %d times at once", n)
	}
}
