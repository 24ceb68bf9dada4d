package function

import (
	"strconv"
	"strings"
	"time"

	"redoubt.dev/redoubt/internal/fault"
)

const firstYear, lastYear = 1970, 2199

// cron is what the fields select, as sets of bits.
type cron struct {
	minutes, hours, months uint64
	years                  [lastYear - firstYear + 1]bool

	dates, weekdays uint64 // by number; weekdays 0 is Sunday
	either          bool   // a day of one of them will do: crontab with both given
	last            uint64 // days before the last of the month: bit 0 is L, bit 3 L-3
	near            uint64 // weekdays nearest to a date: 15W
	lastNear        bool   // LW
	nth             [6]uint64
	lastOf          uint64 // last weekday of its kind: 6L
}

// field says what one field may hold.
type field struct {
	name      string
	low, high int
	names     string // of three letters each, the first is low
}

var (
	minuteField = field{"minute", 0, 59, ""}
	hourField   = field{"hour", 0, 23, ""}
	dateField   = field{"day of month", 1, 31, ""}
	monthField  = field{"month", 1, 12, "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"}
	awsDay      = field{"day of week", 1, 7, "SUNMONTUEWEDTHUFRISAT"}
	unixDay     = field{"day of week", 0, 7, "SUNMONTUEWEDTHUFRISAT"}
	yearField   = field{"year", firstYear, lastYear, ""}
)

// parseCron reads six fields as EventBridge has them, or five as crontab has.
func parseCron(fields []string, aws bool) (c cron, err error) {
	if aws && len(fields) != 6 {
		return c, fault.New(fault.Invalid, "cron(…) has six fields, minute hour day-of-month month day-of-week year, not %d", len(fields))
	}
	if !aws && len(fields) != 5 {
		return c, fault.New(fault.Invalid, "write rate(5 minutes), cron(0 8 * * ? *), or the five fields minute hour day-of-month month day-of-week")
	}
	for _, f := range []struct {
		field field
		text  string
		into  *uint64
	}{{minuteField, fields[0], &c.minutes}, {hourField, fields[1], &c.hours}, {monthField, fields[3], &c.months}} {
		err := f.field.each(f.text, func(n int) { *f.into |= 1 << n })
		if err != nil {
			return c, err
		}
	}
	if aws {
		err = c.awsDays(fields[2], fields[4])
	} else {
		err = c.unixDays(fields[2], fields[4])
	}
	if err != nil {
		return c, err
	}
	year := "*"
	if aws {
		year = fields[5]
	}
	return c, yearField.each(year, func(n int) { c.years[n-firstYear] = true })
}

// unixDays: where both days are restricted, either will do.
func (c *cron) unixDays(date, weekday string) error {
	c.either = date[0] != '*' && weekday[0] != '*'
	if err := dateField.each(date, func(n int) { c.dates |= 1 << n }); err != nil {
		return err
	}
	return unixDay.each(weekday, func(n int) { c.weekdays |= 1 << (n % 7) })
}

// awsDays: one of the two days is "?", and the other may hold L, W and #.
func (c *cron) awsDays(date, weekday string) error {
	if (date == "?") == (weekday == "?") {
		return fault.New(fault.Invalid, "exactly one of day-of-month and day-of-week is ?")
	}
	if date == "?" {
		return c.awsWeekdays(weekday)
	}
	for item := range strings.SplitSeq(date, ",") {
		if err := c.awsDate(item); err != nil {
			return err
		}
	}
	return nil
}

func (c *cron) awsDate(item string) error {
	switch before, isLast := strings.CutPrefix(item, "L"); {
	case item == "LW":
		c.lastNear = true
		return nil
	case isLast && before == "":
		c.last |= 1
		return nil
	case isLast && before[0] == '-':
		n, err := strconv.ParseUint(before[1:], 10, 8)
		if err != nil || n > 30 {
			return fault.New(fault.Invalid, "L-%s: days before the last of the month are L-1 to L-30", clip(before[1:]))
		}
		c.last |= 1 << n
		return nil
	}
	if day, ok := strings.CutSuffix(item, "W"); ok {
		return dateField.single(day, func(n int) { c.near |= 1 << n })
	}
	return dateField.each(item, func(n int) { c.dates |= 1 << n })
}

func (c *cron) awsWeekdays(text string) error {
	for item := range strings.SplitSeq(text, ",") {
		var err error
		if item == "L" { // the week's last day
			c.weekdays |= 1 << time.Saturday
		} else if day, ok := strings.CutSuffix(item, "L"); ok {
			err = awsDay.single(day, func(n int) { c.lastOf |= 1 << (n - 1) })
		} else if day, which, ok := strings.Cut(item, "#"); ok {
			n, bad := strconv.ParseUint(which, 10, 8)
			if bad != nil || n < 1 || n > 5 {
				return fault.New(fault.Invalid, "%s: a month has the first to fifth of a weekday, #1 to #5", clip(item))
			}
			err = awsDay.single(day, func(d int) { c.nth[n] |= 1 << (d - 1) })
		} else {
			err = awsDay.each(item, func(n int) { c.weekdays |= 1 << (n - 1) })
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// single reads one value.
func (f field) single(text string, add func(int)) error {
	n, ok := f.value(text)
	if !ok {
		return f.wrong(text)
	}
	add(n)
	return nil
}

// each reads lists of values, ranges, * and steps.
func (f field) each(text string, add func(int)) error {
	for item := range strings.SplitSeq(text, ",") {
		span, step, stepped := strings.Cut(item, "/")
		by := 1
		if stepped {
			n, err := strconv.ParseUint(step, 10, 16)
			if err != nil || n == 0 {
				return f.wrong(item)
			}
			by = int(n)
		}
		low, high := f.low, f.high
		if span != "*" {
			from, to, ranged := strings.Cut(span, "-")
			var ok bool
			if low, ok = f.value(from); !ok {
				return f.wrong(item)
			}
			switch {
			case ranged:
				if high, ok = f.value(to); !ok || high < low {
					return f.wrong(item)
				}
			case !stepped:
				high = low
			}
		}
		for n := low; n <= high; n += by {
			add(n)
		}
	}
	return nil
}

func (f field) value(s string) (int, bool) {
	if len(s) == 3 {
		if i := strings.Index(f.names, strings.ToUpper(s)); i >= 0 && i%3 == 0 {
			return f.low + i/3, true
		}
	}
	n, err := strconv.ParseUint(s, 10, 16)
	return int(n), err == nil && int(n) >= f.low && int(n) <= f.high
}

func (f field) wrong(text string) error {
	names := ""
	if f.names != "" {
		names = " or names like " + f.names[3:6]
	}
	return fault.New(fault.Invalid, "%s takes %d to %d%s, lists, ranges and steps, not %q", f.name, f.low, f.high, names, clip(text))
}

// days returns the days of a month that are selected, bit 1 the first.
func (c *cron) days(year int, month time.Month) uint64 {
	length := time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
	first := time.Date(year, month, 1, 0, 0, 0, 0, time.UTC).Weekday()
	weekday := func(day int) time.Weekday { return (first + time.Weekday(day-1)) % 7 }
	var out uint64
	for day := 1; day <= length; day++ {
		w := weekday(day)
		date := c.dates>>day&1 == 1 || c.last>>(length-day)&1 == 1
		week := c.weekdays>>w&1 == 1 || c.nth[(day-1)/7+1]>>w&1 == 1 || day+7 > length && c.lastOf>>w&1 == 1
		if c.chosen(date, week) {
			out |= 1 << day
		}
		if c.near>>day&1 == 1 {
			out |= 1 << nearest(day, length, w)
		}
	}
	if c.lastNear {
		out |= 1 << nearest(length, length, weekday(length))
	}
	return out
}

// chosen: crontab with one day restricted wants both, of which the other is
// every day; EventBridge leaves the other out.
func (c *cron) chosen(date, week bool) bool {
	if c.either || c.dates == 0 || c.weekdays == 0 {
		return date || week
	}
	return date && week
}

// nearest is the working day nearest to a day, in the same month.
func nearest(day, length int, w time.Weekday) int {
	switch {
	case w == time.Saturday && day > 1:
		return day - 1
	case w == time.Saturday:
		return day + 2
	case w == time.Sunday && day < length:
		return day + 1
	case w == time.Sunday:
		return day - 2
	}
	return day
}
