package main

import (
	"strconv"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/fault"
)

// sinceTime reads an RFC 3339 time or a duration back from now (15m, 7d); the
// zero time where there is none.
func sinceTime(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n < 36500 {
			return now.AddDate(0, 0, -n), nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return time.Time{}, fault.New(fault.Invalid, "--since: %q is neither an RFC 3339 time nor a duration such as 15m, 24h or 7d", s)
	}
	return now.Add(-d), nil
}
