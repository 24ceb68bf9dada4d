package store

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/redoubt"
)

func count(t *testing.T, s *Store, table string) (n int) {
	t.Helper()
	if err := s.read.QueryRow("SELECT count(*) FROM " + table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestD5_PruneByNumberLeavesTheNewest(t *testing.T) {
	s, ctx := open(t), context.Background()
	batch := make([]redoubt.Event, 3000)
	for i := range batch {
		batch[i] = execEvent(i, i/1000, "-s", fmt.Sprintf("argument%d", i))
	}
	add(t, s, batch...)
	gone, err := s.Prune(ctx, time.Time{}, 700)
	if err != nil || gone != 2300 {
		t.Fatalf("pruned %d, %v; want 2300", gone, err)
	}
	ids := find(t, s, redoubt.EventQuery{Slice: redoubt.Slice{Limit: 1000}})
	if len(ids) != 700 || ids[0] != "e3000" || ids[699] != "e2301" {
		t.Errorf("left %d events, %s … %s", len(ids), ids[0], ids[len(ids)-1])
	}
	if got := find(t, s, redoubt.EventQuery{Text: "argument2300"}); len(got) != 1 {
		t.Errorf("a kept event is not found by its words: %v", got)
	}
	if got := find(t, s, redoubt.EventQuery{Text: "argument2299"}); len(got) != 0 {
		t.Errorf("a pruned event is found by its words: %v", got)
	}
	if got := find(t, s, redoubt.EventQuery{Workload: "docker/shop/web0"}); len(got) != 0 {
		t.Errorf("a pruned workload has events: %v", got)
	}
	for table, want := range map[string]int{"shapes": 700, "streams": 1, "refs": 1} {
		if n := count(t, s, table); n != want {
			t.Errorf("%d %s left, want %d", n, table, want)
		}
	}
	// 700 programs, and what they share: 3 paths, 3 files, 2 parents, 2
	// directories, a verdict, a workload.
	if n := count(t, s, "atoms"); n != 712 {
		t.Errorf("%d atoms left, want 712", n)
	}
	for _, e := range add(t, s, execEvent(1, 1), alarmEvent(2, 2)) {
		got, err := s.Event(ctx, e.ID)
		if d := cmp.Diff(e, got); err != nil || d != "" {
			t.Errorf("written after pruning: %v\n%s", err, d)
		}
	}
}

func TestD5_PruneByAgeGoesByArrival(t *testing.T) {
	s, ctx := open(t), context.Background()
	now := start
	s.now = func() time.Time { return now }
	arrive := func(at time.Time, e redoubt.Event) { now = at; add(t, s, e) }
	wrong := execEvent(2, 1)
	wrong.Time = time.Unix(1, 0) // the node's clock is wrong, it came just now
	arrive(start, execEvent(1, 1))
	arrive(start.Add(48*time.Hour), wrong)
	arrive(start.Add(-time.Hour), execEvent(3, 1)) // our own clock jumps back
	arrive(start.Add(49*time.Hour), execEvent(4, 1))

	for _, c := range []struct {
		before time.Time
		want   []string
	}{
		{start, []string{"e4", "e3", "e2", "e1"}},
		{start.Add(24 * time.Hour), []string{"e4", "e3", "e2"}},
		{start.Add(24 * time.Hour), []string{"e4", "e3", "e2"}},
		{start.Add(100 * time.Hour), nil},
	} {
		if _, err := s.Prune(ctx, c.before, 1<<40); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c.want, find(t, s, redoubt.EventQuery{})); d != "" {
			t.Errorf("before %v: -want +left:\n%s", c.before, d)
		}
	}
	if got := add(t, s, execEvent(5, 1)); got[0].ID != "e5" {
		t.Errorf("the id after pruning all is %s, want e5", got[0].ID)
	}
}

func TestPruneGivesSpaceBack(t *testing.T) {
	s, ctx := open(t), context.Background()
	for i := range 10 {
		batch := make([]redoubt.Event, 500)
		for j := range batch {
			batch[j] = execEvent(i*500+j, 1, fmt.Sprintf("once-%d-%0100d", i, j))
		}
		add(t, s, batch...)
	}
	before, err := s.Size(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Prune(ctx, time.Time{}, 100); err != nil {
		t.Fatal(err)
	}
	if after, err := s.Size(ctx); err != nil || after > before/2 {
		t.Errorf("%d bytes before, %d after, %v", before, after, err)
	}
}

func TestPruneKeepsWhatIsStillOpen(t *testing.T) {
	s, ctx := open(t), context.Background()
	old, young := start.Add(-48*time.Hour), start
	for _, a := range []redoubt.Alert{{Key: "1", Time: old, Status: redoubt.Resolved}, {Key: "2", Time: old, Status: redoubt.Open}, {Key: "3", Time: young, Status: redoubt.Resolved}} {
		if err := s.PutAlert(ctx, &a); err != nil {
			t.Fatal(err)
		}
	}
	for _, i := range []redoubt.Incident{{Time: old, Status: redoubt.Resolved}, {Time: old, Status: redoubt.Acknowledged}} {
		if err := s.PutIncident(ctx, &i); err != nil {
			t.Fatal(err)
		}
	}
	instance := func(id string, running bool, at time.Time) redoubt.Instance {
		return redoubt.Instance{Workload: redoubt.Workload{WorkloadRef: redoubt.WorkloadRef{Container: id}, Node: "n", Running: running}, Time: at}
	}
	if err := s.PutInstances(ctx, []redoubt.Instance{instance("gone", false, old), instance("runs", true, old), instance("recent", false, young)}); err != nil {
		t.Fatal(err)
	}
	if err := s.AddFlows(ctx, []redoubt.Flow{{From: "a", To: "b", Last: old}, {From: "a", To: "c", Last: young}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Prune(ctx, start.Add(-24*time.Hour), 1000); err != nil {
		t.Fatal(err)
	}
	for table, want := range map[string]int{"alerts": 2, "incidents": 1, "instances": 2, "flows": 1} {
		if n := count(t, s, table); n != want {
			t.Errorf("%d %s left, want %d", n, table, want)
		}
	}
	if _, err := s.Alert(ctx, "a1"); !fault.Is(err, fault.NotFound) {
		t.Errorf("old resolved alert: %v, want not found", err)
	}
}
