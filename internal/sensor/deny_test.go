package sensor

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/redoubt"
)

// rounds is how often a test tries what must never happen.
func rounds(t *testing.T, n int) int {
	if v, err := strconv.Atoi(os.Getenv("REDOUBT_ROUNDS")); err == nil {
		return v
	}
	if testing.Short() {
		return n / 10
	}
	return n
}

// enforced is the back end that stops an exec here.
func (w *watch) enforced() redoubt.Backend { return w.Coverage().Exec[0] }

// refused says whether a command ended the way the back end ends it.
func (w *watch) refused(err error) bool {
	if w.enforced() == redoubt.BackendLSM {
		return errors.Is(err, syscall.EPERM)
	}
	var exit *exec.ExitError
	return errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
}

func TestR12_PreventKillsBeforeFirstInstruction(t *testing.T) {
	w := open(t, Config{})
	g := newGroup(t, w, 7)
	bad, good := program(t, "bad", codeCreate), program(t, "good", codeCreate)
	if err := w.SetExec(7, ExecKey{File: statKey(t, bad)}, Deny); err != nil {
		t.Fatal(err)
	}
	proof := filepath.Join(t.TempDir(), "ran")
	n := rounds(t, 1000)
	for i := range n {
		if err := g.command(bad, proof).Run(); !w.refused(err) {
			t.Fatalf("round %d ended with %v", i, err)
		}
		if _, err := os.Stat(proof); err == nil {
			t.Fatalf("round %d: the denied program ran", i)
		}
	}
	if out, err := g.run(good, proof); err != nil {
		t.Fatalf("its neighbour was stopped: %v %s", err, out)
	}
	if _, err := os.Stat(proof); err != nil {
		t.Fatal("the neighbour left no proof: the test proves nothing")
	}

	told := 0
	denied := func(s *Sighting) bool { return g.here(redoubt.EventExec)(s) && s.Path == bad }
	for deadline := time.Now().Add(10 * time.Second); told < n && time.Now().Before(deadline); {
		told = 0
		for _, s := range w.wait(1, denied) {
			if s.Denied != w.enforced() {
				t.Fatalf("denied by %q, not %q", s.Denied, w.enforced())
			}
			told += s.Count
		}
		if told < n {
			time.Sleep(50 * time.Millisecond)
		}
	}
	if told != n {
		t.Errorf("%d of %d refusals were told", told, n)
	}
	if got := count(w.Tallies(7), func(k Tally) bool { return k.Exec != nil && k.Exec.File == statKey(t, bad) }); got != int64(n) {
		t.Errorf("the rule counted %d of %d", got, n)
	}
}

func count(list []Tally, match func(Tally) bool) (n int64) {
	for _, k := range list {
		if match(k) {
			n += k.Count
		}
	}
	return n
}

func TestR12_DenyIsByContentNotByName(t *testing.T) {
	w := open(t, Config{})
	g := newGroup(t, w, 7)
	bad := program(t, "bad", codeExit)
	dir := filepath.Dir(bad)
	link, hard, renamed := filepath.Join(dir, "symlink"), filepath.Join(dir, "hard"), filepath.Join(dir, "renamed")
	if err := os.Symlink(bad, link); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(bad, hard); err != nil {
		t.Fatal(err)
	}
	if err := w.SetExec(7, ExecKey{File: statKey(t, bad)}, Deny); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{bad, link, hard} {
		if err := g.command(p).Run(); !w.refused(err) {
			t.Errorf("%s ended with %v", filepath.Base(p), err)
		}
	}
	// A rename changes ctime on most file systems: user space must see it as
	// a new file, not as an allowed one.
	if err := os.Rename(hard, renamed); err != nil {
		t.Fatal(err)
	}
	if err := g.command(renamed).Run(); err != nil && !w.refused(err) {
		t.Fatal(err)
	}
	w.wait(1, func(s *Sighting) bool { return s.Kind == redoubt.EventExec && s.Path == renamed })
}

func TestR12_DefaultDenyLetsOnlyRulesThrough(t *testing.T) {
	w := open(t, Config{})
	g := newGroup(t, w, 8)
	good, bad := program(t, "good", codeExit), program(t, "bad", codeExit)
	if err := w.Replace(8, Mode{Exec: Deny}, []Rule{{Exec: &ExecKey{File: statKey(t, good)}, Action: Allow}}); err != nil {
		t.Fatal(err)
	}
	if err := g.command(good).Run(); err != nil {
		t.Errorf("allowed program: %v", err)
	}
	if err := g.command(bad).Run(); !w.refused(err) {
		t.Errorf("program without a rule ended with %v", err)
	}
}

func TestR13_ArgumentsAndParentDecide(t *testing.T) {
	w := open(t, Config{})
	g := newGroup(t, w, 9)
	p := program(t, "p", codeExit)
	file, me := statKey(t, p), statKey(t, self(t))
	args := func(a ...string) uint64 { return HashArgs(append([]string{p}, a...)) }
	err := w.Replace(9, Mode{Exec: Allow}, []Rule{
		{Exec: &ExecKey{File: file}, Action: Deny},
		{Exec: &ExecKey{File: file, Args: args("any-parent")}, Action: Allow},
		{Exec: &ExecKey{File: file, Parent: me, Args: args("mine")}, Action: Allow},
		{Exec: &ExecKey{File: file, Parent: redoubt.FileKey{Dev: 1, Ino: 1}, Args: args("other")}, Action: Allow},
	})
	if err != nil {
		t.Fatal(err)
	}
	for arg, allowed := range map[string]bool{"any-parent": true, "mine": true, "other": false, "none": false} {
		err := g.command(p, arg).Run()
		// Rules by arguments are carried out at the tracepoint on every back end.
		var exit *exec.ExitError
		killed := errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
		if allowed && err != nil || !allowed && !killed {
			t.Errorf("with %q: allowed %v, ended with %v", arg, allowed, err)
		}
	}
	if err := w.Replace(9, Mode{Exec: Allow}, []Rule{
		{Exec: &ExecKey{File: file}, Action: Deny},
		{Exec: &ExecKey{File: file, Parent: me}, Action: Allow},
	}); err != nil {
		t.Fatal(err)
	}
	if err := g.command(p).Run(); err != nil {
		t.Errorf("allowed parent: %v", err)
	}
}

func TestR9_KnownGoodIsCountedAndSilent(t *testing.T) {
	w := open(t, Config{})
	a, b := newGroup(t, w, 10), newGroup(t, w, 10)
	p := program(t, "p", codeExit)
	key := ExecKey{File: statKey(t, p)}
	if err := w.SetExec(10, key, Allow); err != nil {
		t.Fatal(err)
	}
	before := w.Stats()
	for range 50 {
		for _, g := range []*group{a, b} {
			if err := g.command(p).Run(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, g := range []*group{a, b} {
		if n := w.count(g.here(redoubt.EventExec)); n != 1 {
			t.Errorf("cgroup %d told %d sightings, want the first only", g.id, n)
		}
		if s := w.wait(1, g.here(redoubt.EventExec))[0]; !s.Known || s.Denied != "" {
			t.Errorf("first sighting %+v is not known", s)
		}
	}
	tallies := w.Tallies(10)
	if len(tallies) != 1 || tallies[0].Count != 100 || *tallies[0].Exec != key || tallies[0].Units < 1 || tallies[0].Units > 20 {
		t.Errorf("tallies %+v", tallies)
	}
	if again := w.Tallies(10); len(again) != 0 {
		t.Errorf("told again: %+v", again)
	}
	if known := w.Stats().Known - before.Known; known < 100 {
		t.Errorf("kernel knew %d of 100", known)
	}
}

func TestReplaceIsOneStep(t *testing.T) {
	w := open(t, Config{})
	g := newGroup(t, w, 11)
	p := program(t, "p", codeExit)
	rule := Rule{Exec: &ExecKey{File: statKey(t, p)}, Action: Allow}
	if err := w.Replace(11, Mode{Exec: Deny}, []Rule{rule}); err != nil {
		t.Fatal(err)
	}
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			other := Rule{Exec: &ExecKey{File: redoubt.FileKey{Dev: 1, Ino: uint64(i + 1)}}, Action: Allow}
			if err := w.Replace(11, Mode{Exec: Deny}, []Rule{other, rule}); err != nil {
				done <- err
				return
			}
		}
	}()
	const n = 300
	for i := range n {
		if err := g.command(p).Run(); err != nil {
			t.Errorf("exec %d, allowed before and after each change, ended with %v", i, err)
			break
		}
	}
	close(stop)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := count(w.Tallies(11), func(k Tally) bool { return *k.Exec == *rule.Exec }); got != n {
		t.Errorf("the rule counted %d of %d over the changes", got, n)
	}
	if err := w.Renew(11); err != nil {
		t.Fatal(err)
	}
	if err := g.command(p).Run(); !w.refused(err) {
		t.Errorf("after Renew the rule still holds: %v", err)
	}
}

func TestHoldStopsUntilAnswered(t *testing.T) {
	w := open(t, Config{})
	g := newGroup(t, w, 12)
	p := program(t, "p", codeCreate)
	if err := w.SetMode(12, Mode{Exec: Hold}); err != nil {
		t.Fatal(err)
	}
	for i, answer := range []func(int) error{w.Resume, w.Kill} {
		proof := filepath.Join(t.TempDir(), "ran")
		cmd := g.command(p, proof)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		held := w.wait(i+1, func(s *Sighting) bool { return g.here(redoubt.EventExec)(s) && s.Held })[i]
		if held.PID != cmd.Process.Pid {
			t.Fatalf("held %d, started %d", held.PID, cmd.Process.Pid)
		}
		if _, err := os.Stat(proof); err == nil {
			t.Fatal("ran before it was resumed")
		}
		if err := answer(held.PID); err != nil {
			t.Fatal(err)
		}
		err := cmd.Wait()
		_, ran := os.Stat(proof)
		if resumed := i == 0; resumed != (err == nil) || resumed != (ran == nil) {
			t.Errorf("answer %d: ended with %v, proof %v", i, err, ran)
		}
	}
	if err := w.Kill(1); err == nil {
		t.Error("init may be killed")
	}
}

func TestAlikeAreMergedAndCounted(t *testing.T) {
	w := open(t, Config{Alike: 5})
	g := newGroup(t, w, 13)
	p, q := program(t, "p", codeExit), program(t, "q", codeExit)
	const n = 60
	for range n {
		if err := g.command(p).Run(); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.command(q).Run(); err != nil {
		t.Fatal(err)
	}
	w.wait(1, func(s *Sighting) bool { return g.here(redoubt.EventExec)(s) && s.Path == q })
	sum, sent := 0, 0
	for deadline := time.Now().Add(10 * time.Second); sum < n && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		got := w.wait(1, func(s *Sighting) bool { return g.here(redoubt.EventExec)(s) && s.Path == p })
		sum, sent = 0, len(got)
		for _, s := range got {
			sum += s.Count
		}
	}
	if sum != n {
		t.Errorf("%d of %d execs are accounted for", sum, n)
	}
	if sent > n/2 {
		t.Errorf("%d sightings for %d alike execs", sent, n)
	}
}

func TestNestedCgroupsBelongToTheirAncestor(t *testing.T) {
	w := open(t, Config{})
	outer := newGroup(t, w, 14)
	inner := childGroup(t, w, outer.path, 0)
	deep := childGroup(t, w, inner.path, 0)
	p := program(t, "p", codeExit)
	if err := deep.command(p).Run(); err != nil {
		t.Fatal(err)
	}
	w.wait(1, outer.here(redoubt.EventExec))
	if err := w.SetExec(14, ExecKey{File: statKey(t, p)}, Deny); err != nil {
		t.Fatal(err)
	}
	if err := deep.command(p).Run(); !w.refused(err) {
		t.Errorf("the ancestor's rules do not hold below: %v", err)
	}
	if err := w.Assign(inner.id, 15); err != nil {
		t.Fatal(err)
	}
	if err := deep.command(p).Run(); err != nil {
		t.Errorf("a nearer slot does not go first: %v", err)
	}
	w.wait(1, inner.here(redoubt.EventExec))
	if err := w.Unassign(inner.id); err != nil {
		t.Fatal(err)
	}
	if err := deep.command(p).Run(); !w.refused(err) {
		t.Errorf("after Unassign: %v", err)
	}
}

func TestNameBindsBeforeTheCgroupExists(t *testing.T) {
	w := open(t, Config{})
	p := program(t, "p", codeExit)
	if err := w.SetExec(16, ExecKey{File: statKey(t, p)}, Deny); err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("rdt-sensor-%d-%d", os.Getpid(), groups.Load()+1)
	if err := w.AssignName(name, 16); err != nil {
		t.Fatal(err)
	}
	g := newGroup(t, w, 0)
	if filepath.Base(g.path) != name {
		t.Fatalf("made %s, bound %s", g.path, name)
	}
	if err := g.command(p).Run(); !w.refused(err) {
		t.Errorf("bound by name, ended with %v", err)
	}
	born := w.wait(1, func(s *Sighting) bool { return s.Kind == CgroupBorn && s.Cgroup == g.id })[0]
	if born.Path != g.path {
		t.Errorf("born as %q, is %q", born.Path, g.path)
	}
	g.remove()
	w.wait(1, func(s *Sighting) bool { return s.Kind == CgroupGone && s.Cgroup == g.id && s.Path == g.path })
	w.mu.Lock()
	defer w.mu.Unlock()
	order := slices.IndexFunc(w.all, func(s Sighting) bool { return s.Kind == CgroupBorn && s.Cgroup == g.id }) <
		slices.IndexFunc(w.all, func(s Sighting) bool { return g.here(redoubt.EventExec)(&s) })
	if !order {
		t.Error("the exec was told before the birth of its cgroup")
	}
}
