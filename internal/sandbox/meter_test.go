package sandbox_test

import (
	"context"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/sandbox"
	"redoubt.dev/redoubt/internal/sandbox/sandboxtest"
)

func TestMeterAgreesWithUsage(t *testing.T) {
	h := sandboxtest.Open(t)
	s, err := h.Start(context.Background(), sandbox.Spec{ID: "meter", Argv: []string{"/usr/bin/sleep", "3600"}})
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Meter()
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	before := s.Usage()
	cpu, peak := m.Read()
	after := s.Usage()
	if cpu < before.CPU || cpu > after.CPU || before.MemoryPeak > 0 && (peak < before.MemoryPeak/2 || peak > 2*after.MemoryPeak+1<<20) {
		t.Errorf("meter says %s and %d, usage %+v, then %+v", cpu, peak, before, after)
	}
	if err := m.Reset(); err != nil {
		t.Log("this kernel does not reset peaks:", err)
	} else if _, anew := m.Read(); anew > peak {
		t.Errorf("peak %d after a reset, %d before", anew, peak)
	}
	s.Kill()
	if cpu, _ := m.Read(); cpu < before.CPU || cpu > time.Hour {
		t.Errorf("after its end the meter says %s", cpu)
	}
}
