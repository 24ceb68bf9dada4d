package store

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
	"redoubt.dev/redoubt/internal/iam"
	"redoubt.dev/redoubt/internal/model"
	"redoubt.dev/redoubt/internal/redoubt"
	"redoubt.dev/redoubt/internal/route"
)

func message(queue, id string, due time.Time) *function.Message {
	return &function.Message{ID: id, Queue: queue, Body: []byte("body of " + id), Sent: start, Due: due, Attributes: map[string]string{"sender": "user/a"}}
}

func TestS12_QueueHandsOutLeasesAndTakesBack(t *testing.T) {
	s, ctx := open(t), context.Background()
	q := s.Queues()
	s.now = func() time.Time { return start }
	for i := range 5 {
		m := message("mail", fmt.Sprint("m", i), start.Add(time.Duration(i)*time.Second))
		for range 2 { // the second is left alone
			if err := q.Send(ctx, m); err != nil {
				t.Fatal(err)
			}
			m.Body = []byte("another")
		}
	}
	receive := func(now time.Time, most int) (ids []string) {
		got, err := q.Receive(ctx, "mail", most, now, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range got {
			ids = append(ids, fmt.Sprintf("%s/%d", m.ID, m.Attempts))
			if string(m.Body) != "body of "+m.ID || !m.Due.Equal(now.Add(time.Minute)) || m.Attributes["sender"] != "user/a" {
				t.Errorf("%+v", m)
			}
		}
		return ids
	}
	if d := cmp.Diff([]string{"m0/1", "m1/1"}, receive(start.Add(2*time.Second), 2)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"m2/1"}, receive(start.Add(2*time.Second), 10)); d != "" {
		t.Error("not due, or leased: ", d)
	}
	if st, err := q.States(ctx, "ma"); err != nil || len(st) != 1 || st[0].Waiting != 2 || st[0].Leased != 3 || !st[0].Oldest.Equal(start) {
		t.Errorf("%+v, %v", st, err)
	}
	if there, err := q.Delete(ctx, "mail", "m0"); err != nil || !there {
		t.Error(there, err)
	}
	if there, err := q.Delete(ctx, "mail", "m0"); err != nil || there {
		t.Error("deleted twice", err)
	}
	back := message("mail", "m1", start.Add(10*time.Second))
	back.Attempts = 1
	if err := q.Keep(ctx, back); err != nil {
		t.Fatal(err)
	}
	back.ID = "gone"
	if err := q.Keep(ctx, back); !fault.Is(err, fault.NotFound) {
		t.Error(err)
	}
	if d := cmp.Diff([]string{"m3/1", "m4/1", "m1/2"}, receive(start.Add(20*time.Second), 10)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"m2/2"}, receive(start.Add(63*time.Second), 10)); d != "" {
		t.Error("a lease that ended: ", d)
	}
	if err := q.Release(ctx, "other"); err != nil || len(receive(start.Add(64*time.Second), 10)) != 0 {
		t.Error("released another's", err)
	}
	if err := q.Release(ctx, "ma"); err != nil {
		t.Fatal(err)
	}
	if got := receive(start.Add(64*time.Second), 10); len(got) != 4 {
		t.Errorf("after release: %v", got)
	}
}

func TestS12_AMessageIsNeverLeasedTwiceAtOnce(t *testing.T) {
	s, ctx := open(t), context.Background()
	q := s.Queues()
	for i := range 200 {
		if err := q.Send(ctx, message("work", fmt.Sprint(i), start)); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	var all []string
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				got, err := q.Receive(ctx, "work", 7, start, time.Hour)
				if err != nil || len(got) == 0 {
					if err != nil {
						t.Error(err)
					}
					return
				}
				mu.Lock()
				for _, m := range got {
					all = append(all, m.ID)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.Sort(all)
	if len(all) != 200 || len(slices.Compact(all)) != 200 {
		t.Errorf("%d handed out", len(all))
	}
}

func TestS12_CallersRoutesQuotasAndModelsComeBack(t *testing.T) {
	path, ctx := t.TempDir()+"/redoubt.db", context.Background()
	s := openAt(t, path)
	principals := []iam.Principal{{ID: "role/web", Groups: []string{"shop"}, Epoch: 4, Created: start}, {ID: "user/gone", Removed: true, Reason: "left"}}
	keys := []iam.Key{{ID: "K1", Kind: iam.APIKey, Principal: "role/web", Name: "ci", Hash: []byte{1, 2}, Created: start}, {ID: "K2", Kind: iam.AccessKey, Principal: "role/web", Sealed: []byte{9}, Created: start, Last: start}}
	signers := []iam.Signer{{ID: "s1", Public: []byte{1}, Sealed: []byte{2}, Created: start, Retired: start.Add(time.Hour)}, {ID: "s2", Public: []byte{3}, Sealed: []byte{4}, Created: start}}
	routes := []route.Route{{ID: "r1", Method: "GET", Path: "/orders/{id}", Target: route.Target{Function: "orders"}, Schema: []byte(`{"a":1}`)}, {ID: "r2", Path: "/x", Target: route.Target{URL: "http://x"}}}
	m := model.New("orders", start)
	l := model.NewLearner(m)
	in := invoked(1)
	l.Learn(&in, &model.Request{Source: "http", Route: "GET /x", Params: []model.Param{{In: "query", Name: "q", Value: "it's"}}})
	m = l.Model()
	for _, err := range []error{
		s.PutPrincipal(ctx, &principals[0]), s.PutPrincipal(ctx, &principals[1]), s.PutKey(ctx, &keys[0]), s.PutKey(ctx, &keys[1]), s.PutSigner(ctx, &signers[0]), s.PutSigner(ctx, &signers[1]),
		s.PutRoutes(ctx, routes), s.PutModel(ctx, m), s.Quotas().AddCounts(ctx, []route.Count{{Subject: "r1 user/a", Period: "2026-11", N: 3}}),
		s.Quotas().AddCounts(ctx, []route.Count{{Subject: "r1 user/a", Period: "2026-11", N: 2}, {Subject: "r1 user/a", Period: "2026-10-30", N: 9}}), s.Quotas().Forget(ctx, "2026-11"),
		s.PutKey(ctx, &iam.Key{ID: "K3"}), s.DeleteKey(ctx, "K3"), s.DeleteKey(ctx, "never"), s.PutSigner(ctx, &iam.Signer{ID: "s3"}), s.DeleteSigner(ctx, "s3"), s.DeleteSigner(ctx, "never"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	s = openAt(t, path)
	same := func(what string, want, got any, err error) {
		t.Helper()
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("%s: %v %s", what, err, d)
		}
	}
	ps, err := s.Principals(ctx)
	same("principals", principals, ps, err)
	ks, err := s.Keys(ctx)
	same("keys", keys, ks, err)
	ss, err := s.Signers(ctx)
	same("signers", signers, ss, err)
	rs, err := s.Routes(ctx)
	same("routes", routes, rs, err)
	if err := s.DeleteRoute(ctx, "r2"); err != nil {
		t.Error(err)
	}
	if err := s.DeleteRoute(ctx, "r2"); !fault.Is(err, fault.NotFound) {
		t.Error(err)
	}
	for period, want := range map[string]int64{"2026-11": 5, "2026-10-30": 0} {
		if n, err := s.Quotas().Count(ctx, "r1 user/a", period); err != nil || n != want {
			t.Errorf("%s: %d, %v", period, n, err)
		}
	}
	b, err := model.Open(ctx, s, func() time.Time { return start })
	if err != nil {
		t.Fatal(err)
	}
	got, err := b.Get("orders")
	if err != nil {
		t.Fatal(err)
	}
	want, _ := model.Export(m)
	text, err := model.Export(got)
	same("model", string(want), string(text), err)
	b.Learn(nil, &function.Invocation{ID: "z", Time: start, Function: "new", Outcome: function.Succeeded}, nil)
	if err := b.Save(ctx); err != nil || count(t, s, "models") != 2 {
		t.Errorf("%v", err)
	}
	if err := b.Forget(ctx, "new"); err != nil || count(t, s, "models") != 1 {
		t.Errorf("%v", err)
	}
	if v := b.Judge(&model.Deed{Function: "orders", Use: function.Use{Kind: function.UseExec, Target: "/bin/sh", Refused: true}}); v.Effect != redoubt.EffectPrevent {
		t.Errorf("%+v", v)
	}
}
