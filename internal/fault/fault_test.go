package fault

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"
)

func TestKindSurvivesWrapping(t *testing.T) {
	err := fmt.Errorf("read policy: %w", New(NotFound, "no policy %q; list them with redoubt get policies", "x"))
	if !Is(err, NotFound) || Is(err, Denied) || Of(errors.New("plain")) != Internal {
		t.Fatalf("kind lost: %v", Of(err))
	}
	if want := `read policy: no policy "x"; list them with redoubt get policies`; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}

func TestCauseIsReachableAndPrintedOnce(t *testing.T) {
	err := New(Unavailable, "open state: %w", fs.ErrPermission)
	if !errors.Is(err, fs.ErrPermission) {
		t.Error("cause not reachable")
	}
	if want := "open state: permission denied"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}
