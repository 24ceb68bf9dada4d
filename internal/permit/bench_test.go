package permit_test

import (
	"os/exec"
	"path/filepath"
	"testing"

	"redoubt.dev/redoubt/internal/permit"
)

// BenchmarkExec runs a program in a child of its own: unwatched, asked about
// each time, and remembered.
func BenchmarkExec(b *testing.B) {
	for name, remember := range map[string]bool{"asked": false, "remembered": true} {
		b.Run(name, func(b *testing.B) {
			prog := program(b)
			j := &judge{answer: func(permit.Question) permit.Answer { return permit.Answer{Allow: true, Remember: remember} }}
			g := open(b, permit.Config{}, j)
			if err := g.Watch(filepath.Dir(prog)); err != nil {
				b.Fatal(err)
			}
			loop(b, prog)
		})
	}
	b.Run("unwatched", func(b *testing.B) { loop(b, program(b)) })
}

func loop(b *testing.B, prog string) {
	b.Helper()
	b.ResetTimer()
	for range b.N {
		if err := exec.Command("sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10; do "+prog+"; done").Run(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/10, "µs/exec")
}
