package link

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/link/pki"
	"redoubt.dev/redoubt/internal/link/spool"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

func numbered(run string, n int) redoubt.Event {
	e := execEvent(n)
	e.Note = fmt.Sprintf("%s/%d", run, n)
	return e
}

func openOutbox(t testing.TB, dir string, c Console) (*Outbox, *spool.Spool) {
	t.Helper()
	s, err := spool.Open(spool.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return NewOutbox(OutboxConfig{Spool: s, Console: c, Node: "edge-1", Log: quiet, Delay: 20 * time.Millisecond}), s
}

// runOutbox delivers until the returned function is called.
func runOutbox(t testing.TB, o *Outbox) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- o.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting for %s", what)
		}
	}
}

func TestX8_ConsoleAwayFor100kEventsLosesAndDoublesNone(t *testing.T) {
	const events = 100_000
	r := newRecord()
	r.refuse = fault.New(fault.Unavailable, "away")
	// Every seventh answer is lost on its way: the batch comes twice.
	r.forgets = func(n int) bool { return n%7 == 0 }
	o, _ := openOutbox(t, t.TempDir(), r)
	stop := runOutbox(t, o)
	defer stop()
	began := time.Now()
	for n := range events {
		o.Add(numbered("run", n))
	}
	o.Flush()
	if st := o.Stats(); st.Waiting != events || st.Dropped != 0 {
		t.Fatalf("stats %+v, want %d waiting", st, events)
	} else {
		t.Logf("100,000 events spooled in %v, %d bytes each on disk", time.Since(began).Round(time.Millisecond), st.Bytes/events)
	}
	r.answer(nil)
	waitFor(t, "delivery", func() bool { return o.Stats().Waiting == 0 })
	got := r.seen()
	if len(got) != events {
		t.Fatalf("%d events arrived, want %d", len(got), events)
	}
	for n := range got {
		if want := fmt.Sprintf("run/%d", n); got[n].Note != want {
			t.Fatalf("event %d is %s, want %s", n, got[n].Note, want)
		}
	}
}

func TestEventReachesTheConsoleWithin500ms(t *testing.T) {
	s := newSite(t, time.Now)
	o, _ := openOutbox(t, t.TempDir(), s.client(s.join(t, "edge-1")))
	defer runOutbox(t, o)()
	var took []time.Duration
	for n := range 100 {
		began := time.Now()
		o.Add(numbered("run", n))
		waitFor(t, "the event", func() bool { return len(s.seen()) == n+1 })
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	t.Logf("median %v, worst of 100 %v", took[50], took[99])
	if took[98] > 500*time.Millisecond {
		t.Errorf("p99 is %v", took[98])
	}
}

// The child of the next test: adds events, says which are in the spool, until
// it is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("REDOUBT_TEST_OUTBOX"); dir != "" {
		if err := spew(dir, os.Getenv("REDOUBT_TEST_CONSOLE"), os.Getenv("REDOUBT_TEST_RUN")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func spew(dir, address, run string) error {
	i, err := pki.OpenIdentity(dir, time.Now)
	if err != nil {
		return err
	}
	s, err := spool.Open(spool.Config{Dir: filepath.Join(dir, "spool")})
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	o := NewOutbox(OutboxConfig{Spool: s, Node: i.Node(), Log: log, Delay: time.Hour,
		Console: NewClient(ClientConfig{Address: address, Identity: i, Log: log})})
	go o.Run(context.Background())
	for n := 0; ; n++ {
		o.Add(numbered(run, n))
		if n%100 == 99 {
			o.Flush()
			fmt.Println(n)
		}
	}
}

func TestX8_KilledDefenderLosesNothingItSpooled(t *testing.T) {
	s := newSite(t, time.Now)
	dir := t.TempDir()
	if _, err := Join(t.Context(), JoinConfig{Dir: dir, Token: s.token("x"), Hostname: "edge-1", Now: s.now}); err != nil {
		t.Fatal(err)
	}
	s.record.forgets = func(n int) bool { return n%50 == 0 }
	const runs = 12
	spooled := make([]int, runs) // highest number each run said was in its spool
	for run := range runs {
		away := run%3 == 1 // the console is away for a whole run now and then
		if away {
			s.answer(fault.New(fault.Unavailable, "away"))
		} else {
			s.answer(nil)
		}
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), "REDOUBT_TEST_OUTBOX="+dir, "REDOUBT_TEST_CONSOLE="+s.address, fmt.Sprint("REDOUBT_TEST_RUN=", run))
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		kill := time.AfterFunc(20*time.Millisecond+rand.N(150*time.Millisecond), func() { child.Process.Kill() })
		spooled[run] = -1
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if n, err := strconv.Atoi(lines.Text()); err == nil {
				spooled[run] = n
			}
		}
		kill.Stop()
		if err := child.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("run %d ended by itself: %v", run, err)
		}
	}
	s.answer(nil)
	i, err := pki.OpenIdentity(dir, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	o, _ := openOutbox(t, filepath.Join(dir, "spool"), s.client(i))
	defer runOutbox(t, o)()
	waitFor(t, "delivery", func() bool { return o.Stats().Waiting == 0 })

	next := make([]int, runs)
	lastRun := 0
	for _, e := range s.seen() {
		if e.Kind == redoubt.EventLoss {
			t.Fatalf("events were lost: %s", e.Note)
		}
		run, n, _ := strings.Cut(e.Note, "/")
		r, _ := strconv.Atoi(run)
		if got, _ := strconv.Atoi(n); got != next[r] || r < lastRun {
			t.Fatalf("event %s came where %d/%d was due", e.Note, r, next[r])
		}
		next[r]++
		lastRun = r
	}
	total := 0
	for r := range next {
		if next[r] <= spooled[r] {
			t.Errorf("run %d: %d events arrived, up to %d were spooled", r, next[r], spooled[r])
		}
		total += next[r]
	}
	t.Logf("%d kills, %d events, each once and in order", runs, total)
	if total == 0 {
		t.Error("no run got to add an event")
	}
}

func TestLossIsToldToTheConsole(t *testing.T) {
	r := newRecord()
	r.refuse = fault.New(fault.Unavailable, "away")
	s, err := spool.Open(spool.Config{Dir: t.TempDir(), Bytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	o := NewOutbox(OutboxConfig{Spool: s, Console: r, Node: "edge-1", Log: quiet, Delay: time.Millisecond})
	defer runOutbox(t, o)()
	const events = 5000
	for n := range events {
		o.Add(numbered("run", n))
		if n%50 == 49 {
			o.Flush()
		}
	}
	o.Flush()
	dropped := int(o.Stats().Dropped)
	if dropped == 0 {
		t.Fatal("the spool is over its bound and nothing was dropped")
	}
	r.answer(nil)
	waitFor(t, "delivery", func() bool { return o.Stats().Waiting == 0 })
	o.Add(numbered("run", events))
	o.Flush()
	waitFor(t, "delivery", func() bool { return o.Stats().Waiting == 0 })
	arrived, told := 0, 0
	for _, e := range r.seen() {
		if e.Kind == redoubt.EventLoss {
			told += e.Count
		} else {
			arrived++
		}
	}
	if arrived+int(o.Stats().Dropped) != events+1 || told == 0 {
		t.Errorf("%d arrived, %d dropped, of %d; the console was told of %d", arrived, o.Stats().Dropped, events+1, told)
	}
}

func TestMalformedBatchDoesNotBlockTheQueue(t *testing.T) {
	r := newRecord()
	r.refuse = fault.New(fault.Invalid, "malformed")
	o, s := openOutbox(t, t.TempDir(), r)
	if _, err := s.Append(2, []byte("\xff\xffno batch")); err != nil {
		t.Fatal(err)
	}
	defer runOutbox(t, o)()
	o.Add(numbered("run", 0))
	waitFor(t, "both to be refused", func() bool { return o.Stats().Dropped == 3 })
	r.answer(nil)
	o.Add(numbered("run", 1))
	waitFor(t, "the next event", func() bool {
		return slices.ContainsFunc(r.seen(), func(e redoubt.Event) bool { return e.Note == "run/1" })
	})
}

func TestStatusAndWorkloadsAreTheNewestAndNeverRideOnAnOldRecord(t *testing.T) {
	dir := t.TempDir()
	r := newRecord()
	before, s := openOutbox(t, dir, r)
	before.Add(numbered("old", 0))
	before.Flush()
	s.Close()
	r.refuse = fault.New(fault.Unavailable, "away")
	o, _ := openOutbox(t, dir, r)
	defer runOutbox(t, o)()
	for n := range 100 {
		o.SetStatus(redoubt.NodeStatus{ID: "edge-1", Spooled: n})
		o.SetWorkloads([]redoubt.Workload{{PID: n}})
	}
	r.answer(nil)
	waitFor(t, "the status", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return len(r.batches) == 2 })
	if b := r.batches[0]; b.Status != nil || b.Workloads != nil || len(b.Events) != 1 {
		t.Errorf("the old record carries %+v", b)
	}
	if b := r.batches[1]; b.Status == nil || b.Status.Spooled != 99 || b.Workloads[0].PID != 99 {
		t.Errorf("the last batch is %+v", b)
	}
}

func TestHugeEventAndManyDeltasAreMadeToFit(t *testing.T) {
	s := newSite(t, time.Now)
	o, _ := openOutbox(t, t.TempDir(), s.client(s.join(t, "edge-1")))
	defer runOutbox(t, o)()
	huge := numbered("run", 0)
	huge.Process.Args = []string{strings.Repeat("a", 10<<20)}
	o.Add(huge)
	entries := make([]profile.Entry, 500)
	for i := range entries {
		entries[i] = profile.Entry{ID: fmt.Sprint(i), Kind: redoubt.EventExec, Exec: &profile.Exec{Path: "/usr/bin/" + strings.Repeat("x", 200)}}
	}
	for range 100 {
		o.AddDeltas(profile.Delta{Workload: "docker/web", Entries: entries})
	}
	waitFor(t, "delivery", func() bool { o.Flush(); return o.Stats().Waiting == 0 && len(s.seen()) == 1 })
	waitFor(t, "deltas", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		n := 0
		for _, b := range s.batches {
			n += len(b.Deltas)
		}
		return n == 100
	})
	if p := s.seen()[0].Process; !p.Truncated || len(p.Args) != 0 || p.Path != "/usr/bin/tool" {
		t.Errorf("the huge event arrived as %+v", p)
	}
	if huge.Process.Truncated {
		t.Error("the caller's event was changed")
	}
}
