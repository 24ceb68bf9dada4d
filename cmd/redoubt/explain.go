package main

import (
	"fmt"
	"io"
	"strings"

	"redoubt.dev/redoubt/internal/guard"
	"redoubt.dev/redoubt/internal/redoubt"
)

// sheet is a page of labelled lines; every value is made safe to show.
type sheet struct {
	b      strings.Builder
	colour bool
}

func (s *sheet) line(label, value string) {
	if value != "" {
		fmt.Fprintf(&s.b, "%-11s %s\n", label, plain(value))
	}
}

func (s *sheet) paint(label string, c cell) {
	if c.text != "" {
		fmt.Fprintf(&s.b, "%-11s %s\n", label, paint(plain(c.text), c.colour, s.colour))
	}
}

func (s *sheet) title(t string) { fmt.Fprintf(&s.b, "\n%s\n", plain(t)) }

func (s *sheet) item(format string, args ...any) {
	fmt.Fprintf(&s.b, "  %s\n", plain(fmt.Sprintf(format, args...)))
}

func (s *sheet) write(w io.Writer) error {
	_, err := io.WriteString(w, s.b.String())
	return err
}

func (s *sheet) workload(w redoubt.WorkloadRef) {
	s.line("workload", fmt.Sprintf("%s (%s)", w.Name, w.ID))
	if w.Container != "" {
		s.line("container", short(w.Container))
	}
	if w.Image != "" {
		s.line("image", strings.TrimSpace(w.Image+" "+w.Digest.Short()))
	}
}

// chain shows a process and those above it, the youngest last.
func (s *sheet) chain(p *redoubt.Process) {
	if p == nil {
		return
	}
	s.title("process")
	var all []*redoubt.Process
	for ; p != nil && len(all) < 64; p = p.Parent {
		all = append(all, p)
	}
	for depth := range all {
		p := all[len(all)-1-depth]
		line := fmt.Sprintf("%s%s  [%d]", strings.Repeat("  ", min(depth, 10)), commandLine(p), p.PID)
		if p.Entered {
			line += " entered from outside"
		}
		if p.File != nil && p.File.Origin != "" && p.File.Origin != redoubt.OriginImage {
			line += " " + string(p.File.Origin)
		}
		s.item("%s", line)
	}
}

func (s *sheet) verdict(v redoubt.Verdict) {
	s.paint("effect", effect(v))
	s.line("rule", v.Rule)
	s.line("reason", v.Reason)
	s.line("technique", v.Technique)
	if v.Severity != 0 {
		s.paint("severity", severity(v.Severity))
	}
}

// explanation tells what was asked, what answered, and what would change it.
func (s *sheet) explanation(x *guard.Explanation) {
	e := &x.Event
	s.line(string(e.Kind), happened(e))
	s.workload(e.Workload)
	s.line("node", string(e.Node))
	s.line("time", e.Time.Local().Format("2006-01-02 15:04:05.000"))
	s.verdict(x.Verdict)
	s.chain(e.Process)
	if len(x.Rules) > 0 {
		s.title("rules, in the order they were asked")
		for _, r := range x.Rules {
			mark := "passed by"
			if r.Matched {
				mark = "decided  "
			}
			s.item("%s  %s: %s", mark, r.Rule, r.Why)
		}
	}
	if x.Nearest != nil {
		s.title("nearest entry of the profile: " + x.Nearest.String())
		for _, d := range x.Compared {
			if d.Same {
				s.item("same     %s: %s", d.Field, d.Got)
			} else {
				s.item("differs  %s: the profile has %s, this was %s", d.Field, orDash(d.Want), orDash(d.Got))
			}
		}
	}
	if x.Allow != nil {
		s.title("the smallest change that would allow it")
		s.item("%s", x.Allow.Text)
	}
	if x.Prevent != nil {
		s.title("the smallest rule that would make it fail from now on")
		s.item("%s", x.Prevent.Text)
	}
	if x.Advice != "" {
		s.title("advice")
		s.item("%s", x.Advice)
	}
}
