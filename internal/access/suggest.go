package access

import "strings"

// Problem is one thing wrong with a policy; lines and columns count from 1.
type Problem struct {
	Line    int    `json:"line"`
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
}

// didYouMean names the nearest of names, or all where none is near.
func didYouMean(got string, names []string) string {
	best, least := "", len(got)/3+2
	for _, n := range names {
		if d := distance(strings.ToLower(got), strings.ToLower(n)); d < least {
			best, least = n, d
		}
	}
	if best != "" {
		return "did you mean " + best + "?"
	}
	return "use one of " + strings.Join(names, ", ")
}

// distance counts the letters to change, add or drop between a and b.
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			corner, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, corner+cost)
		}
	}
	return row[len(b)]
}
