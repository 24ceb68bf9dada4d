package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"redoubt.dev/redoubt/internal/redoubt"
)

// plain makes text from outside safe to show: whatever a terminal could take
// for a command, and what hides or reorders text, is shown as an escape.
func plain(s string) string {
	if !strings.ContainsFunc(s, hostile) && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case hostile(r):
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
		default:
			b.WriteRune(r)
		}
		i += n
	}
	return b.String()
}

// plainLines is plain that keeps line ends, for messages of several lines.
func plainLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = plain(lines[i])
	}
	return strings.Join(lines, "\n")
}

// hostile runes are controls (C0, DEL, C1), formats such as bidirectional
// overrides and zero-width marks, line separators and whatever has no shape.
func hostile(r rune) bool {
	return r != ' ' && !unicode.IsPrint(r)
}

// width is how many columns s takes: East Asian wide runes take two.
func width(s string) (n int) {
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

func runeWidth(r rune) int {
	switch {
	case unicode.Is(unicode.Mn, r), unicode.Is(unicode.Me, r):
		return 0
	case r >= 0x1100 && (r <= 0x115f || r >= 0x2e80 && r <= 0xa4cf || r >= 0xac00 && r <= 0xd7a3 ||
		r >= 0xf900 && r <= 0xfaff || r >= 0xfe30 && r <= 0xfe6f || r >= 0xff00 && r <= 0xff60 || r >= 0x1f300 && r <= 0x1faff || r >= 0x20000 && r <= 0x3fffd):
		return 2
	}
	return 1
}

// shorten cuts s to at most n columns, with an ellipsis where it cut.
func shorten(s string, n int) string {
	if width(s) <= n {
		return s
	}
	used := 0
	for i, r := range s {
		if used += runeWidth(r); used > n-1 {
			return s[:i] + "…"
		}
	}
	return s
}

// ago is t as people say it: 12s, 5m, 3h, 2d.
func ago(now, t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	d := now.Sub(t)
	switch {
	case d < -time.Second:
		return "in " + span(-d)
	case d < time.Second:
		return "now"
	}
	return span(d)
}

func span(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return strconv.Itoa(int(d.Seconds())) + "s"
	case d < 2*time.Hour:
		return strconv.Itoa(int(d.Minutes())) + "m"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d.Hours())) + "h"
	}
	return strconv.Itoa(int(d.Hours()/24)) + "d"
}

// commandLine is a process as one would type it.
func commandLine(p *redoubt.Process) string {
	if p == nil {
		return ""
	}
	if len(p.Args) == 0 {
		return plain(p.Path)
	}
	words := []string{plain(p.Path)}
	for _, a := range p.Args[1:] {
		words = append(words, quote(a))
	}
	line := strings.Join(words, " ")
	if p.Truncated {
		line += " …"
	}
	return line
}

func quote(a string) string {
	a = plain(a)
	if a == "" || strings.ContainsAny(a, " \t'\"\\$&|;<>*?()`#") {
		return "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
	}
	return a
}

// flow is a connection in a few words.
func flow(kind redoubt.EventKind, c *redoubt.Connection) string {
	if c == nil {
		return ""
	}
	switch kind {
	case redoubt.EventListen:
		return fmt.Sprintf("%s on %s", c.Proto, c.Local)
	case redoubt.EventAccept:
		return fmt.Sprintf("%s %s from %s", c.Proto, c.Local, peer(c))
	}
	return fmt.Sprintf("%s to %s", c.Proto, peer(c))
}

func peer(c *redoubt.Connection) string {
	if c.Peer != "" {
		return fmt.Sprintf("%s (%s)", plain(string(c.Peer)), c.Remote)
	}
	return c.Remote.String()
}

func percent(share float64) string { return strconv.Itoa(int(share*100)) + "%" }

// short is the usual first twelve digits of a container id.
func short(id string) string { return id[:min(12, len(id))] }

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
