package store

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/redoubt"
)

// invoked is the i-th call: of one of 50 functions, a few of them loud, by one
// of 200 callers; one in fifty goes wrong.
func invoked(i int) function.Invocation {
	h := uint64(i) * 0x9e3779b97f4a7c15
	f, c := int(h>>40%50*(h>>20%50)/50), int(h>>30%200*(h>>10%200)/200)
	in := function.Invocation{
		ID: fmt.Sprintf("%08x-0000-4000-8000-%012x", i, h>>16), Time: start.Add(time.Duration(i) * 50 * time.Millisecond),
		Function: fmt.Sprintf("fn-%d", f), Version: 1 + i/300_000, Alias: "live", Caller: fmt.Sprintf("user/u%d", c), Source: []string{"http", "http", "http", "queue", "mqtt"}[h>>8%5],
		From: fmt.Sprintf("203.0.113.%d", h>>16%200), Route: "GET /orders/{id}", Trace: fmt.Sprintf("Root=1-%x", h), Outcome: function.Succeeded, Status: 200, Decision: "policy/shop/2",
		Start: function.Warm, Duration: 7 * time.Millisecond, Billed: 8 * time.Millisecond, Memory: 60 << 20, Limit: 256 << 20, In: 300, Out: 900,
		Uses: []function.Use{{Kind: function.UseAWS, Target: "dynamodb:GetItem table/orders", Count: 1, Bytes: 400}},
	}
	switch h >> 24 % 50 {
	case 0:
		in.Outcome, in.Status, in.Error, in.Start = function.Failed, 502, "Unhandled: order not found", function.Cold
	case 1:
		in.Outcome, in.Status = function.Denied, 403
	}
	return in
}

func calls(from, to int) (out []function.Invocation) {
	for i := from; i < to; i++ {
		out = append(out, invoked(i))
	}
	return out
}

func findCalls(t testing.TB, s *Store, q function.Query) (all []function.Invocation) {
	t.Helper()
	if q.Limit == 0 {
		q.Limit = 70
	}
	for {
		page, next, err := s.FindInvocations(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page...)
		if next == "" {
			return all
		}
		q.Cursor = next
	}
}

func TestS19_InvocationsAreFoundByEveryFilter(t *testing.T) {
	s, ctx := open(t), context.Background()
	all := calls(0, 3000)
	all[1234].Error = "the Needle in the haystack"
	for i := 0; i < len(all); i += 500 {
		if err := s.AddInvocations(ctx, all[i:i+500]); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		q    function.Query
		want func(*function.Invocation) bool
	}{
		"all":      {function.Query{}, func(*function.Invocation) bool { return true }},
		"function": {function.Query{Function: "fn-3"}, func(i *function.Invocation) bool { return i.Function == "fn-3" }},
		"caller and source": {function.Query{Caller: "user/u7", Source: "queue"}, func(i *function.Invocation) bool {
			return i.Caller == "user/u7" && i.Source == "queue"
		}},
		"outcome": {function.Query{Outcome: function.Failed}, func(i *function.Invocation) bool { return i.Outcome == function.Failed }},
		"outcome of a function": {function.Query{Outcome: function.Denied, Function: "fn-0"}, func(i *function.Invocation) bool {
			return i.Outcome == function.Denied && i.Function == "fn-0"
		}},
		"version": {function.Query{Version: 2}, func(i *function.Invocation) bool { return i.Version == 2 }},
		"time": {function.Query{Since: all[100].Time, Until: all[200].Time}, func(i *function.Invocation) bool {
			return !i.Time.Before(all[100].Time) && i.Time.Before(all[200].Time)
		}},
		"text": {function.Query{Text: "needle HAYSTACK"}, func(i *function.Invocation) bool { return i.ID == all[1234].ID }},
		"none": {function.Query{Function: "absent"}, func(*function.Invocation) bool { return false }},
	} {
		t.Run(name, func(t *testing.T) {
			var want []function.Invocation
			for i := len(all) - 1; i >= 0; i-- {
				if c.want(&all[i]) {
					want = append(want, all[i])
				}
			}
			if d := cmp.Diff(want, findCalls(t, s, c.q)); d != "" {
				t.Error(d)
			}
		})
	}
	got, err := s.Invocation(ctx, all[5].ID)
	if d := cmp.Diff(all[5], got); err != nil || d != "" {
		t.Errorf("%v %s", err, d)
	}
	if _, err := s.Invocation(ctx, "nobody's"); !fault.Is(err, fault.NotFound) {
		t.Errorf("%v", err)
	}
	if _, _, err := s.FindInvocations(ctx, function.Query{Slice: redoubt.Slice{Cursor: "!"}}); !fault.Is(err, fault.Invalid) {
		t.Errorf("a foreign cursor: %v", err)
	}
}

func TestS19_ACallIsRecordedAndCountedOnce(t *testing.T) {
	s, ctx := open(t), context.Background()
	batch := calls(0, 100)
	for range 3 { // as a gateway that missed the answer
		if err := s.AddInvocations(ctx, batch); err != nil {
			t.Fatal(err)
		}
	}
	changed := batch[0]
	changed.Outcome, changed.Time = function.Crashed, start.Add(time.Hour)
	if err := s.AddInvocations(ctx, []function.Invocation{changed}); err != nil {
		t.Fatal(err)
	}
	if got, _ := s.Invocation(ctx, batch[0].ID); got.Outcome != batch[0].Outcome {
		t.Errorf("a record was replaced: %+v", got)
	}
	var n int64
	sum, err := s.Usage(ctx, UsageQuery{})
	for _, u := range sum {
		n += u.Calls
	}
	if err != nil || n != 100 || count(t, s, "invocations") != 100 {
		t.Errorf("%d calls counted, %d stored, %v", n, count(t, s, "invocations"), err)
	}
}

func TestS19_UsageAddsUpByHourVersionAndCaller(t *testing.T) {
	s, ctx := open(t), context.Background()
	at := start
	one := func(name, caller string, version int, at time.Time, o function.Outcome) function.Invocation {
		return function.Invocation{ID: fmt.Sprint(name, caller, version, at.UnixNano(), o), Time: at, Function: name, Version: version, Caller: caller, Outcome: o, Start: function.Cold,
			Duration: 1500 * time.Millisecond, Billed: 2 * time.Second, Limit: 512 << 20, In: 10, Out: 20}
	}
	if err := s.AddInvocations(ctx, []function.Invocation{
		one("f", "user/a", 1, at, function.Succeeded), one("f", "user/a", 1, at.Add(time.Minute), function.Failed),
		one("f", "user/b", 2, at.Add(2*time.Hour), function.Denied), one("g", "user/a", 1, at.Add(3*time.Hour), function.Succeeded),
	}); err != nil {
		t.Fatal(err)
	}
	usage := func(name string, version int, caller string, calls, errors, refused int64, last time.Time) function.Usage {
		return function.Usage{Function: name, Version: version, Caller: caller, Calls: calls, Errors: errors, Refused: refused, Cold: calls,
			Duration: time.Duration(calls) * 1500 * time.Millisecond, Billed: time.Duration(calls) * 2 * time.Second, GBSeconds: float64(calls), In: 10 * calls, Out: 20 * calls, Last: last}
	}
	for name, c := range map[string]struct {
		q    UsageQuery
		want []HourUsage
	}{
		"functions": {UsageQuery{}, []HourUsage{{Usage: usage("f", 0, "", 3, 1, 1, at.Add(2*time.Hour))}, {Usage: usage("g", 0, "", 1, 0, 0, at.Add(3*time.Hour))}}},
		"hours": {UsageQuery{Function: "f", ByHour: true}, []HourUsage{
			{at.Truncate(time.Hour), usage("f", 0, "", 2, 1, 0, at.Add(time.Minute))}, {at.Add(2 * time.Hour).Truncate(time.Hour), usage("f", 0, "", 1, 0, 1, at.Add(2*time.Hour))}}},
		"versions and callers": {UsageQuery{Function: "f", ByVersion: true, ByCaller: true}, []HourUsage{
			{Usage: usage("f", 1, "user/a", 2, 1, 0, at.Add(time.Minute))}, {Usage: usage("f", 2, "user/b", 1, 0, 1, at.Add(2*time.Hour))}}},
		"since": {UsageQuery{Since: at.Add(time.Hour), Until: at.Add(150 * time.Minute)}, []HourUsage{{Usage: usage("f", 0, "", 1, 0, 1, at.Add(2*time.Hour))}}},
	} {
		got, err := s.Usage(ctx, c.q)
		if d := cmp.Diff(c.want, got); err != nil || d != "" {
			t.Errorf("%s: %v %s", name, err, d)
		}
	}
}

func TestS19_PruningKeepsUsageLonger(t *testing.T) {
	s, ctx := open(t), context.Background()
	if err := s.AddInvocations(ctx, calls(0, 2500)); err != nil {
		t.Fatal(err)
	}
	if err := s.AddLines(ctx, []function.Line{{Time: start, Function: "f", Text: "old"}, {Time: start.Add(time.Hour), Function: "f", Text: "new"}}); err != nil {
		t.Fatal(err)
	}
	gone, err := s.PruneInvocations(ctx, invoked(2400).Time, time.Time{})
	if err != nil || gone != 2400 || count(t, s, "invocations") != 100 || count(t, s, "lines") != 1 {
		t.Errorf("%d gone, %d calls and %d lines left, %v", gone, count(t, s, "invocations"), count(t, s, "lines"), err)
	}
	var n int64
	sum, _ := s.Usage(ctx, UsageQuery{})
	for _, u := range sum {
		n += u.Calls
	}
	if n != 2500 {
		t.Errorf("%d calls counted", n)
	}
	if _, err := s.PruneInvocations(ctx, time.Time{}, start.Add(48*time.Hour)); err != nil || count(t, s, "usage") != 0 {
		t.Errorf("%d rows of usage left, %v", count(t, s, "usage"), err)
	}
}

func TestS19_LinesAreFoundFollowedAndBounded(t *testing.T) {
	s, ctx := open(t), context.Background()
	_, last, err := s.LinesAfter(ctx, "f", -1, 10)
	if err != nil || last != 0 {
		t.Fatal(last, err)
	}
	var batch []function.Line
	for i := range keptLines + 2*trimEvery {
		batch = append(batch, function.Line{Time: start.Add(time.Duration(i) * time.Second), Function: "f", Version: 1, Invocation: fmt.Sprint(i / 10), Text: fmt.Sprintf("Line %d \xff", i)})
		if len(batch) == 1000 {
			if err := s.AddLines(ctx, batch); err != nil {
				t.Fatal(err)
			}
			batch = nil
		}
	}
	if err := s.AddLines(ctx, append(batch, function.Line{Time: start, Function: "g", Text: "other"})); err != nil {
		t.Fatal(err)
	}
	if n := count(t, s, "lines"); n > keptLines+2*trimEvery || n < keptLines {
		t.Errorf("%d lines left", n)
	}
	page, next, err := s.FindLines(ctx, LineQuery{Function: "f", Invocation: "900", Slice: redoubt.Slice{Limit: 6}})
	if err != nil || len(page) != 6 || next == "" || page[0].Text != "Line 9009 \uFFFD" {
		t.Errorf("%+v, %q, %v", page, next, err)
	}
	page, next, err = s.FindLines(ctx, LineQuery{Function: "f", Invocation: "900", Slice: redoubt.Slice{Limit: 6, Cursor: next}})
	if err != nil || len(page) != 4 || next != "" {
		t.Errorf("%+v, %q, %v", page, next, err)
	}
	if page, _, err = s.FindLines(ctx, LineQuery{Text: "line 7777", Slice: redoubt.Slice{Limit: 6}}); err != nil || len(page) != 1 {
		t.Errorf("%+v, %v", page, err)
	}
	_, last, _ = s.LinesAfter(ctx, "f", -1, 10)
	if err := s.AddLines(ctx, []function.Line{{Time: start, Function: "f", Text: "a"}, {Time: start, Function: "g", Text: "b"}, {Time: start, Function: "f", Text: "c"}}); err != nil {
		t.Fatal(err)
	}
	fresh, end, err := s.LinesAfter(ctx, "f", last, 10)
	if err != nil || len(fresh) != 2 || fresh[0].Text != "a" || fresh[1].Text != "c" || end <= last {
		t.Errorf("%+v, %d, %v", fresh, end, err)
	}
	big := make([]byte, 64<<10)
	for range 40 {
		var many []function.Line
		for range 20 {
			many = append(many, function.Line{Time: start, Function: "big", Text: string(big)})
		}
		if err := s.AddLines(ctx, many); err != nil {
			t.Fatal(err)
		}
	}
	if n := count(t, s, "lines WHERE function = 'big'"); n*len(big) > keptBytes+20*len(big) {
		t.Errorf("%d lines of 64 KiB left", n)
	}
}
