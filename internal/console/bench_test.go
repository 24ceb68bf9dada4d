package console

import (
	"testing"

	"redoubt.dev/redoubt/internal/link"
	"redoubt.dev/redoubt/internal/profile"
	"redoubt.dev/redoubt/internal/redoubt"
)

// A batch as one second of a busy node: a thousand events, every hundredth an
// alert, and a profile that has grown.
func BenchmarkPush(b *testing.B) {
	r := newRig(b)
	r.push(r.running(web))
	batch := link.Batch{Deltas: []profile.Delta{{Workload: web.ID, Units: 10}}}
	for i := range 1000 {
		e := r.netstat()
		if i%100 != 0 {
			e.Verdict = redoubt.Verdict{Effect: redoubt.EffectIgnore, Rule: "profile"}
		}
		batch.Events = append(batch.Events, e)
	}
	for b.Loop() {
		r.push(batch)
	}
	b.ReportMetric(float64(b.N*1000)/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkOverview(b *testing.B) {
	r := newRig(b)
	r.push(r.running(web))
	r.push(link.Batch{Events: []redoubt.Event{r.netstat()}})
	for b.Loop() {
		get[any](r, "/api/v1/overview")
	}
}
