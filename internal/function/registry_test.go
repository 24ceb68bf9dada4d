package function

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"redoubt.dev/redoubt/internal/fault"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

var code = Code{Digest: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", Size: 10, Unpacked: 20, Files: 1}

func newRegistry() *Registry {
	return NewRegistry(newMemory(), func() time.Time { return noon })
}

func deploy(t *testing.T, r *Registry, name string) *Function {
	t.Helper()
	c, err := r.Deploy(context.Background(), Edit{By: "ann"}, Deployment{Name: name, Spec: Spec{Runtime: NodeJS, Handler: "app.handler"}, Code: code})
	if err != nil {
		t.Fatal(err)
	}
	return c.After
}

func must(t *testing.T) func(Change, error) Change {
	return func(c Change, err error) Change {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

func TestDeployMovesLiveAndKeepsVersions(t *testing.T) {
	ctx, r := context.Background(), newRegistry()
	deploy(t, r, "shop")
	f := deploy(t, r, "shop")
	want := map[string]Alias{Live: {Weights: All(2), Previous: All(1)}}
	if d := cmp.Diff(want, f.Aliases); d != "" {
		t.Error(d)
	}
	if len(f.Versions) != 2 || f.Versions[0].Number != 2 || f.Revision != 2 || f.Last != 2 {
		t.Errorf("got %+v", f)
	}
	if s := f.Versions[0].Spec; s.Memory != 128 || s.Timeout != 3 || s.Concurrency.Max != 10 || s.Async.Retries != 2 || s.CPU != 0.25 {
		t.Errorf("no defaults: %+v", s)
	}
	c := must(t)(r.Deploy(ctx, Edit{By: "bob"}, Deployment{Name: "shop", Spec: f.Versions[0].Spec, Code: code, Stay: true}))
	if c.After.Aliases[Live].Weights[0].Version != 2 || c.Before.Last != 2 || c.After.Last != 3 || c.After.By != "bob" {
		t.Errorf("live moved although told to stay: %+v", c.After)
	}
}

func TestDeployNamesEveryProblem(t *testing.T) {
	_, err := newRegistry().Deploy(context.Background(), Edit{}, Deployment{Name: "Shop", Spec: Spec{Runtime: "ruby", Memory: 1}})
	if !fault.Is(err, fault.Invalid) {
		t.Fatal(err)
	}
	for _, part := range []string{"name: ", "spec.runtime: ", "spec.memory: ", "code.digest: "} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is missing in %q", part, err)
		}
	}
}

func TestCanaryDividesCallsByWeight(t *testing.T) {
	ctx, r := context.Background(), newRegistry()
	deploy(t, r, "shop")
	deploy(t, r, "shop")
	must(t)(r.SetAlias(ctx, Edit{}, "shop", Live, []Weight{{2, 10}, {1, 90}}))
	got := map[int]int{}
	for i := range 1000 {
		_, v, err := r.Resolve(ctx, Ref{Name: "shop"}, float64(i)/1000)
		if err != nil {
			t.Fatal(err)
		}
		got[v.Number]++
	}
	if d := cmp.Diff(map[int]int{1: 900, 2: 100}, got); d != "" {
		t.Error(d)
	}
	for _, pick := range []float64{-1, 1, 2, math.NaN()} {
		if _, _, err := r.Resolve(ctx, Ref{Name: "shop"}, pick); err != nil {
			t.Errorf("pick %v: %v", pick, err)
		}
	}
}

func TestWeightsAreChecked(t *testing.T) {
	ctx, r := context.Background(), newRegistry()
	deploy(t, r, "shop")
	for name, ws := range map[string][]Weight{
		"to 1 to 10": {}, "add up to 90": {{1, 90}}, "no version 7": {{7, 100}}, "twice": {{1, 50}, {1, 50}}, "between 1 and 100": {{1, -5}},
	} {
		if _, err := r.SetAlias(ctx, Edit{}, "shop", "canary", ws); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), name) {
			t.Errorf("%v: got %v, want %q", ws, err, name)
		}
	}
}

func TestRollbackGoesBackAndForth(t *testing.T) {
	ctx, r := context.Background(), newRegistry()
	deploy(t, r, "shop")
	if _, err := r.Rollback(ctx, Edit{}, "shop", ""); !fault.Is(err, fault.Conflict) {
		t.Errorf("nothing to go back to: %v", err)
	}
	deploy(t, r, "shop")
	for _, want := range []int{1, 2, 1} {
		c := must(t)(r.Rollback(ctx, Edit{}, "shop", Live))
		if got := c.After.Aliases[Live].Weights[0].Version; got != want {
			t.Errorf("live points to %d, want %d", got, want)
		}
	}
}

func TestS20_DisableKeepsEverythingAndIsUndone(t *testing.T) {
	ctx, r := context.Background(), newRegistry()
	before := deploy(t, r, "shop")
	c := must(t)(r.Disable(ctx, Edit{By: "ann"}, "shop", "not called for 90 days"))
	var gone *GoneError
	if _, _, err := r.Resolve(ctx, Ref{Name: "shop"}, 0); !errors.As(err, &gone) || !strings.Contains(err.Error(), "90 days") {
		t.Errorf("disabled: %v", err)
	}
	if c := must(t)(r.Disable(ctx, Edit{}, "shop", "not called for 90 days")); c.Before != c.After {
		t.Error("disabling twice changed something")
	}
	if c.Before.State != Active || c.After.State != Disabled {
		t.Errorf("before and after: %s, %s", c.Before.State, c.After.State)
	}
	must(t)(r.Enable(ctx, Edit{}, "shop"))
	f, v, err := r.Resolve(ctx, Ref{Name: "shop"}, 0)
	if err != nil || v.Number != 1 {
		t.Fatal(v, err)
	}
	if d := cmp.Diff(before.Versions, f.Versions); d != "" || f.Reason != "" {
		t.Error(f.Reason, d)
	}
}

func TestDeleteVersionOnlyBehindNoAlias(t *testing.T) {
	ctx, r := context.Background(), newRegistry()
	deploy(t, r, "shop")
	deploy(t, r, "shop")
	if _, err := r.DeleteVersion(ctx, Edit{}, "shop", 2); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), Live) {
		t.Errorf("pointed at: %v", err)
	}
	c := must(t)(r.DeleteVersion(ctx, Edit{}, "shop", 1))
	if len(c.After.Versions) != 1 || c.After.Aliases[Live].Previous != nil || len(c.Before.Versions) != 2 {
		t.Errorf("got %+v", c.After)
	}
	var gone *GoneError
	if _, _, err := r.Resolve(ctx, Ref{Name: "shop", Version: 1}, 0); !errors.As(err, &gone) {
		t.Errorf("deleted version: %v", err)
	}
}

func TestNumbersAreNotUsedAgain(t *testing.T) {
	ctx, r := context.Background(), newRegistry()
	deploy(t, r, "shop")
	old := deploy(t, r, "shop")
	c := must(t)(r.Delete(ctx, Edit{}, "shop"))
	if c.Before.Last != 2 || c.After != nil {
		t.Errorf("got %+v", c)
	}
	f := deploy(t, r, "shop")
	if f.Versions[0].Number != 3 || f.Revision <= old.Revision {
		t.Errorf("made again: version %d, revision %d", f.Versions[0].Number, f.Revision)
	}
}

func TestEditOfAnOldRevisionIsRefused(t *testing.T) {
	ctx, r := context.Background(), newRegistry()
	f := deploy(t, r, "shop")
	deploy(t, r, "shop")
	old := Edit{By: "bob", Revision: f.Revision}
	for name, edit := range map[string]func() (Change, error){
		"disable": func() (Change, error) { return r.Disable(ctx, old, "shop", "") },
		"delete":  func() (Change, error) { return r.Delete(ctx, old, "shop") },
		"deploy": func() (Change, error) {
			return r.Deploy(ctx, old, Deployment{Name: "shop", Spec: f.Versions[0].Spec, Code: code})
		},
	} {
		if _, err := edit(); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "ann") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestManyEditorsAtOnce(t *testing.T) {
	ctx, r := context.Background(), newRegistry()
	deploy(t, r, "shop")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				for {
					_, err := r.Deploy(ctx, Edit{}, Deployment{Name: "shop", Spec: Spec{Runtime: Provided}, Code: code})
					if fault.Is(err, fault.Conflict) {
						continue
					}
					if err != nil {
						t.Error(err)
					}
					break
				}
				if _, _, err := r.Resolve(ctx, Ref{Name: "shop"}, 0.5); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	f, err := r.Get(ctx, "shop")
	if err != nil || f.Last != 41 || len(f.Versions) != 41 {
		t.Fatalf("%v: %d versions, last %d", err, len(f.Versions), f.Last)
	}
}

func TestListPages(t *testing.T) {
	ctx, r := context.Background(), newRegistry()
	for i := range 5 {
		deploy(t, r, fmt.Sprintf("f%d", i))
	}
	var got []string
	for q := (Filter{Limit: 2}); ; {
		page, next, err := r.List(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range page {
			got = append(got, f.Name)
		}
		if q.Cursor = next; next == "" {
			break
		}
	}
	if d := cmp.Diff([]string{"f0", "f1", "f2", "f3", "f4"}, got); d != "" {
		t.Error(d)
	}
	if _, _, err := r.List(ctx, Filter{}); !fault.Is(err, fault.Invalid) {
		t.Error(err)
	}
}

func TestParseRef(t *testing.T) {
	for s, want := range map[string]Ref{
		"shop": {Name: "shop"}, "shop:3": {Name: "shop", Version: 3}, "shop@canary": {Name: "shop", Alias: "canary"},
		"shop:$LATEST": {Name: "shop"},
		"arn:aws:lambda:eu-west-1:123456789012:function:shop:live": {Name: "shop", Alias: "live"},
	} {
		got, err := ParseRef(s)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "Shop", "shop:", "shop:0", "shop:99999999999", "shop:a b", "shop:a:b", "-a", "a-", strings.Repeat("a", 64)} {
		if got, err := ParseRef(s); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %+v, %v", s, got, err)
		}
	}
}

func FuzzParseRef(f *testing.F) {
	f.Add("shop:3")
	f.Add("arn:aws:lambda:eu-west-1:1:function:shop:live")
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRef(s)
		if err != nil {
			return
		}
		if again, err := ParseRef(r.String()); err != nil || again != r {
			t.Fatalf("%q is %+v, again %+v, %v", s, r, again, err)
		}
	})
}
