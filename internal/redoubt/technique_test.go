package redoubt

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestTechniquesAreInOrderAndWhole(t *testing.T) {
	if !slices.IsSortedFunc(techniques, func(a, b Technique) int { return strings.Compare(a.ID, b.ID) }) {
		t.Error("techniques are not in the order of their ids, so some are not found")
	}
	form := regexp.MustCompile(`^T\d{4}(\.\d{3})?$`)
	for _, want := range techniques {
		if got, ok := TechniqueByID(want.ID); !ok || got != want || !form.MatchString(want.ID) || want.Name == "" || want.Tactic == "" {
			t.Errorf("%+v: found %+v", want, got)
		}
	}
	if _, ok := TechniqueByID("T0000"); ok {
		t.Error("found a technique that is not there")
	}
}
