package store

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/function"
)

// percentile reports how long the slowest hundredth of do took.
func percentile(b *testing.B, do func() error) {
	var took []time.Duration
	for range b.N {
		began := time.Now()
		if err := do(); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

func BenchmarkFunctions1000(b *testing.B) {
	path, ctx := b.TempDir()+"/redoubt.db", context.Background()
	s := openAt(b, path)
	err := s.Atomic(ctx, func(ctx context.Context) error {
		for i := range 1000 {
			if err := s.PutFunction(ctx, deployed(fmt.Sprintf("fn-%04d", i), 1, 10), 0); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	list := func(q function.Filter) func() error {
		q.Limit = 1000
		return func() error {
			page, _, err := s.ListFunctions(ctx, q)
			if err == nil && len(page) == 0 {
				err = fmt.Errorf("found nothing")
			}
			return err
		}
	}
	b.Run("list", func(b *testing.B) { percentile(b, list(function.Filter{})) })
	b.Run("list_text", func(b *testing.B) { percentile(b, list(function.Filter{Text: "shop-fn-01"})) })
	b.Run("list_unread", func(b *testing.B) {
		percentile(b, func() error {
			s.functions = functionCache{}
			return list(function.Filter{})()
		})
	})
	b.Run("get", func(b *testing.B) {
		percentile(b, func() error { _, err := s.GetFunction(ctx, "fn-0500"); return err })
	})
}

func BenchmarkInvocationsAppend(b *testing.B) {
	for _, size := range []int{1, 20, 500} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s, ctx, n := open(b), context.Background(), 0
			for range b.N {
				if err := s.AddInvocations(ctx, calls(n, n+size)); err != nil {
					b.Fatal(err)
				}
				n += size
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "calls/s")
			bytes, _ := s.Size(ctx)
			b.ReportMetric(float64(bytes)/float64(n), "B/call")
		})
	}
}

func BenchmarkQueue(b *testing.B) {
	s, ctx := open(b), context.Background()
	q := s.Queues()
	for i := range b.N {
		if err := q.Send(ctx, message("async/f", fmt.Sprint(i), start)); err != nil {
			b.Fatal(err)
		}
		got, err := q.Receive(ctx, "async/f", 1, start, time.Minute)
		if err != nil || len(got) != 1 {
			b.Fatal(got, err)
		}
		if _, err := q.Delete(ctx, "async/f", got[0].ID); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkInvocationsList1M(b *testing.B) {
	if testing.Short() {
		b.Skip("fills a database with a million invocations")
	}
	s, ctx := open(b), context.Background()
	began := time.Now()
	const all = 1_000_000
	for n := 0; n < all; n += 5000 {
		batch := calls(n, n+5000)
		if n == 0 {
			batch[7].Error = "the needle in the haystack"
		}
		if err := s.AddInvocations(ctx, batch); err != nil {
			b.Fatal(err)
		}
	}
	size, _ := s.Size(ctx)
	b.Logf("filled in %v, %d bytes, %d B/call", time.Since(began).Round(time.Second), size, size/all)
	for _, c := range []struct {
		name string
		q    function.Query
	}{
		{"all", function.Query{}},
		{"function", function.Query{Function: "fn-0"}},
		{"quiet_function", function.Query{Function: "fn-48"}},
		{"caller", function.Query{Caller: "user/u190"}},
		{"function_caller", function.Query{Function: "fn-48", Caller: "user/u3"}},
		{"failed", function.Query{Outcome: function.Failed}},
		{"failed_function_old_version", function.Query{Outcome: function.Failed, Function: "fn-0", Version: 1}},
		{"source_version", function.Query{Source: "mqtt", Version: 1}},
		{"last_15m", function.Query{Since: invoked(all - 18000).Time, Function: "fn-2"}},
		{"text", function.Query{Text: "order not found"}},
		{"text_function", function.Query{Text: "order not found", Function: "fn-1"}},
		{"text_needle", function.Query{Text: "needle"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			q := c.q
			q.Limit = 100
			percentile(b, func() (err error) {
				_, q.Cursor, err = s.FindInvocations(ctx, q)
				return err
			})
		})
	}
	b.Run("usage_30_days", func(b *testing.B) {
		percentile(b, func() error {
			_, err := s.Usage(ctx, UsageQuery{ByVersion: true, ByCaller: true})
			return err
		})
	})
}
