package main

import (
	"fmt"
	"io"
	"strings"

	"redoubt.dev/redoubt/internal/redoubt"
)

// maxWidth is how many columns a table may take.
const maxWidth = 100

// cell is text with a colour; the text may come from outside.
type cell struct{ text, colour string }

func text(s string) cell { return cell{text: s} }

func count[T int | int64 | uint64](n T) cell { return cell{text: fmt.Sprint(n)} }

// table is written with its columns side by side. Where they are too wide
// together, the widest gives way.
type table struct {
	heads []string
	rows  [][]cell
}

func (t *table) add(cells ...cell) { t.rows = append(t.rows, cells) }

func (t *table) write(w io.Writer, colourful bool) error {
	for _, row := range t.rows {
		for i := range row {
			row[i].text = orDash(plain(row[i].text))
		}
	}
	widths := t.fit()
	var b strings.Builder
	head := make([]cell, len(t.heads))
	for i, h := range t.heads {
		head[i] = text(h)
	}
	for _, row := range append([][]cell{head}, t.rows...) {
		for i, c := range row {
			s := shorten(c.text, widths[i])
			b.WriteString(paint(s, c.colour, colourful))
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-width(s)+2))
			}
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// fit returns the columns' widths.
func (t *table) fit() []int {
	widths := make([]int, len(t.heads))
	total := 2 * (len(widths) - 1)
	for i, h := range t.heads {
		widths[i] = len(h)
		for _, row := range t.rows {
			widths[i] = max(widths[i], width(row[i].text))
		}
		total += widths[i]
	}
	for ; total > maxWidth; total-- {
		widest := 0
		for i := range widths {
			if widths[i] > widths[widest] {
				widest = i
			}
		}
		widths[widest]--
	}
	return widths
}

func severity(s redoubt.Severity) cell {
	colours := map[redoubt.Severity]string{redoubt.Critical: bad, redoubt.High: bad, redoubt.Medium: warning}
	return cell{s.String(), colours[s]}
}

// effect says what was wanted, and whether it was done.
func effect(v redoubt.Verdict) cell {
	switch {
	case v.Effect == redoubt.EffectIgnore:
		return cell{string(v.Effect), faint}
	case v.Effect == redoubt.EffectAlert:
		return cell{string(v.Effect), warning}
	case v.Enforced != "":
		return cell{string(v.Effect) + " by " + string(v.Enforced), bad}
	case v.Effect != "":
		return cell{string(v.Effect) + " wanted", bad}
	}
	return text("")
}
