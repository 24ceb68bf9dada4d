package console

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"redoubt.dev/redoubt/internal/fault"
	"redoubt.dev/redoubt/internal/redoubt"
)

// Filters come from whoever holds a token. What is not understood is refused by
// its name, so that a misspelt filter never shows more than was asked for.

// longest is how far back a duration may reach.
const longest = 100 * 365 * 24 * time.Hour

func (s Slice) query() redoubt.Slice { return redoubt.Slice{Limit: s.Limit, Cursor: s.Cursor} }

// between reads both ends of a span; a zero time is an open end.
func (s Span) between(now time.Time) (since, until time.Time, err error) {
	if since, err = readTime("since", s.Since, now); err != nil {
		return since, until, err
	}
	if until, err = readTime("until", s.Until, now); err != nil {
		return since, until, err
	}
	if !since.IsZero() && !until.IsZero() && until.Before(since) {
		return since, until, fault.New(fault.Invalid, "until: %s lies before since %s", until.Format(time.RFC3339), since.Format(time.RFC3339))
	}
	return since, until, nil
}

// readTime reads an RFC 3339 time or a duration back from now: 15m, 1h30m, 7d.
func readTime(name, s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		if t.Year() < 1970 || t.Year() > 9999 {
			return time.Time{}, fault.New(fault.Invalid, "%s: %s lies outside the years 1970 to 9999", name, s)
		}
		return t, nil
	}
	d, ok := readDuration(s)
	if !ok || d < 0 || d > longest {
		return time.Time{}, fault.New(fault.Invalid, "%s: %q is neither an RFC 3339 time nor a duration such as 15m, 24h or 7d", name, clip(s, 64))
	}
	return now.Add(-d), nil
}

func readDuration(s string) (time.Duration, bool) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err == nil
	}
	d, err := time.ParseDuration(s)
	return d, err == nil
}

// readBool reads true or false; nil where nothing was said.
func readBool(name, s string) (*bool, error) {
	switch s {
	case "":
		return nil, nil
	case "true", "false":
		b := s == "true"
		return &b, nil
	}
	return nil, fault.New(fault.Invalid, "%s: %q is neither true nor false", name, clip(s, 64))
}

// readText checks text to look for: any valid UTF-8 without NUL.
func readText(name, s string) (string, error) {
	if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return "", fault.New(fault.Invalid, "%s: it is not valid UTF-8 text", name)
	}
	return s, nil
}

func readSeverity(s string) redoubt.Severity {
	var v redoubt.Severity
	v.UnmarshalText([]byte(s))
	return v
}

func (f *eventFilter) query(now time.Time) (q redoubt.EventQuery, err error) {
	q = redoubt.EventQuery{
		Slice: f.Slice.query(), Workload: f.Workload, Kind: redoubt.EventKind(f.Kind),
		Effect: redoubt.Effect(f.Effect), Node: redoubt.NodeID(f.Node),
	}
	if q.Since, q.Until, err = f.between(now); err != nil {
		return q, err
	}
	if q.Text, err = readText("q", f.Q); err != nil {
		return q, err
	}
	if _, err = readText("workload", f.Workload); err != nil {
		return q, err
	}
	if q.Novel, err = readBool("novel", f.Novel); err != nil {
		return q, err
	}
	notable, err := readBool("notable", f.Notable)
	q.Notable = notable != nil && *notable
	return q, err
}

func (f *alertFilter) query(now time.Time) (q redoubt.AlertQuery, err error) {
	q = redoubt.AlertQuery{
		Slice: f.Slice.query(), Workload: f.Workload, Status: redoubt.Status(f.Status),
		Severity: readSeverity(f.Severity), Kind: redoubt.EventKind(f.Kind), Incident: f.Incident,
	}
	if q.Since, q.Until, err = f.between(now); err != nil {
		return q, err
	}
	if _, err = readText("workload", f.Workload); err != nil {
		return q, err
	}
	q.Text, err = readText("q", f.Q)
	return q, err
}

func (f *incidentFilter) query(now time.Time) (q redoubt.IncidentQuery, err error) {
	q = redoubt.IncidentQuery{
		Slice: f.Slice.query(), Workload: f.Workload, Status: redoubt.Status(f.Status), Severity: readSeverity(f.Severity),
	}
	if q.Since, q.Until, err = f.between(now); err != nil {
		return q, err
	}
	if _, err = readText("workload", f.Workload); err != nil {
		return q, err
	}
	q.Text, err = readText("q", f.Q)
	return q, err
}
