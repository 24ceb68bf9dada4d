package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/function"
)

// UsageQuery selects and sums up usage. Zero fields do not filter; times count
// by the hour, Since inclusive and Until not.
type UsageQuery struct {
	Function, Caller string
	Since, Until     time.Time
	ByVersion        bool // a sum for each version, else over versions
	ByCaller         bool // a sum for each caller, else over callers
	ByHour           bool // a sum for each hour
}

// HourUsage is the usage of the hour that begins at Time; Time is zero where
// it is summed over hours.
type HourUsage struct {
	Time time.Time `json:"time,omitzero"`
	function.Usage
}

type usageKey struct {
	function string
	hour     int64
	version  int
	caller   string
}

type usages map[usageKey]*function.Usage

func hourOf(t time.Time) int64 { return nanos(t) / int64(time.Hour) }

func (u usages) add(in *function.Invocation) {
	k := usageKey{in.Function, hourOf(in.Time), in.Version, in.Caller}
	s := u[k]
	if s == nil {
		s = &function.Usage{}
		u[k] = s
	}
	s.Add(in)
}

func (t *tx) addUsage(u usages) error {
	for k, s := range u {
		if err := t.exec(`INSERT INTO usage (function, hour, version, caller, calls, errors, refused, cold, duration, billed, gbs, "in", out, last)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET calls = calls + excluded.calls, errors = errors + excluded.errors, refused = refused + excluded.refused, cold = cold + excluded.cold,
				duration = duration + excluded.duration, billed = billed + excluded.billed, gbs = gbs + excluded.gbs, "in" = "in" + excluded."in", out = out + excluded.out,
				last = max(last, excluded.last)`,
			k.function, k.hour, k.version, k.caller, s.Calls, s.Errors, s.Refused, s.Cold, int64(s.Duration), int64(s.Billed), s.GBSeconds, s.In, s.Out, nanos(s.Last)); err != nil {
			return fmt.Errorf("count usage: %w", err)
		}
	}
	return nil
}

// Usage sums up usage, by function, then hour, version and caller.
func (s *Store) Usage(ctx context.Context, q UsageQuery) (list []HourUsage, err error) {
	f := &filter{}
	f.equal("function", q.Function)
	f.equal("caller", q.Caller)
	if !q.Since.IsZero() {
		f.and("hour >= ?", hourOf(q.Since))
	}
	if !q.Until.IsZero() {
		f.and("hour < ?", (nanos(q.Until)+int64(time.Hour)-1)/int64(time.Hour))
	}
	hour, version, caller, group := "0", "0", "''", "function"
	if q.ByHour {
		hour, group = "hour", group+", hour"
	}
	if q.ByVersion {
		version, group = "version", group+", version"
	}
	if q.ByCaller {
		caller, group = "caller", group+", caller"
	}
	query := fmt.Sprintf(`SELECT function, %s, %s, %s, sum(calls), sum(errors), sum(refused), sum(cold), sum(duration), sum(billed), sum(gbs), sum("in"), sum(out), max(last) FROM usage`, hour, version, caller)
	if len(f.where) > 0 {
		query += " WHERE " + strings.Join(f.where, " AND ")
	}
	return scanned(s, ctx, scanUsage, "usage", query+" GROUP BY "+group+" ORDER BY "+group, f.args...)
}

func scanUsage(scan func(...any) error) (u HourUsage, err error) {
	var hour, last int64
	err = scan(&u.Function, &hour, &u.Version, &u.Caller, &u.Calls, &u.Errors, &u.Refused, &u.Cold, &u.Duration, &u.Billed, &u.GBSeconds, &u.In, &u.Out, &last)
	if u.Last = fromNanos(last); hour != 0 {
		u.Time = fromNanos(hour * int64(time.Hour))
	}
	return u, err
}
