package sandbox_test

import (
	"context"
	"testing"

	"redoubt.dev/redoubt/internal/sandbox"
	"redoubt.dev/redoubt/internal/sandbox/sandboxtest"
)

func TestS7_CPUCanBeChangedWhileItRuns(t *testing.T) {
	h := sandboxtest.Open(t)
	s, err := h.Start(context.Background(), sandbox.Spec{ID: "cpu", Argv: []string{"/usr/bin/sleep", "3600"}, CPU: 2})
	if err != nil {
		t.Fatal(err)
	}
	for _, cores := range []float64{0.25, 1, 1e9, 0} {
		if err := s.SetCPU(cores); err != nil {
			t.Error(err)
		}
	}
	s.Kill()
	if err := s.SetCPU(1); err == nil {
		t.Error("a sandbox that has ended took a limit")
	}
}
