package store

import (
	"context"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/redoubt"
)

func TestD5_EventsComeBackAsTheyWere(t *testing.T) {
	s := open(t)
	code := 137
	exit := execEvent(3, 1)
	exit.Kind, exit.Exit, exit.Count = redoubt.EventExit, &code, 12
	accept := connectEvent(4, 1, "[2001:db8::1]:51000")
	accept.Kind, accept.Network.Local = redoubt.EventAccept, netip.MustParseAddrPort("172.17.0.2:80")
	listen := connectEvent(5, 1, "0.0.0.0:0")
	listen.Kind, listen.Network.Remote = redoubt.EventListen, netip.AddrPort{}
	entered := alarmEvent(6, 2)
	entered.Process.Entered, entered.Process.Truncated = true, true
	entered.Process.Parent = nil
	bare := redoubt.Event{Time: start, Node: "node-2", Kind: redoubt.EventLoss, Count: 5, Note: "ring full \xff\x1b[31m", Workload: redoubt.WorkloadRef{ID: "host/node-2", Kind: redoubt.KindHost, Name: "node-2"}}
	want := add(t, s, execEvent(1, 1, "-s", "http://localhost/"), connectEvent(2, 1, "10.0.0.5:5432"), exit, accept, listen, entered, bare)

	for range 2 { // from the tables, then from memory
		for _, w := range want {
			got, err := s.Event(context.Background(), w.ID)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(w, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); d != "" {
				t.Errorf("event %s (-written +read):\n%s", w.ID, d)
			}
		}
	}
	if _, err := s.Event(context.Background(), "e999"); !fault.Is(err, fault.NotFound) {
		t.Errorf("missing event: got %v, want not found", err)
	}
}

func TestD5_EventFilters(t *testing.T) {
	s := open(t)
	alarm := alarmEvent(5, 2)
	other := execEvent(6, 3, "quarterly-report")
	other.Node = "node-2"
	loss := redoubt.Event{Time: other.Time, Node: "node-2", Kind: redoubt.EventLoss, Count: 9}
	add(t, s,
		execEvent(1, 1, "one"),              // e1
		connectEvent(2, 1, "10.0.0.5:5432"), // e2
		execEvent(3, 2, "two"),              // e3
		execEvent(4, 2, "three"),            // e4
		alarm,                               // e5
		other,                               // e6
		loss,                                // e7
	)
	yes, no := true, false
	for name, c := range map[string]struct {
		q    redoubt.EventQuery
		want []string
	}{
		"all":               {redoubt.EventQuery{}, []string{"e7", "e6", "e5", "e4", "e3", "e2", "e1"}},
		"workload":          {redoubt.EventQuery{Workload: "docker/shop/web2"}, []string{"e5", "e4", "e3"}},
		"name":              {redoubt.EventQuery{Workload: "shop-web1-1"}, []string{"e2", "e1"}},
		"container prefix":  {redoubt.EventQuery{Workload: alarm.Workload.Container[:12]}, []string{"e5", "e4", "e3"}},
		"short prefix":      {redoubt.EventQuery{Workload: alarm.Workload.Container[:5]}, nil},
		"kind":              {redoubt.EventQuery{Kind: redoubt.EventConnect}, []string{"e2"}},
		"effect":            {redoubt.EventQuery{Effect: redoubt.EffectAlert}, []string{"e5"}},
		"node":              {redoubt.EventQuery{Node: "node-2"}, []string{"e7", "e6"}},
		"novel":             {redoubt.EventQuery{Novel: &yes}, []string{"e5"}},
		"not novel":         {redoubt.EventQuery{Novel: &no, Workload: "docker/shop/web2"}, []string{"e4", "e3"}},
		"notable":           {redoubt.EventQuery{Notable: true}, []string{"e7", "e5"}},
		"notable of one":    {redoubt.EventQuery{Notable: true, Workload: "docker/shop/web2"}, []string{"e5"}},
		"notable, known":    {redoubt.EventQuery{Notable: true, Novel: &no}, []string{"e7"}},
		"notable text":      {redoubt.EventQuery{Notable: true, Text: "netstat"}, []string{"e5"}},
		"notable connect":   {redoubt.EventQuery{Notable: true, Kind: redoubt.EventConnect}, nil},
		"since":             {redoubt.EventQuery{Since: alarm.Time}, []string{"e7", "e6", "e5"}},
		"until":             {redoubt.EventQuery{Until: alarm.Time}, []string{"e4", "e3", "e2", "e1"}},
		"since and kind":    {redoubt.EventQuery{Since: alarm.Time, Kind: redoubt.EventConnect}, nil},
		"word of argument":  {redoubt.EventQuery{Text: "Quarterly"}, []string{"e6"}},
		"word of path":      {redoubt.EventQuery{Text: "/bin/netstat"}, []string{"e5"}},
		"technique":         {redoubt.EventQuery{Text: "T1049"}, []string{"e5"}},
		"address":           {redoubt.EventQuery{Text: "10.0.0.5"}, []string{"e2"}},
		"two words":         {redoubt.EventQuery{Text: "two curl"}, []string{"e3"}},
		"text and workload": {redoubt.EventQuery{Text: "curl", Workload: "docker/shop/web2"}, []string{"e4", "e3"}},
		"container name":    {redoubt.EventQuery{Text: "web3-1"}, []string{"e6"}},
		"image":             {redoubt.EventQuery{Text: "registry.example", Kind: redoubt.EventConnect}, []string{"e2"}},
		"no such word":      {redoubt.EventQuery{Text: "nosuchthing"}, nil},
		"hostile text":      {redoubt.EventQuery{Text: `" OR * NEAR(`}, nil},
		"unknown workload":  {redoubt.EventQuery{Workload: "docker/none"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(c.want, find(t, s, c.q)); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
			if n, known, err := s.TallyEvents(t.Context(), c.q); err != nil || known && n != int64(len(c.want)) || !known && n != 0 || known != cheap(c.q) {
				t.Errorf("tallied %d, known %t, %v; want %d", n, known, err, len(c.want))
			}
			c.q.Limit = 1
			if d := cmp.Diff(c.want, find(t, s, c.q)); d != "" {
				t.Errorf("one by one: -want +got:\n%s", d)
			}
		})
	}
}

// cheap says whether a query is about whole streams.
func cheap(q redoubt.EventQuery) bool {
	return q.Text == "" && q.Since.IsZero() && q.Until.IsZero() && (q.Workload == "" || q.Workload == "docker/shop/web2")
}

func TestEventCursorOfSomebodyElse(t *testing.T) {
	s := open(t)
	for _, c := range []string{"-1", "0", "zz!", "00a", "1 ", "99999999999999999999"} {
		_, _, err := s.FindEvents(context.Background(), redoubt.EventQuery{Slice: redoubt.Slice{Cursor: c}})
		if !fault.Is(err, fault.Invalid) {
			t.Errorf("cursor %q: got %v, want invalid", c, err)
		}
	}
}

func TestEventOrderSurvivesAClockThatJumpsBack(t *testing.T) {
	s := open(t)
	late, early := execEvent(1, 1, "a"), execEvent(2, 1, "b")
	late.Time, early.Time = start.Add(365*24*time.Hour), time.Unix(0, -5).UTC()
	add(t, s, late, early, execEvent(3, 1, "c"))
	if d := cmp.Diff([]string{"e3", "e2", "e1"}, find(t, s, redoubt.EventQuery{Slice: redoubt.Slice{Limit: 1}})); d != "" {
		t.Errorf("list: -want +got:\n%s", d)
	}
	if d := cmp.Diff([]string{"e3"}, find(t, s, redoubt.EventQuery{Since: start.Add(-time.Hour), Until: start.Add(time.Hour)})); d != "" {
		t.Errorf("time range: -want +got:\n%s", d)
	}
}

func TestBatchIsRecordedOnce(t *testing.T) {
	s, ctx := open(t), context.Background()
	push := func(seq uint64) {
		t.Helper()
		err := s.Atomic(ctx, func(ctx context.Context) error {
			fresh, err := s.Advance(ctx, "node-1", seq)
			if err != nil || !fresh {
				return err
			}
			return s.AddEvents(ctx, []redoubt.Event{execEvent(int(seq), 1)})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, seq := range []uint64{1, 2, 2, 1, 3} {
		push(seq)
	}
	if n, err := s.CountEvents(ctx); err != nil || n != 3 {
		t.Errorf("got %d events (%v), want 3", n, err)
	}
}

// A word in more shapes than are merged is found by looking, page by page,
// whatever else is asked for.
func TestD5_CommonWordsAreFoundWithEveryFilter(t *testing.T) {
	s := open(t)
	events := make([]redoubt.Event, 6000)
	var connects, novel []string
	for i := range events {
		switch {
		case i%1000 == 7:
			events[i] = connectEvent(i, 1, "10.0.0.5:5432")
		case i%1500 == 11:
			events[i] = alarmEvent(i, 2)
			events[i].Process.Args = append(events[i].Process.Args, "order")
		default:
			events[i] = execEvent(i, i%3, "order", strconv.Itoa(i))
		}
	}
	add(t, s, events...)
	for i := len(events) - 1; i >= 0; i-- {
		switch {
		case events[i].Kind == redoubt.EventConnect:
			connects = append(connects, events[i].ID)
		case events[i].Verdict.Novel:
			novel = append(novel, events[i].ID)
		}
	}
	yes := true
	for name, c := range map[string]struct {
		q    redoubt.EventQuery
		want []string
	}{
		"in all but a few": {redoubt.EventQuery{Text: "curl", Kind: redoubt.EventConnect}, connects},
		"in none of these": {redoubt.EventQuery{Text: "order", Kind: redoubt.EventConnect}, nil},
		"in a few novel":   {redoubt.EventQuery{Text: "order", Novel: &yes}, novel},
	} {
		if d := cmp.Diff(c.want, find(t, s, c.q)); d != "" {
			t.Errorf("%s: -want +got\n%s", name, d)
		}
	}
	if got := find(t, s, redoubt.EventQuery{Text: "order"}); len(got) != len(events)-len(connects) {
		t.Errorf("order: found %d, want %d", len(got), len(events)-len(connects))
	}
	if got := find(t, s, redoubt.EventQuery{Text: "order 4242"}); len(got) != 1 || got[0] != "e4243" {
		t.Errorf("order 4242: found %v, want e4243", got)
	}
}
