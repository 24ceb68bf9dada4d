package function

import (
	_ "embed"
	"fmt"
	"strings"
	"time"
)

//go:embed eol.csv
var ends string

// end returns when a language's version ceased to get security fixes, and who
// says so. A version that is not in the table is not judged.
func end(r Runtime, language string) (day time.Time, source string, ok bool) {
	language = strings.TrimSuffix(language, ".0")
	for line := range strings.SplitSeq(ends, "\n") {
		f := strings.Split(line, ",")
		if len(f) != 4 || f[0] != string(r) || f[1] != language {
			continue
		}
		day, err := time.Parse(time.DateOnly, f[2])
		return day, f[3], err == nil
	}
	return time.Time{}, "", false
}

// From here on a bundle is worth a word.
const (
	largeBundle = 50 << 20
	manyFiles   = 5000
	soon        = 90 * 24 * time.Hour
	staleAfter  = 180 * 24 * time.Hour
)

// Hints says in plain words what should be better about a version at that
// time: its language, its size, its age.
func (v *Version) Hints(now time.Time) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if day, source, ok := end(v.Spec.Runtime, v.Spec.Language); ok {
		name := string(v.Spec.Runtime) + " " + v.Spec.Language
		switch {
		case !now.Before(day):
			add("%s gets no security fixes since %s (%s): move to a newer one", name, day.Format(time.DateOnly), source)
		case day.Sub(now) < soon:
			add("%s gets no security fixes after %s (%s): plan the move to a newer one", name, day.Format(time.DateOnly), source)
		}
	}
	if v.Spec.Runtime != Image && v.Code.Unpacked > largeBundle {
		add("the code has %d MiB unpacked: a smaller one starts faster and has less to attack; leave out what only builds and tests need", v.Code.Unpacked>>20)
	}
	if v.Spec.Runtime != Image && v.Code.Files > manyFiles {
		add("the code has %d files: bundling it into few starts faster, and unused dependencies go with it", v.Code.Files)
	}
	if age := now.Sub(v.Created); age > staleAfter {
		add("it was deployed %d days ago and its dependencies are as old: update them and deploy again", int(age.Hours()/24))
	}
	return out
}
