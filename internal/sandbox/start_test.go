package sandbox_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/sandbox"
	"redoubt.dev/redoubt/internal/sandbox/sandboxtest"
)

const deadline = 30 * time.Second

// output collects what a program prints.
type output struct {
	mu sync.Mutex
	b  []byte
}

func (o *output) take(_ int, b []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.b = append(o.b, b...)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.b)
}

// finish waits for the end of s.
func finish(t testing.TB, s *sandbox.Sandbox) sandbox.Exit {
	t.Helper()
	select {
	case <-s.Done():
	case <-time.After(deadline):
		s.Kill()
		t.Fatal("the sandbox did not end")
	}
	return s.Exit()
}

func TestS7_StartRunsAndEnds(t *testing.T) {
	h := sandboxtest.Open(t)
	t.Log("gaps:", h.Gaps())
	var out output
	s, err := h.Start(context.Background(), sandbox.Spec{ID: "a", Argv: []string{"/usr/bin/id"}, Output: out.take})
	if err != nil {
		t.Fatal(err)
	}
	exit := finish(t, s)
	t.Logf("%+v %+v\n%s", exit, s.Usage(), out.String())
}
