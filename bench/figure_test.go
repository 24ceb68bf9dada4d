package main

import (
	"strings"
	"testing"
	"time"
)

func TestQuantilesAreOfWhatWasMeasured(t *testing.T) {
	s := series{5, 1, 4, 2, 3}
	for q, want := range map[float64]float64{0: 1, 0.2: 1, 0.21: 2, 0.5: 3, 0.99: 5, 1: 5} {
		if got := s.quantile(q); got != want {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if s[0] != 5 {
		t.Error("the rounds are no longer in their order")
	}
	if got := (series{}).median(); got != 0 {
		t.Errorf("median of nothing is %v", got)
	}
	var many latencies
	for i := range 100 {
		many = append(many, time.Duration(i+1)*time.Millisecond)
	}
	if got := many.series().quantile(0.99); got != 99 {
		t.Errorf("p99 of 1…100 ms is %v", got)
	}
}

func TestRatiosPairRounds(t *testing.T) {
	r := series{11, 30, 7}.over(series{10, 20, 0})
	if len(r) != 2 || r[0] != 1.1 || r[1] != 1.5 {
		t.Errorf("ratios are %v", r)
	}
}

func TestFiguresReplaceOnlyWhatWasMeasured(t *testing.T) {
	text := "before\n" + beginFigures + "\nold head\n\n" + columns +
		"| exec | a | x | 1 | pass | then |\n| exec | b | x | 2 | pass | then |\n| list | c | x | 3 | pass | then |\n" + endFigures + "\nafter\n"
	fresh := table{head: "new head", rows: []row{{measure: "exec", bar: "d", target: "y", figure: "4", passed: pass(false), when: "now"}}}
	got, err := fresh.merge(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"before\n", "new head", "| exec | d | y | 4 | **miss** | now |\n| list | c | x | 3 | pass | then |", "\nafter\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if strings.Contains(got, "| exec | a |") || strings.Contains(got, "old head") || strings.Count(got, "| measure |") != 1 {
		t.Errorf("old figures stayed:\n%s", got)
	}
	if again, err := fresh.merge(got); err != nil || again != got {
		t.Errorf("writing the same figures again changes the page: %v", err)
	}
	if _, err := fresh.merge("no markers"); err == nil {
		t.Error("a page without markers was taken")
	}
}
