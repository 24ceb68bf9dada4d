package api

import "net/url"

// Filter narrows a list. Empty fields do not; a field that a list does not
// know is refused by the console. Since and Until are RFC 3339 times or
// durations back from now (15m, 7d). Limit 0 is all there is.
type Filter struct {
	Workload string
	Kind     string
	Effect   string
	Node     string
	Query    string
	Since    string
	Until    string
	Status   string
	Severity string // the least wanted
	Incident string
	State    string
	Running  string // true or false
	Novel    string // true or false
	Notable  string // true or false
	Actor    string

	Function   string
	Version    string
	Caller     string
	Source     string
	Outcome    string
	Invocation string
	Stage      string
	Principal  string

	Limit int
}

func (f Filter) values() url.Values {
	v := url.Values{}
	for key, value := range map[string]string{
		"workload": f.Workload, "kind": f.Kind, "effect": f.Effect, "node": f.Node, "q": f.Query, "since": f.Since, "until": f.Until,
		"status": f.Status, "severity": f.Severity, "incident": f.Incident, "state": f.State, "running": f.Running, "novel": f.Novel, "notable": f.Notable, "actor": f.Actor,
		"function": f.Function, "version": f.Version, "caller": f.Caller, "source": f.Source, "outcome": f.Outcome, "invocation": f.Invocation,
		"stage": f.Stage, "principal": f.Principal,
	} {
		if value != "" {
			v.Set(key, value)
		}
	}
	return v
}
