package console

import (
	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/profile"
)

// out is an answer with a JSON body.
type out[T any] struct{ Body T }

func answer[T any](v T) *out[T] { return &out[T]{Body: v} }

// in is a request with a JSON body and nothing else.
type in[T any] struct{ Body T }

// ByID names one thing, with or without a body about it.
type ByID struct {
	ID string `path:"id" maxLength:"512" doc:"Its id"`
}

type byIDWith[T any] struct {
	ByID
	Body T
}

type ByName struct {
	Name string `path:"name" maxLength:"128" doc:"Its name"`
}

type byNameWith[T any] struct {
	ByName
	Body T
}

type ByWorkload struct {
	Workload string `path:"workload" maxLength:"512" doc:"Workload id, escaped: docker%2Fshop%2Fweb"`
}

type byWorkloadWith[T any] struct {
	ByWorkload
	Body T
}

type ByInstance struct {
	Instance string `path:"instance" maxLength:"512" doc:"Container id or its first six or more digits, name, or workload id, escaped"`
}

type Slice struct {
	Limit  int    `query:"limit" default:"100" minimum:"1" maximum:"1000" doc:"Items on the page"`
	Cursor string `query:"cursor" maxLength:"512" doc:"The next of the page before"`
}

type Span struct {
	Since string `query:"since" maxLength:"64" doc:"RFC 3339 time, or a duration back from now such as 15m, 24h or 7d"`
	Until string `query:"until" maxLength:"64" doc:"As since"`
}

type eventFilter struct {
	Slice
	Span
	Workload string `query:"workload" maxLength:"512" doc:"Workload id, name, or first six or more digits of a container id"`
	Kind     string `query:"kind" enum:"exec,exit,listen,connect,accept,start,stop,loss,action"`
	Effect   string `query:"effect" enum:"ignore,alert,prevent,block,isolate"`
	Node     string `query:"node" maxLength:"256"`
	Q        string `query:"q" maxLength:"256" doc:"Text to look for in workload, image, path, arguments, addresses, rule and reason"`
	Novel    string `query:"novel" enum:"true,false" doc:"Only events outside the profile, or only those inside"`
	Notable  string `query:"notable" enum:"true,false" doc:"Leave out what is known to be good: keep what lies outside the profile, alarms, what was stopped, actions and losses"`
}

type alertFilter struct {
	Slice
	Span
	Workload string `query:"workload" maxLength:"512" doc:"Workload id, name, or first six or more digits of a container id"`
	Status   string `query:"status" enum:"open,acknowledged,resolved"`
	Severity string `query:"severity" enum:"low,medium,high,critical" doc:"The least severity wanted"`
	Kind     string `query:"kind" enum:"exec,exit,listen,connect,accept,start,stop,loss,action"`
	Incident string `query:"incident" maxLength:"64"`
	Q        string `query:"q" maxLength:"256" doc:"Text to look for"`
}

type incidentFilter struct {
	Slice
	Span
	Workload string `query:"workload" maxLength:"512" doc:"Workload id, name, or first six or more digits of a container id"`
	Status   string `query:"status" enum:"open,acknowledged,resolved"`
	Severity string `query:"severity" enum:"low,medium,high,critical" doc:"The least severity wanted"`
	Q        string `query:"q" maxLength:"256" doc:"Text to look for"`
}

type workloadFilter struct {
	Slice
	Span
	Workload string `query:"workload" maxLength:"512" doc:"Workload id, name, or first six or more digits of a container id"`
	Node     string `query:"node" maxLength:"256"`
	Q        string `query:"q" maxLength:"256" doc:"Text to look for in id, name, container id, image, node and labels"`
	Kind     string `query:"kind" enum:"container,service,host"`
	State    string `query:"state" enum:"learning,observing,enforcing,archived" doc:"State of its profile"`
	Running  string `query:"running" enum:"true,false"`
}

type profileFilter struct {
	Slice
	Span
	Workload string `query:"workload" maxLength:"512" doc:"Workload id or name"`
	Q        string `query:"q" maxLength:"256" doc:"Text to look for in workload id, name and image"`
	State    string `query:"state" enum:"learning,observing,enforcing,archived"`
}

type auditFilter struct {
	Slice
	Span
	Actor string `query:"actor" maxLength:"128"`
	Q     string `query:"q" maxLength:"256" doc:"Text to look for in action and object"`
}

type historyFilter struct {
	ByName
	Slice
}

type putPolicy struct {
	ByName
	Dry  bool `query:"dry" doc:"Only say whether it would be taken"`
	Body api.PolicyRequest
}

type putProfile = byWorkloadWith[profile.Profile]

type streamFilter struct {
	Types string `query:"types" maxLength:"128" doc:"Comma separated: event, alert, incident, workload, profile, node, policy; all when empty"`
}

// sessionOut is a session with its cookie.
type sessionOut struct {
	SetCookie string `header:"Set-Cookie"`
	Body      api.Session
}

type cookieOut struct {
	SetCookie string `header:"Set-Cookie"`
}
