package console

import (
	"redoubt.dev/redoubt/internal/api"
	"redoubt.dev/redoubt/internal/route"
)

type functionFilter struct {
	Slice
	Q     string `query:"q" maxLength:"256" doc:"Text to look for in name, description and labels"`
	State string `query:"state" enum:"active,disabled"`
}

type deployRequest struct {
	ByName
	Dry  bool `query:"dry" doc:"Only say whether it would be taken"`
	Body api.DeployRequest
}

// ByVersion names one version of a function.
type ByVersion struct {
	ByName
	Version int `path:"version" minimum:"1" doc:"Its number"`
}

// ByAlias names one alias of a function.
type ByAlias struct {
	ByName
	Alias string `path:"alias" maxLength:"64" doc:"live, or another"`
}

type putAlias struct {
	ByAlias
	Body api.AliasRequest
}

type invocationFilter struct {
	Slice
	Span
	Function string `query:"function" maxLength:"64"`
	Version  int    `query:"version" minimum:"0"`
	Caller   string `query:"caller" maxLength:"256" doc:"Principal"`
	Source   string `query:"source" enum:"http,invoke,schedule,bucket,mqtt,queue,function"`
	Outcome  string `query:"outcome" enum:"denied,refused,throttled,gone,succeeded,failed,timeout,crashed,abandoned"`
	Q        string `query:"q" maxLength:"256" doc:"Text to look for"`
}

type lineFilter struct {
	ByName
	Slice
	Span
	Version    int    `query:"version" minimum:"0"`
	Invocation string `query:"invocation" maxLength:"64" doc:"Only of this call"`
	Q          string `query:"q" maxLength:"256" doc:"Text to look for"`
}

type lineFollow struct {
	ByName
	After int64 `query:"after" default:"-1" minimum:"-1" doc:"last of the answer before; -1 answers where the end is"`
	Limit int   `query:"limit" default:"500" minimum:"1" maximum:"1000"`
}

type usageFilter struct {
	Span
	Function string `query:"function" maxLength:"64"`
	Caller   string `query:"caller" maxLength:"256"`
	By       string `query:"by" maxLength:"64" doc:"What is told apart besides functions, comma separated: version, caller, hour"`
}

type findingFilter struct {
	Days     int    `query:"days" default:"30" minimum:"1" maximum:"365" doc:"Not used for so long"`
	Function string `query:"function" maxLength:"64"`
}

type environmentFilter struct {
	Function string `query:"function" maxLength:"64"`
}

type mapFilter struct {
	Since string `query:"since" maxLength:"64" default:"24h" doc:"RFC 3339 time, or a duration back from now such as 15m, 24h or 7d"`
}

type routeFilter struct {
	Slice
	Function string `query:"function" maxLength:"64" doc:"Only those that lead to it"`
	Stage    string `query:"stage" maxLength:"64"`
}

type putRoute struct {
	ByID
	Dry  bool `query:"dry" doc:"Only say whether it would be taken"`
	Body route.Route
}

type writeRoutes struct {
	Dry  bool `query:"dry" doc:"Only say what would be written"`
	Body api.RoutesRequest
}

type importOpenAPI struct {
	Dry  bool `query:"dry" doc:"Only say what would be written"`
	Body api.OpenAPIRequest
}

type exportFilter struct {
	Stage string `query:"stage" maxLength:"64" doc:"live where empty"`
	Host  string `query:"host" maxLength:"253" doc:"Only of this host"`
	Title string `query:"title" maxLength:"128" default:"Functions"`
}

type putAccess struct {
	ByName
	Dry  bool `query:"dry" doc:"Only say whether it would be taken"`
	Body api.AccessPolicyRequest
}

// ByPrincipal names one principal.
type ByPrincipal struct {
	ID string `path:"id" maxLength:"256" doc:"Its id, escaped: user%2Falice"`
}

type byPrincipalWith[T any] struct {
	ByPrincipal
	Body T
}

type keyFilter struct {
	Slice
	Principal string `query:"principal" maxLength:"256"`
}
