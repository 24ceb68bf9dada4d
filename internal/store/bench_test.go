package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/redoubt"
)

// history makes what a busy host records: 50 workloads, a few of them loud;
// most execs repeat, one in five has arguments nobody used before.
type history struct {
	rnd *rand.Rand
	n   int
}

func (h *history) next() redoubt.Event {
	h.n++
	w := int(50 * h.rnd.Float64() * h.rnd.Float64())
	switch k := h.rnd.IntN(1000); {
	case k < 1:
		return alarmEvent(h.n, w)
	case k < 150:
		return connectEvent(h.n, w, fmt.Sprintf("10.0.%d.%d:5432", w, h.rnd.IntN(3)))
	case k < 320:
		return execEvent(h.n, w, "-s", fmt.Sprintf("http://api.shop.local/orders/%d?trace=%x", h.n, h.rnd.Uint32()))
	default:
		return execEvent(h.n, w, "-fsS", "http://localhost:8080/health", fmt.Sprint(h.rnd.IntN(20)))
	}
}

func (h *history) fill(b *testing.B, s *Store, n int) {
	for n > 0 {
		batch := make([]redoubt.Event, min(n, 500))
		for i := range batch {
			batch[i] = h.next()
		}
		add(b, s, batch...)
		n -= len(batch)
	}
}

func BenchmarkAppend(b *testing.B) {
	for name, event := range map[string]func(h *history) redoubt.Event{
		"mixed": (*history).next,
		"repeated": func(h *history) redoubt.Event {
			h.n++
			return execEvent(h.n, h.n%10, "-fsS", "http://localhost:8080/health")
		},
		"unique": func(h *history) redoubt.Event {
			h.n++
			return execEvent(h.n, h.n%10, "-s", fmt.Sprintf("http://api.shop.local/orders/%d?trace=%x", h.n, h.rnd.Uint32()))
		},
	} {
		b.Run(name, func(b *testing.B) {
			s, h := open(b), &history{rnd: rand.New(rand.NewPCG(1, 2))}
			const size = 500
			batch := make([]redoubt.Event, size)
			b.ResetTimer()
			for range b.N {
				for i := range batch {
					batch[i] = event(h)
				}
				add(b, s, batch...)
			}
			b.StopTimer()
			n, err := s.Size(context.Background())
			if err != nil {
				b.Fatal(err)
			}
			events := float64(b.N * size)
			b.ReportMetric(float64(n)/events, "B/event")
			b.ReportMetric(events/b.Elapsed().Seconds(), "events/s")
		})
	}
}

func BenchmarkEventsList1M(b *testing.B) {
	if testing.Short() {
		b.Skip("fills a database with a million events")
	}
	s, h := open(b), &history{rnd: rand.New(rand.NewPCG(1, 2))}
	began := time.Now()
	old := alarmEvent(0, 7)
	old.Process.Args = []string{"netstat", "needle"}
	add(b, s, old)
	h.fill(b, s, 999_999)
	size, _ := s.Size(context.Background())
	b.Logf("filled in %v, %d bytes, %.0f B/event", time.Since(began).Round(time.Second), size, float64(size)/1e6)
	yes := true
	for _, c := range []struct {
		name string
		q    redoubt.EventQuery
	}{
		{"all", redoubt.EventQuery{}},
		{"workload", redoubt.EventQuery{Workload: "docker/shop/web3"}},
		{"quiet_workload", redoubt.EventQuery{Workload: "docker/shop/web49"}},
		{"container", redoubt.EventQuery{Workload: execEvent(0, 3).Workload.Container[:12]}},
		{"kind", redoubt.EventQuery{Kind: redoubt.EventConnect}},
		{"workload_kind", redoubt.EventQuery{Workload: "docker/shop/web49", Kind: redoubt.EventConnect}},
		{"novel", redoubt.EventQuery{Novel: &yes}},
		{"effect_node", redoubt.EventQuery{Effect: redoubt.EffectAlert, Node: "node-1"}},
		{"last_15m", redoubt.EventQuery{Since: start.Add(time.Duration(h.n) * 100 * time.Millisecond).Add(-15 * time.Minute)}},
		{"old_hour", redoubt.EventQuery{Since: start.Add(time.Hour), Until: start.Add(2 * time.Hour), Kind: redoubt.EventExec}},
		{"text_common", redoubt.EventQuery{Text: "curl"}},
		{"text_many_shapes", redoubt.EventQuery{Text: "orders"}},
		{"text_rare", redoubt.EventQuery{Text: "netstat"}},
		{"text_needle", redoubt.EventQuery{Text: "needle"}},
		{"text_none", redoubt.EventQuery{Text: "absent"}},
		{"text_workload", redoubt.EventQuery{Text: "netstat", Workload: "docker/shop/web3"}},
		{"text_many_novel", redoubt.EventQuery{Text: "orders", Novel: &yes}},
		{"text_many_kind", redoubt.EventQuery{Text: "orders", Kind: redoubt.EventConnect}},
	} {
		b.Run(c.name, func(b *testing.B) {
			var took []time.Duration
			q := c.q
			q.Limit = 100
			for range b.N {
				began := time.Now()
				page, next, err := s.FindEvents(context.Background(), q)
				if err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(began))
				if q.Cursor = next; len(page) == 0 && next == "" && !slices.Contains([]string{"text_none", "text_many_kind", "text_many_novel"}, c.name) && len(took) == 1 {
					b.Fatal("found nothing")
				}
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}
