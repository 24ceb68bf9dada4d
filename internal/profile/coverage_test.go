package profile

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/redoubt"
)

func TestClopperPearsonAgainstTables(t *testing.T) {
	// One-sided 95 % bounds: no event has the closed form 1-0.05^(1/n); the
	// others solve P(X ≤ k) = 0.05 by direct summing.
	for _, c := range []struct {
		k, n int64
	}{{0, 1}, {0, 59}, {0, 1000}, {1, 10}, {1, 93}, {3, 40}, {25, 50}, {9, 10}, {200, 5000}} {
		p := clopperPearson(c.k, c.n)
		sum := 0.0
		for i := range c.k + 1 {
			a, _ := math.Lgamma(float64(c.n + 1))
			b, _ := math.Lgamma(float64(i + 1))
			d, _ := math.Lgamma(float64(c.n - i + 1))
			sum += math.Exp(a - b - d + float64(i)*math.Log(p) + float64(c.n-i)*math.Log1p(-p))
		}
		if math.Abs(sum-0.05) > 1e-6 {
			t.Errorf("%d of %d: at %.6f the tail is %.6f, want 0.05", c.k, c.n, p, sum)
		}
	}
	if clopperPearson(5, 5) != 1 || Estimate(0, 0, 0).Lower != 0 {
		t.Error("the ends are wrong")
	}
	if got := Estimate(59, 0, 0).Lower; got < Enough {
		t.Errorf("59 observations with nothing new give %.4f", got)
	}
	if got := Estimate(58, 0, 0).Lower; got >= Enough {
		t.Errorf("58 observations with nothing new give %.4f", got)
	}
}

// Synthetic workloads with known behaviour: the true chance that the next
// observation is new stays under the bound at least 93 times in a hundred.
func TestTheBoundHolds(t *testing.T) {
	worlds := map[string]func(i int) float64{ // weight of behaviour i
		"few equal":    func(i int) float64 { return b2f(i < 20) },
		"many equal":   func(i int) float64 { return b2f(i < 300) },
		"zipf":         func(i int) float64 { return 1 / float64(i+1) },
		"steep":        func(i int) float64 { return math.Pow(0.7, float64(i)) },
		"server":       func(i int) float64 { return b2f(i == 0)*50 + 1/float64(i+1) },
		"rare errands": func(i int) float64 { return b2f(i < 3)*100 + b2f(i >= 3 && i < 60) },
	}
	r := rand.New(rand.NewPCG(3, 4))
	for name, weight := range worlds {
		for _, n := range []int{60, 200, 1000} {
			t.Run(fmt.Sprintf("%s after %d", name, n), func(t *testing.T) {
				cumulative := make([]float64, 400)
				total := 0.0
				for i := range cumulative {
					total += weight(i)
					cumulative[i] = total
				}
				const rounds = 1000
				held := 0
				for range rounds {
					seen := make([]int64, len(cumulative))
					for range n {
						x := r.Float64() * total
						i := 0
						for cumulative[i] < x {
							i++
						}
						seen[i]++
					}
					var once, twice int64
					unseen := 0.0
					for i, k := range seen {
						switch k {
						case 0:
							unseen += weight(i) / total
						case 1:
							once++
						case 2:
							twice++
						}
					}
					if 1-Estimate(int64(n), once, twice).Lower >= unseen {
						held++
					}
				}
				if held < rounds*93/100 {
					t.Errorf("held %d of %d times", held, rounds)
				}
			})
		}
	}
}

func b2f(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// A quiet server is covered after a few minutes of traffic; the same server
// with an unseen nightly job in its tables is not before the night.
func TestANightlyJobIsWaitedFor(t *testing.T) {
	cron := Entry{Kind: redoubt.EventExec, Source: Seeded, Exec: &Exec{Path: "/usr/sbin/cron"}}
	nightly := Entry{Kind: redoubt.EventExec, Source: Seeded, Expect: "0 3 * * *: backup", Exec: &Exec{Path: "/usr/local/bin/backup", Parent: "/bin/sh"}}
	for _, c := range []struct {
		name string
		seed []Entry
		want bool // ready before the night
	}{
		{"no tables", nil, true},
		{"tables and a scheduler", []Entry{cron, nightly}, false},
		{"tables but nobody reads them", []Entry{nightly}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &Profile{Workload: web.ID, State: Learning, Since: noon}
			for _, e := range c.seed {
				e.ID = e.Identify()
				p.Entries = append(p.Entries, e)
			}
			l := NewLearner(p)
			for _, ev := range life(1) {
				l.Observe(ev, true)
			}
			nginx := ran(shim(), 100, "/usr/sbin/nginx")
			for i := range 200 {
				l.Observe(socket(time.Hour+time.Duration(i)*2*time.Second, redoubt.EventAccept, nginx, "10.0.0.2:80", "10.0.0.9:5555"), true)
			}
			evening := noon.Add(8 * time.Hour)
			got := l.Profile(evening)
			if got.Ready(evening) != c.want {
				t.Errorf("ready before the night: %v, covered %.3f, missing %q", !c.want, got.Coverage.Lower, got.Coverage.Missing)
			}
			if said := strings.Contains(strings.Join(got.Coverage.Missing, "\n"), "0 3 * * *: backup"); said == c.want {
				t.Errorf("missing %q", got.Coverage.Missing)
			}
			if c.want {
				return
			}
			job := ran(ran(nil, 50, "/bin/sh"), 51, "/usr/local/bin/backup")
			l.Observe(exec(15*time.Hour, job), true)
			if morning := noon.Add(20 * time.Hour); !ready(l, morning) {
				t.Error("not ready after the night")
			}
		})
	}
}

func ready(l *Learner, now time.Time) bool {
	p := l.Profile(now)
	return p.Ready(now)
}

func TestLearningDoesNotEndOnAClock(t *testing.T) {
	l := learner()
	for _, ev := range life(1)[:8] {
		l.Observe(ev, true)
	}
	if p := l.Profile(noon.Add(1000 * time.Hour)); p.Ready(noon.Add(1000 * time.Hour)) {
		t.Errorf("ready after %d observations because time went by", p.Units)
	}
}

func TestMissingSpeaksPlainly(t *testing.T) {
	p := &Profile{Workload: web.ID, State: Learning, Since: noon, Units: 10, Starts: 1, Entries: []Entry{
		{Kind: redoubt.EventListen, Source: Seeded, Listen: &Listen{Proto: redoubt.TCP, Port: 8443}},
		{Kind: redoubt.EventExec, Source: Seeded, Exec: &Exec{Path: "/bin/sh", Parent: Outside}},
		{Kind: redoubt.EventExec, Source: Learned, First: noon, Units: 1, Count: 1, Unit: "a", Exec: &Exec{Path: "/usr/bin/convert", Digests: []redoubt.Digest{contentOf("x")}}},
	}}
	p.Measure(noon.Add(3 * time.Hour))
	got := strings.Join(p.Coverage.Missing, "\n")
	for _, want := range []string{"only one start", "watched for 3 hours", "8443/tcp", "health check has not run", "1 program seen once: convert"} {
		if !strings.Contains(got, want) {
			t.Errorf("does not say %q:\n%s", want, got)
		}
	}
	if gap := (hourOf(noon) | hourOf(noon.Add(time.Hour))).missing(); gap != "14:00–12:00 UTC" {
		t.Errorf("hours never watched: %q", gap)
	}
}
