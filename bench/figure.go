package main

import (
	"fmt"
	"slices"
	"time"
)

// series are the figures of one thing over the rounds of a run.
type series []float64

func (s series) sorted() series {
	c := slices.Clone(s)
	slices.Sort(c)
	return c
}

// median of an empty series is 0.
func (s series) median() float64 { return s.quantile(0.5) }

// quantile is the smallest figure that at least q of all do not exceed; the
// median of an even number is the lower of the two.
func (s series) quantile(q float64) float64 {
	if len(s) == 0 {
		return 0
	}
	i := int(q*float64(len(s))+0.999999) - 1
	return s.sorted()[min(max(i, 0), len(s)-1)]
}

func (s series) min() float64 { return s.quantile(0) }
func (s series) max() float64 { return s.quantile(1) }

// over gives the ratios of s to base, round by round: neighbours in time
// shared the same disturbance.
func (s series) over(base series) series {
	var r series
	for i := range min(len(s), len(base)) {
		if base[i] > 0 {
			r = append(r, s[i]/base[i])
		}
	}
	return r
}

// spread writes a median with the least and the greatest.
func (s series) spread(format string) string {
	f := func(v float64) string { return fmt.Sprintf(format, v) }
	return fmt.Sprintf("%s (%s–%s)", f(s.median()), f(s.min()), f(s.max()))
}

// latencies are durations; their figures are read in milliseconds.
type latencies []time.Duration

func (l latencies) series() series {
	s := make(series, len(l))
	for i, d := range l {
		s[i] = float64(d.Microseconds()) / 1000
	}
	return s
}

func (l latencies) String() string {
	s := l.series()
	return fmt.Sprintf("p50 %.0f ms, p99 %.0f ms, max %.0f ms, n=%d", s.median(), s.quantile(0.99), s.max(), len(s))
}
