package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/function"
)

// deployed is a function with versions n…1, live on the one before the newest.
func deployed(name string, revision int64, n int) *function.Function {
	f := &function.Function{Name: name, Revision: revision, Last: n, State: function.Active, By: "alice", Created: start, Updated: start.Add(time.Duration(n) * time.Minute),
		Aliases: map[string]function.Alias{function.Live: {Weights: []function.Weight{{Version: max(1, n-1), Percent: 100}}}}}
	for v := n; v >= 1; v-- {
		f.Versions = append(f.Versions, function.Version{Number: v, Created: start.Add(time.Duration(v) * time.Minute), By: "alice",
			Spec: function.Spec{Description: "sells things", Runtime: function.NodeJS, Handler: "index.handler", Memory: 256, Timeout: 5, Env: map[string]string{"TABLE": "orders"},
				Role: function.Role{Egress: []string{"api.example.com:443"}, AWS: []string{"dynamodb:PutItem table/orders"}}, Labels: map[string]string{"team": "shop-" + name}},
			Code: function.Code{Digest: "sha256:7f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef", Size: 4096, Unpacked: 10000, Files: 12}})
	}
	return f
}

func TestS12_FunctionsComeBackWholeAfterAReopen(t *testing.T) {
	ctx, path := context.Background(), t.TempDir()+"/redoubt.db"
	s := openAt(t, path)
	f := deployed("orders", 1, 3)
	if err := s.PutFunction(ctx, f, 0); err != nil {
		t.Fatal(err)
	}
	g := deployed("orders", 2, 4)
	g.Versions = slices.Delete(g.Versions, 2, 3) // version 2 is gone
	if err := s.PutFunction(ctx, g, 1); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = openAt(t, path)
	for range 2 { // from the tables, then from memory
		got, err := s.GetFunction(ctx, "orders")
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(g, got); d != "" {
			t.Fatal(d)
		}
	}
	first, _ := s.GetFunction(ctx, "orders")
	if again, _ := s.GetFunction(ctx, "orders"); first != again {
		t.Error("what did not change is read twice")
	}
}

func TestS12_FunctionsChangeUnderTheRevisionThatWasRead(t *testing.T) {
	s, ctx := open(t), context.Background()
	put := func(revision, expected int64) error {
		return s.PutFunction(ctx, deployed("f", revision, 1), expected)
	}
	if err := put(1, 0); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"made twice": put(1, 0), "stale": put(3, 2), "deleted with a stale revision": s.DeleteFunction(ctx, "f", 7), "deleted that never was": s.DeleteFunction(ctx, "g", 1),
	} {
		if !fault.Is(err, fault.Conflict) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := put(2, 1); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteFunction(ctx, "f", 2); err != nil {
		t.Fatal(err)
	}
	if _, err := s.GetFunction(ctx, "f"); !fault.Is(err, fault.NotFound) {
		t.Errorf("after deletion: %v", err)
	}
	if m, err := s.FunctionMark(ctx, "f"); err != nil || m != (function.Mark{Revision: 2, Last: 1}) {
		t.Errorf("mark %+v, %v", m, err)
	}
	if m, err := s.FunctionMark(ctx, "never"); err != nil || m != (function.Mark{}) {
		t.Errorf("mark of nothing %+v, %v", m, err)
	}
	if page, _, err := s.ListFunctions(ctx, function.Filter{Limit: 10}); err != nil || len(page) != 0 {
		t.Errorf("a deleted function is listed: %v, %v", page, err)
	}
	if err := put(3, 0); err != nil {
		t.Errorf("made anew: %v", err)
	}
}

func TestS12_AFunctionsChangeCountsOnceItIsCommitted(t *testing.T) {
	s, ctx := open(t), context.Background()
	if err := s.PutFunction(ctx, deployed("f", 1, 1), 0); err != nil {
		t.Fatal(err)
	}
	stop := errors.New("stop")
	err := s.Atomic(ctx, func(in context.Context) error {
		if err := s.PutFunction(in, deployed("f", 2, 2), 1); err != nil {
			return err
		}
		if f, err := s.GetFunction(in, "f"); err != nil || f.Revision != 2 {
			t.Errorf("inside: %+v, %v", f, err)
		}
		if f, err := s.GetFunction(ctx, "f"); err != nil || f.Revision != 1 {
			t.Errorf("outside: %+v, %v", f, err)
		}
		return stop
	})
	if !errors.Is(err, stop) {
		t.Fatal(err)
	}
	if f, err := s.GetFunction(ctx, "f"); err != nil || f.Revision != 1 {
		t.Errorf("after giving up: %+v, %v", f, err)
	}
	if err := s.PutFunction(ctx, deployed("f", 2, 2), 1); err != nil {
		t.Errorf("the mark of what was given up stands: %v", err)
	}
}

func TestS12_ReadersOfFunctionsNeverSeeTheOld(t *testing.T) {
	s, ctx := open(t), context.Background()
	if err := s.PutFunction(ctx, deployed("f", 1, 1), 0); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			last := int64(0)
			for {
				select {
				case <-done:
					return
				default:
				}
				f, err := s.GetFunction(ctx, "f")
				if err != nil || f.Revision < last {
					t.Errorf("revision %+v after %d, %v", f, last, err)
					return
				}
				last = f.Revision
			}
		})
	}
	for r := int64(2); r < 60; r++ {
		if err := s.PutFunction(ctx, deployed("f", r, 1), r-1); err != nil {
			t.Error(err)
		}
		if f, err := s.GetFunction(ctx, "f"); err != nil || f.Revision != r {
			t.Errorf("written %d, read %+v, %v", r, f, err)
		}
	}
	close(done)
	wg.Wait()
}

func TestS12_FunctionsAreListed(t *testing.T) {
	s, ctx := open(t), context.Background()
	for i := range 25 {
		f := deployed(fmt.Sprintf("fn-%02d", i), 1, 5)
		if i%5 == 0 {
			f.State = function.Disabled
		}
		if err := s.PutFunction(ctx, f, 0); err != nil {
			t.Fatal(err)
		}
	}
	list := func(q function.Filter) (names []string) {
		for {
			page, next, err := s.ListFunctions(ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range page {
				names = append(names, f.Name)
				if len(f.Versions) != 2 || f.Versions[0].Number != 5 || f.Versions[1].Number != 4 {
					t.Fatalf("%s lists %d versions", f.Name, len(f.Versions))
				}
			}
			if next == "" {
				return names
			}
			q.Cursor = next
		}
	}
	if got := list(function.Filter{Limit: 7}); len(got) != 25 || !slices.IsSorted(got) {
		t.Errorf("all: %v", got)
	}
	if got := strings.Join(list(function.Filter{Limit: 3, State: function.Disabled}), " "); got != "fn-00 fn-05 fn-10 fn-15 fn-20" {
		t.Errorf("disabled: %s", got)
	}
	if got := strings.Join(list(function.Filter{Limit: 3, Text: "TEAM=shop-fn-07 sells"}), " "); got != "fn-07" {
		t.Errorf("by words: %s", got)
	}
}

func TestS12_FunctionsWorkInTheRegistry(t *testing.T) {
	s, ctx := open(t), context.Background()
	r := function.NewRegistry(s, func() time.Time { return start })
	code := function.Code{Digest: "sha256:7f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef", Size: 1, Unpacked: 1, Files: 1}
	for range 3 {
		if _, err := r.Deploy(ctx, function.Edit{By: "alice"}, function.Deployment{Name: "f", Spec: function.Spec{Runtime: function.NodeJS, Handler: "index.handler"}, Code: code}); err != nil {
			t.Fatal(err)
		}
	}
	f, v, err := r.Resolve(ctx, function.Ref{Name: "f"}, 0)
	if err != nil || v.Number != 3 || f.Revision != 3 {
		t.Errorf("%+v, %+v, %v", f, v, err)
	}
}
