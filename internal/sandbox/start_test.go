package sandbox_test

import (
	"context"
	"testing"

	"redoubt.dev/redoubt/internal/sandbox"
	"redoubt.dev/redoubt/internal/sandbox/sandboxtest"
)

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
