package runner

import (
	"testing"

	"redoubt.dev/redoubt/internal/function"
)

func benchVersions(b *bench) map[string]*function.Version {
	return map[string]*function.Version{
		"python": b.python("def handler(e, c):\n    return e\n", nil),
		"node":   b.node("exports.handler = async (e) => e", nil),
	}
}

func BenchmarkWarm(bb *testing.B) {
	b := newBench(bb, nil)
	for name, v := range benchVersions(b) {
		bb.Run(name, func(bb *testing.B) {
			b.invoke(v, `{}`)
			for bb.Loop() {
				if res := b.invoke(v, `{}`); res.Start != function.Warm {
					bb.Fatalf("start %s", res.Start)
				}
			}
		})
	}
}

func BenchmarkCold(bb *testing.B) {
	b := newBench(bb, nil)
	for name, v := range benchVersions(b) {
		bb.Run(name, func(bb *testing.B) {
			for bb.Loop() {
				if res := b.invoke(v, `{}`); res.Outcome != function.Succeeded {
					bb.Fatal(res.Error)
				}
				bb.StopTimer()
				b.Stop("f")
				bb.StartTimer()
			}
		})
	}
}

// BenchmarkClaim is the first answer of a function that takes a pre-started
// runtime.
func BenchmarkClaim(bb *testing.B) {
	b := newBench(bb, func(c *Config) { c.Stems = 1 })
	for name, v := range benchVersions(b) {
		bb.Run(name, func(bb *testing.B) {
			for bb.Loop() {
				bb.StopTimer()
				b.Stop("f")
				b.raised(v)
				bb.StartTimer()
				if res := b.invoke(v, `{}`); res.Start != function.Claimed {
					bb.Fatalf("start %s", res.Start)
				}
			}
		})
	}
}
