package profile

import (
	"fmt"
	"math/bits"
	"strings"
	"time"
)

// Hours is the set of hours of the day, in UTC, in which a workload was
// watched; bit n stands for the hour from n o'clock.
type Hours uint32

func hourOf(t time.Time) Hours { return 1 << t.UTC().Hour() }

// missing names the hours never watched, as ranges; empty if there are none.
func (h Hours) missing() string {
	h &= 1<<24 - 1
	if h == 1<<24-1 {
		return ""
	}
	if h == 0 {
		return "any hour of the day"
	}
	// Start after a watched hour, so that a range across midnight stays whole.
	first := bits.TrailingZeros32(uint32(h))
	var out []string
	for i := 1; i <= 24; i++ {
		from := (first + i) % 24
		n := 0
		for h&(1<<((from+n)%24)) == 0 {
			n++
		}
		if n > 0 {
			out = append(out, fmt.Sprintf("%02d:00–%02d:00", from, (from+n)%24))
			i += n
		}
	}
	return strings.Join(out, ", ") + " UTC"
}
