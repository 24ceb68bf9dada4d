package sandbox_test

import (
	"testing"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/sandbox/sandboxtest"
)

// Who names directories has those and nothing beside them; who names none has
// all of /tmp.
func TestS7_WritesOnlyWhereItMay(t *testing.T) {
	h := sandboxtest.Open(t)
	spec := probe(t)
	spec.Write = []string{"/tmp/cache/deep", "/tmp/out"}
	try(t, h, spec, []trial{
		{"beside", "write=/tmp/x", []string{"EACCES"}},
		{"above", "write=/tmp/cache/x", []string{"EACCES"}},
		{"by another name", "write=/dev/shm/x", []string{"EACCES"}},
		{"out of it", "write=/tmp/out/../x", []string{"EACCES"}},
		{"names that begin alike", "write=/tmp/output", []string{"EACCES"}},
		{"new directories", "inodes=/tmp", []string{"EACCES"}},
		{"twin: its directory", "write=/tmp/out/x", ok},
		{"twin: its deep directory", "write=/tmp/cache/deep/x", ok},
		{"twin: reading", "list=/tmp", []string{"cache out"}},
	})
	try(t, h, probe(t), []trial{{"twin: all of it", "write=/tmp/x", ok}, {"twin: shared memory", "write=/dev/shm/y", ok}})
	for _, d := range []string{"/tmp", "/var/x", "/tmp/../etc", "/tmp/a/", "/tmp/a\x00"} {
		spec.Write = []string{d}
		if _, err := h.Start(t.Context(), spec); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q was taken: %v", d, err)
		}
	}
}
