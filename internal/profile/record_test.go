package profile

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/redoubt"
)

func recorded(t *testing.T, name string) []*redoubt.Event {
	t.Helper()
	f, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var events []*redoubt.Event
	for lines := bufio.NewScanner(f); lines.Scan(); {
		ev := new(redoubt.Event)
		if err := json.Unmarshal(lines.Bytes(), ev); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		events = append(events, ev)
	}
	if len(events) == 0 {
		t.Fatalf("%s is empty", name)
	}
	return events
}

// A recorded nginx learned from one start: its second start shows nothing new,
// and whoever runs netstat in it stands out, program by program.
func TestR1_R2_RecordedNginx(t *testing.T) {
	l := learner()
	for _, ev := range recorded(t, "nginx-first.jsonl") {
		if out := l.Observe(ev, true); Judges(ev.Kind) && out.Entry == "" {
			t.Errorf("%s %s not learned: %s", ev.Kind, pathOf(ev), out.Refused)
		}
	}
	p := l.Profile(noon)
	if p.Units != 5 || p.Starts != 1 { // the start and four requests
		t.Errorf("%d units, %d starts", p.Units, p.Starts)
	}
	m := Compile(&p)
	for _, ev := range recorded(t, "nginx-second.jsonl") {
		if _, ok := m.Match(ev); Judges(ev.Kind) && !ok {
			t.Errorf("the second start alarms: %s", m.Why(ev))
		}
	}
	attacks := 0
	for _, ev := range recorded(t, "nginx-intruder.jsonl") {
		if ev.Kind != redoubt.EventExec {
			continue
		}
		attacks++
		if e, ok := m.Match(ev); ok {
			t.Errorf("%s allowed by %s", ev.Process.Path, e)
		}
	}
	if attacks != 3 {
		t.Errorf("%d attacks in the record, want the shell, netstat and id", attacks)
	}
	for _, ev := range recorded(t, "nginx-second.jsonl") {
		l.Observe(ev, true)
	}
	p = l.Profile(time.Now())
	if p.Starts != 2 || p.Novel != 0 {
		t.Errorf("after two starts: %d starts, %d novel units, missing %q", p.Starts, p.Novel, strings.Join(p.Coverage.Missing, "; "))
	}
}
