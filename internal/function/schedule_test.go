package function

import (
	"strings"
	"testing"
	"time"

	"redoubt.dev/redoubt/internal/fault"
)

func TestScheduleNext(t *testing.T) {
	// 2026-03-01 is a Sunday.
	for _, c := range []struct{ when, after, want string }{
		{"rate(5 minutes)", "2026-03-01 12:00", "2026-03-01 12:05"},
		{"rate(1 hour)", "2026-03-01 12:30", "2026-03-01 13:00"},
		{"rate(2 days)", "1970-01-01 00:00", "1970-01-03 00:00"},
		{"rate(1 day)", "1969-12-30 12:00", "1969-12-31 00:00"},
		{"cron(0 10 * * ? *)", "2026-03-01 12:00", "2026-03-02 10:00"},
		{"cron(15 12 * * ? *)", "2026-03-01 12:14", "2026-03-01 12:15"},
		{"cron(0 18 ? * MON-FRI *)", "2026-03-01 12:00", "2026-03-02 18:00"},
		{"cron(0 8 1 * ? *)", "2026-03-01 12:00", "2026-04-01 08:00"},
		{"cron(0/15 * * * ? *)", "2026-03-01 12:01", "2026-03-01 12:15"},
		{"cron(0/30 20-2 ? * MON-FRI *)", "", ""},
		{"cron(0 0 L * ? *)", "2028-02-01 00:00", "2028-02-29 00:00"},
		{"cron(0 0 L-3 * ? *)", "2026-03-01 00:00", "2026-03-28 00:00"},
		{"cron(0 0 LW * ? *)", "2026-05-01 00:00", "2026-05-29 00:00"}, // the 31st is a Sunday
		{"cron(0 0 1W * ? *)", "2026-08-01 00:00", "2026-08-03 00:00"}, // the 1st is a Saturday
		{"cron(0 0 15W * ? *)", "2026-03-01 00:00", "2026-03-16 00:00"},
		{"cron(0 0 ? * 6L *)", "2026-03-01 00:00", "2026-03-27 00:00"}, // last Friday
		{"cron(0 0 ? * L *)", "2026-03-01 00:00", "2026-03-07 00:00"},
		{"cron(0 0 ? * 2#1 *)", "2026-03-01 00:00", "2026-03-02 00:00"},
		{"cron(0 0 ? * MON#5 *)", "2026-03-01 00:00", "2026-03-30 00:00"},
		{"cron(0 0 1 1 ? 2030)", "2026-03-01 00:00", "2030-01-01 00:00"},
		{"cron(0 0 1 1 ? 2020)", "2026-03-01 00:00", ""},
		{"cron(0 0 29 2 ? *)", "2096-03-01 00:00", "2104-02-29 00:00"}, // 2100 has none
		{"*/10 * * * *", "2026-03-01 12:00", "2026-03-01 12:10"},
		{"30 4 1,15 * 5", "2026-03-01 12:00", "2026-03-06 04:30"}, // either day
		{"0 0 * * 7", "2026-03-01 12:00", "2026-03-08 00:00"},
		{"0 0 * * sun", "2026-03-01 12:00", "2026-03-08 00:00"},
		{"0 9-17/4 * JAN,mar *", "2026-03-01 12:00", "2026-03-01 13:00"},
		{"59 23 31 12 *", "2026-12-31 23:59", "2027-12-31 23:59"},
	} {
		if c.after == "" {
			continue
		}
		s, err := ParseSchedule(c.when)
		if err != nil {
			t.Errorf("%s: %v", c.when, err)
			continue
		}
		after, _ := time.Parse("2006-01-02 15:04", c.after)
		got := s.Next(after)
		if c.want == "" && got.IsZero() {
			continue
		}
		if g := got.Format("2006-01-02 15:04"); g != c.want {
			t.Errorf("%s after %s: %s, want %s", c.when, c.after, g, c.want)
		}
	}
}

func TestScheduleIsRefusedWithTheReason(t *testing.T) {
	for when, why := range map[string]string{
		"":                            "write rate",
		"often":                       "write rate",
		"rate(0 minutes)":             "above 0",
		"rate(1 minutes)":             "rate(1 minute)",
		"rate(5 minute)":              "rate(2 minutes)",
		"rate(5 seconds)":             "minutes, hours or days",
		"rate(99999999 days)":         "at most a year",
		"cron(0 8 * * ?)":             "six fields",
		"cron(0 8 * * * *)":           "exactly one",
		"cron(0 8 ? * ? *)":           "exactly one",
		"cron(0/30 20-2 ? * MON *)":   "hour takes",
		"cron(60 8 * * ? *)":          "minute takes",
		"cron(0 8 ? * MON#6 *)":       "#1 to #5",
		"cron(0 8 L-31 * ? *)":        "L-30",
		"cron(0 8 30 2 ? *)":          "no such day",
		"cron(0 8 * * ? 1969)":        "year takes",
		"0 0 31 4 *":                  "no such day",
		"0 0 * * 8":                   "day of week takes",
		"0 0 * * mo":                  "names like",
		"*/0 * * * *":                 "minute takes",
		strings.Repeat("1,", 200):     "at most",
		"cron(0 8 * * ? *":            "write rate",
		"0 0 0 * *":                   "day of month takes",
		"0 0 ? * *":                   "day of month takes",
		"cron(0 8 XW * ? *)":          "day of month takes",
		"cron(0 8 * FOO ? *)":         "month takes",
		"cron(99999999999 8 * * ? *)": "minute takes",
	} {
		_, err := ParseSchedule(when)
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: got %v, want %q", when, err, why)
		}
	}
}

func FuzzParseSchedule(f *testing.F) {
	for _, s := range []string{"rate(5 minutes)", "cron(0 0 L-3 * ? *)", "cron(0 0 ? * 6L,2#3 2030-2040/3)", "30 4 1,15 * 5", "cron(0 0 LW,15W * ? *)"} {
		f.Add(s, int64(1_700_000_000))
	}
	f.Fuzz(func(t *testing.T, s string, unix int64) {
		sched, err := ParseSchedule(s)
		if err != nil {
			return
		}
		after := time.Unix(unix%(1<<33), 0)
		next := sched.Next(after)
		if !next.IsZero() && !next.After(after) {
			t.Fatalf("%q after %s is %s", s, after, next)
		}
	})
}
