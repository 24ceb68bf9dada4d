package alert

import (
	"fmt"
	"slices"
	"strings"

	"redoubt.dev/redoubt/internal/redoubt"
)

// escalate is how many different techniques make a story more urgent than its
// most urgent alert.
const escalate = 3

// maxTechniques bounds the list; there are fewer in the table.
const maxTechniques = 100

// join adds an event of alert a to an incident.
func join(in *redoubt.Incident, a *redoubt.Alert, ev *redoubt.Event, count int) {
	in.Count += count
	if ev.Time.Before(in.First) {
		in.First = ev.Time
	}
	if !ev.Time.Before(in.Time) {
		in.Time, in.Workload = ev.Time, ev.Workload
	}
	if !slices.Contains(in.Alerts, a.ID) {
		in.Alerts = append(in.Alerts, a.ID)
	}
	raise(in, ev.Verdict)
	in.Title = incidentTitle(in, a.Title)
	for i := range in.Timeline {
		m := &in.Timeline[i]
		text := strings.TrimSuffix(m.Text, times("", m.Count))
		if m.Alert == a.ID && m.Effect == ev.Verdict.Effect && strings.HasSuffix(text, done(ev.Verdict)) {
			m.Text = text
			m.Count += count
			m.Text = times(m.Text, m.Count)
			return
		}
	}
	moment(in, redoubt.Moment{Time: ev.Time, Text: times(line(ev), count), Alert: a.ID, Effect: ev.Verdict.Effect, Count: count})
}

// raise merges technique and severity. From the third technique on, the story
// is one step more urgent than its alerts.
func raise(in *redoubt.Incident, v redoubt.Verdict) {
	before := len(in.Techniques)
	if v.Technique != "" && !slices.Contains(in.Techniques, v.Technique) && before < maxTechniques {
		in.Techniques = append(in.Techniques, v.Technique)
	}
	severity := v.Severity
	switch {
	case before >= escalate:
		severity++
	case len(in.Techniques) >= escalate:
		severity = max(severity, in.Severity) + 1
	}
	in.Severity = min(max(in.Severity, severity), redoubt.Critical)
}

// moment puts a line into the timeline in the order of time. When it is full
// the last line counts what has no line of its own.
func moment(in *redoubt.Incident, m redoubt.Moment) {
	if len(in.Timeline) < MaxMoments {
		at := len(in.Timeline)
		for at > 0 && in.Timeline[at-1].Time.After(m.Time) {
			at--
		}
		in.Timeline = slices.Insert(in.Timeline, at, m)
		return
	}
	if len(in.Timeline) == MaxMoments {
		in.Timeline = append(in.Timeline, redoubt.Moment{Time: m.Time})
	}
	rest := &in.Timeline[MaxMoments]
	rest.Count += m.Count
	rest.Text = fmt.Sprintf("and more, %d events in all", rest.Count)
	if m.Time.After(rest.Time) {
		rest.Time = m.Time
	}
}
