package function

import (
	"fmt"
	"slices"

	"redoubt.dev/redoubt/internal/fault"
)

// GoneError is why a function cannot be called although its name is known: it
// is disabled, or has no such version or alias. Callers over HTTP get 410.
type GoneError struct{ Ref, Why string }

func (e *GoneError) Error() string { return e.Ref + " " + e.Why }

func gone(r Ref, format string, args ...any) error {
	return fault.New(fault.NotFound, "%w", &GoneError{r.String(), fmt.Sprintf(format, args...)})
}

// Resolve returns the version that ref means. Of an alias with several, pick,
// at least 0 and below 1, chooses: each version owns a stretch as long as its
// share, in the order of Weights, so equal picks get equal versions. The error
// is a *GoneError of kind fault.NotFound.
func (f *Function) Resolve(ref Ref, pick float64) (*Version, error) {
	if f.State == Disabled {
		why := "is disabled"
		if f.Reason != "" {
			why += ": " + f.Reason
		}
		return nil, gone(ref, "%s", why)
	}
	if ref.Version != 0 {
		v, ok := f.Version(ref.Version)
		if !ok {
			return nil, gone(ref, "is no version: the newest is %d", f.Last)
		}
		return v, nil
	}
	name := ref.Alias
	if name == "" {
		name = Live
	}
	a, ok := f.Aliases[name]
	if !ok || len(a.Weights) == 0 {
		return nil, gone(ref, "is no alias of it")
	}
	v, ok := f.Version(a.pick(pick))
	if !ok {
		return nil, gone(ref, "points to version %d, which is not there", a.pick(pick))
	}
	return v, nil
}

func (a Alias) pick(pick float64) int {
	at := 0.0
	for _, w := range a.Weights {
		at += float64(w.Percent)
		if pick*100 < at {
			return w.Version
		}
	}
	return a.Weights[len(a.Weights)-1].Version
}

// All returns an alias that points to one version.
func All(version int) []Weight { return []Weight{{Version: version, Percent: 100}} }

const maxWeights = 10

// checkWeights reports everything wrong with an alias's weights.
func (f *Function) checkWeights(ws []Weight, report report) {
	if len(ws) == 0 || len(ws) > maxWeights {
		report("weights", fmt.Sprintf("an alias points to 1 to %d versions, not to %d", maxWeights, len(ws)))
		return
	}
	sum, seen := 0, map[int]bool{}
	for i, w := range ws {
		path := fmt.Sprintf("weights[%d]", i)
		if _, ok := f.Version(w.Version); !ok {
			report(path+".version", fmt.Sprintf("%s has no version %d", f.Name, w.Version))
		}
		if seen[w.Version] {
			report(path+".version", fmt.Sprintf("version %d is given twice", w.Version))
		}
		if seen[w.Version] = true; w.Percent < 1 || w.Percent > 100 {
			report(path+".percent", fmt.Sprintf("a share lies between 1 and 100, not at %d", w.Percent))
			continue
		}
		sum += w.Percent
	}
	if sum != 100 {
		report("weights", fmt.Sprintf("the shares add up to %d, not to 100", sum))
	}
}

// pointedAt returns the names of the aliases that point to a version.
func (f *Function) pointedAt(version int) []string {
	var out []string
	for name, a := range f.Aliases {
		if holds(a.Weights, version) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func holds(ws []Weight, version int) bool {
	return slices.ContainsFunc(ws, func(w Weight) bool { return w.Version == version })
}
