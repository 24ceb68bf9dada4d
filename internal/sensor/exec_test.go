package sensor

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"redoubt.dev/redoubt/internal/redoubt"
)

func TestR1_ExecIsSeenWhole(t *testing.T) {
	w := open(t, Config{})
	t.Logf("coverage %+v gaps %q", w.Coverage(), w.Gaps())
	g := newGroup(t, w, 5)
	dir := t.TempDir()
	cmd := g.command(self(t), "act", "exit", "two words", "")
	cmd.Dir = dir
	err := cmd.Run()
	if err == nil || cmd.ProcessState.ExitCode() != 7 {
		t.Fatalf("program ended with %v", err)
	}
	got := w.wait(1, g.here(redoubt.EventExec))[0]
	args := []string{self(t), "act", "exit", "two words", ""}
	want := Sighting{
		Kind: redoubt.EventExec, Cgroup: g.id, Path: self(t), PID: cmd.Process.Pid, Parent: os.Getpid(),
		Caps: got.Caps, Cwd: dir, Args: args, Count: 1, Entered: true, Runtime: true,
		Key:    ExecKey{File: statKey(t, self(t)), Parent: statKey(t, self(t)), Args: HashArgs(args)},
		Origin: redoubt.OriginImage,
	}
	if onMemory(t, self(t)) {
		want.Origin = redoubt.OriginMemory
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Sighting{}, "Time", "Started", "Ancestors")); diff != "" {
		t.Errorf("sighting (-want +got):\n%s", diff)
	}
	if len(got.Ancestors) == 0 || got.Ancestors[0].PID != os.Getpid() || got.Ancestors[0].File != want.Key.Parent {
		t.Errorf("ancestors %+v do not begin with the test", got.Ancestors)
	}
	if !startedAt(os.Getpid(), got.Ancestors[0].Started) {
		t.Errorf("the test did not start at %d", got.Ancestors[0].Started)
	}
	if got.Caps == 0 {
		t.Error("root without capabilities")
	}
	end := w.wait(1, g.here(redoubt.EventExit))[0]
	if end.Exit != 7 || end.PID != got.PID || end.Started != got.Started {
		t.Errorf("exit %+v is not of %+v", end, got)
	}
}
