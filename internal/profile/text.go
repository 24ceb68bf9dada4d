package profile

import (
	"fmt"
	"strconv"
	"strings"
)

func portText(p uint16) string { return strconv.Itoa(int(p)) }

// String says in a few words what the entry allows.
func (e *Entry) String() string {
	switch {
	case e.Exec != nil:
		s := e.Exec.Path
		if e.Exec.Args != nil {
			s += " with " + argsText(e.Exec.Args)
		}
		if e.Exec.Parent != "" {
			s += " started by " + parentText(e.Exec.Parent)
		}
		return s
	case e.Listen != nil:
		s := fmt.Sprintf("listen on %s", e.Listen.Proto)
		if e.Listen.Port == 0 {
			s += ", any ephemeral port"
		} else {
			s += " port " + portText(e.Listen.Port)
		}
		if e.Listen.Path != "" {
			s += " by " + e.Listen.Path
		}
		return s
	case e.Connect != nil:
		s := fmt.Sprintf("connect to %s over %s", e.Connect.Peer, e.Connect.Proto)
		if e.Connect.Port != 0 {
			s += " port " + portText(e.Connect.Port)
		}
		if e.Connect.Path != "" {
			s += " by " + e.Connect.Path
		}
		return s
	}
	return "nothing"
}

func parentText(p string) string {
	switch p {
	case "":
		return "any program"
	case Outside:
		return "somebody outside the workload"
	}
	return p
}

func argsText(args []string) string {
	if args == nil {
		return "any arguments"
	}
	quoted := make([]string, len(args))
	for i, a := range args {
		if quoted[i] = a; a == "" || strings.ContainsAny(a, " \t\n'\"") {
			quoted[i] = strconv.Quote(a)
		}
	}
	return "[" + strings.Join(quoted, " ") + "]"
}
