package function

import (
	"math/bits"
	"strconv"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/fault"
)

// Schedule is a parsed ScheduleTrigger.When. All times are UTC.
type Schedule struct {
	every time.Duration // of rate(…); else the fields
	cron  cron
}

const maxSchedule = 256 // bytes

// ParseSchedule reads "rate(5 minutes)", "cron(0 8 ? * MON-FRI *)" as
// EventBridge writes it, or five fields as crontab does. What can never come is
// refused.
func ParseSchedule(s string) (Schedule, error) {
	if len(s) > maxSchedule {
		return Schedule{}, fault.New(fault.Invalid, "a schedule has at most %d bytes, not %d", maxSchedule, len(s))
	}
	var out Schedule
	var err error
	text := strings.TrimSpace(s)
	if inner, ok := call(text, "rate"); ok {
		out.every, err = parseRate(inner)
	} else if inner, ok := call(text, "cron"); ok {
		out.cron, err = parseCron(strings.Fields(inner), true)
	} else {
		out.cron, err = parseCron(strings.Fields(text), false)
	}
	if err != nil {
		return Schedule{}, fault.New(fault.Invalid, "schedule %q: %w", clip(s), err)
	}
	if out.Next(time.Date(firstYear-1, 12, 31, 0, 0, 0, 0, time.UTC)).IsZero() {
		return Schedule{}, fault.New(fault.Invalid, "schedule %q: there is no such day", clip(s))
	}
	return out, nil
}

// call takes "name(inner)" apart.
func call(s, name string) (inner string, ok bool) {
	s, ok = strings.CutPrefix(s, name+"(")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(s, ")")
}

func parseRate(s string) (time.Duration, error) {
	number, unit, _ := strings.Cut(strings.TrimSpace(s), " ")
	n, err := strconv.ParseUint(number, 10, 31)
	if err != nil || n == 0 {
		return 0, fault.New(fault.Invalid, "a rate is a number above 0 and a unit, as in rate(5 minutes)")
	}
	unit = strings.TrimSpace(unit)
	for name, d := range map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour} {
		if unit != name && unit != name+"s" {
			continue
		}
		if (unit == name) != (n == 1) {
			return 0, fault.New(fault.Invalid, "it is rate(1 %s) and rate(2 %ss)", name, name)
		}
		if d := time.Duration(n) * d; d/time.Duration(n) >= time.Minute && d <= 366*24*time.Hour {
			return d, nil
		}
		return 0, fault.New(fault.Invalid, "a rate is at most a year")
	}
	return 0, fault.New(fault.Invalid, "a rate counts minutes, hours or days, not %q", clip(unit))
}

// Next returns the first time after t, the zero time where none is left. A rate
// runs from the Unix epoch, so that its times do not depend on when a process
// started.
func (s Schedule) Next(t time.Time) time.Time {
	t = t.UTC()
	if s.every == 0 {
		return s.cron.next(t)
	}
	step := int64(s.every / time.Second)
	n := t.Unix() / step
	if t.Unix() < 0 {
		n = -((-t.Unix() + step - 1) / step)
	}
	return time.Unix((n+1)*step, 0).UTC()
}

// next looks through the minutes that the fields name, by year, month and day.
func (c *cron) next(t time.Time) time.Time {
	t = t.Truncate(time.Minute).Add(time.Minute)
	for year := max(t.Year(), firstYear); year <= lastYear; year++ {
		if !c.years[year-firstYear] {
			continue
		}
		for month := time.January; month <= time.December; month++ {
			if c.months>>month&1 == 0 || year == t.Year() && month < t.Month() {
				continue
			}
			if at := c.inMonth(year, month, t); !at.IsZero() {
				return at
			}
		}
	}
	return time.Time{}
}

func (c *cron) inMonth(year int, month time.Month, from time.Time) time.Time {
	for days := c.days(year, month); days != 0; days &= days - 1 {
		day := bits.TrailingZeros64(days)
		midnight := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
		if midnight.AddDate(0, 0, 1).Compare(from) <= 0 {
			continue
		}
		for hours := c.hours; hours != 0; hours &= hours - 1 {
			hour := midnight.Add(time.Duration(bits.TrailingZeros64(hours)) * time.Hour)
			for minutes := c.minutes; minutes != 0; minutes &= minutes - 1 {
				at := hour.Add(time.Duration(bits.TrailingZeros64(minutes)) * time.Minute)
				if !at.Before(from) {
					return at
				}
			}
		}
	}
	return time.Time{}
}
